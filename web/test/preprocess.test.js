import assert from "node:assert/strict";
import test from "node:test";

import { levelContrast, toGrey, toModelInput } from "../live/engine/preprocess.js";

const GREY = { size_px: 4, channels: 1, grey_weights: [0.299, 0.587, 0.114], mean: [0.5], std: [0.25] };
const COLOR = { ...GREY, size_px: 2, channels: 3, mean: [0, 0, 0], std: [1, 1, 1] };

function filled(side, ...pixel) {
  const data = Uint8Array.from({ length: side * side * pixel.length }, (_, at) => pixel[at % pixel.length]);
  return { data, width: side, height: side };
}

function assertAll(values, expected, tolerance) {
  values.forEach((value) => assert.ok(Math.abs(value - expected) <= tolerance, `${value}: ${expected}`));
}

test("grey weighs red, green and blue in that order", () => {
  assertAll(toGrey(filled(1, 200, 0, 0), GREY), 59.8, 1e-4);
  assertAll(toGrey(filled(1, 0, 200, 0), GREY), 117.4, 1e-4);
  assertAll(toGrey(filled(1, 0, 0, 200, 255), GREY), 22.8, 1e-4);
  assertAll(toGrey(filled(1, 9), GREY), 9, 0);
});

test("the model's input is normalised and enlarged", () => {
  const input = toModelInput(filled(2, 255, 255, 255), GREY);
  assert.equal(input.length, 16);
  assertAll(input, 2, 1e-5);
});

test("colour networks get red, green and blue planes, and grey is repeated", () => {
  const input = toModelInput(filled(2, 51, 102, 153), COLOR);
  [0.2, 0.4, 0.6].forEach((value, plane) => assertAll(input.subarray(plane * 4, plane * 4 + 4), value, 1e-6));
  assertAll(toModelInput(filled(2, 102), COLOR), 0.4, 1e-6);
});

test("crops of any light are levelled, and noise is not stretched into a face", () => {
  const settings = { mean: 128, std: 56, min_std: 8 };
  const bright = Float32Array.of(100, 140, 180, 220);
  const dim = bright.map((value) => value * 0.25 + 3);
  const levelled = levelContrast(bright, settings);
  levelContrast(dim, settings).forEach((value, index) => assert.ok(Math.abs(value - levelled[index]) < 1e-3));
  assert.deepEqual(Array.from(levelContrast(Float32Array.of(9, 11), settings)), [121, 135]);
  assert.deepEqual(Array.from(levelContrast(Float32Array.of(9, 9), settings)), [128, 128]);
  assert.deepEqual(Array.from(levelContrast(Float32Array.of(0, 0, 0, 0, 255), settings)), [100, 100, 100, 100, 240]);
});
