import assert from "node:assert/strict";
import test from "node:test";

import { measureQuality, measureTurn, qualityReasons } from "../live/engine/quality.js";
import { bundleGraphs } from "../testing/bundle_graphs.js";

const LIMITS = {
  min_face_px: 30,
  min_sharpness: 0.4,
  min_highlight: 50,
  max_shadow: 190,
  max_turn: 0.6,
  min_score: 0.7,
  light_percent: 5,
};
const FINE = { score: 0.9, facePx: 100, highlight: 200, shadow: 40, sharpness: 1, turn: 0.1 };
const SETTINGS = { input: { grey_weights: [0.3, 0.6, 0.1] }, quality: LIMITS };
const graphs = await bundleGraphs();

for (const [changes, reasons] of [
  [{}, []],
  [{ score: 0.69 }, ["may be no face"]],
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

/** The quality of grey crops of one size. */
function measure(sidePx, ...valuesAt) {
  const detection = { box: [0, 0, 40, 90], score: 0.8, landmarks: [[0, 0], [10, 0], [5, 5]] };
  const crops = valuesAt.map((valueAt) => ({
    data: Uint8Array.from({ length: sidePx * sidePx }, (_, at) => valueAt(at)),
    width: sidePx,
    height: sidePx,
  }));
  return measureQuality(crops.map(() => detection), crops, SETTINGS, graphs);
}

test("sharpness does not change with contrast, and falls with blur", async () => {
  const stripes = (darkest, period) => (at) => (Math.floor((at % 8) / period) % 2 === 0 ? darkest : 200);
  const [sharp, flat, soft, even] = await measure(8, stripes(0, 1), stripes(100, 1), stripes(0, 4), () => 9);
  assert.ok(Math.abs(flat.sharpness - sharp.sharpness) < 1e-3);
  assert.ok(soft.sharpness < sharp.sharpness);
  assert.equal(even.sharpness, 0);
});

test("light is measured in the brightest and the darkest parts", async () => {
  const [{ score, facePx, shadow, highlight }] = await measure(101, (at) => at % 101);
  assert.deepEqual([score, facePx, shadow, highlight], [0.8, 60, 5, 95]);
});
