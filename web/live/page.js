/** The live view: one loop that hands frames to an engine and shows what it says of them. */

import { CameraSign } from "./camera_sign.js";
import { DeviceEngine } from "./backends/device_engine.js";
import { FRESH_S } from "./fresh.js";
import { faceEvent, originsForEvents } from "./face_event.js";
import { FacesPanel } from "./panels/faces_panel.js";
import { GamePanel } from "./panels/game/game_panel.js";
import { PersonalPanel } from "./panels/personal/personal_panel.js";
import { mainFirst, withFirst } from "./main_face.js";
import { drawFaces, faceAt } from "./overlay.js";
import { PictureSource, sizeOf } from "./sources/picture_source.js";
import { ConnectionError, ServerEngine } from "./backends/server_engine.js";
import { SessionPanel } from "./panels/session/session_panel.js";
import { Stillness } from "./sources/stillness.js";
import { SuggestionsPanel } from "./panels/suggestions/suggestions_panel.js";
import { TeachPanel } from "./panels/teach/teach_panel.js";
import { language, setMarkup, t, tMessage, translated } from "./texts.js";
import { needsHttps } from "./words.js";

const RETRY_MS = 1000;
const SERVER_DEMO_INTERVAL_MS = 250;
const SERVER_DEMO_MS = 60_000;
const DEVICE_DEMO_MS = 180_000;
// Where nobody was in view for a while, a face that comes may wait for this long: to search takes most of the time.
const NOBODY_AFTER_MS = 3000;
const NOBODY_INTERVAL_MS = 1000;
// Once a still picture has been searched in all its parts, frames are only compared, and every tenth is searched.
const STILL_INTERVAL_MS = 500;
const STILL_AFTER_LOOKS = 8;
const STILL_LOOKS_PER_SEARCH = 10;
// The loop draws nothing new then.
const QUIET_STEP_MS = 250;

/**
 * The result of an engine for one frame.
 *
 * @typedef {object} Answer
 * @property {import("./engine/engine.js").Face[]} faces in pixels of the frame; first the one that the headline is about,
 *   the others by size; empty if there are none
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
 * @property {(engine: DeviceEngine | ServerEngine | null) => void} [engineChanged] another engine is in use; null while there is none
 * @property {(timeS: number, live: boolean) => void} [handOn] called before a frame goes to the engine, while `picture`
 *   still shows it; `live` as in `Answer`
 */

/**
 * What every panel gets when it is created.
 *
 * @typedef {object} Context
 * @property {string[]} labelNames in the order of all probabilities
 * @property {() => HTMLVideoElement | HTMLCanvasElement | null} picture the image being processed, never mirrored
 * @property {() => boolean} mirrored whether the visitor sees it mirrored
 * @property {import("./panels/suggestions/suggestions.js").Suggestions} suggestions
 * @property {string} zipLibrary address of fflate
 * @property {(trackId: number) => void} choose puts a face first while it is in view
 * @property {() => Promise<boolean>} startCamera starts the camera unless it is on; gives whether it is
 */

/**
 * Build the view inside an element and begin: load, then show the demonstration until somebody starts a camera.
 *
 * @param {HTMLElement} element
 * @param {object} given by app.py
 * @param {object | null} given.places addresses of the files of the engine on the device, or null if it is not offered
 * @param {Record<string, import("./backends/download.js").Size>} given.sizes of those files
 * @param {string} given.demo address of the demonstration's picture
 * @param {string} given.zip address of fflate
 * @param {string[]} given.labelNames
 * @param {import("./panels/suggestions/suggestions.js").Suggestions} given.suggestions
 * @param {string} [given.frames] address to which pictures go for the engine on the server; missing without a server
 */
export async function mount(element, given) {
  setMarkup(element, MARKUP);
  element.firstElementChild.setAttribute("lang", language);
  const view = new View(element, given);
  await view.begin();
}

const MARKUP = `
<div class="live" aria-busy="true">
  <div class="stage">
    <div class="picture">
      <video playsinline muted aria-label="Your camera" hidden></video>
      <canvas class="demo" role="img" aria-label="Demonstration with a photo and drawn faces: not you" hidden></canvas>
      <canvas class="overlay" aria-hidden="true"></canvas>
      <div class="invitation" hidden>
        <p>This is not you. <span>What does <em>your</em> expression look like? No picture leaves your device.</span>
          <span class="short">Try your own face.</span></p>
        <button type="button" class="start-here">Start my camera</button>
      </div>
      <div class="loading"><progress max="1" value="0" aria-label="Loading"></progress><p>Loading the model …</p></div>
    </div>
    <p class="badge"></p>
  </div>
  <div class="side">
    <p class="controls">
      <button type="button" class="start">Use my camera</button>
      <label><input type="checkbox" class="mirror" checked> mirror</label>
      <label class="cameras" hidden>Camera <select class="camera" aria-label="Camera"></select></label>
    </p>
    <p class="needs-https" hidden></p>
    <p class="problem" role="alert"></p>
    <p class="retry" hidden><button type="button">Try again</button></p>
    <section class="faces" aria-label="What the expressions look like"></section>
  </div>
  <fieldset class="engines">
    <legend>Where images are processed</legend>
    <h3 class="network"></h3>
    <p class="proof">Camera pictures sent by this page: <b class="sent">0</b></p>
    <label><input type="radio" name="engine" value="device"> on this device</label>
    <label><input type="radio" name="engine" value="server"> on the server</label>
    <p class="privacy"></p>
  </fieldset>
  <section class="suggestions"></section>
  <section class="session"></section>
  <section class="game"></section>
  <section class="personal"></section>
  <section class="teach"></section>
</div>`;

const NETWORK = {
  device: t("Switch off your network: it goes on."),
  server: t("Pictures go over the network."),
};
const PRIVACY = {
  device: t("No picture of your camera leaves this device."),
  server: t("Small pictures of your camera go to the server, which processes them and keeps none."),
};
const NOT_ON_DEVICE = t("On-device processing is not available here.");

class View {
  #element;
  #given;
  #find;
  #source;
  #sign;
  /** Whether the view rests, as it does while another tab of the app is open; null before the first look. */
  #isResting = null;
  /** The number of the loop that runs: an earlier one ends. */
  #loop = 0;
  #demoBegan = 0;
  #engine = null;
  #onDevice = null;
  /** Whether a part of the picture is, and not scrolled away. */
  #isOnScreen = true;
  #drawn = [];
  #panels = [];
  #faces = [];
  #eventOrigins = originsForEvents(location.search);
  #scene = 0;
  /** The track that the visitor chose: while it is in view, the headline is about it. */
  #chosenId = null;
  /** The track that the headline is about; null if it may be any. */
  #mainId = null;
  #isFacePosted = false;
  /** Pictures that went to the server since the page was opened. */
  #sent = 0;
  /** When the last face was seen, or when there was another reason to expect one. */
  #faceSeenAt = 0;
  /** Why there is no engine, or "". */
  #noEngine = "";
  #notBefore = 0;
  #stillness = new Stillness();
  #newestShown = 0;
  /** Until when the newest answer is shown; 0 if nothing is. */
  #freshUntil = 0;
  /** Until when its boxes are: they lie where the faces were when the frame was taken. */
  #inPlaceUntil = 0;

  constructor(element, given) {
    this.#element = element;
    this.#given = given;
    for (const choice of element.querySelectorAll(".engines label")) choice.hidden = !this.#hasServer;
    this.#find = (selector) => element.querySelector(selector);
    this.#source = new PictureSource(this.#find, () => this.#forget(), () => this.#nextScene(), (problem) => this.#tell(problem));
    this.#find(".needs-https").textContent = needsHttps(this.#hasServer);
    this.#find(".overlay").onclick = (event) => this.#choose(event);
    this.#sign = new CameraSign(element, () => this.#source.stop());
    new IntersectionObserver(([{ isIntersecting }]) => (this.#isOnScreen = isIntersecting)).observe(this.#find(".stage"));
    for (const choice of element.querySelectorAll("[name=engine]")) choice.onchange = () => this.#use(choice.value);
    this.#find(".retry button").onclick = () => this.#use(this.#find("[name=engine]:checked").value);
  }

  /** Whether there is anything but this page: an engine on the server, and the tabs Photo and Video. */
  get #hasServer() {
    return Boolean(this.#given.frames);
  }

  async begin() {
    const context = {
      labelNames: this.#given.labelNames,
      picture: () => this.#source.picture(),
      mirrored: () => this.#source.isMirrored,
      suggestions: this.#given.suggestions,
      choose: (trackId) => (this.#chosenId = trackId),
      startCamera: () => this.#source.start(),
      zipLibrary: new URL(this.#given.zip, document.baseURI).href,
    };
    this.#panels = [
      new FacesPanel(this.#find(".faces"), context),
      new PersonalPanel(this.#find(".personal"), context, this.#find(".faces")),
      new SuggestionsPanel(this.#find(".suggestions"), context),
      new SessionPanel(this.#find(".session"), context),
      new GamePanel(this.#find(".game"), context),
      new TeachPanel(this.#find(".teach"), context),
    ];
    // The view has no size while another tab of the app is open.
    new ResizeObserver(() => this.#goOnOrRest()).observe(this.#find(".live"));
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
      this.#tell(t("The demonstration's picture cannot be loaded. The camera works without it."));
    }
  }

  /** Change the engine; only a click of the visitor, or the first start, does. */
  async #use(name) {
    this.#engine = null;
    for (const panel of this.#panels) panel.engineChanged?.(null);
    this.#forget();
    this.#noEngine = "";
    this.#tell("");
    this.#find(".retry").hidden = true;
    this.#find(".network").textContent = NETWORK[name];
    this.#find(".privacy").textContent = this.#given.places ? PRIVACY[name] : `${PRIVACY[name]} ${NOT_ON_DEVICE}`;
    this.#find(".loading").hidden = name === "server";
    this.#find(".live").setAttribute("aria-busy", "true");
    try {
      const engine = await this.#makeEngine(name);
      if (this.#find(`[value=${name}]`).checked) {
        this.#engine = engine;
        this.#faceSeenAt = performance.now();
        if (!this.#source.isLive) this.#source.restartDemo();
        for (const panel of this.#panels) panel.engineChanged?.(engine);
      }
    } catch (error) {
      // Somebody may have chosen the other engine meanwhile.
      if (this.#find(`[value=${name}]`).checked) this.#tellOfLoading(name, error);
    }
    if (!this.#find(`[value=${name}]`).checked) return;
    this.#find(".loading").hidden = true;
    this.#find(".live").setAttribute("aria-busy", "false");
  }

  #tellOfLoading(name, { message }) {
    const problem =
      name === "device"
        ? t`The model cannot be used on this device: ${tMessage(message)}.`
        : t`The model cannot be used on the server: ${tMessage(message)}.`;
    const advice = name === "device" && this.#hasServer ? ` ${t('You can choose "on the server" instead.')}` : "";
    this.#noEngine = problem + advice;
    this.#tell("");
    this.#find(".retry").hidden = false;
  }

  async #makeEngine(name) {
    if (name === "server") return new ServerEngine(this.#given.frames, () => this.#countSent());
    this.#onDevice ??= DeviceEngine.load(this.#given.places, this.#given.sizes, (done) => this.#showProgress(done));
    try {
      return await this.#onDevice;
    } catch (error) {
      this.#onDevice = null;
      throw error;
    }
  }

  #countSent() {
    this.#sent += 1;
    this.#find(".sent").textContent = String(this.#sent);
  }

  #showProgress({ loaded, total, isDone }) {
    const [bar, words] = [this.#find(".loading progress"), this.#find(".loading p")];
    bar.value = loaded / (total || 1);
    const text = isDone
      ? t("Starting the model …")
      : t`Loading the model: ${megabytes(loaded)} of ${megabytes(total)} MB`;
    if (words.textContent !== text) words.textContent = text;
  }

  /** In another tab of the app everything rests; if the camera is on there, a sign says so. */
  #goOnOrRest() {
    const isOpen = this.#isOpen();
    this.#sign.show(!isOpen && this.#source.isLive);
    if (this.#isResting === !isOpen) return;
    this.#isResting = !isOpen;
    this.#faceSeenAt = performance.now();
    this.#loop += 1;
    this.#source.rest(this.#isResting);
    if (isOpen) this.#step(this.#loop);
    else this.#showNothing();
  }

  /**
   * The one loop: draws at the screen's rate, and hands the newest frame on whenever the engine has room for it. With
   * nobody in view it takes its time.
   */
  #step(loop) {
    if (loop !== this.#loop) return;
    const next = () => requestAnimationFrame(() => this.#step(loop));
    if (this.#isQuiet()) setTimeout(next, QUIET_STEP_MS);
    else next();
    const now = performance.now();
    if (this.#freshUntil && now > this.#freshUntil) this.#showNothing();
    if (this.#faces.length && now > this.#inPlaceUntil) this.#faces = [];
    this.#source.pauseDemo(!this.#source.isLive && !this.#demoMayGoOn());
    if (!this.#isInView()) return;
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
    drawFaces(overlay.getContext("2d"), this.#faces, { mirrored, labelNames: this.#given.labelNames });
  }

  #hasRoom() {
    if (!this.#engine || !this.#isInView() || !this.#engine.hasRoom) return false;
    if (performance.now() < this.#notBefore) return false;
    return this.#source.isLive ? this.#source.hasNewFrame : this.#demoMayGoOn();
  }

  /** Whether anybody can see the view: not while its browser tab is in the background or another tab of the app is open. */
  #isInView() {
    return !document.hidden && this.#isOpen();
  }

  /** Whether the view has a place on the page: not while another tab of the app is open. */
  #isOpen() {
    return this.#element.getClientRects().length > 0;
  }

  /** Whether nobody was in view for a while, so that nobody waits for an answer. */
  #isQuiet() {
    return this.#source.isLive && performance.now() - this.#faceSeenAt > NOBODY_AFTER_MS;
  }

  /** Whether nobody was in view for a while, and nothing has moved since that picture was searched. */
  #needsNoSearch(picture) {
    if (!this.#isQuiet()) return false;
    const looks = this.#stillness.looksAt(picture);
    return looks > STILL_AFTER_LOOKS && looks % STILL_LOOKS_PER_SEARCH !== 0;
  }

  /** Neither the server nor the device is kept busy with the demonstration for long, or while it is out of sight. */
  #demoMayGoOn() {
    const lengthMs = this.#engine instanceof ServerEngine ? SERVER_DEMO_MS : DEVICE_DEMO_MS;
    return this.#isInView() && this.#isOnScreen && performance.now() - this.#demoBegan < lengthMs;
  }

  async #handOn(picture) {
    if (this.#needsNoSearch(picture)) {
      this.#source.takeFrame();
      this.#notBefore = performance.now() + STILL_INTERVAL_MS;
      return;
    }
    const [engine, scene, begun, live] = [this.#engine, this.#scene, performance.now(), this.#source.isLive];
    this.#source.takeFrame();
    if (!live && engine instanceof ServerEngine) this.#notBefore = begun + SERVER_DEMO_INTERVAL_MS;
    for (const panel of this.#panels) panel.handOn?.(begun / 1000, live);
    try {
      const faces = await engine.look(picture, begun / 1000, scene, { isQuiet: this.#isQuiet() });
      if (faces && scene === this.#scene && begun > this.#newestShown) {
        this.#newestShown = begun;
        if (faces.length || !live) this.#faceSeenAt = begun;
        if (this.#isQuiet()) this.#notBefore = begun + NOBODY_INTERVAL_MS;
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
    const again = error instanceof ConnectionError ? ` ${t("Retrying every second.")}` : "";
    const message = error.message || t("this picture cannot be processed");
    const sentence = translated(`${message}.`) ?? `${tMessage(message)}.`;
    this.#tell(`${sentence[0].toUpperCase()}${sentence.slice(1)}${again}`, { passing: true });
  }

  /** A click on a face puts it first: headline, bars and all else follow it while it is in view. */
  #choose({ offsetX, offsetY, currentTarget: overlay }) {
    // One that stopped by itself goes on.
    if (!this.#source.isLive) this.#demoBegan = performance.now();
    const x = (offsetX * overlay.width) / overlay.clientWidth;
    const y = (offsetY * overlay.height) / overlay.clientHeight;
    const chosen = faceAt(this.#faces, this.#source.isMirrored ? overlay.width - x : x, y);
    this.#chosenId = chosen?.trackId ?? null;
    this.#mainId = null;
  }

  #show(answer) {
    const found = answer.faces;
    answer.faces = withFirst(mainFirst(found, this.#mainId), this.#chosenId);
    this.#mainId = answer.faces[0]?.trackId ?? this.#mainId;
    this.#faces = answer.faces;
    this.#freshUntil = performance.now() + 1000 * FRESH_S;
    this.#inPlaceUntil = 1000 * (answer.timeS + FRESH_S);
    for (const panel of this.#panels) panel.show(answer);
    if (this.#find(".problem").dataset.passing) this.#tell("");
    this.#element.dispatchEvent(new CustomEvent("answer", { detail: answer }));
    this.#post({ ...answer, faces: found });
  }

  /** Tell the page that embeds this one what its visitor's face looks like, if it was opened so; never pictures. */
  #post({ faces, timeS, live }) {
    if (!live || window.parent === window) return;
    this.#isFacePosted = faces.length > 0;
    const event = faceEvent(faces, timeS, this.#given.labelNames);
    for (const origin of this.#eventOrigins) window.parent.postMessage(event, origin);
  }

  /** What the embedding page has been sent is no longer so. */
  #takeBack() {
    if (this.#isFacePosted) this.#post({ faces: [], timeS: performance.now() / 1000, live: true });
  }

  /** There is no answer that is fresh enough to be shown. */
  #showNothing() {
    this.#takeBack();
    this.#freshUntil = 0;
    this.#faces = [];
    for (const panel of this.#panels) panel.showNothing?.();
  }

  /** Another picture begins: nobody in it is known from the one before. */
  #forget() {
    this.#takeBack();
    this.#demoBegan = this.#faceSeenAt = performance.now();
    this.#freshUntil = 0;
    this.#faces = [];
    this.#chosenId = this.#mainId = null;
    this.#scene += 1;
    for (const panel of this.#panels) panel.forget();
    this.#goOnOrRest();
  }

  /** The demonstration shows another face: the engine knows nobody in it, and the page shows what it says as it comes. */
  #nextScene() {
    this.#faces = [];
    this.#chosenId = this.#mainId = null;
    this.#scene += 1;
  }

  /** Say what is wrong; with "", that nothing is, but for the engine. */
  #tell(problem, { passing = false } = {}) {
    const message = this.#find(".problem");
    const words = problem || this.#noEngine;
    if (message.textContent !== words) message.textContent = words;
    message.dataset.passing = passing ? "yes" : "";
  }
}

/** @returns {string} such as "3.1" */
function megabytes(bytes) {
  return (bytes / 1e6).toFixed(1);
}
