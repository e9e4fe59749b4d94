import assert from "node:assert/strict";
import test from "node:test";

import { cutCrop, regionOfDetection, wholePictureRegion } from "../live/engine/crop.js";

const SETTINGS = { size_px: 48, border: "replicate", level_eyes: true, max_levelling_deg: 45, max_oversampling: 8 };

/** A square picture whose every pixel is told by its place. */
function picture(sidePx, channels, valueAt) {
  const data = new Uint8Array(sidePx * sidePx * channels);
  for (let at = 0; at < data.length; at++) {
    const pixel = Math.floor(at / channels);
    data[at] = valueAt(pixel % sidePx, Math.floor(pixel / sidePx), at % channels);
  }
  return { data, width: sidePx, height: sidePx };
}

for (const channels of [1, 3]) {
  test(`a picture of the crop's size is its own crop: ${channels} channels`, () => {
    const noise = picture(48, channels, (x, y, channel) => (x * 31 + y * 57 + channel * 91) % 256);
    assert.deepEqual(cutCrop(noise, wholePictureRegion(48, 48), SETTINGS).data, noise.data);
  });
}

test("alpha is left out", () => {
  const colors = picture(48, 4, (x, y, channel) => [x, y, 7, 255][channel]);
  const expected = picture(48, 3, (x, y, channel) => [x, y, 7][channel]);
  assert.deepEqual(cutCrop(colors, wholePictureRegion(48, 48), SETTINGS), expected);
});

test("a large face is averaged, not sampled", () => {
  const stripes = picture(480, 1, (x) => (x % 2 === 0 ? 200 : 0));
  const crop = cutCrop(stripes, wholePictureRegion(480, 480), SETTINGS);
  assert.ok(crop.data.every((value) => Math.abs(value - 100) <= 25));
});

for (const sidePx of [1, 47, 49, 385, 5000]) {
  test(`any side gives the crop's size: ${sidePx}`, () => {
    const region = { centerX: 10, centerY: 10, sidePx, angleDeg: 7 };
    const crop = cutCrop(picture(48, 3, (x) => x), region, SETTINGS);
    assert.deepEqual([crop.width, crop.height, crop.data.length], [48, 48, 48 * 48 * 3]);
  });
}

test("beyond the frame the border is repeated, or mirrored", () => {
  const ramp = picture(10, 1, (x) => x * 10);
  const region = { centerX: 0, centerY: 5, sidePx: 48, angleDeg: 0 };
  const row = (border) => Array.from(cutCrop(ramp, region, { ...SETTINGS, border }).data.subarray(0, 48));
  assert.deepEqual(row("replicate").slice(21, 27), [0, 0, 0, 0, 10, 20]);
  assert.deepEqual(row("reflect_101").slice(21, 27), [30, 20, 10, 0, 10, 20]);
  assert.deepEqual(row("reflect_101").slice(32, 36), [80, 90, 80, 70]);
});

for (const [box, rule, expected] of [
  [[0, 0, 100, 100], [1, 0, 0], [50, 50, 100]],
  [[0, 0, 50, 200], [1.5, 0, 0], [25, 100, 150]],
  [[0, 0, 100, 100], [1, 0.1, -0.2], [60, 30, 100]],
  [[7, 7, 7, 7], [1, 0, 0], [7, 7, 1]],
]) {
  test(`the region follows the rule: ${box}, ${rule}`, () => {
    const [scale, shiftX, shiftY] = rule;
    const eyes = [[10, 10], [20, 10]];
    const region = regionOfDetection(box, eyes, { scale, shift_x: shiftX, shift_y: shiftY }, SETTINGS);
    assert.deepEqual([region.centerX, region.centerY, region.sidePx, region.angleDeg], [...expected, 0]);
  });
}

for (const [secondEye, settings, angleDeg] of [
  [[130, 140], SETTINGS, 45],
  [[130, 60], SETTINGS, -18.4349],
  [[71, 100], SETTINGS, 0],
  [[130, 110], { ...SETTINGS, level_eyes: false }, 0],
]) {
  test(`eyes are levelled by ${angleDeg} degrees`, () => {
    const rule = { scale: 1, shift_x: 0, shift_y: 0 };
    const region = regionOfDetection([0, 0, 100, 100], [[70, 80], secondEye], rule, settings);
    assert.ok(Math.abs(region.angleDeg - angleDeg) <= 1 / 16);
  });
}
