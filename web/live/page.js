/** The live view: one loop that hands frames to an engine and shows what it says of them. */

import { DeviceEngine } from "./device_engine.js";
import { FRESH_S } from "./fresh.js";
import { FacesPanel } from "./panels/faces_panel.js";
import { GamePanel } from "./panels/game_panel.js";
import { PersonalPanel } from "./panels/personal_panel.js";
import { drawFaces } from "./overlay.js";
import { PictureSource, sizeOf } from "./picture_source.js";
import { ConnectionError, ServerEngine } from "./server_engine.js";
import { SessionPanel } from "./panels/session_panel.js";
import { SuggestionsPanel } from "./panels/suggestions_panel.js";
import { TeachPanel } from "./panels/teach_panel.js";

const RETRY_MS = 1000;
const SERVER_DEMO_INTERVAL_MS = 250;
const SERVER_DEMO_MS = 60_000;

/**
 * The result of an engine for one frame.
 *
 * @typedef {object} Answer
 * @property {import("./engine/engine.js").Face[]} faces in pixels of the frame, the largest first; empty if there are none
 * @property {number} timeS when the frame was taken, on the page's clock (`performance.now() / 1000`)
 * @property {number} tookMs from taking the frame to the answer
 * @property {boolean} live whether it came from a camera; if not, from the demonstration
 */

/**
 * A part of the page that follows what is seen.
 *
 * @typedef {object} Panel
 * @property {(answer: Answer) => void} show called with every answer
 * @property {() => void} [showNothing] the newest answer is older than `FRESH_S`, or none came: nothing of it is shown
 *   any more
 * @property {() => void} forget another picture begins: nobody in it is known from the one before, and nothing of it
 *   is shown
 * @property {(engine: object | null) => void} [engineChanged] another engine is in use; null while there is none
 * @property {(timeS: number) => void} [handOn] called when a frame goes to the engine, while `picture` still shows it
 */

/**
 * What every panel gets when it is created.
 *
 * @typedef {object} Context
 * @property {string[]} labelNames in the order of all probabilities
 * @property {() => HTMLVideoElement | HTMLCanvasElement | null} picture the image being processed, never mirrored
 * @property {() => boolean} mirrored whether the visitor sees it mirrored
 * @property {import("./panels/suggestions.js").Suggestions} suggestions
 */

/**
 * Build the view inside an element and begin: load, then show the demonstration until somebody starts a camera.
 *
 * @param {HTMLElement} element
 * @param {object} given by app.py
 * @param {object | null} given.places addresses of the files of the engine on the device, or null if it is not offered
 * @param {string} given.demo address of the demonstration's picture
 * @param {string[]} given.labelNames
 * @param {import("./panels/suggestions.js").Suggestions} given.suggestions
 * @param {(frame: object) => Promise<object>} look the server's function `look_at_frame`
 */
export async function mount(element, given, look) {
  element.innerHTML = MARKUP;
  const view = new View(element, given, look);
  await view.begin();
}

const MARKUP = `
<div class="live">
  <div class="stage">
    <div class="picture">
      <video playsinline muted aria-label="Your camera" hidden></video>
      <canvas class="demo" role="img" aria-label="A demonstration with a photo" hidden></canvas>
      <canvas class="overlay" aria-hidden="true"></canvas>
      <div class="loading"><progress max="1" value="0" aria-label="Loading"></progress><p>Loading the model …</p></div>
    </div>
    <p class="badge" hidden>demonstration with a photo</p>
  </div>
  <div class="side">
    <p class="controls">
      <button type="button" class="start" disabled>Use my camera</button>
      <label><input type="checkbox" class="mirror" checked> mirror</label>
      <label class="cameras" hidden>Camera <select class="camera" aria-label="Camera"></select></label>
    </p>
    <p class="needs-https" hidden></p>
    <p class="problem" role="alert"></p>
    <section class="faces" aria-label="What the expressions look like"></section>
    <fieldset class="engines">
      <legend>Where images are processed</legend>
      <label><input type="radio" name="engine" value="device"> on this device</label>
      <label><input type="radio" name="engine" value="server"> on the server</label>
      <p class="privacy"></p>
    </fieldset>
  </div>
  <section class="suggestions"></section>
  <section class="session"></section>
  <section class="game"></section>
  <section class="personal"></section>
  <section class="teach"></section>
</div>`;

const PRIVACY = {
  device: "No picture leaves this device. Switch off your network, and it goes on.",
  server: "Small pictures of your camera go to the server, which processes them and keeps none.",
};
const NOT_ON_DEVICE = "On-device processing is not available here.";

class View {
  #element;
  #given;
  #lookOnServer;
  #find;
  #source;
  #demoBegan = 0;
  #engine = null;
  #onDevice = null;
  #drawn = [];
  #panels = [];
  #faces = [];
  #scene = 0;
  #notBefore = 0;
  #newestShown = 0;
  /** Until when the newest answer is shown; 0 if nothing is. */
  #freshUntil = 0;
  /** Until when its boxes are: they lie where the faces were when the frame was taken. */
  #inPlaceUntil = 0;

  constructor(element, given, look) {
    this.#element = element;
    this.#given = given;
    this.#lookOnServer = look;
    this.#find = (selector) => element.querySelector(selector);
    this.#source = new PictureSource(this.#find, () => this.#forget(), (problem) => this.#tell(problem));
    for (const choice of element.querySelectorAll("[name=engine]")) choice.onchange = () => this.#use(choice.value);
  }

  async begin() {
    const context = {
      labelNames: this.#given.labelNames,
      picture: () => this.#source.picture(),
      mirrored: () => this.#source.isMirrored,
      suggestions: this.#given.suggestions,
    };
    this.#panels = [
      new FacesPanel(this.#find(".faces"), context),
      new PersonalPanel(this.#find(".personal"), context, this.#find(".faces")),
      new SuggestionsPanel(this.#find(".suggestions"), context),
      new SessionPanel(this.#find(".session"), context),
      new GamePanel(this.#find(".game"), context),
      new TeachPanel(this.#find(".teach"), context),
    ];
    requestAnimationFrame(() => this.#step());
    const device = this.#find("[value=device]");
    device.disabled = !this.#given.places;
    const wanted = this.#given.places ? "device" : "server";
    this.#find(`[value=${wanted}]`).checked = true;
    await Promise.all([this.#use(wanted), this.#loadDemo()]);
  }

  async #loadDemo() {
    try {
      await this.#source.loadDemo(this.#given.demo);
    } catch {
      this.#tell("The demonstration's picture cannot be loaded. The camera works without it.");
    }
  }

  /** Change the engine; only a click of the visitor, or the first start, does. */
  async #use(name) {
    this.#engine = null;
    for (const panel of this.#panels) panel.engineChanged?.(null);
    this.#forget();
    this.#tell("");
    this.#find(".privacy").textContent = this.#given.places ? PRIVACY[name] : `${PRIVACY[name]} ${NOT_ON_DEVICE}`;
    this.#find(".loading").hidden = name === "server";
    try {
      const engine = await this.#makeEngine(name);
      if (this.#find(`[value=${name}]`).checked) {
        this.#engine = engine;
        for (const panel of this.#panels) panel.engineChanged?.(engine);
      }
      this.#find(".start").disabled = false;
    } catch (error) {
      const instead = name === "device" ? ' You can choose "on the server" instead.' : "";
      this.#tell(`The model cannot be used ${name === "device" ? "on this device" : "on the server"}: ${error.message}.${instead}`);
    }
    this.#find(".loading").hidden = true;
  }

  async #makeEngine(name) {
    if (name === "server") return new ServerEngine(this.#lookOnServer);
    const progress = this.#find(".loading progress");
    this.#onDevice ??= DeviceEngine.load(this.#given.places, (share) => (progress.value = share));
    try {
      return await this.#onDevice;
    } catch (error) {
      this.#onDevice = null;
      throw error;
    }
  }

  /** The one loop: draws at the screen's rate, and hands the newest frame on whenever the engine has room for it. */
  #step() {
    requestAnimationFrame(() => this.#step());
    const now = performance.now();
    if (this.#freshUntil && now > this.#freshUntil) this.#showNothing();
    if (this.#faces.length && now > this.#inPlaceUntil) this.#faces = [];
    const isInView = this.#isInView();
    this.#source.pauseDemo(!this.#source.isLive && !(isInView && this.#demoMayGoOn()));
    if (!isInView) return;
    const picture = this.#source.picture();
    if (!picture) return;
    const overlay = this.#find(".overlay");
    const { width, height } = sizeOf(picture);
    if (overlay.width !== width || overlay.height !== height) {
      Object.assign(overlay, { width, height });
      this.#find(".picture").style.setProperty("--aspect", width / height);
    }
    this.#draw(overlay);
    if (this.#hasRoom()) this.#handOn(picture);
  }

  /** Only what has changed is drawn again. */
  #draw(overlay) {
    const mirrored = this.#source.isMirrored;
    const drawn = [this.#faces, mirrored, overlay.width, overlay.height, overlay.clientWidth, overlay.clientHeight];
    if (drawn.every((value, place) => value === this.#drawn[place])) return;
    this.#drawn = drawn;
    drawFaces(overlay.getContext("2d"), this.#faces, { mirrored });
  }

  #hasRoom() {
    if (!this.#engine || !this.#isInView() || !this.#engine.hasRoom) return false;
    if (performance.now() < this.#notBefore) return false;
    return this.#source.isLive ? this.#source.hasNewFrame : this.#demoMayGoOn();
  }

  /** Whether anybody can see the view: not while its browser tab is in the background or another tab of the app is open. */
  #isInView() {
    return !document.hidden && this.#element.getClientRects().length > 0;
  }

  /** The server is not kept busy with a photo for long. */
  #demoMayGoOn() {
    if (!(this.#engine instanceof ServerEngine)) return true;
    return performance.now() - this.#demoBegan < SERVER_DEMO_MS;
  }

  async #handOn(picture) {
    const [engine, scene, begun, live] = [this.#engine, this.#scene, performance.now(), this.#source.isLive];
    this.#source.takeFrame();
    if (!live && engine instanceof ServerEngine) this.#notBefore = begun + SERVER_DEMO_INTERVAL_MS;
    for (const panel of this.#panels) panel.handOn?.(begun / 1000);
    try {
      const faces = await engine.look(picture, begun / 1000, scene);
      if (faces && scene === this.#scene && begun > this.#newestShown) {
        this.#newestShown = begun;
        this.#show({ faces, timeS: begun / 1000, tookMs: performance.now() - begun, live });
      }
    } catch (error) {
      // The camera may just have ended; there is no frame then, and nothing is wrong.
      if (scene === this.#scene) this.#tellOfEngine(error);
    }
    // The next frame may have come meanwhile; it need not wait for the next drawing.
    const next = this.#source.isLive ? this.#source.picture() : null;
    if (next && this.#hasRoom()) this.#handOn(next);
  }

  #tellOfEngine(error) {
    this.#notBefore = performance.now() + RETRY_MS;
    this.#showNothing();
    const again = error instanceof ConnectionError ? " Retrying every second." : "";
    this.#tell(`${error.message[0].toUpperCase()}${error.message.slice(1)}.${again}`, { passing: true });
  }

  #show(answer) {
    this.#faces = answer.faces;
    this.#freshUntil = performance.now() + 1000 * FRESH_S;
    this.#inPlaceUntil = 1000 * (answer.timeS + FRESH_S);
    for (const panel of this.#panels) panel.show(answer);
    if (this.#find(".problem").dataset.passing) this.#tell("");
    this.#element.dispatchEvent(new CustomEvent("answer", { detail: answer }));
  }

  /** There is no answer that is fresh enough to be shown. */
  #showNothing() {
    this.#freshUntil = 0;
    this.#faces = [];
    for (const panel of this.#panels) panel.showNothing?.();
  }

  /** Another picture begins: nobody in it is known from the one before. */
  #forget() {
    this.#demoBegan = performance.now();
    this.#freshUntil = 0;
    this.#faces = [];
    this.#scene += 1;
    for (const panel of this.#panels) panel.forget();
  }

  #tell(problem, { passing = false } = {}) {
    const message = this.#find(".problem");
    if (message.textContent !== problem) message.textContent = problem;
    message.dataset.passing = passing ? "yes" : "";
  }
}
