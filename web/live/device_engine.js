/** The engine on the visitor's own device, in a worker, so that the page never stutters. */

/** Frames in, faces out; no frame leaves the device. */
export class DeviceEngine {
  #worker;
  #waiting = null;
  #busy = false;
  /** The bundle that a `personal.json` is made for. @type {{modelSha256: string, labelNames: string[], features: number}} */
  bundle = null;

  /**
   * @param {object} places addresses of the engine's files, as the worker's message `load` has them
   * @param {(share: number) => void} tell called with the share that is loaded, 0..1
   * @returns {Promise<DeviceEngine>}
   * @throws {Error} if it cannot be loaded here
   */
  static async load(places, tell) {
    const engine = new DeviceEngine();
    engine.#worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    const absolute = Object.entries(places).map(([name, place]) => [name, new URL(place, document.baseURI).href]);
    await new Promise((resolve, reject) => {
      engine.#worker.onerror = (event) => reject(new Error(event.message || "the worker cannot be started"));
      engine.#worker.onmessage = ({ data }) => {
        if (data.progress) tell(data.progress.loaded / (data.progress.total || 1));
        else if (data.ready) resolve((engine.bundle = data.ready));
        else reject(new Error(data.problem));
      };
      engine.#worker.postMessage({ load: Object.fromEntries(absolute) });
    });
    engine.#worker.onerror = (event) => engine.#answer({ problem: event.message });
    engine.#worker.onmessage = ({ data }) => engine.#answer(data);
    return engine;
  }

  /** Whether it takes another frame now; frames are processed one at a time. */
  get hasRoom() {
    return !this.#busy;
  }

  /**
   * @param {HTMLVideoElement | HTMLCanvasElement} picture
   * @param {number} timeS when it was taken
   * @param {number} scene nobody in a scene is known from another one
   * @returns {Promise<import("./engine/engine.js").Face[]>} in pixels of the picture
   * @throws {Error} if the picture cannot be read or classified
   */
  async look(picture, timeS, scene) {
    this.#busy = true;
    try {
      const frame = await createImageBitmap(picture);
      return await new Promise((resolve, reject) => {
        this.#waiting = { resolve, reject };
        this.#worker.postMessage({ frame, timeS, scene }, [frame]);
      });
    } finally {
      this.#busy = false;
    }
  }

  /**
   * Adapt the answers from the next frame on.
   *
   * @param {import("./engine/personal.js").Personal | null} personal what was learned about the person in view
   */
  learn(personal) {
    this.#worker.postMessage({ personal });
  }

  #answer({ faces, problem }) {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (faces) waiting?.resolve(faces);
    else waiting?.reject(new Error(problem));
  }
}
