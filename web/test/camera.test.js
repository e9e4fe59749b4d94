import assert from "node:assert/strict";
import { test } from "node:test";

import { namesOfCameras } from "../live/camera.js";

const CASES = [
  ["no camera", [], []],
  ["a computer's", ["Integrated Camera (04f2:b71a)"], ["Integrated Camera"]],
  ["a browser that does not name them", ["", ""], ["camera 1", "camera 2"]],
  ["two of one make", ["C920 (046d:0892)", "OBS", "C920 (046d:0892)"], ["C920 1", "OBS", "C920 2"]],
  ["a phone with Android", ["camera2 1, facing front", "camera2 0, facing back"], ["front camera", "rear camera"]],
  [
    "a phone with many",
    ["camera2 1, facing front", "camera2 2, facing back", "camera2 0, facing back"],
    ["front camera", "rear camera 1", "rear camera 2"],
  ],
  ["an iPhone", ["Front Camera", "Back Dual Wide Camera"], ["Front Camera", "Back Dual Wide Camera"]],
];

for (const [name, labels, names] of CASES) {
  test(`the list of cameras: ${name}`, () => assert.deepEqual(namesOfCameras(labels.map((label) => ({ label }))), names));
}
