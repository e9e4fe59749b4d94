import assert from "node:assert/strict";
import test from "node:test";

import { cutCrop, regionOfDetection, toModelInputs, wholePictureRegion } from "../live/engine/crop.js";
import { bundleGraphs } from "../testing/bundle_graphs.js";

const SETTINGS = { size_px: 48, oversampling: 2, level_eyes: true, max_levelling_deg: 45 };
const graphs = await bundleGraphs();

/** A square frame whose every pixel depends on its place. */
function frame(sidePx, channels, valueAt) {
  const data = new Uint8Array(sidePx * sidePx * channels);
  for (let at = 0; at < data.length; at++) {
    const pixel = Math.floor(at / channels);
    data[at] = valueAt(pixel % sidePx, Math.floor(pixel / sidePx), at % channels);
  }
  return { data, width: sidePx, height: sidePx };
}

const cut = (picture, region) => cutCrop(picture, region, SETTINGS, graphs);
const noiseAt = (x, y, channel) => (x * 31 + y * 57 + channel * 91) % 256;

for (const channels of [1, 3]) {
  test(`a picture of the crop's size is its own crop: ${channels} channels`, async () => {
    const noise = frame(48, channels, noiseAt);
    const crop = await cut(noise, wholePictureRegion(48, 48));
    assert.deepEqual(Array.from(crop.data), Array.from(noise.data));
  });
}

test("alpha is left out", async () => {
  const crop = await cut(frame(48, 4, (x, y, channel) => [x, y, 7, 255][channel]), wholePictureRegion(48, 48));
  const expected = await cut(frame(48, 3, (x, y, channel) => [x, y, 7][channel]), wholePictureRegion(48, 48));
  assert.deepEqual(crop, expected);
});

for (const sidePx of [192, 480, 1600]) {
  test(`a large face is averaged, not sampled: ${sidePx} px`, async () => {
    const stripes = frame(sidePx, 1, (x) => (x % 2 === 0 ? 200 : 0));
    const crop = await cut(stripes, wholePictureRegion(sidePx, sidePx));
    assert.ok(crop.data.every((value) => Math.abs(value - 100) <= 25));
  });
}

for (const sidePx of [1, 47, 49, 385, 5000]) {
  test(`any side gives the crop's size: ${sidePx}`, async () => {
    const crop = await cut(frame(48, 3, (x) => x), { centerX: 10, centerY: 10, sidePx, angleDeg: 7 });
    assert.deepEqual([crop.width, crop.height, crop.data.length], [48, 48, 48 * 48 * 3]);
  });
}

test("beyond the frame its edge pixels are repeated", async () => {
  const crop = await cut(frame(10, 1, (x) => x * 10), { centerX: 0, centerY: 5, sidePx: 48, angleDeg: 0 });
  assert.deepEqual(Array.from(crop.data.subarray(21, 27)), [0, 0, 0, 0, 10, 20]);
  assert.deepEqual(Array.from(crop.data.subarray(32, 36)), [80, 90, 90, 90]);
});

for (const [box, rule, expected] of [
  [[0, 0, 100, 100], [1, 0, 0], [50, 50, 100]],
  [[0, 0, 50, 200], [1.5, 0, 0], [25, 100, 150]],
  [[0, 0, 100, 100], [1, 0.1, -0.2], [60, 30, 100]],
  [[7, 7, 7, 7], [1, 0, 0], [7, 7, 1]],
]) {
  test(`the region follows the rule: ${box}, ${rule}`, () => {
    const [scale, shiftX, shiftY] = rule;
    const upright = [[10, 10], [20, 10], [15, 15], [10, 20], [20, 20]];
    const region = regionOfDetection(box, upright, { scale, shift_x: shiftX, shift_y: shiftY }, SETTINGS);
    assert.deepEqual([region.centerX, region.centerY, region.sidePx, region.angleDeg], [...expected, 0]);
  });
}

const UPRIGHT_MOUTH = [[70, 160], [130, 160]];
for (const [name, eyes, mouth, settings, angleDeg] of [
  ["tilted", [[70, 80], [130, 60]], [[90, 160], [150, 140]], SETTINGS, -18.4349],
  ["a profile's eyes fall together", [[70, 80], [71, 100]], [[70, 160], [71, 160]], SETTINGS, 0],
  ["upside down", [[130, 160], [70, 160]], [[130, 80], [70, 80]], SETTINGS, 180],
  ["lying", [[160, 70], [160, 130]], [[80, 70], [80, 130]], SETTINGS, 90],
  ["not asked for", [[70, 80], [130, 110]], UPRIGHT_MOUTH, { ...SETTINGS, level_eyes: false }, 0],
]) {
  test(`eyes are levelled by ${angleDeg} degrees: ${name}`, () => {
    const landmarks = [...eyes, [0, 0], ...mouth];
    const region = regionOfDetection([0, 0, 100, 100], landmarks, { scale: 1, shift_x: 0, shift_y: 0 }, settings);
    assert.ok(Math.abs(region.angleDeg - angleDeg) <= 1 / 16, `${region.angleDeg}`);
  });
}

test("model input is normalised and enlarged", async () => {
  const crop = { data: new Uint8Array(48 * 48).fill(255), width: 48, height: 48 };
  const settings = { channels: 1, grey_weights: [0.3, 0.6, 0.1], mean: [0.5], std: [0.25], size_px: 96 };
  const { dims, data } = await toModelInputs([crop, crop], settings, graphs);
  assert.deepEqual(dims, [2, 1, 96, 96]);
  assert.ok(data.every((value) => value === 2));
});

test("contrast is brought to what is wanted, and no further than noise allows", async () => {
  const settings = { channels: 1, grey_weights: [0.3, 0.6, 0.1], mean: [0], std: [1], size_px: 48 };
  const contrast = { mean: 128, std: 50, min_std: 8 };
  const stripes = (low, high) => ({
    data: Uint8Array.from({ length: 48 * 48 }, (_, at) => (at % 2 ? high : low)),
    width: 48,
    height: 48,
  });
  const ends = async (picture) => {
    const { data } = await toModelInputs([picture], { ...settings, contrast }, graphs);
    return [Math.min(...data), Math.max(...data)].map((value) => Math.round(value * 255));
  };
  assert.deepEqual(await ends(stripes(100, 120)), [78, 178]);
  assert.deepEqual(await ends(stripes(100, 102)), [122, 134]);
});
