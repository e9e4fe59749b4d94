/**
 * What was learned about one person, as data: a baseline from a resting face, corrections, and own expressions.
 *
 * Made like `face_expression/personal/personal_file.py`, which describes the schema of `personal.json`.
 */

import { shiftOf, softmax } from "./personal_head.js";

export const MAX_FILE_BYTES = 4_000_000;
export const MAX_OWN_EXPRESSIONS = 12;
export const NONE_OF_THESE = "none of these";

const FORMAT = "live-emotion-detector personal";
const SCHEMA_VERSION = 1;
const MOST = 1e6;
const MOST_COUNTED = 10_000;
const LONGEST_LABEL = 250;

/** As in Python, where they are documented. */
const USUAL_NEUTRAL_LOGITS = {
  angry: -0.31,
  disgust: -1.31,
  fear: -1.86,
  happy: -0.5,
  sad: 1.45,
  surprise: -0.93,
  neutral: 3.47,
};
const NEUTRAL_STRENGTH = 0.5;
const MAX_NEUTRAL_SHIFT = 1.5;

/**
 * The file's content.
 *
 * @typedef {object} Personal
 * @property {string} format
 * @property {number} schema_version
 * @property {string} bundle_sha256 of the network that it was made with
 * @property {string[]} label_names
 * @property {number} features how many the network gives
 * @property {{shift: number[], frames: number} | null} neutral
 * @property {{head: import("./personal_head.js").Head, faces: Record<string, number>, right_before: number, right_after: number} | null} corrections
 * @property {{names: string[], head: import("./personal_head.js").Head, frames: number[], right: number} | null} own
 */

/** A `personal.json` that cannot be used; the message says why and what to do. */
export class PersonalError extends Error {}

/**
 * What to add to the logits of a person whose resting face has these; zero where there is no "neutral".
 *
 * @param {ArrayLike<number>[]} logits of the frames of one resting face, at least one
 * @param {string[]} labelNames
 * @returns {number[]}
 * @throws {RangeError} if there is no frame
 */
export function neutralShift(logits, labelNames) {
  if (!logits.length) throw new RangeError("a baseline needs at least one frame");
  const shift = labelNames.map(() => 0);
  if (!labelNames.includes("neutral")) return shift;
  const known = labelNames.map((_, place) => place).filter((place) => labelNames[place] in USUAL_NEUTRAL_LOGITS);
  const resting = centred(known.map((place) => mean(logits.map((row) => row[place]))));
  const usual = centred(known.map((place) => USUAL_NEUTRAL_LOGITS[labelNames[place]]));
  known.forEach((place, index) => {
    const wanted = NEUTRAL_STRENGTH * (usual[index] - resting[index]);
    shift[place] = Math.min(Math.max(wanted, -MAX_NEUTRAL_SHIFT), MAX_NEUTRAL_SHIFT);
  });
  return shift;
}

/**
 * @param {{neutral?: {shift: number[]} | null, corrections?: Personal["corrections"]} | null} personal
 * @param {ArrayLike<number>} logits the bundle's, after the temperature
 * @param {ArrayLike<number>} features
 * @returns {number[]} the person's logits
 */
export function adapt(personal, logits, features) {
  const adapted = Array.from(logits);
  const parts = [personal?.neutral?.shift, personal?.corrections && shiftOf(personal.corrections.head, features)];
  for (const part of parts) part?.forEach((value, index) => (adapted[index] += value));
  return adapted;
}

/**
 * @param {Personal | null} personal
 * @param {ArrayLike<number>} features
 * @returns {{name: string, probability: number}[] | null} one for each own expression; null without any
 */
export function ownExpressions(personal, features) {
  if (!personal?.own) return null;
  const probabilities = softmax(shiftOf(personal.own.head, features));
  return personal.own.names.map((name, index) => ({ name, probability: probabilities[index] }));
}

/** @param {Personal | null} personal @returns {boolean} whether the bundle's own answer is adapted */
export function changesAnswer(personal) {
  return Boolean(personal?.neutral || personal?.corrections);
}

/**
 * @param {{modelSha256: string, labelNames: string[], features: number}} bundle
 * @param {Pick<Personal, "neutral" | "corrections" | "own">} parts
 * @returns {Personal}
 */
export function makePersonal({ modelSha256, labelNames, features }, { neutral, corrections, own }) {
  return {
    format: FORMAT,
    schema_version: SCHEMA_VERSION,
    bundle_sha256: modelSha256,
    label_names: [...labelNames],
    features,
    neutral: neutral ?? null,
    corrections: corrections ?? null,
    own: own ?? null,
  };
}

/**
 * @param {import("./personal_head.js").Head} head
 * @returns {{weights: number[][], bias: number[]}} as it is kept in a file, with six digits
 */
export function headNumbers({ weights, bias }) {
  const short = (values) => Array.from(values, (value) => Number(value.toPrecision(6)));
  return { weights: weights.map(short), bias: short(bias) };
}

/**
 * Read a file's text, and refuse what Python refuses.
 *
 * @param {string} text
 * @param {{modelSha256: string, labelNames: string[], features: number}} bundle the one in use
 * @returns {Personal}
 * @throws {PersonalError} if it is too large, damaged, or was made for another bundle
 */
export function readPersonal(text, bundle) {
  if (text.length > MAX_FILE_BYTES) {
    throw new PersonalError(`it is larger than ${MAX_FILE_BYTES / 1e6} MB, so it is no personal.json of this program`);
  }
  const raw = parsed(text);
  if (!isObject(raw) || raw.format !== FORMAT) throw new PersonalError("it is not a personal.json of this program");
  if (raw.schema_version !== SCHEMA_VERSION) {
    throw new PersonalError(`it has schema version ${raw.schema_version}, but this program reads version ${SCHEMA_VERSION}`);
  }
  const { neutral = null, corrections = null, own = null } = raw;
  if (!isNames(raw.label_names)) throw damaged("label_names");
  if (raw.bundle_sha256 !== bundle.modelSha256 || !same(raw.label_names, bundle.labelNames)) {
    throw new PersonalError("it was made for another model than the one in use here; make it again here");
  }
  if (raw.features !== bundle.features) throw damaged("features");
  const classes = raw.label_names.length;
  if (neutral !== null && !(isNumbers(neutral.shift, classes) && isCount(neutral.frames))) throw damaged("neutral");
  if (corrections !== null && !isCorrections(corrections, classes, raw.features)) throw damaged("corrections");
  if (own !== null && !isOwn(own, raw.features)) throw damaged("own");
  return makePersonal(bundle, { neutral, corrections, own });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new PersonalError("it is damaged: not JSON");
  }
}

function damaged(where) {
  return new PersonalError(`it is damaged: ${where}`);
}

function isCorrections({ head, faces, right_before: before, right_after: after }, classes, features) {
  const counted = isObject(faces) && Object.values(faces).every(isCount);
  return isHead(head, classes, features) && counted && isCount(before) && isCount(after);
}

function isOwn({ names, head, frames, right }, features) {
  if (!isNames(names) || names.length > MAX_OWN_EXPRESSIONS + 1 || names.at(-1) !== NONE_OF_THESE) return false;
  if (new Set(names).size !== names.length || !Array.isArray(frames) || frames.length !== names.length) return false;
  return frames.every(isCount) && isCount(right) && isHead(head, names.length, features);
}

function isHead(head, classes, features) {
  if (!isObject(head) || !isNumbers(head.bias, classes)) return false;
  const { weights } = head;
  return Array.isArray(weights) && weights.length === classes && weights.every((row) => isNumbers(row, features));
}

function isNames(names) {
  const isName = (name) => typeof name === "string" && name.length > 0 && name.length <= LONGEST_LABEL;
  return Array.isArray(names) && names.length >= 2 && names.every(isName);
}

function isNumbers(values, count) {
  return Array.isArray(values) && values.length === count && values.every((value) => typeof value === "number" && Math.abs(value) <= MOST);
}

function isCount(value) {
  return Number.isInteger(value) && value >= 0 && value <= MOST_COUNTED;
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function same(names, others) {
  return names.length === others.length && names.every((name, index) => name === others[index]);
}

function centred(values) {
  const middle = mean(values);
  return values.map((value) => value - middle);
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
