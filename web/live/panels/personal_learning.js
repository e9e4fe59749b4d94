/** What the page has learned about the visitor's face, as values; it holds numbers and no picture. */

import { MAX_OWN_EXPRESSIONS, NONE_OF_THESE, headNumbers, makePersonal, neutralShift } from "../engine/personal.js";
import { CORRECTIONS_PRIOR, OWN_PRIOR, checkHead, fitHead, helps, shiftOf } from "../engine/personal_head.js";
import { t, tLabel } from "../texts.js";

/** So many corrections are learned from at most: more would take longer than a tenth of a second. */
export const MOST_CORRECTIONS = 60;
/** Own expressions are shown from this share of recognised frames. */
export const SHOWN_FROM = 0.8;

const FEWEST_CHECKED = 2;
const LONGEST_NAME = 40;

/**
 * @typedef {object} Frame
 * @property {Float32Array} logits the bundle's own
 * @property {Float32Array} features
 * @property {number} timeS when it was taken
 */

/**
 * Values; each change gives another one. `corrections` are faces with the index of their label. `own` has the frames of
 * each name. `loaded` is a file that was read: its parts hold until the page learns that part anew.
 *
 * @typedef {object} Learned
 * @property {{frames: {logits: Float32Array}[], on: boolean} | null} resting
 * @property {{logits: Float32Array, features: Float32Array, label: number}[]} corrections
 * @property {{name: string, frames: Frame[]}[]} own
 * @property {import("../engine/personal.js").Personal | null} loaded
 * @property {boolean} loadedNeutralOn
 */

/** @type {Learned} */
export const NOTHING_LEARNED = Object.freeze({
  resting: null,
  corrections: [],
  own: [],
  loaded: null,
  loadedNeutralOn: true,
});

/** @param {Learned} learned @returns {boolean} whether there is anything to keep or delete */
export function isAnything({ resting, corrections, own, loaded }) {
  return Boolean(resting || corrections.length || own.length || loaded);
}

/**
 * A name for an own expression, or why it cannot be one.
 *
 * @param {Learned} learned
 * @param {string} typed
 * @param {string[]} labelNames
 * @returns {{name: string, problem?: undefined} | {name?: undefined, problem: string}}
 */
export function checkedName({ own }, typed, labelNames) {
  const name = typed.trim().replace(/\s+/g, " ");
  const taken = (other) => other.toLowerCase() === name.toLowerCase();
  if (!name) return { problem: t("Type a name first, such as wink.") };
  if (name.length > LONGEST_NAME) return { problem: t`A name has at most ${LONGEST_NAME} letters.` };
  if (labelNames.some(taken)) return { problem: t`The model has a bar for ${name} already. Use "That's wrong" for it.` };
  if (taken(NONE_OF_THESE)) return { problem: t`"${tLabel(NONE_OF_THESE)}" has a button of its own.` };
  const names = own.filter((one) => one.name !== NONE_OF_THESE).length;
  const isNew = !own.some((one) => taken(one.name));
  if (isNew && names >= MAX_OWN_EXPRESSIONS) return { problem: t`At most ${MAX_OWN_EXPRESSIONS} names fit.` };
  return { name: own.find((one) => taken(one.name))?.name ?? name };
}

/**
 * Take the frames of one own expression in; those it had before are replaced. "None of these" stays the last.
 *
 * @param {Learned} learned
 * @param {string} name
 * @param {Frame[]} frames
 * @returns {Learned}
 */
export function withOwn(learned, name, frames) {
  const others = learned.own.filter((one) => one.name !== name);
  const own = [...others, { name, frames }];
  own.sort((one, other) => Number(one.name === NONE_OF_THESE) - Number(other.name === NONE_OF_THESE));
  return { ...learned, own };
}

/**
 * Everything that follows from what was learned.
 *
 * @param {Learned} learned
 * @param {{modelSha256: string, labelNames: string[], features: number}} bundle
 * @returns {{
 *   personal: import("../engine/personal.js").Personal,
 *   shift: number[] | null,
 *   check: import("../engine/personal_head.js").Check | null,
 *   ownCheck: import("../engine/personal_head.js").Check | null,
 * }} `personal` is what the engine uses: only what is on and helps; `shift` is the baseline, on or off
 */
export function conclude(learned, bundle) {
  const { neutral, shift } = baselineOf(learned, bundle.labelNames);
  const { corrections, check } = correctionsOf(learned, neutral, bundle.labelNames);
  const { own, ownCheck } = ownOf(learned);
  return { personal: makePersonal(bundle, { neutral, corrections, own }), shift, check, ownCheck };
}

function baselineOf({ resting, loaded, loadedNeutralOn }, labelNames) {
  if (!resting) {
    const neutral = loaded?.neutral ?? null;
    return { neutral: loadedNeutralOn ? neutral : null, shift: neutral?.shift ?? null };
  }
  const shift = neutralShift(resting.frames.map(({ logits }) => logits), labelNames);
  return { neutral: resting.on ? { shift, frames: resting.frames.length } : null, shift };
}

/** Corrections start from the baseline and from a loaded head, so that what is fitted is only what is still missing. */
function correctionsOf({ corrections, loaded }, neutral, labelNames) {
  const before = loaded?.corrections ?? null;
  if (!corrections.length) return { corrections: before, check: null };
  const faces = corrections.map(({ logits, features, label }, take) => {
    const shifts = [neutral?.shift, before && shiftOf(before.head, features)];
    const start = Array.from(logits, (value, index) => shifts.reduce((sum, shift) => sum + (shift?.[index] ?? 0), value));
    return { logits: start, features, label, take };
  });
  const check = checkHead(faces, CORRECTIONS_PRIOR, labelNames.length);
  if (!helps(check)) return { corrections: before, check };
  const head = sumOf(headNumbers(fitHead(faces, CORRECTIONS_PRIOR, labelNames.length)), before?.head);
  const counts = { ...before?.faces };
  for (const { label } of corrections) counts[labelNames[label]] = (counts[labelNames[label]] ?? 0) + 1;
  const rightBefore = check.rightBefore + (before?.right_before ?? 0);
  const rightAfter = check.rightAfter + (before?.right_after ?? 0);
  return { corrections: { head, faces: counts, right_before: rightBefore, right_after: rightAfter }, check };
}

function sumOf(head, before) {
  if (!before) return head;
  const add = (values, others) => values.map((value, index) => value + others[index]);
  return {
    weights: head.weights.map((row, index) => add(row, before.weights[index])),
    bias: add(head.bias, before.bias),
  };
}

/** Frames of one second are left out together: they are nearly the same picture. */
function ownOf({ own, loaded }) {
  if (!own.length) return { own: loaded?.own ?? null, ownCheck: null };
  const ready = own.length >= 2 && own.at(-1).name === NONE_OF_THESE;
  if (!ready) return { own: null, ownCheck: null };
  const faces = own.flatMap(({ frames }, label) =>
    frames.map(({ features, timeS }) => {
      return { logits: own.map(() => 0), features, label, take: Math.floor(timeS - frames[0].timeS) };
    }),
  );
  const check = checkHead(faces, OWN_PRIOR, own.length);
  if (check.rightAfter < SHOWN_FROM * check.faces) return { own: null, ownCheck: check };
  const head = headNumbers(fitHead(faces, OWN_PRIOR, own.length));
  const frames = own.map((one) => one.frames.length);
  return { own: { names: own.map(({ name }) => name), head, frames, right: check.rightAfter }, ownCheck: check };
}

/**
 * @param {Learned} learned
 * @param {import("../engine/personal_head.js").Check | null} check
 * @returns {string} how corrections do
 */
export function sentenceOfCorrections({ corrections, loaded }, check) {
  const file = loaded?.corrections ? `${t("Corrections from a file are in use.")} ` : "";
  if (!corrections.length) return file || t("No face is kept yet.");
  if (check.faces < FEWEST_CHECKED) return file + t("1 face is kept. From the second on, the page can check whether it helps.");
  const counted = file + t`On your ${check.faces} faces: ${check.rightBefore} right before, ${check.rightAfter} now`;
  if (!helps(check)) return t`${counted}. That does not help, so they are not used.`;
  const likelier = check.rightAfter === check.rightBefore ? t(", but the right answers are likelier") : "";
  return t`${counted}${likelier}. So they are used.`;
}

/**
 * @param {Learned} learned
 * @param {import("../engine/personal_head.js").Check | null} check
 * @returns {string} how own expressions are recognised, or what is missing
 */
export function sentenceOfOwn({ own, loaded }, check) {
  if (!own.length) return loaded?.own ? t("Own expressions from a file are in use; new frames replace them.") : "";
  if (own.length === 1 && own[0].name === NONE_OF_THESE) return t("Now take an expression with a name of yours.");
  if (!check) return t`Now take "${tLabel(NONE_OF_THESE)}": talk, smile, look around, but do none of your expressions.`;
  const counted = t`Recognised: ${check.rightAfter} of ${check.faces} frames, each by what was learned from other seconds.`;
  if (check.rightAfter >= SHOWN_FROM * check.faces) return t`${counted} Another day or light may be harder.`;
  return t`${counted} That is too few, so no bars are shown. Make the expressions larger and take them again.`;
}
