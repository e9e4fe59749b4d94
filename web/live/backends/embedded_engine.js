/**
 * The engine for pages of others: `import { createEngine } from ".../engine.js"`. Frames stay on the visitor's device.
 *
 * Serve the folder that `make static` writes from your own site; a host of its own has to allow cross-origin requests.
 */

import { DeviceEngine } from "./device_engine.js";
import { faceEvent } from "../face_event.js";

/** @typedef {import("../face_event.js").EventFace} EventFace */

/**
 * Load the engine.
 *
 * @param {object} [options]
 * @param {string | URL} [options.baseUrl] the folder that `make static` wrote, with a slash at its end; by default the
 *   one that this module was loaded from
 * @param {(progress: import("./download.js").Progress) => void} [options.onProgress] called as bytes come
 * @returns {Promise<EmbeddedEngine>}
 * @throws {Error} if it cannot be loaded; the message says why
 */
export async function createEngine({ baseUrl = new URL("../../../", import.meta.url), onProgress = () => {} } = {}) {
  const base = new URL(baseUrl, document.baseURI);
  const response = await fetch(new URL("engine.json", base));
  if (!response.ok) throw new Error(`engine.json cannot be fetched: status ${response.status}`);
  const { places, sizes, labelNames } = await response.json();
  const absolute = Object.fromEntries(Object.entries(places).map(([name, place]) => [name, new URL(place, base).href]));
  return new EmbeddedEngine(await DeviceEngine.load(absolute, sizes, onProgress), labelNames);
}

/** Follows the faces of one video; one call at a time. */
export class EmbeddedEngine {
  #engine;

  constructor(engine, labelNames) {
    this.#engine = engine;
    /** In the order of a bar chart. @type {string[]} */
    this.labelNames = labelNames;
  }

  /**
   * @param {HTMLVideoElement | HTMLCanvasElement} video whose frame of now is processed
   * @returns {Promise<EventFace[]>} the faces in it, the largest first
   * @throws {Error} if there is no frame yet, or an earlier call is still running
   */
  async track(video) {
    if (!this.#engine.hasRoom) throw new Error("one call at a time: await the last one first");
    const timeS = performance.now() / 1000;
    return faceEvent(await this.#engine.look(video, timeS, 0), timeS, this.labelNames).faces;
  }

  /** End the worker and free its memory. */
  close() {
    this.#engine.close();
  }
}
