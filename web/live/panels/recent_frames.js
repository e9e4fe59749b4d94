/** The frames that an engine is looking at: by the time its answer comes, the camera shows another one. */

import { sizeOf } from "../sources/picture_source.js";

// More than any engine has on its way at once.
const MOST = 4;

export class RecentFrames {
  #frames = [];

  /**
   * Copy a frame; the oldest makes room for it.
   *
   * @param {HTMLVideoElement | HTMLCanvasElement} picture
   * @param {number} timeS by which it is asked for again
   */
  keep(picture, timeS) {
    const canvas = this.#frames.length < MOST ? document.createElement("canvas") : this.#frames.shift().canvas;
    const { width, height } = sizeOf(picture);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    canvas.getContext("2d").drawImage(picture, 0, 0);
    this.#frames.push({ canvas, timeS });
  }

  /**
   * @param {number} timeS
   * @returns {HTMLCanvasElement | undefined} the frame of that time, until others have taken its place
   */
  at(timeS) {
    return this.#frames.find((frame) => frame.timeS === timeS)?.canvas;
  }

  /** Drop all of them. */
  clear() {
    this.#frames = [];
  }
}
