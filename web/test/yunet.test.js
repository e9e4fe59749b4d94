import assert from "node:assert/strict";
import test from "node:test";

import { YuNetDetector } from "../live/engine/yunet.js";
import { decodeOutputs, suppressOverlaps } from "../live/engine/yunet_output.js";

const SETTINGS = { long_side_px: 64, retry_long_side_px: 128, score_threshold: 0.6, nms_threshold: 0.3, crop: {} };

/** YuNet's maps for an input of width x height with the faces given: {stride, cell, score, box, points}. */
function outputsWith(faces, width, height) {
  const outputs = {};
  for (const stride of [8, 16, 32]) {
    const cells = (width / stride) * (height / stride);
    for (const [name, values] of [["cls", 1], ["obj", 1], ["bbox", 4], ["kps", 10]]) {
      outputs[`${name}_${stride}`] = { data: new Float32Array(cells * values) };
    }
  }
  for (const { stride, cell, score, box = [0, 0, 0, 0], points = Array(10).fill(0) } of faces) {
    outputs[`cls_${stride}`].data[cell] = score;
    outputs[`obj_${stride}`].data[cell] = score;
    outputs[`bbox_${stride}`].data.set(box, cell * 4);
    outputs[`kps_${stride}`].data.set(points, cell * 10);
  }
  return outputs;
}

/** An ONNX Runtime whose network sees the faces given, once its input is as wide as `fromWidth`. */
function fakeRuntime(faces, fromWidth) {
  const inputs = [];
  const session = {
    inputNames: ["input"],
    outputNames: ["kps_32"],
    run: async ({ input }) => {
      inputs.push(input);
      const [, , height, width] = input.dims;
      return outputsWith(width >= fromWidth ? faces : [], width, height);
    },
  };
  const Tensor = function (type, data, dims) {
    Object.assign(this, { type, data, dims });
  };
  return { ort: { Tensor, InferenceSession: { create: async () => session } }, inputs };
}

function frame(width, height, ...pixel) {
  return { data: Uint8Array.from({ length: width * height * 3 }, (_, at) => pixel[at % 3]), width, height };
}

test("no face is decoded from empty maps", () => {
  assert.deepEqual(decodeOutputs(outputsWith([], 64, 64), 64, 64, 0.6), []);
});

test("a cell is decoded into a box and five points in pixels", () => {
  const points = [0, 0, 1, 0, 0.5, 0.5, 0, 1, 1, 1];
  const face = { stride: 16, cell: 6, score: 0.81, box: [0.5, 0.25, Math.log(2), Math.log(4)], points };
  const [detection] = decodeOutputs(outputsWith([face], 64, 64), 64, 64, 0.6);
  detection.box.forEach((value, index) => assert.ok(Math.abs(value - [24, -12, 56, 52][index]) < 1e-4));
  assert.deepEqual(detection.landmarks, [[32, 16], [48, 16], [40, 24], [32, 32], [48, 32]]);
  assert.ok(Math.abs(detection.score - 0.81) < 1e-6);
});

test("scores are limited to 1, and those below the threshold are left out", () => {
  const faces = [{ stride: 8, cell: 0, score: 1.5 }, { stride: 32, cell: 3, score: 0.59 }];
  assert.deepEqual(decodeOutputs(outputsWith(faces, 64, 64), 64, 64, 0.6).map(({ score }) => score), [1]);
});

for (const [name, boxes, kept] of [
  ["none", [], []],
  ["one inside the other", [[0, 0, 100, 100], [10, 10, 90, 90]], [1]],
  ["side by side", [[0, 0, 100, 100], [100, 0, 200, 100]], [1, 0]],
  ["one that covers two others", [[0, 0, 100, 100], [80, 0, 180, 100], [40, 0, 140, 100]], [2]],
  ["a chain whose ends are apart", [[0, 0, 100, 100], [40, 0, 140, 100], [80, 0, 180, 100]], [2, 0]],
  ["without area", [[5, 5, 5.5, 5.5], [50, 50, 50.5, 50.5]], [1]],
]) {
  test(`of overlapping faces the best is kept: ${name}`, () => {
    const detections = boxes.map((box, index) => ({ box, score: 0.7 + index / 10, landmarks: [] }));
    assert.deepEqual(suppressOverlaps(detections, 0.3, 500).map((one) => detections.indexOf(one)), kept);
  });
}

test("only so many of the highest scores are looked at", () => {
  const detections = [0, 1, 2].map((index) => ({ box: [index * 50, 0, index * 50 + 10, 10], score: index / 10 }));
  assert.deepEqual(suppressOverlaps(detections, 0.3, 2), [detections[2], detections[1]]);
});

test("the network is given blue, green and red planes, padded with black", async () => {
  const { ort, inputs } = fakeRuntime([], Infinity);
  const detector = await YuNetDetector.load(ort, new Uint8Array(), { ...SETTINGS, retry_long_side_px: 80 });
  assert.deepEqual(await detector.detect(frame(64, 10, 1, 2, 3)), []);
  assert.deepEqual(inputs.map(({ dims }) => dims), [[1, 3, 64, 64], [1, 3, 64, 96]]);
  const [planes, last] = [inputs[0].data, 9 * 64 + 63];
  assert.deepEqual([planes[last], planes[64 * 64 + last], planes[2 * 64 * 64 + last], planes[last + 1]], [3, 2, 1, 0]);
});

test("where nobody is seen a higher resolution is tried, and boxes are in pixels of the frame", async () => {
  const faces = [{ stride: 32, cell: 0, score: 1 }, { stride: 32, cell: 3, score: 0.9, box: [0, 0, 1, 1] }];
  const { ort } = fakeRuntime(faces, 128);
  const detector = await YuNetDetector.load(ort, new Uint8Array(), SETTINGS);
  const [large, small] = await detector.detect(frame(256, 256, 9, 9, 9));
  assert.equal(small.score, 1);
  assert.deepEqual(small.box, [-32, -32, 32, 32]);
  assert.deepEqual(large.landmarks[0], [192, 0]);
});
