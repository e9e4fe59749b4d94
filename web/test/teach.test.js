import assert from "node:assert/strict";
import { test } from "node:test";

import { unzipSync, zipSync } from "fflate";

import { freeze, layOut, tellOf, zipOf } from "../live/panels/teach/teach.js";

const CROP = { data: Uint8ClampedArray.from([1, 2, 3, 4]), width: 2, height: 2 };
const correction = (label, changes = {}) => {
  return { crop: CROP, label, modelLabel: "neutral", confidence: 0.61234, reliable: true, ...changes };
};
const corrections = (...labels) => labels.map((label) => correction(label));
const pathsOf = (...labels) => layOut(corrections(...labels)).map(({ path }) => path);
const times = (count, label) => Array(count).fill(label);

test("a frozen face stays as it was", () => {
  const face = { crop: { ...CROP, data: CROP.data.slice() }, label: "sad", confidence: 0.5, reliable: false, box: [] };
  const frozen = freeze(face);
  face.crop.data.fill(9);
  assert.deepEqual(frozen, { crop: CROP, modelLabel: "sad", confidence: 0.5, reliable: false });
});

test("every fourth face of a label is for validation", () => {
  const cases = [
    [[], []],
    [["sad"], ["train/sad/1.png"]],
    [["sad", "fear", "sad"], ["train/sad/1.png", "train/fear/1.png", "train/sad/2.png"]],
    [
      times(5, "sad"),
      ["train/sad/1.png", "train/sad/2.png", "train/sad/3.png", "validation/sad/4.png", "train/sad/5.png"],
    ],
  ];
  for (const [labels, paths] of cases) assert.deepEqual(pathsOf(...labels), paths);
});

test("the status reports when there is enough for a training", () => {
  const cases = [
    [[], "Nothing is kept yet."],
    [["sad"], "Kept: 1 sad. Training needs at least 4 faces in each of 2 classes."],
    [times(9, "sad"), "Kept: 9 sad. Training needs at least 4 faces in each of 2 classes."],
    [
      [...times(4, "sad"), ...times(3, "fear")],
      "Kept: 4 sad, 3 fear. Training needs at least 4 faces in each of 2 classes.",
    ],
    [
      [...times(4, "sad"), ...times(4, "fear"), "happy"],
      "Kept: 4 sad, 4 fear, 1 happy. It can be trained on; more faces, of every word, are better.",
    ],
  ];
  for (const [labels, status] of cases) assert.equal(tellOf(corrections(...labels)), status);
});

test("the zip holds class folders, what the model answered, and what it is", async () => {
  const kept = [correction("sad"), correction('so, "so"', { modelLabel: "happy", confidence: 1, reliable: false })];
  const encode = async ({ data }) => Uint8Array.from(data);
  const files = unzipSync(await zipOf(kept, encode, zipSync));
  assert.deepEqual(Object.keys(files), ["README.txt", "corrections.csv", "train/sad/1.png", 'train/so, "so"/1.png']);
  assert.deepEqual([...files["train/sad/1.png"]], [1, 2, 3, 4]);
  const text = (name) => new TextDecoder().decode(files[name]);
  assert.equal(
    text("corrections.csv"),
    "file,label,model_said,model_confidence,model_sure\r\n" +
      "train/sad/1.png,sad,neutral,0.612,yes\r\n" +
      '"train/so, ""so""/1.png","so, ""so""",happy,1.000,no\r\n',
  );
  assert.match(text("README.txt"), /^Corrections[\s\S]*\n2 faces[\s\S]*pictures of people[\s\S]*finetune --from MODEL --data/);
});
