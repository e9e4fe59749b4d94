import assert from "node:assert/strict";
import test from "node:test";

import { NONE_OF_THESE, adapt, ownExpressions, readPersonal } from "../live/engine/personal.js";
import {
  NOTHING_LEARNED,
  checkedName,
  conclude,
  isAnything,
  sentenceOfCorrections,
  sentenceOfOwn,
  withOwn,
} from "../live/panels/personal_learning.js";
import { Taking } from "../live/panels/personal_taking.js";

const LABELS = ["happy", "sad", "neutral"];
const BUNDLE = { modelSha256: "c".repeat(64), labelNames: LABELS, features: 4 };
const SAD_LOOKING = Float32Array.of(0, 2, 1.5);
const FEATURES = Float32Array.of(1, 2, 0, 1);

function corrected(count, label = 2) {
  const face = { logits: SAD_LOOKING, features: FEATURES, label };
  return { ...NOTHING_LEARNED, corrections: Array(count).fill(face) };
}

function framesOf(features, count = 12) {
  return Array.from({ length: count }, (_, index) => {
    return { logits: SAD_LOOKING, features: Float32Array.from(features), timeS: index / 4 };
  });
}

function textOf(personal) {
  return readPersonal(JSON.stringify(personal), BUNDLE);
}

test("nothing learned changes nothing", () => {
  const { personal, shift, check, ownCheck } = conclude(NOTHING_LEARNED, BUNDLE);
  assert.deepEqual([personal.neutral, personal.corrections, personal.own, shift, check, ownCheck], Array(6).fill(null));
  assert.ok(!isAnything(NOTHING_LEARNED) && isAnything(corrected(1)));
  assert.equal(sentenceOfCorrections(NOTHING_LEARNED, null), "No face is kept yet.");
});

test("one correction waits for the second, and both are used while they help", () => {
  const one = conclude(corrected(1), BUNDLE);
  assert.equal(one.personal.corrections, null);
  assert.match(sentenceOfCorrections(corrected(1), one.check), /From the second on/);
  const many = conclude(corrected(12), BUNDLE);
  assert.deepEqual([many.check.rightBefore, many.check.rightAfter], [0, 12]);
  assert.deepEqual(many.personal.corrections.faces, { neutral: 12 });
  const sentence = "On your 12 faces: 0 right before, 12 now. So they are used.";
  assert.equal(sentenceOfCorrections(corrected(12), many.check), sentence);
  assert.equal(adapt(many.personal, SAD_LOOKING, FEATURES).indexOf(Math.max(...adapt(many.personal, SAD_LOOKING, FEATURES))), 2);
});

test("corrections that contradict each other are not used", () => {
  const learned = { ...NOTHING_LEARNED, corrections: [...corrected(1, 0).corrections, ...corrected(1, 2).corrections] };
  const { personal, check } = conclude(learned, BUNDLE);
  assert.equal(personal.corrections, null);
  assert.match(sentenceOfCorrections(learned, check), /not used/);
});

test("the baseline is off by one click, and corrections start from it", () => {
  const resting = { frames: framesOf(FEATURES), on: true };
  const on = conclude({ ...corrected(12), resting }, BUNDLE);
  const off = conclude({ ...corrected(12), resting: { ...resting, on: false } }, BUNDLE);
  assert.equal(on.personal.neutral.frames, 12);
  assert.ok(on.shift[2] > 0 && on.shift[1] < 0);
  assert.deepEqual([off.personal.neutral, off.shift], [null, on.shift]);
  assert.ok(on.check.lossBefore < off.check.lossBefore);
});

test("own expressions need a name and none of these, and are shown once they are recognised", () => {
  const wink = withOwn(NOTHING_LEARNED, "wink", framesOf([1, 0, 0, 0]));
  assert.match(sentenceOfOwn(wink, conclude(wink, BUNDLE).ownCheck), /Now take "none of these"/);
  const none = withOwn(NOTHING_LEARNED, NONE_OF_THESE, framesOf([0, 1, 0, 0]));
  const both = withOwn(none, "wink", framesOf([1, 0, 0, 0]));
  assert.deepEqual(both.own.map(({ name }) => name), ["wink", NONE_OF_THESE]);
  const { personal, ownCheck } = conclude(both, BUNDLE);
  assert.match(sentenceOfOwn(both, ownCheck), /Recognised: 24 of 24 frames/);
  assert.ok(ownExpressions(personal, [2, 0, 0, 0])[0].probability > 0.9);
  const same = withOwn(both, NONE_OF_THESE, framesOf([1, 0, 0, 0]));
  const unclear = conclude(same, BUNDLE);
  assert.equal(unclear.personal.own, null);
  assert.match(sentenceOfOwn(same, unclear.ownCheck), /too few, so no bars are shown/);
});

for (const [typed, expected] of [
  ["  my  thinking face ", { name: "my thinking face" }],
  ["WINK", { name: "wink" }],
  ["", /Type a name/],
  ["Happy", /has a bar for Happy already/],
  ["None of these", /button of its own/],
  ["x".repeat(41), /at most 40/],
]) {
  test(`names of own expressions: ${typed.slice(0, 20)}`, () => {
    const checked = checkedName(withOwn(NOTHING_LEARNED, "wink", framesOf(FEATURES)), typed, LABELS);
    if (expected instanceof RegExp) assert.match(checked.problem, expected);
    else assert.deepEqual(checked, expected);
  });
}

test("a loaded file keeps its state, and new corrections add to it", () => {
  const first = conclude({ ...corrected(12), resting: { frames: framesOf(FEATURES), on: true } }, BUNDLE);
  const loaded = textOf(first.personal);
  const again = conclude({ ...NOTHING_LEARNED, loaded }, BUNDLE);
  assert.deepEqual(again.personal, loaded);
  assert.equal(conclude({ ...NOTHING_LEARNED, loaded, loadedNeutralOn: false }, BUNDLE).personal.neutral, null);
  const more = conclude({ ...corrected(4, 0), loaded }, BUNDLE);
  assert.deepEqual(more.personal.corrections.faces, { neutral: 12, happy: 4 });
  const [before, after] = [loaded, textOf(more.personal)].map((personal) => adapt(personal, SAD_LOOKING, FEATURES));
  assert.ok(after[0] - after[2] > before[0] - before[2]);
});

test("a taking waits for its countdown, a face and its length", () => {
  const taking = new Taking({ countdownS: 2, lengthS: 1, fewest: 3, most: 20 });
  const face = { logits: SAD_LOOKING, features: FEATURES };
  taking.add(face, 10);
  assert.deepEqual([taking.countdown, taking.frames.length], [2, 0]);
  taking.add(face, 11.5);
  assert.equal(taking.countdown, 1);
  for (const timeS of [12, 12.05, 12.25, 12.5]) taking.add(face, timeS);
  assert.deepEqual(taking.frames.map(({ timeS }) => timeS), [12, 12.25, 12.5]);
  assert.ok(!taking.isDone);
  taking.add(undefined, 13);
  assert.ok(taking.isDone && taking.share === 1 && !taking.isHopeless);
  for (let timeS = 14; timeS < 30; timeS += 1) taking.add(undefined, timeS);
  assert.ok(taking.isHopeless);
});
