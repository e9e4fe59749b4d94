/** "Teach it": faces that the model named wrong, and the zip of class folders that `train finetune` reads. */

import { csvCell } from "../csv.js";
import { t, tLabel } from "../../texts.js";

/** So many are kept at most; they lie in the page's memory. */
export const MOST_KEPT = 500;

const VALIDATION_EVERY = 4;
const FEWEST_LABELS = 2;

/**
 * A face with the label that somebody gave it.
 *
 * @typedef {object} Correction
 * @property {import("../../engine/frame.js").Picture} crop what the model was shown
 * @property {string} label what the visitor says
 * @property {string} modelLabel what the model answered; its likeliest label, if it was not sure
 * @property {number} confidence the model's, 0..1
 * @property {boolean} reliable false if the page showed "not sure"
 */

/**
 * Keep a face as it is now; the face of the next frame may use the same memory.
 *
 * @param {import("../../engine/engine.js").Face} face with a crop
 * @returns {Omit<Correction, "label">}
 */
export function freeze({ crop, label, confidence, reliable }) {
  const { data, width, height } = crop;
  return { crop: { data: data.slice(), width, height }, modelLabel: label, confidence, reliable };
}

/**
 * Give each correction its place. Every fourth of a label goes into the validation split, without which nothing can be
 * trained; the places begin at 1.
 *
 * @param {Correction[]} corrections
 * @returns {{path: string, correction: Correction}[]} such as "train/happy/1.png", in the order of the corrections
 */
export function layOut(corrections) {
  const counts = new Map();
  return corrections.map((correction) => {
    const number = (counts.get(correction.label) ?? 0) + 1;
    counts.set(correction.label, number);
    const split = number % VALIDATION_EVERY === 0 ? "validation" : "train";
    return { path: `${split}/${correction.label}/${number}.png`, correction };
  });
}

/**
 * @param {Correction[]} corrections
 * @returns {string} how many are kept, and what a training still needs
 */
export function tellOf(corrections) {
  if (!corrections.length) return t("Nothing is kept yet.");
  const counts = countsOf(corrections);
  const kept = [...counts].map(([label, count]) => `${count} ${tLabel(label)}`).join(", ");
  const enough = [...counts.values()].filter((count) => count >= VALIDATION_EVERY).length;
  if (enough >= FEWEST_LABELS) return t`Kept: ${kept}. It can be trained on; more faces, of every word, are better.`;
  return t`Kept: ${kept}. Training needs at least ${VALIDATION_EVERY} faces in each of ${FEWEST_LABELS} classes.`;
}

/**
 * Pack corrections for `python -m train finetune --data`.
 *
 * @param {Correction[]} corrections
 * @param {(crop: import("../../engine/frame.js").Picture) => Promise<Uint8Array<ArrayBuffer>>} encodePng
 * @param {(files: Record<string, Uint8Array | [Uint8Array, object]>) => Uint8Array<ArrayBuffer>} zip `zipSync` of fflate
 * @returns {Promise<Uint8Array<ArrayBuffer>>} the zip file
 */
export async function zipOf(corrections, encodePng, zip) {
  const text = new TextEncoder();
  const placed = layOut(corrections);
  const files = { "README.txt": text.encode(readmeOf(corrections)), "corrections.csv": text.encode(csvOf(placed)) };
  for (const { path, correction } of placed) {
    // A PNG is compressed already.
    files[path] = [await encodePng(correction.crop), { level: 0 }];
  }
  return zip(files);
}

function countsOf(corrections) {
  const counts = new Map();
  for (const { label } of corrections) counts.set(label, (counts.get(label) ?? 0) + 1);
  return counts;
}

function csvOf(placed) {
  const rows = placed.map(({ path, correction: { label, modelLabel, confidence, reliable } }) => [
    path,
    label,
    modelLabel,
    confidence.toFixed(3),
    reliable ? "yes" : "no",
  ]);
  const header = ["file", "label", "model_said", "model_confidence", "model_sure"];
  return [header, ...rows].map((row) => `${row.map(csvCell).join(",")}\r\n`).join("");
}

function readmeOf(corrections) {
  return `Corrections from the Live Emotion Detector
==========================================

${corrections.length} faces, each as the model was shown it, with the word that a visitor chose for what its expression
looks like. They were collected in the visitor's browser, one by one, and saved from there; nothing was uploaded.

These are pictures of people. They belong to them: ask everybody who is in them before you pass this file on, and delete
it when one of them asks you to.

  train/LABEL/        faces to learn from
  validation/LABEL/   every fourth face of a label, to see how the training goes; they show the same people as train,
                      so the figures on them look better than those on strangers would
  corrections.csv     for each file the word chosen, and what the model had answered

To initialise a training from a model, in a checkout of the project:

  python -m train finetune --from MODEL --data corrections.zip --output RUN --epochs 15

MODEL is the folder that an earlier finetune printed, or a model on the Hub (USER/NAME). Labels keep the model's order.
Faces of a few words make a model forget the other words, the more so the longer it is trained: keep faces of every
word, also where the model was right. Evaluate before and after on a data set with many people, and export with the data
set that the model was made from.
`;
}
