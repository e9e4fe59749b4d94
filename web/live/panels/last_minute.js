/** What was shown in the last minute, coarse enough to be drawn often. */

import { percentOf, t, tLabel } from "../texts.js";

const LENGTH_S = 60;
const FINEST_S = 0.2;

/**
 * What was shown from one time to another.
 *
 * @typedef {object} Span
 * @property {number} fromS
 * @property {number} untilS
 * @property {import("../engine/engine.js").Face | null} face the main one; null if nobody was in view
 */

/** Spans of the last `LENGTH_S`. */
export class LastMinute {
  #spans = [];

  /** @returns {readonly Span[]} the oldest first; between two of them there may be time in which nothing was watched */
  get spans() {
    return this.#spans;
  }

  /**
   * @param {Span} span no earlier than the last one; of what changes more often than every `FINEST_S`, the first of it
   *   stands for all
   */
  add({ fromS, untilS, face }) {
    const last = this.#spans.at(-1);
    if (last?.untilS === fromS && fromS - last.fromS < FINEST_S) last.untilS = untilS;
    else this.#spans.push({ fromS, untilS, face: face && essentialsOf(face) });
    while (this.#spans[0].untilS < untilS - LENGTH_S) this.#spans.shift();
  }
}

/** A face without its pixels, which nobody asks for a minute later. */
function essentialsOf({ probabilities, label, reliable }) {
  return { probabilities, label, reliable };
}

/**
 * Say in words what a drawing of the last minute shows.
 *
 * @param {readonly Span[]} spans
 * @returns {string} such as "Last 60 s: happy 60%, not sure 20%, nobody in view 20%."
 */
export function describeSpans(spans) {
  const times = new Map();
  let totalS = 0;
  for (const { fromS, untilS, face } of spans) {
    const shown = face ? (face.reliable ? tLabel(face.label) : t("not sure")) : t("nobody in view");
    times.set(shown, (times.get(shown) ?? 0) + untilS - fromS);
    totalS += untilS - fromS;
  }
  if (totalS === 0) return t("No data yet.");
  const shares = [...times].sort(([, one], [, other]) => other - one);
  const parts = shares.map(([shown, timeS]) => `${shown} ${percentOf(timeS / totalS)}`);
  return t`Last ${Math.round(totalS)} s: ${parts.join(", ")}.`;
}
