/** What the page says about a face, in sentences. */

import { NO_CLEAR_EXPRESSION } from "./engine/quality.js";
import { percentOf, t, tLabel } from "./texts.js";

const NUMBERS = ["nobody", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/**
 * Share out ten people by the probabilities; who is left over after whole people goes to the largest remainders.
 *
 * @param {ArrayLike<number>} probabilities summing to 1
 * @returns {number[]} people for each class, summing to 10
 */
export function tenPeople(probabilities) {
  const shares = Array.from(probabilities, (probability) => probability * 10);
  const people = shares.map(Math.floor);
  const byRemainder = shares.map((share, index) => [share - people[index], index]);
  byRemainder.sort(([one, first], [other, second]) => other - one || first - second);
  const left = 10 - people.reduce((total, count) => total + count, 0);
  for (const [, index] of byRemainder.slice(0, left)) people[index] += 1;
  return people;
}

/**
 * @param {ArrayLike<number>} probabilities
 * @param {string[]} labelNames
 * @returns {string} such as "Of ten people, about six would call this happy, three neutral."
 */
export function sentenceOfTen(probabilities, labelNames) {
  const named = tenPeople(probabilities)
    .map((count, index) => /** @type {[number, string]} */ ([count, tLabel(labelNames[index])]))
    .filter(([count]) => count > 0)
    .sort(([one], [other]) => other - one);
  const [[most, label], ...others] = named;
  if (most === 10) return t`Of ten people, probably all would call this ${label}.`;
  const rest = others.map(([count, name]) => `, ${t(NUMBERS[count])} ${name}`).join("");
  return t`Of ten people, about ${t(NUMBERS[most])} would call this ${label}${rest}.`;
}

const LOOKS = { disgust: "disgusted", fear: "fearful", surprise: "surprised" };

/**
 * @param {string} label
 * @returns {string} as in "looks surprised"
 */
export function looks(label) {
  return tLabel(LOOKS[label] ?? label);
}

/**
 * @param {import("./engine/engine.js").Face} face
 * @returns {string} such as "surprised 87%", "not sure: too dark" or "not sure: between happy and sad"
 */
export function headlineOf(face) {
  return face.reliable ? `${looks(face.label)} ${shownPercent(face.confidence)}` : t`not sure: ${reasonsOf(face)}`;
}

/**
 * @param {import("./engine/engine.js").Face} face that is not reliable
 * @returns {string} why; where two expressions share the lead, their names
 */
export function reasonsOf({ reasons, between }) {
  const named = between && t`between ${looks(between[0])} and ${looks(between[1])}`;
  return reasons.map((reason) => (named && reason === NO_CLEAR_EXPRESSION ? named : tLabel(reason))).join(", ");
}

/**
 * @param {number} probability
 * @returns {string} such as "87%"; it is rounded, and nothing here is certain, so "99%" is the most
 */
export function shownPercent(probability) {
  return percentOf(Math.min(probability, 0.99));
}

/**
 * @param {boolean} hasOtherTabs whether there are the tabs Photo and Video
 * @returns {string} why there is no camera on a page over plain HTTP, and what to do
 */
export function needsHttps(hasOtherTabs) {
  const why = t("This page came over plain HTTP, and browsers give the camera to HTTPS and localhost only. Open it over HTTPS, or on the machine that serves it.");
  return hasOtherTabs ? `${why} ${t("Photo and Video work here, too.")}` : why;
}

/**
 * What to do when the camera is not available.
 *
 * @param {{name: string, message: string}} error from `getUserMedia`
 * @returns {string}
 */
export function adviceOnCamera({ name, message }) {
  const advice = {
    NotAllowedError: t("The camera was not allowed. Allow it in the browser's address bar, then try again."),
    NotFoundError: t("No camera was found. Connect one, then try again."),
    NotReadableError: t("The camera is in use by another program. Close that one, then try again."),
    OverconstrainedError: t("This camera is not available. Try another camera."),
    TypeError: t("This browser offers no camera to this page. Open the page in another browser."),
  };
  return advice[name] ?? t`The camera cannot be used: ${message}`;
}
