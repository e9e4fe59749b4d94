import assert from "node:assert/strict";
import test from "node:test";

import { measureQuality, measureSharpness, measureTurn, qualityReasons } from "../live/engine/quality.js";

const LIMITS = { min_face_px: 30, min_sharpness: 0.4, min_highlight: 50, max_shadow: 190, max_turn: 0.6 };
const FINE = { facePx: 100, highlight: 200, shadow: 40, sharpness: 1, turn: 0.1 };

for (const [changes, reasons] of [
  [{}, []],
  [{ facePx: 29.9 }, ["too small"]],
  [{ turn: 0.61 }, ["turned away"]],
  [{ highlight: 49 }, ["too dark"]],
  [{ shadow: 191 }, ["too bright"]],
  [{ sharpness: 0.39, facePx: 1 }, ["too small", "blurred"]],
]) {
  test(`reasons: ${JSON.stringify(changes)}`, () => {
    assert.deepEqual(qualityReasons({ ...FINE, ...changes }, LIMITS), reasons);
  });
}

for (const [noseX, turn] of [[50, 0], [60, 0.25], [40, 0.25], [80, 0.75]]) {
  test(`turn is measured in eye distances: ${turn}`, () => {
    assert.equal(measureTurn([[30, 40], [70, 40], [noseX, 60]]), turn);
  });
}

test("sharpness does not change with contrast, and falls with blur", () => {
  const stripes = (darkest, period) =>
    Float32Array.from({ length: 64 }, (_, at) => (Math.floor((at % 8) / period) % 2 === 0 ? darkest : 200));
  const sharp = measureSharpness(stripes(0, 1), 8);
  assert.ok(Math.abs(measureSharpness(stripes(100, 1), 8) - sharp) < 1e-3);
  assert.ok(measureSharpness(stripes(0, 4), 8) < sharp);
  assert.equal(measureSharpness(new Float32Array(64).fill(9), 8), 0);
});

test("light is judged by the brightest and the darkest parts", () => {
  const crop = { data: Uint8Array.from({ length: 101 * 101 }, (_, at) => at % 101), width: 101, height: 101 };
  const detection = { box: [0, 0, 40, 90], score: 1, landmarks: [[0, 0], [10, 0], [5, 5]] };
  const { facePx, shadow, highlight } = measureQuality(detection, crop, { grey_weights: [0.3, 0.6, 0.1] });
  assert.deepEqual([facePx, shadow, highlight], [60, 5, 95]);
});
