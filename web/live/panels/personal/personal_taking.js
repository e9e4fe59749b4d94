/** Takes frames of one face for some seconds, after a countdown: faces come in, frames come out. */

const EVERY_S = 0.2;
// A slow device shows few frames; only frames without a face are a reason to give up.
const PATIENCE_S = 10;
const PATIENCE_FRAMES = 10;

/** One taking; `add` is called with every face that is seen, and `state` says how far it is. */
export class Taking {
  #frames = [];
  #beganS = null;
  #nowS = null;
  #seenS = null;
  #emptyFrames = 0;

  /**
   * @param {{countdownS: number, lengthS: number, fewest: number, most: number}} settings it ends after `lengthS` with at
   *   least `fewest` frames, or with `most`
   */
  constructor(settings) {
    this.settings = settings;
  }

  /** @returns {import("./personal_learning.js").Frame[]} */
  get frames() {
    return this.#frames;
  }

  /**
   * @param {import("../../engine/engine.js").Face | undefined} face the one that is taken, if it is in view
   * @param {number} timeS when it was seen
   */
  add(face, timeS) {
    this.#beganS ??= timeS;
    this.#nowS = timeS;
    this.#seenS = face ? timeS : (this.#seenS ?? timeS);
    this.#emptyFrames = face ? 0 : this.#emptyFrames + 1;
    const last = this.#frames.at(-1)?.timeS ?? -Infinity;
    if (!face || this.#runningS < 0 || timeS - last < EVERY_S || this.isDone) return;
    this.#frames.push({ logits: face.logits.slice(), features: face.features.slice(), timeS });
  }

  /** Whether it has what it needs. */
  get isDone() {
    const { lengthS, fewest, most } = this.settings;
    return this.#frames.length >= most || (this.#runningS >= lengthS && this.#frames.length >= fewest);
  }

  /** Whether no face came for so long that it should be given up. */
  get isHopeless() {
    return this.#emptyFrames >= PATIENCE_FRAMES && this.#nowS - this.#seenS > PATIENCE_S;
  }

  /** Whole seconds until the first frame; 0 once it takes. */
  get countdown() {
    return this.#beganS === null ? Math.ceil(this.settings.countdownS) : Math.max(0, Math.ceil(-this.#runningS));
  }

  /** The share that is taken, 0..1. */
  get share() {
    return this.isDone ? 1 : Math.min(1, Math.max(0, this.#runningS / this.settings.lengthS));
  }

  /** Seconds since the end of the countdown; negative before it. */
  get #runningS() {
    return this.#beganS === null ? -this.settings.countdownS : this.#nowS - this.#beganS - this.settings.countdownS;
  }
}
