/** What was seen since the camera was first started: sums that are kept for ever, and rows up to a limit. */

import { FRESH_S } from "../../fresh.js";
import { LastMinute } from "../last_minute.js";

/** What is shown at one answer holds until the next one, but no longer: after that nobody was watching. */
export const HOLD_S = FRESH_S;
/** A label comes back within this time, and its stretch goes on. */
const PAUSE_S = 1;
export const ROW_INTERVAL_S = 0.25;
/** Two hours of one face. */
export const MOST_ROWS = (2 * 60 * 60) / ROW_INTERVAL_S;

/**
 * One face at one moment.
 *
 * @typedef {object} Row
 * @property {number} timeS since the session began
 * @property {number} scene from 1; another one begins whenever nobody is known from before
 * @property {number | null} trackId stays with a face within a scene
 * @property {import("../../engine/boxes.js").Box} box in pixels of the frame
 * @property {number[]} probabilities in the order of the session's `labelNames`
 * @property {string} label
 * @property {boolean} reliable
 * @property {string[]} reasons
 * @property {boolean} personal whether the probabilities are adapted to one person
 */

/**
 * Of the main face, which the headline is about at each moment, even if the person changes. All in seconds.
 *
 * @typedef {object} Summary
 * @property {number} lengthS from the first answer to the last
 * @property {number} watchedS of this: the sum of the next three
 * @property {number} classifiedS
 * @property {number} unsureS
 * @property {number} nobodyS
 * @property {number} scenes
 * @property {{label: string, timeS: number, share: number, longestS: number}[]} expressions `share` is of
 *   `classifiedS`, 0..1; `longestS` is how long one face kept the label, pauses of `PAUSE_S` at most left out
 */

/** Takes answers in and can be asked at any time. It knows nothing of the page. */
export class Session {
  #labelNames;
  #beganS;
  #nowS;
  #scene;
  #sceneIsOver;
  #shown;
  #classifiedS;
  #longestS;
  #stretch;
  #unsureS;
  #nobodyS;
  #rows;
  #rowsAtS;
  #droppedRows;
  #lastMinute;

  /** @param {string[]} labelNames in the order of all probabilities */
  constructor(labelNames) {
    this.#labelNames = labelNames;
    this.clear();
  }

  /** Delete everything. */
  clear() {
    this.#beganS = this.#nowS = this.#shown = this.#stretch = null;
    this.#scene = this.#unsureS = this.#nobodyS = this.#droppedRows = 0;
    this.#sceneIsOver = true;
    this.#classifiedS = this.#labelNames.map(() => 0);
    this.#longestS = this.#labelNames.map(() => 0);
    this.#rows = [];
    this.#rowsAtS = -Infinity;
    this.#lastMinute = new LastMinute();
  }

  /**
   * Take an answer in, if it is of a camera.
   *
   * @param {import("../../page.js").Answer} answer a time before the last one counts as the same moment
   * @throws {RangeError} if its time is not finite
   */
  add({ faces, timeS, live }) {
    if (!live) return;
    if (!Number.isFinite(timeS)) throw new RangeError(`timeS must be finite, got ${timeS}`);
    this.#nowS = Math.max(timeS, this.#nowS ?? timeS);
    this.#beganS ??= this.#nowS;
    if (this.#sceneIsOver) this.#scene += 1;
    this.#sceneIsOver = false;
    this.#endShown();
    this.#shown = { face: faces[0] ?? null, fromS: this.#nowS };
    if (this.#nowS - this.#rowsAtS >= ROW_INTERVAL_S) this.#keepRows(faces);
  }

  /** Nobody is known from before. How long the last answer held is not known either, so it is not counted. */
  beginScene() {
    this.#sceneIsOver = true;
    this.#shown = this.#stretch = null;
  }

  get labelNames() {
    return this.#labelNames;
  }

  get isEmpty() {
    return this.#beganS === null;
  }

  /** @returns {number | null} time of the newest answer, on the clock of the answers */
  get nowS() {
    return this.#nowS;
  }

  /** @returns {import("../last_minute.js").Span[]} of the main face, the oldest first */
  get lastMinute() {
    return this.#lastMinute.spans;
  }

  /** @returns {readonly Row[]} the newest `MOST_ROWS`, the oldest of them first */
  get rows() {
    return this.#rows;
  }

  /** How many rows were dropped because there were more than `MOST_ROWS`. */
  get droppedRows() {
    return this.#droppedRows;
  }

  /** @returns {Summary} */
  summary() {
    const classifiedS = this.#classifiedS.reduce((total, timeS) => total + timeS, 0);
    return {
      lengthS: this.isEmpty ? 0 : this.#nowS - this.#beganS,
      watchedS: classifiedS + this.#unsureS + this.#nobodyS,
      classifiedS,
      unsureS: this.#unsureS,
      nobodyS: this.#nobodyS,
      scenes: this.#scene,
      expressions: this.#labelNames.map((label, index) => ({
        label,
        timeS: this.#classifiedS[index],
        share: classifiedS ? this.#classifiedS[index] / classifiedS : 0,
        longestS: this.#longestS[index],
      })),
    };
  }

  /** Count what was shown until now. */
  #endShown() {
    if (!this.#shown) return;
    const { face, fromS } = this.#shown;
    const untilS = Math.min(this.#nowS, fromS + HOLD_S);
    this.#lastMinute.add({ fromS, untilS, face });
    if (!face) this.#nobodyS += untilS - fromS;
    else if (!face.reliable) this.#unsureS += untilS - fromS;
    else this.#countClassified(face, fromS, untilS);
    if (this.#nowS > untilS) this.#stretch = null;
  }

  #countClassified({ label, trackId }, fromS, untilS) {
    const index = this.#labelNames.indexOf(label);
    this.#classifiedS[index] += untilS - fromS;
    const last = this.#stretch;
    const goesOn = last?.label === label && last.trackId === trackId && fromS - last.untilS <= PAUSE_S;
    const lengthS = (goesOn ? last.lengthS : 0) + untilS - fromS;
    this.#stretch = { label, trackId, untilS, lengthS };
    this.#longestS[index] = Math.max(this.#longestS[index], lengthS);
  }

  #keepRows(faces) {
    this.#rowsAtS = this.#nowS;
    for (const { trackId, box, probabilities, label, reliable, reasons, personal } of faces) {
      this.#rows.push({
        timeS: this.#nowS - this.#beganS,
        scene: this.#scene,
        trackId,
        box: [...box],
        probabilities: [...probabilities],
        // The session's own text, and not a copy of it with every row.
        label: this.#labelNames[this.#labelNames.indexOf(label)],
        reliable,
        reasons: [...reasons],
        personal: Boolean(personal),
      });
    }
    const tooMany = Math.max(0, this.#rows.length - MOST_ROWS);
    this.#rows.splice(0, tooMany);
    this.#droppedRows += tooMany;
  }
}
