/** The live view on the visitor's own device: one capture loop, the engine in a worker, and what it says. */

import { loadDemo } from "./demo.js";
import { colourOf, drawFaces } from "./overlay.js";
import { adviceOnCamera, headlineOf, sentenceOfTen, tenPeople } from "./words.js";

const NOBODY = "No face in view.";
const TOLD_EVERY_MS = 500;

/**
 * Build the view inside an element and begin: load, then show the demonstration until somebody starts a camera.
 *
 * @param {HTMLElement} element
 * @param {object} places addresses of the engine's files, as the worker's message `load` has them, and `demo`
 */
export async function mount(element, places) {
  element.innerHTML = MARKUP;
  const view = new View(element);
  await view.load(places);
}

const MARKUP = `
<div class="live">
  <div class="stage">
    <video playsinline muted aria-label="Your camera" hidden></video>
    <canvas class="demo" aria-label="A demonstration with a photo" hidden></canvas>
    <canvas class="overlay" aria-hidden="true"></canvas>
    <div class="loading"><progress max="1" value="0" aria-label="Loading"></progress><p>Loading the model …</p></div>
    <p class="badge" hidden>demonstration with a photo</p>
  </div>
  <div class="side">
    <p class="controls">
      <button class="start" disabled>Use my camera</button>
      <button class="turn" hidden>Other camera</button>
      <label><input type="checkbox" class="mirror" checked> mirror</label>
    </p>
    <p class="problem" role="alert"></p>
    <p class="headline" aria-live="polite"></p>
    <div class="people" aria-hidden="true"></div>
    <p class="sentence"></p>
    <dl class="bars"></dl>
    <div class="seen"><canvas width="48" height="48" aria-label="What the model sees"></canvas>
      <p>What the model sees.<br><span class="figures"></span></p></div>
    <p class="privacy">Everything happens on this device: no picture leaves it.
      Switch off your network, and it goes on.</p>
  </div>
</div>`;

class View {
  #parts;
  #worker;
  #labelNames = [];
  #stream = null;
  #facing = "user";
  #demo = null;
  #busy = false;
  #faces = [];
  #lookedAt = [];
  #toldAt = 0;
  #scene = 0;

  constructor(element) {
    const find = (selector) => element.querySelector(selector);
    this.#parts = {
      element,
      stage: find(".stage"),
      video: find("video"),
      demo: find("canvas.demo"),
      overlay: find("canvas.overlay"),
      loading: find(".loading"),
      badge: find(".badge"),
      start: find(".start"),
      turn: find(".turn"),
      mirror: find(".mirror"),
      problem: find(".problem"),
      headline: find(".headline"),
      people: find(".people"),
      sentence: find(".sentence"),
      bars: find(".bars"),
      seen: find(".seen canvas"),
      figures: find(".figures"),
    };
    this.#parts.start.onclick = () => (this.#stream ? this.#stop() : this.#start());
    this.#parts.turn.onclick = () => this.#turn();
    this.#parts.mirror.onchange = () => this.#mirror();
  }

  async load(places) {
    this.#worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.#worker.onerror = (event) => this.#tell(`The model cannot be loaded: ${event.message}`);
    this.#worker.onmessage = ({ data }) => this.#hear(data);
    const absolute = Object.entries(places).map(([name, place]) => [name, new URL(place, document.baseURI).href]);
    this.#worker.postMessage({ load: Object.fromEntries(absolute) });
    this.#demo = await loadDemo(places.demo);
    requestAnimationFrame(() => this.#step());
  }

  #hear(message) {
    if (message.progress) {
      const { loaded, total } = message.progress;
      this.#parts.loading.querySelector("progress").value = loaded / (total || 1);
    } else if (message.ready) {
      this.#labelNames = message.ready.labelNames;
      this.#buildBars();
      this.#parts.loading.hidden = true;
      this.#parts.start.disabled = false;
    } else if (message.problem) {
      this.#busy = false;
      this.#tell(message.problem);
    } else {
      this.#busy = false;
      if (message.scene !== this.#scene) return;
      this.#faces = message.faces;
      this.#show(message);
    }
  }

  /** The one loop: draws at the screen's rate, and hands the newest frame on whenever the engine waits. */
  #step() {
    requestAnimationFrame(() => this.#step());
    const source = this.#source();
    if (!source) return;
    const { overlay } = this.#parts;
    const [width, height] = [source.videoWidth ?? source.width, source.videoHeight ?? source.height];
    if (overlay.width !== width || overlay.height !== height) Object.assign(overlay, { width, height });
    drawFaces(overlay.getContext("2d"), this.#faces, { mirrored: this.#isMirrored() });
    if (this.#labelNames.length && !this.#busy && !document.hidden) {
      this.#busy = true;
      this.#handOn(source);
    }
  }

  async #handOn(source) {
    const timeS = performance.now() / 1000;
    try {
      const frame = await createImageBitmap(source);
      this.#worker.postMessage({ frame, timeS, scene: this.#scene }, [frame]);
    } catch {
      // The camera has just ended: there is no frame, and the next step asks again.
      this.#busy = false;
    }
  }

  /** The camera's video once it has a picture, before that the demonstration, or null. */
  #source() {
    const { video, demo } = this.#parts;
    if (this.#stream) return video.videoWidth ? video : null;
    if (!this.#demo) return null;
    const drawn = this.#demo(performance.now() / 1000);
    if (demo.hidden) {
      Object.assign(demo, { width: drawn.width, height: drawn.height, hidden: false });
      this.#parts.badge.hidden = false;
    }
    demo.getContext("2d").drawImage(drawn, 0, 0);
    return demo;
  }

  #isMirrored() {
    return Boolean(this.#stream) && this.#parts.mirror.checked;
  }

  #mirror() {
    this.#parts.video.classList.toggle("mirrored", this.#parts.mirror.checked);
  }

  async #start() {
    const { video, demo, badge, start, turn } = this.#parts;
    this.#tell("");
    start.disabled = true;
    try {
      const wanted = { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: this.#facing };
      const stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
      stream.getVideoTracks()[0].onended = () => {
        this.#stop();
        this.#tell("The camera was taken away. Connect it again, then start it again.");
      };
      this.#forget();
      this.#stream = stream;
      video.srcObject = stream;
      await video.play();
      video.hidden = false;
      demo.hidden = badge.hidden = true;
      start.textContent = "Stop";
      this.#mirror();
      const cameras = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
      turn.hidden = cameras.length < 2;
    } catch (error) {
      this.#stop();
      this.#tell(adviceOnCamera(error));
    } finally {
      start.disabled = false;
    }
  }

  #stop() {
    const { video, start, turn } = this.#parts;
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    video.srcObject = null;
    video.hidden = turn.hidden = true;
    start.textContent = "Use my camera";
    this.#forget();
  }

  async #turn() {
    this.#facing = this.#facing === "user" ? "environment" : "user";
    this.#parts.mirror.checked = this.#facing === "user";
    this.#stop();
    await this.#start();
  }

  /** Another picture begins: nobody in it is known from the one before. */
  #forget() {
    this.#faces = [];
    this.#lookedAt = [];
    this.#scene += 1;
  }

  #buildBars() {
    const row = (_, index) => `<dt></dt><dd><span class="bar class${index}"><i></i></span><b></b></dd>`;
    this.#parts.bars.innerHTML = this.#labelNames.map(row).join("");
    this.#parts.bars.querySelectorAll("dt").forEach((name, index) => (name.textContent = this.#labelNames[index]));
  }

  /** Bars, people and figures follow every answer; what is read out changes less often. */
  #show({ faces, tookMs }) {
    const { headline, sentence, bars, figures, people } = this.#parts;
    const now = performance.now();
    this.#lookedAt = [...this.#lookedAt.filter((at) => now - at < 2000), now];
    figures.textContent = `${(this.#lookedAt.length / 2).toFixed(0)} frames/s, ${tookMs.toFixed(0)} ms each`;
    const face = faces[0];
    this.#parts.element.classList.toggle("unsure", Boolean(face) && !face.reliable);
    bars.querySelectorAll("i").forEach((bar, index) => {
      bar.style.width = `${100 * (face?.probabilities[index] ?? 0)}%`;
    });
    bars.querySelectorAll("b").forEach((value, index) => {
      value.textContent = face ? `${Math.min(Math.round(face.probabilities[index] * 100), 99)} %` : "";
    });
    if (face) this.#drawCrop(face.crop);
    if (now - this.#toldAt < TOLD_EVERY_MS) return;
    this.#toldAt = now;
    const told = face ? headlineOf(face) : NOBODY;
    if (headline.textContent !== told) headline.textContent = told;
    headline.style.setProperty("--colour", face ? colourOf(face) : "inherit");
    sentence.textContent = face?.reliable ? sentenceOfTen(face.probabilities, this.#labelNames) : "";
    people.replaceChildren(...(face?.reliable ? this.#drawPeople(face) : []));
  }

  #drawPeople(face) {
    return tenPeople(face.probabilities).flatMap((count, index) =>
      Array.from({ length: count }, () => {
        const person = document.createElement("span");
        person.className = `person class${index}`;
        person.title = this.#labelNames[index];
        return person;
      }),
    );
  }

  #drawCrop({ data, width, height }) {
    const channels = data.length / (width * height);
    const pixels = new ImageData(width, height);
    for (let at = 0; at < width * height; at += 1) {
      for (let channel = 0; channel < 3; channel += 1) {
        pixels.data[4 * at + channel] = data[channels * at + (channels >= 3 ? channel : 0)];
      }
      pixels.data[4 * at + 3] = 255;
    }
    Object.assign(this.#parts.seen, { width, height });
    this.#parts.seen.getContext("2d").putImageData(pixels, 0, 0);
  }

  #tell(problem) {
    this.#parts.problem.textContent = problem;
  }
}
