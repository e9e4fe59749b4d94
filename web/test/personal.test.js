import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import {
  NONE_OF_THESE,
  PersonalError,
  adapt,
  headNumbers,
  makePersonal,
  neutralShift,
  ownExpressions,
  readPersonal,
} from "../live/engine/personal.js";
import { CORRECTIONS_PRIOR, MAX_FACES, OWN_PRIOR, checkHead, fitHead, helps, shiftOf } from "../live/engine/personal_head.js";

/** `tests/core/test_personal.py` reads the same table. */
const table = JSON.parse(readFileSync(new URL("../../tests/support/personal_cases.json", import.meta.url), "utf8"));
const PRIORS = { corrections: CORRECTIONS_PRIOR, own: OWN_PRIOR };
const BUNDLE = { modelSha256: "a".repeat(64), labelNames: ["happy", "sad"], features: 3 };
const HEAD = { weights: [[1, 0, 0], [0, 1, 0]], bias: [0.5, 0] };
const WHOLE = makePersonal(BUNDLE, {
  neutral: { shift: [0.25, -0.25], frames: 20 },
  corrections: { head: HEAD, faces: { happy: 2 }, right_before: 0, right_after: 2 },
  own: { names: ["wink", NONE_OF_THESE], head: HEAD, frames: [10, 10], right: 19 },
});

function assertClose(values, expected, tolerance = 1e-5) {
  assert.equal(values.length, expected.length);
  Array.from(values).forEach((value, index) => {
    assert.ok(Math.abs(value - expected[index]) <= tolerance, `${values}: ${expected}`);
  });
}

for (const { name, prior, classes, faces, asked, shifts, check } of table.cases) {
  test(name, () => {
    const head = fitHead(faces, PRIORS[prior], classes);
    asked.forEach((features, index) => assertClose(shiftOf(head, features), shifts[index]));
    const checked = checkHead(faces, PRIORS[prior], classes);
    assert.equal(helps(checked), check.helps);
    const { faces: count, rightBefore, rightAfter, rightByLabel, lossBefore, lossAfter } = checked;
    assert.deepEqual([count, rightBefore, rightAfter], [check.faces, check.right_before, check.right_after]);
    assert.deepEqual(rightByLabel, check.right_by_label);
    assertClose([lossBefore, lossAfter], [check.loss_before, check.loss_after]);
  });
}

for (const { name, label_names: labelNames, logits, shift } of table.neutral) {
  test(name, () => assertClose(neutralShift(logits, labelNames), shift));
}

test("a resting face needs a frame, and there is a most that can be learned from", () => {
  assert.throws(() => neutralShift([], ["neutral", "sad"]), RangeError);
  const face = { logits: [0, 0], features: [1], label: 0, take: 0 };
  assert.throws(() => fitHead(Array(MAX_FACES + 1).fill(face), CORRECTIONS_PRIOR, 2), RangeError);
});

test("nothing learned is the bundle's answer", () => {
  assert.deepEqual(adapt(null, [1, 2], [1, 0, 0]), [1, 2]);
  assert.deepEqual(adapt(makePersonal(BUNDLE, {}), [1, 2], [1, 0, 0]), [1, 2]);
  assert.equal(ownExpressions(makePersonal(BUNDLE, {}), [1, 0, 0]), null);
});

test("baseline and corrections add up, and own expressions stand apart", () => {
  assertClose(adapt(WHOLE, [1, 2], [2, 0, 0]), [1 + 0.25 + 1 + 0.5, 2 - 0.25]);
  const [wink, none] = ownExpressions(WHOLE, [2, 0, 0]);
  assert.deepEqual([wink.name, none.name], ["wink", NONE_OF_THESE]);
  assertClose([wink.probability, none.probability], [1 / (1 + Math.exp(-1.5)), 1 / (1 + Math.exp(1.5))]);
});

test("a file comes back as it was", () => {
  assert.deepEqual(readPersonal(JSON.stringify(WHOLE), BUNDLE), WHOLE);
  assert.deepEqual(headNumbers({ weights: [Float64Array.of(1 / 3)], bias: [2 / 3] }), { weights: [[0.333333]], bias: [0.666667] });
});

const REFUSED = {
  "no JSON": ["{", /damaged/],
  "another file": ["[]", /not a personal\.json/],
  "a later version": [JSON.stringify({ ...WHOLE, schema_version: 2 }), /schema version 2/],
  "another bundle": [JSON.stringify({ ...WHOLE, bundle_sha256: "b".repeat(64) }), /another model/],
  "other labels": [JSON.stringify({ ...WHOLE, label_names: ["sad", "happy"] }), /another model/],
  "a short baseline": [JSON.stringify({ ...WHOLE, neutral: { shift: [1], frames: 1 } }), /damaged: neutral/],
  "a hole in the weights": [
    JSON.stringify({ ...WHOLE, corrections: { ...WHOLE.corrections, head: { ...HEAD, weights: [[1, 0], [0, 1]] } } }),
    /damaged: corrections/,
  ],
  "no number": [JSON.stringify({ ...WHOLE, neutral: { shift: [null, 1], frames: 1 } }), /damaged: neutral/],
  "the same name twice": [JSON.stringify({ ...WHOLE, own: { ...WHOLE.own, names: ["x", "x"] } }), /damaged: own/],
  "a huge file": [" ".repeat(4_000_001), /larger than 4 MB/],
};
for (const [name, [text, message]] of Object.entries(REFUSED)) {
  test(`refused: ${name}`, () => {
    assert.throws(() => readPersonal(text, BUNDLE), (error) => error instanceof PersonalError && message.test(error.message));
  });
}
