/** What the page has learned about the visitor's face, as values; it holds numbers and no picture. */

import {
  MAX_OWN_EXPRESSIONS,
  NONE_OF_THESE,
  PersonalError,
  headNumbers,
  makePersonal,
  neutralShift,
  readPersonal,
} from "../../engine/personal.js";
import { CORRECTIONS_PRIOR, OWN_PRIOR, checkHead, fitHead, helps, shiftOf } from "../../engine/personal_head.js";
import { t, tLabel } from "../../texts.js";

/** So many corrections are learned from at most: more would take longer than a tenth of a second. */
export const MOST_CORRECTIONS = 60;
/** An own expression is shown from this share of its frames that are recognised. */
export const SHOWN_FROM = 0.8;
/** Faces of one track, each kept within so many seconds of another, are of one moment. */
export const ONE_MOMENT_S = 3;

const LONGEST_NAME = 40;
/** Of the record that is kept in the browser. */
const RECORD_VERSION = 1;

/**
 * @typedef {object} Frame
 * @property {Float32Array} logits the bundle's own
 * @property {Float32Array} features
 * @property {number} timeS when it was taken
 */

/**
 * A face with the index of the label that the visitor gave it; `take` is the same for all of one moment, and `timeS` is
 * on the calendar's clock (`secondsSince1970`), since corrections may be of several visits.
 *
 * @typedef {object} Correction
 * @property {Float32Array} logits the bundle's own
 * @property {Float32Array} features
 * @property {number} label
 * @property {number | null} trackId
 * @property {number} timeS
 * @property {number} take
 */

/**
 * Values; each change gives another one. `own` has the frames of each name. `loaded` is a file that was read: its parts
 * hold until the page learns that part anew.
 *
 * @typedef {object} Learned
 * @property {{frames: {logits: Float32Array}[], on: boolean} | null} resting
 * @property {Correction[]} corrections
 * @property {{name: string, frames: Frame[]}[]} own
 * @property {import("../../engine/personal.js").Personal | null} loaded
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
  if (labelNames.some((label) => taken(label) || taken(tLabel(label)))) return { problem: t`The model has a bar for ${name} already. Use "That's wrong" for it.` };
  if (taken(NONE_OF_THESE) || taken(tLabel(NONE_OF_THESE))) return { problem: t`"${tLabel(NONE_OF_THESE)}" has a button of its own.` };
  const names = own.filter((one) => one.name !== NONE_OF_THESE).length;
  const isNew = !own.some((one) => taken(one.name));
  if (isNew && names >= MAX_OWN_EXPRESSIONS) return { problem: t`At most ${MAX_OWN_EXPRESSIONS} names fit.` };
  return { name: own.find((one) => taken(one.name))?.name ?? name };
}

/**
 * @param {number} timeS on the page's clock
 * @returns {number}
 */
export function secondsSince1970(timeS) {
  return performance.timeOrigin / 1000 + timeS;
}

/**
 * Keep a face with its label. One that follows another of the same track within `ONE_MOMENT_S` is nearly the same picture,
 * and so no proof that the other was learned: both are of one take.
 *
 * @param {Learned} learned
 * @param {Omit<Correction, "label" | "take">} face
 * @param {number} label
 * @returns {Learned}
 */
export function withCorrection(learned, face, label) {
  const { corrections } = learned;
  const isNear = ({ trackId, timeS }) => trackId === face.trackId && Math.abs(face.timeS - timeS) <= ONE_MOMENT_S;
  const near = corrections.filter(isNear).at(-1);
  const take = near ? near.take : 1 + Math.max(-1, ...corrections.map((one) => one.take));
  return { ...learned, corrections: [...corrections, { ...face, label, take }] };
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
 *   personal: import("../../engine/personal.js").Personal,
 *   shift: number[] | null,
 *   check: import("../../engine/personal_head.js").Check | null,
 *   ownCheck: OwnCheck | null,
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
  const faces = corrections.map(({ logits, features, label, take }) => {
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

/**
 * How many of each name's frames are recognised by what was learned from other seconds, and whether that is enough for a
 * bar; those that have none are left out when the others are counted.
 *
 * @typedef {{name: string, frames: number, right: number, isShown: boolean}[]} OwnCheck
 */

/** What follows from the frames of own expressions: a correction changes nothing of it. @type {WeakMap<Learned["own"], {own: import("../../engine/personal.js").Personal["own"], ownCheck: OwnCheck | null}>} */
const ownByFrames = new WeakMap();

function ownOf({ own, loaded }) {
  if (!own.length) return { own: loaded?.own ?? null, ownCheck: null };
  if (!ownByFrames.has(own)) ownByFrames.set(own, ownFrom(own));
  return ownByFrames.get(own);
}

/** A name that is not recognised well enough gets no bar, and the others are checked again without it. */
function ownFrom(own) {
  let shown = own;
  const counted = new Map();
  while (shown.length >= 2 && shown.at(-1).name === NONE_OF_THESE) {
    const faces = facesOf(shown);
    const { rightAfter, rightByLabel } = checkHead(faces, OWN_PRIOR, shown.length);
    shown.forEach(({ name }, index) => counted.set(name, rightByLabel[index]));
    const isGood = ({ frames }, index) => rightByLabel[index] >= SHOWN_FROM * frames.length;
    const passed = shown.filter((one, index) => one.name === NONE_OF_THESE || isGood(one, index));
    if (passed.length === shown.length) {
      if (!isGood(shown.at(-1), shown.length - 1)) break;
      const head = headNumbers(fitHead(faces, OWN_PRIOR, shown.length));
      const frames = shown.map((one) => one.frames.length);
      const names = shown.map(({ name }) => name);
      return { own: { names, head, frames, right: rightAfter }, ownCheck: checkOf(own, counted, names) };
    }
    shown = passed;
  }
  return { own: null, ownCheck: counted.size ? checkOf(own, counted, []) : null };
}

function checkOf(own, counted, shown) {
  return own.map(({ name, frames }) => {
    return { name, frames: frames.length, right: counted.get(name), isShown: shown.includes(name) };
  });
}

/** Frames of one second are left out together: they are nearly the same picture. */
function facesOf(own) {
  return own.flatMap(({ frames }, label) =>
    frames.map(({ features, timeS }) => {
      return { logits: own.map(() => 0), features, label, take: Math.floor(timeS - frames[0].timeS) };
    }),
  );
}

/**
 * @param {Learned} learned
 * @param {import("../../engine/personal_head.js").Check | null} check
 * @returns {string} how corrections do
 */
export function sentenceOfCorrections({ corrections, loaded }, check) {
  const file = loaded?.corrections ? `${t("Corrections from a file are in use.")} ` : "";
  const moments = new Set(corrections.map(({ take }) => take)).size;
  if (!corrections.length) return file || t("No face is kept yet.");
  if (corrections.length === 1) {
    return file + t`1 face is kept. Once there are two, ${ONE_MOMENT_S} seconds apart or more, the page can check whether they help.`;
  }
  if (moments === 1) {
    return file + t`${corrections.length} faces are kept, all of one moment. Once there is one from ${ONE_MOMENT_S} seconds later, the page can check whether they help.`;
  }
  const from = moments < corrections.length ? t` from ${moments} moments` : "";
  const counted = file + t`On your ${check.faces} faces${from}: ${check.rightBefore} right before, ${check.rightAfter} now`;
  if (!helps(check)) return t`${counted}. That does not help, so they are not used.`;
  const likelier = check.rightAfter === check.rightBefore ? t(", but the right answers are likelier") : "";
  return t`${counted}${likelier}. So they are used.`;
}

/**
 * @param {Learned} learned
 * @param {OwnCheck | null} check
 * @returns {string} how own expressions are recognised, or what is missing
 */
export function sentenceOfOwn({ own, loaded }, check) {
  if (!own.length) return loaded?.own ? t("Own expressions from a file are in use; new frames replace them.") : "";
  if (own.length === 1 && own[0].name === NONE_OF_THESE) return t("Now take an expression with a name of yours.");
  if (!check) return t`Now take "${tLabel(NONE_OF_THESE)}": talk, smile, look around, but do none of your expressions.`;
  const total = (part) => check.reduce((sum, one) => sum + one[part], 0);
  const counted = t`Recognised: ${total("right")} of ${total("frames")} frames, each by what was learned from other seconds.`;
  const left = check.filter(({ isShown }) => !isShown);
  if (!left.length) return t`${counted} Another day or light may be harder.`;
  const none = left.find(({ name, right, frames }) => name === NONE_OF_THESE && right < SHOWN_FROM * frames);
  if (none) {
    return t`${counted} Too much of "${tLabel(NONE_OF_THESE)}" looks like one of your expressions, so no bars are shown. Take it again, or make the expressions larger.`;
  }
  const names = left.filter(({ name }) => name !== NONE_OF_THESE).map(({ name }) => name).join(", ");
  return t`${counted} Too few for a bar: ${names}. Make them larger and take them again.`;
}

/**
 * What `personal.json` would hold now, and what it would leave out: it has only what is used.
 *
 * @param {Learned} learned
 * @param {ReturnType<typeof conclude>} concluded
 * @returns {{isEmpty: boolean, sentence: string}}
 */
export function contentOfFile(learned, { personal, shift }) {
  const [inside, outside] = [[], []];
  if (personal.neutral) inside.push(t("your neutral"));
  else if (shift) outside.push(t("your neutral, which is off"));
  const kept = Object.values(personal.corrections?.faces ?? {}).reduce((sum, count) => sum + count, 0);
  if (personal.corrections) inside.push(t`corrections (${kept})`);
  const before = Object.values(learned.loaded?.corrections?.faces ?? {}).reduce((sum, count) => sum + count, 0);
  const unused = learned.corrections.length - (kept - before);
  if (unused) outside.push(t`corrections that are not used (${unused})`);
  const ownNames = personal.own?.names ?? [];
  const namesIn = ownNames.filter((name) => name !== NONE_OF_THESE);
  if (namesIn.length) inside.push(t`own expressions (${namesIn.join(", ")})`);
  const namesOut = learned.own.map(({ name }) => name).filter((name) => name !== NONE_OF_THESE && !ownNames.includes(name));
  if (namesOut.length) outside.push(t`own expressions without a bar (${namesOut.join(", ")})`);
  const isEmpty = !inside.length;
  if (!isAnything(learned)) return { isEmpty, sentence: "" };
  const has = isEmpty ? t("Nothing is in use yet, so there is nothing to download.") : t`The file holds: ${inside.join(", ")}.`;
  return { isEmpty, sentence: outside.length ? t`${has} It leaves out: ${outside.join(", ")}.` : has };
}

/**
 * @param {Learned} learned
 * @param {string} modelSha256 of the bundle that it was learned with
 * @returns {object} what is kept in the browser for the next visit
 */
export function recordOf(learned, modelSha256) {
  return { version: RECORD_VERSION, modelSha256, learned };
}

/**
 * What an earlier visit kept, possibly by an earlier version of this page.
 *
 * @param {any} record
 * @param {{modelSha256: string, labelNames: string[], features: number}} bundle the one in use
 * @returns {Learned}
 * @throws {PersonalError} if it is not of this version, or damaged
 */
export function learnedOf(record, bundle) {
  if (record?.version !== RECORD_VERSION) throw new PersonalError("it is of another version of this page");
  const { resting, corrections, own, loaded, loadedNeutralOn } = record.learned ?? {};
  const hasLogits = ({ logits }) => areNumbers(logits, bundle.labelNames.length);
  const isFrame = (frame) => hasLogits(frame) && areNumbers(frame.features, bundle.features) && Number.isFinite(frame.timeS);
  const isCorrection = (one) => isFrame(one) && Number.isInteger(one.take) && one.label in bundle.labelNames;
  const isOwn = ({ name, frames }) => typeof name === "string" && frames.length > 0 && frames.every(isFrame);
  const isResting = resting === null || (resting.frames.length > 0 && resting.frames.every(hasLogits));
  if (!isResting || !corrections.every(isCorrection) || !own.every(isOwn)) throw new PersonalError("it is damaged");
  if (loaded) readPersonal(JSON.stringify(loaded), bundle);
  return { resting, corrections, own, loaded: loaded ?? null, loadedNeutralOn: Boolean(loadedNeutralOn) };
}

function areNumbers(values, count) {
  return values.length === count && Array.from(values).every(Number.isFinite);
}
