import assert from "node:assert/strict";
import test from "node:test";

import { NONE_OF_THESE, adapt, ownExpressions, readPersonal } from "../live/engine/personal.js";
import {
  NOTHING_LEARNED,
  checkedName,
  conclude,
  contentOfFile,
  isAnything,
  learnedOf,
  recordOf,
  sentenceOfCorrections,
  sentenceOfOwn,
  withCorrection,
  withOwn,
} from "../live/panels/personal/personal_learning.js";
import { Taking } from "../live/panels/personal/personal_taking.js";

const LABELS = ["happy", "sad", "neutral"];
const BUNDLE = { modelSha256: "c".repeat(64), labelNames: LABELS, features: 4 };
const SAD_LOOKING = Float32Array.of(0, 2, 1.5);
const FEATURES = Float32Array.of(1, 2, 0, 1);

/** So many corrections, each of a moment of its own unless they come faster. */
function corrected(count, label = 2, { everyS = 10, before = NOTHING_LEARNED, trackIds = [1] } = {}) {
  const faces = Array.from({ length: count }, (_, index) => {
    return { logits: SAD_LOOKING, features: FEATURES, timeS: 1000 * label + index * everyS, trackId: trackIds[index % trackIds.length] };
  });
  return faces.reduce((learned, face) => withCorrection(learned, face, label), before);
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
  assert.match(sentenceOfCorrections(corrected(1), one.check), /Once there are two, 3 seconds apart or more/);
  const many = conclude(corrected(12), BUNDLE);
  assert.deepEqual([many.check.rightBefore, many.check.rightAfter], [0, 12]);
  assert.deepEqual(many.personal.corrections.faces, { neutral: 12 });
  const sentence = "On your 12 faces: 0 right before, 12 now. So they are used.";
  assert.equal(sentenceOfCorrections(corrected(12), many.check), sentence);
  assert.equal(adapt(many.personal, SAD_LOOKING, FEATURES).indexOf(Math.max(...adapt(many.personal, SAD_LOOKING, FEATURES))), 2);
});

test("three presses on one still face prove nothing", () => {
  const learned = corrected(3, 2, { everyS: 1 });
  const { personal, check } = conclude(learned, BUNDLE);
  assert.deepEqual([check.rightBefore, check.rightAfter, personal.corrections], [0, 0, null]);
  const sentence = "3 faces are kept, all of one moment. Once there is one from 3 seconds later, the page can check whether they help.";
  assert.equal(sentenceOfCorrections(learned, check), sentence);
});

test("faces of one track within three seconds are of one moment, and the page counts moments", () => {
  const takes = ({ corrections }) => corrections.map(({ take }) => take);
  assert.deepEqual(takes(corrected(3, 2, { everyS: 3 })), [0, 0, 0]);
  assert.deepEqual(takes(corrected(3, 2, { everyS: 3.1 })), [0, 1, 2]);
  assert.deepEqual(takes(corrected(4, 2, { everyS: 1, trackIds: [1, 2] })), [0, 1, 0, 1]);
  const later = corrected(2, 0, { everyS: 1, before: corrected(4, 2, { everyS: 1 }) });
  assert.deepEqual(takes(later), [0, 0, 0, 0, 1, 1]);
  const undone = { ...later, corrections: later.corrections.slice(1) };
  assert.deepEqual(takes(corrected(1, 1, { before: undone })), [0, 0, 0, 1, 1, 2]);
  const two = corrected(4, 2, { everyS: 1, trackIds: [1, 2] });
  const sentence = "On your 4 faces from 2 moments: 0 right before, 4 now. So they are used.";
  assert.equal(sentenceOfCorrections(two, conclude(two, BUNDLE).check), sentence);
});

test("a correction fits no own expression anew", () => {
  let asked = 0;
  const counting = (features) => framesOf(features).map((frame) => ({
    ...frame,
    get features() {
      asked += 1;
      return Float32Array.from(features);
    },
  }));
  const learned = withOwn(withOwn(NOTHING_LEARNED, "wink", counting([1, 0, 0, 0])), NONE_OF_THESE, counting([0, 1, 0, 0]));
  const first = conclude(learned, BUNDLE);
  const before = asked;
  assert.ok(first.personal.own && before > 0);
  const again = conclude(corrected(3, 2, { before: learned }), BUNDLE);
  assert.equal(asked, before);
  assert.deepEqual(again.personal.own, first.personal.own);
  conclude(withOwn(learned, "wink", counting([1, 0, 1, 0])), BUNDLE);
  assert.ok(asked > before);
});

test("corrections that contradict each other are not used", () => {
  const learned = corrected(1, 2, { before: corrected(1, 0) });
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
  assert.match(sentenceOfOwn(same, unclear.ownCheck), /Too few for a bar: wink\./);
});

test("each own expression is counted for itself: one that is never recognised gets no bar, whatever the others do", () => {
  const clear = { grin: [1, 0, 0, 0], yawn: [0, 1, 0, 0], frown: [0, 0, 1, 0], [NONE_OF_THESE]: [0, 0, 0, 1] };
  let learned = withOwn(NOTHING_LEARNED, "wink", framesOf([0, 0, 0, 1], 10));
  for (const [name, features] of Object.entries(clear)) learned = withOwn(learned, name, framesOf(features, 20));
  const { personal, ownCheck } = conclude(learned, BUNDLE);
  assert.deepEqual(personal.own.names, ["grin", "yawn", "frown", NONE_OF_THESE]);
  assert.equal(personal.own.right, 80);
  assert.deepEqual(ownCheck[0], { name: "wink", frames: 10, right: 0, isShown: false });
  assert.ok(ownCheck.slice(1).every(({ right, isShown }) => right === 20 && isShown));
  assert.match(sentenceOfOwn(learned, ownCheck), /Recognised: 80 of 90 frames.* Too few for a bar: wink\./);
  assert.deepEqual(ownExpressions(personal, [1, 0, 0, 0]).map(({ name }) => name), personal.own.names);
});

test("the page says what the file holds and what it leaves out", () => {
  const contentOf = (learned) => contentOfFile(learned, conclude(learned, BUNDLE));
  assert.deepEqual(contentOf(NOTHING_LEARNED), { isEmpty: true, sentence: "" });
  const nothing = "Nothing is in use yet, so there is nothing to download. It leaves out: corrections that are not used (1).";
  assert.deepEqual(contentOf(corrected(1)), { isEmpty: true, sentence: nothing });
  const resting = { frames: framesOf(FEATURES), on: false };
  let learned = withOwn({ ...corrected(12), resting }, "wink", framesOf([1, 0, 0, 0]));
  const out = "It leaves out: your neutral, which is off, own expressions without a bar (wink).";
  assert.deepEqual(contentOf(learned), { isEmpty: false, sentence: `The file holds: corrections (12). ${out}` });
  learned = withOwn({ ...learned, resting: { ...resting, on: true } }, NONE_OF_THESE, framesOf([0, 1, 0, 0]));
  const all = "The file holds: your neutral, corrections (12), own expressions (wink).";
  assert.deepEqual(contentOf(learned), { isEmpty: false, sentence: all });
  const loaded = textOf(conclude(learned, BUNDLE).personal);
  const more = corrected(1, 0, { before: { ...NOTHING_LEARNED, loaded } });
  assert.deepEqual(contentOf(more), { isEmpty: false, sentence: `${all} It leaves out: corrections that are not used (1).` });
});

const EARLIER_VISIT = (() => {
  const learned = withOwn({ ...corrected(2), resting: { frames: framesOf(FEATURES), on: true } }, "wink", framesOf(FEATURES));
  return recordOf({ ...learned, loaded: textOf(conclude(corrected(12), BUNDLE).personal) }, BUNDLE.modelSha256);
})();

test("what an earlier visit kept comes back as it was", () => {
  const record = structuredClone(EARLIER_VISIT);
  assert.deepEqual(learnedOf(record, BUNDLE), EARLIER_VISIT.learned);
  assert.deepEqual(conclude(learnedOf(record, BUNDLE), BUNDLE).personal, conclude(EARLIER_VISIT.learned, BUNDLE).personal);
});

const [KEPT] = EARLIER_VISIT.learned.corrections;
const DAMAGED_RECORDS = {
  "no record": null,
  "another shape without a version": { modelSha256: BUNDLE.modelSha256, learned: { faces: [] } },
  "a later version": { ...EARLIER_VISIT, version: 2 },
  "nothing learned": { ...EARLIER_VISIT, learned: undefined },
  "corrections of an old page, without a take": damagedBy({ corrections: [{ ...KEPT, take: undefined }] }),
  "a label that the model lacks": damagedBy({ corrections: [{ ...KEPT, label: 3 }] }),
  "features of another network": damagedBy({ corrections: [{ ...KEPT, features: Float32Array.of(1) }] }),
  "a name without frames": damagedBy({ own: [{ name: "wink", frames: [] }] }),
  "no list of names": damagedBy({ own: {} }),
  "a resting face without frames": damagedBy({ resting: { frames: [], on: true } }),
  "not a number": damagedBy({ resting: { frames: [{ logits: Float32Array.of(1, NaN, 0) }], on: true } }),
  "a damaged file in it": damagedBy({ loaded: { format: "another" } }),
};
for (const [name, record] of Object.entries(DAMAGED_RECORDS)) {
  test(`what an earlier visit kept is not used: ${name}`, () => assert.throws(() => learnedOf(record, BUNDLE)));
}

function damagedBy(change) {
  return { ...EARLIER_VISIT, learned: { ...EARLIER_VISIT.learned, ...change } };
}

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
  const more = conclude(corrected(4, 0, { before: { ...NOTHING_LEARNED, loaded } }), BUNDLE);
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
