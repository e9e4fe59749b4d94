/** The engine on the visitor's own device, in a worker, so that the page never stutters. */

import { t } from "../texts.js";

// A slow phone takes a second for a frame, and browsers compile while the first ones are processed.
const PATIENCE_MS = 15_000;

/** @typedef {(progress: import("./download.js").Progress) => void} Tell */

/** Frames in, faces out; no frame leaves the device. */
export class DeviceEngine {
  /** Null while there is none: the last one has failed, and the next frame starts another. @type {Worker | null} */
  #worker = null;
  /** What the worker is started with. */
  #message;
  #waiting = null;
  #busy = false;
  #personal = null;
  /** The bundle that a `personal.json` is made for. @type {{modelSha256: string, labelNames: string[], features: number}} */
  bundle = null;

  /** What `begin` has begun, until `load` takes it. @type {{places: string, loading: Promise<DeviceEngine>, follow: (tell: Tell) => void} | null} */
  static #begun = null;

  /**
   * Begin to load, before there is a page that asks for it: the next `load` of the same files goes on with that.
   *
   * @param {Record<string, string>} places as of `load`
   * @param {Record<string, import("./download.js").Size>} sizes as of `load`
   */
  static begin(places, sizes) {
    /** @type {Tell} */
    let follower = () => {};
    let last = null;
    const loading = DeviceEngine.load(places, sizes, (progress) => follower((last = progress)));
    // Whoever takes it over gets the error.
    loading.catch(() => {});
    const follow = (tell) => {
      follower = tell;
      if (last) tell(last);
    };
    DeviceEngine.#begun = { places: JSON.stringify(places), loading, follow };
  }

  /**
   * @param {Record<string, string>} places addresses of the engine's files, as the worker's message `load` has them
   * @param {Record<string, import("./download.js").Size>} sizes of the files, as far as known
   * @param {Tell} tell called as bytes come
   * @returns {Promise<DeviceEngine>}
   * @throws {Error} if it cannot be loaded here
   */
  static async load(places, sizes, tell) {
    const begun = DeviceEngine.#begun;
    if (begun?.places === JSON.stringify(places)) {
      DeviceEngine.#begun = null;
      begun.follow(tell);
      return begun.loading;
    }
    const engine = new DeviceEngine();
    const absolute = Object.entries(places).map(([name, place]) => [name, new URL(place, document.baseURI).href]);
    engine.#message = { load: Object.fromEntries(absolute), sizes };
    await engine.#start(tell);
    return engine;
  }

  /** @param {Tell} tell */
  async #start(tell) {
    const worker = startWorker(new URL("./worker.js", import.meta.url));
    try {
      this.bundle = await new Promise((resolve, reject) => {
        worker.onerror = (event) => reject(new Error(event.message || t("the worker cannot be started")));
        worker.onmessage = ({ data }) => {
          if (data.progress) tell(data.progress);
          else if (data.ready) resolve(data.ready);
          else reject(new Error(data.problem || t("the worker cannot be started")));
        };
        worker.postMessage(this.#message);
      });
    } catch (error) {
      worker.terminate();
      throw error;
    }
    worker.onerror = (event) => this.#fail(event.message);
    worker.onmessage = ({ data }) => this.#answer(data);
    this.#worker = worker;
    if (this.#personal) this.learn(this.#personal);
  }

  /** Whether it takes another frame now; frames are processed one at a time. */
  get hasRoom() {
    return !this.#busy;
  }

  /**
   * @param {HTMLVideoElement | HTMLCanvasElement} picture
   * @param {number} timeS when it was taken
   * @param {number} scene nobody in a scene is known from another one
   * @param {{isQuiet?: boolean}} [options] `isQuiet`: nobody was in view for a while, and it may take a little longer to
   *   find somebody far away
   * @returns {Promise<import("../engine/engine.js").Face[]>} in pixels of the picture
   * @throws {Error} if the picture cannot be read or classified, or the worker does not answer; another worker is
   *   started with the next picture then
   */
  async look(picture, timeS, scene, { isQuiet = false } = {}) {
    this.#busy = true;
    try {
      const frame = await createImageBitmap(picture);
      if (!this.#worker) await this.#start(() => {});
      return await this.#ask({ frame, timeS, scene, ...(isQuiet ? { mostViews: 1 } : {}) });
    } finally {
      this.#busy = false;
    }
  }

  /** @returns {Promise<import("../engine/engine.js").Face[]>} */
  async #ask(message) {
    let timer;
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting = { resolve, reject };
        timer = setTimeout(() => this.#fail(t("the model on this device does not answer")), PATIENCE_MS);
        this.#worker.postMessage(message, [message.frame]);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Adapt the answers from the next frame on.
   *
   * @param {import("../engine/personal.js").Personal | null} personal what was learned about the person in view
   */
  learn(personal) {
    this.#personal = personal;
    this.#worker?.postMessage({ personal });
  }

  /** End the worker; the engine cannot be used any more. */
  close() {
    this.#worker?.terminate();
  }

  /** The worker is lost, with whatever it was doing. */
  #fail(problem) {
    this.#worker?.terminate();
    this.#worker = null;
    this.#answer({ problem });
  }

  /** @param {{faces?: import("../engine/engine.js").Face[], problem?: string}} message */
  #answer({ faces, problem }) {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (faces) waiting?.resolve(faces);
    else waiting?.reject(new Error(problem || t("the model on this device has stopped")));
  }
}

/** A worker must come from the page's own origin; one that only imports may import from another. */
function startWorker(address) {
  if (address.origin === location.origin) return new Worker(address, { type: "module" });
  const source = new Blob([`import ${JSON.stringify(address.href)};`], { type: "text/javascript" });
  return new Worker(URL.createObjectURL(source), { type: "module" });
}
