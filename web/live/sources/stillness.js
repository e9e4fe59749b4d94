/** Tells when nothing moves in front of the camera: a face that was not found in one frame is not in the next, either. */

const [WIDTH, HEIGHT] = [32, 24];
// Of 255, in one cell of the small picture. The noise of a camera is less; so is what its exposure changes in a second.
const MOVES = 12;

/** Compares each frame with the one before, both shrunk to a few cells. */
export class Stillness {
  #context = Object.assign(document.createElement("canvas"), { width: WIDTH, height: HEIGHT }).getContext("2d", {
    willReadFrequently: true,
  });
  #before = null;
  #looks = 0;

  constructor() {
    // Averages what lies in a cell, and the camera's noise with it.
    this.#context.imageSmoothingQuality = "medium";
  }

  /**
   * @param {CanvasImageSource} picture the frame that the camera shows now
   * @returns {number} how many frames in a row were like the one before; 0 if something has moved
   */
  looksAt(picture) {
    this.#context.drawImage(picture, 0, 0, WIDTH, HEIGHT);
    const now = this.#context.getImageData(0, 0, WIDTH, HEIGHT).data;
    this.#looks = this.#before && !hasMoved(this.#before, now) ? this.#looks + 1 : 0;
    this.#before = now;
    return this.#looks;
  }
}

/**
 * @param {Uint8ClampedArray} before RGBA of a shrunk frame
 * @param {Uint8ClampedArray} now of another one of the same size
 * @returns {boolean} whether any cell has changed by more than noise and exposure change it
 */
export function hasMoved(before, now) {
  return now.some((value, index) => Math.abs(value - before[index]) > MOVES);
}
