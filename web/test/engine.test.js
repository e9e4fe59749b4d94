import assert from "node:assert/strict";
import test from "node:test";

import { softmax } from "../live/engine/classifier.js";
import { BundleError, readBundleConfig } from "../live/engine/config.js";
import { Engine } from "../live/engine/engine.js";
import { makePersonal } from "../live/engine/personal.js";
import { bundleGraphs } from "../testing/bundle_graphs.js";

const CONFIG = {
  labelNames: ["happy", "sad"],
  abstainBelow: 0.6,
  tracker: {
    time_constant_s: 0.25,
    label_margin: 0.08,
    forget_after_s: 1,
    min_iou: 0.15,
    enlarge: 0.25,
    keep_search_box_iou: 0.75,
    search_interval_s: 0.08,
    tile_interval_s: 0.1,
    turn_interval_s: 0.5,
    classify_interval_s: 0.06,
    mirror_within_s: 0,
  },
  preprocessing: {
    yunet: { scales_px: [320, 640], video_tile_wh_px: [384, 288], window_px: 96, finer_factor: 1.25 },
    crop: { size_px: 8, oversampling: 2, level_eyes: true, max_levelling_deg: 45, max_shrink: 16 },
    input: { size_px: 8, channels: 1, grey_weights: [0.3, 0.6, 0.1], mean: [0], std: [1] },
    quality: {
      min_face_px: 20,
      min_sharpness: 0,
      min_highlight: 0,
      max_shadow: 255,
      max_turn: 1,
      min_score: 0.5,
      light_percent: 5,
    },
  },
};
const FRAME = { data: new Uint8ClampedArray(640 * 480 * 3).fill(90), width: 640, height: 480 };
const graphs = await bundleGraphs();

function faceAt(left, sidePx) {
  const landmarks = [[left + 5, 10], [left + 15, 10], [left + 10, 15], [left + 5, 20], [left + 15, 20]];
  return { box: [left, 0, left + sidePx, sidePx], score: 0.9, landmarks, turnDeg: 0 };
}

/** An engine that sees the faces given, and in each the probabilities given; `asked` has what a video is searched in. */
function engineThatSees(faces, rows, asked = []) {
  const detector = {
    cropRule: { scale: 1, shift_x: 0, shift_y: 0 },
    detect: async () => {
      asked.push("photo");
      return faces;
    },
    follow: async (_, known, views, search) => {
      asked.push({ known, views, search });
      return faces;
    },
  };
  const classifier = {
    run: async ({ dims }) =>
      Array.from({ length: dims[0] }, (_, index) => ({
        logits: Float32Array.from(rows[index], Math.log),
        features: Float32Array.of(3, 4),
      })),
  };
  return new Engine(CONFIG, detector, classifier, graphs);
}

test("nobody in view is an empty list", async () => {
  const engine = engineThatSees([], []);
  assert.deepEqual(await engine.analyze(FRAME), []);
  assert.deepEqual((await engine.track(FRAME, null, 0)).faces, []);
  assert.deepEqual(engine.labelNames, ["happy", "sad"]);
});

test("each face has its label, its reasons and its crop", async () => {
  const faces = [faceAt(0, 30), faceAt(30, 19)];
  const [sure, unsure] = await engineThatSees(faces, [[0.75, 0.25], [0.5, 0.5]]).analyze(FRAME);
  assert.deepEqual([sure.label, sure.confidence, sure.reliable, sure.reasons], ["happy", 0.75, true, []]);
  assert.deepEqual([unsure.reliable, unsure.reasons], [false, ["too small", "no clear expression"]]);
  assert.deepEqual([sure.box, sure.trackId, sure.crop.width, sure.crop.data[0]], [faces[0].box, null, 8, 90]);
});

test("a video's labels are smoothed, and its state is the caller's", async () => {
  const before = await engineThatSees([faceAt(0, 30)], [[1, 0]]).track(FRAME, null, 0);
  const after = await engineThatSees([faceAt(2, 30)], [[0, 1]]).track(FRAME, before.state, 0.05);
  assert.deepEqual([before.faces[0].trackId, after.faces[0].trackId], [1, 1]);
  assert.deepEqual([after.faces[0].label, after.faces[0].box[0]], ["happy", 2]);
  assert.ok(Math.abs(after.faces[0].confidence - Math.exp(-0.2)) < 1e-6);
});

test("a face that was classified a moment ago is only followed", async () => {
  const before = await engineThatSees([faceAt(0, 30)], [[1, 0]]).track(FRAME, null, 0);
  const other = engineThatSees([faceAt(2, 30), faceAt(300, 30)], [[0, 1], [0, 1]]);
  const soon = await other.track(FRAME, before.state, 0.05, { everyFrame: false });
  // The first keeps its answer and has a new box; the second is new and is classified.
  assert.deepEqual(soon.faces.map(({ box, label, confidence }) => [box[0], label, confidence]), [[2, "happy", 1], [300, "sad", 1]]);
  assert.equal(soon.faces[0].crop, before.faces[0].crop);
  const later = await other.track(FRAME, soon.state, 0.1, { everyFrame: false });
  // Smoothed over all the time since it was classified: the same as if it had been classified in between.
  assert.ok(Math.abs(later.faces[0].confidence - Math.exp(-0.4)) < 1e-6);
  assert.notEqual(later.faces[0].crop, before.faces[0].crop);
  const again = await other.track(FRAME, soon.state, 0, { everyFrame: false });
  assert.notEqual(again.faces[0].crop, before.faces[0].crop);
});

/** A frame that grows brighter to the right, and an engine whose network says on which side a crop is brighter. */
function engineOfSides(config) {
  const { width, height } = FRAME;
  const data = Uint8ClampedArray.from({ length: width * height * 3 }, (_, index) => (Math.floor(index / 3) % width) * 0.39);
  const classifier = {
    run: async ({ dims, data: planes }) =>
      Array.from({ length: dims[0] }, (_, index) => {
        const [first, last] = [planes[index * 64], planes[index * 64 + 7]];
        return first < last
          ? { logits: Float32Array.of(0, -1), features: Float32Array.of(3, 4) }
          : { logits: Float32Array.of(-1, 0), features: Float32Array.of(4, 3) };
      }),
  };
  const detector = { cropRule: { scale: 1, shift_x: 0, shift_y: 0 }, detect: async () => [faceAt(300, 30)], follow: async () => [faceAt(300, 30)] };
  return { engine: new Engine(config, detector, classifier, graphs), frame: { data, width, height } };
}

test("a known face is classified mirrored in turn, and its crop and features are not", async () => {
  const tracker = { ...CONFIG.tracker, mirror_within_s: 0.15 };
  const { engine, frame } = engineOfSides({ ...CONFIG, tracker });
  const right = softmax([0, -1])[0];
  let state = null;
  const faces = [];
  for (let index = 0; index < 40; index++) {
    const seen = await engine.track(frame, state, index * 0.07, { everyFrame: index % 3 === 0 });
    state = seen.state;
    faces.push(seen.faces[0]);
  }
  const bars = faces.map(({ probabilities }) => probabilities[0]);
  assert.ok(Math.abs(bars[0] - right) < 1e-6);
  const expected = right + ((1 - 2 * right) * (1 - Math.exp(-0.56))) / 2;
  assert.ok(Math.abs(bars[1] - expected) < 1e-6 && bars[2] === bars[1]);
  for (const bar of bars.slice(-10)) assert.ok(Math.abs(bar - 0.5) < 1e-3);
  for (const { crop, features, logits } of faces) {
    assert.deepEqual([Array.from(features), Array.from(logits)], [[3, 4], [0, -1]]);
    assert.ok(crop.data[0] < crop.data[3 * 7]);
  }
});

test("features stay with a face that was unseen for a moment, and a new one has its own", async () => {
  const { engine, frame } = engineOfSides({ ...CONFIG, tracker: { ...CONFIG.tracker, mirror_within_s: 0.15 } });
  const first = await engine.track(frame, null, 0);
  const nobody = await engineThatSees([], []).track(frame, first.state, 0.05);
  const again = await engine.track(frame, nobody.state, 0.1);
  assert.equal(again.faces[0].trackId, 1);
  assert.deepEqual(Array.from(again.faces[0].features), [3, 4]);
  assert.ok(again.faces[0].probabilities[0] < first.faces[0].probabilities[0]);
});

test("boxes end where the frame ends", async () => {
  const [face] = await engineThatSees([{ ...faceAt(0, 30), box: [-5, -4, 26, 27] }], [[1, 0]]).analyze(FRAME);
  assert.deepEqual(face.box, [0, 0, 26, 27]);
});

test("a video is searched as a photo first, and then in further places in turn", async () => {
  const asked = [];
  const engine = engineThatSees([faceAt(0, 30)], [[1, 0]], asked);
  let state = null;
  for (const timeS of [7, 7.05, 7.12, 7.35, 60]) ({ state } = await engine.track(FRAME, state, timeS));
  assert.equal(asked[0], "photo");
  assert.deepEqual(asked.slice(1).map(({ views }) => views.length), [0, 1, 2, 7]);
  assert.deepEqual(asked.slice(1).map(({ known }) => known.length), [1, 1, 1, 0]);
  const [, , one, two, all] = asked.map(({ views }) => new Set(views?.map((view) => JSON.stringify(view))));
  assert.deepEqual([new Set([...one, ...two]).size, all.size], [3, 7]);
});

test("the whole frame is searched several times a second, and again when time goes back", async () => {
  const asked = [];
  const engine = engineThatSees([faceAt(0, 30)], [[1, 0]], asked);
  let state = null;
  for (const timeS of [7, 7.03, 7.06, 7.09, 7.12, 7, 7, 3, 3.03]) ({ state } = await engine.track(FRAME, state, timeS));
  assert.deepEqual(asked.slice(1).map(({ search }) => search), [false, false, true, false, true, true, true, false]);
  assert.deepEqual(asked.slice(1).map(({ views }) => views.length), [0, 0, 0, 0, 0, 0, 7, 0]);
});

test("where nobody hurries, further places wait for their turn, and none is left out", async () => {
  const asked = [];
  const engine = engineThatSees([], [], asked);
  let state = null;
  for (let at = 0; at <= 7; at += 1) ({ state } = await engine.track(FRAME, state, 7 + 0.3 * at, { mostViews: 1 }));
  ({ state } = await engine.track(FRAME, state, 60, { mostViews: 1 }));
  const views = asked.slice(1).map(({ views }) => views);
  assert.deepEqual(views.map(({ length }) => length), [1, 1, 1, 1, 1, 1, 1, 1]);
  assert.equal(new Set(views.flat().map((view) => JSON.stringify(view))).size, 7);
  await engine.track(FRAME, state, 60.1);
  assert.equal(asked.at(-1).views.length, 1, "what waited is not searched all at once");
});

for (const [frame, message] of [
  [null, "got null"],
  [[[0]], "got 0"],
  [{ data: new Float32Array(12), width: 2, height: 2 }, "got data of type Float32Array"],
  [{ data: new Uint8Array(4), width: 2, height: 2 }, "got 4 bytes for 2 x 2 pixels"],
  [{ data: new Uint8Array(0), width: 0, height: 2 }, "got 0 bytes for 0 x 2 pixels"],
]) {
  test(`what is no frame is refused: ${message}`, async () => {
    await assert.rejects(engineThatSees([], []).analyze(frame), (error) => {
      return error instanceof TypeError && error.message.includes(message) && error.message.includes("3 or 4 channels");
    });
  });
}

test("crops may be grey", async () => {
  const engine = engineThatSees([], [[0.25, 0.75]]);
  const [row] = await engine.classify([{ data: new Uint8Array(6), width: 3, height: 2 }]);
  assert.deepEqual(Array.from(row), [0.25, 0.75]);
  await assert.rejects(engine.classify([{ data: new Uint8Array(5), width: 3, height: 2 }]), TypeError);
});

test("class scores become probabilities, however large they are", () => {
  assert.deepEqual(Array.from(softmax([3, 3])), [0.5, 0.5]);
  assert.deepEqual(Array.from(softmax([1000, 0])), [1, 0]);
});

test("a configuration of another version or without a part is refused", () => {
  const preprocessing = { yunet: {}, crop: {}, input: {}, quality: {} };
  const ours = { schema_version: 2, preprocessing, tracker: {}, temperature: 2 };
  assert.equal(readBundleConfig({ label_names: ["happy"], face_expression: ours }).temperature, 2);
  for (const raw of [null, {}, { label_names: [] }, { face_expression: ours }]) {
    assert.throws(() => readBundleConfig(raw), BundleError);
  }
  for (const [change, message] of [
    [{ schema_version: 3 }, /schema version 3/],
    [{ preprocessing: { ...preprocessing, crop: undefined } }, /preprocessing.crop is missing/],
    [{ tracker: undefined }, /tracker is missing/],
  ]) {
    assert.throws(() => readBundleConfig({ label_names: [], face_expression: { ...ours, ...change } }), message);
  }
});

test("answers are adapted to the person, and the bundle's own stay beside them", async () => {
  const engine = engineThatSees([faceAt(0, 30)], [[0.75, 0.25]]);
  const [alone] = await engine.analyze(FRAME);
  assert.deepEqual([alone.personal, alone.own], [false, null]);
  assert.deepEqual(Array.from(alone.features), [3, 4]);
  const head = { weights: [[0, 0], [5, 0]], bias: [0, 0] };
  const bundle = { modelSha256: "d".repeat(64), labelNames: engine.labelNames, features: 2 };
  const own = { names: ["wink", "none of these"], head, frames: [10, 10], right: 20 };
  const corrections = { head, faces: { sad: 3 }, right_before: 0, right_after: 3 };
  engine.personal = makePersonal(bundle, { corrections, own });
  const [face] = await engine.analyze(FRAME);
  // The features 3, 4 have the length 5, so that 5 x 3 / 5 is added to sad.
  const sad = (0.25 * Math.exp(3)) / (0.75 + 0.25 * Math.exp(3));
  assert.ok(Math.abs(face.probabilities[1] - sad) < 1e-6);
  assert.deepEqual([face.label, face.personal], ["sad", true]);
  assert.ok(Math.abs(face.own[1].probability - 1 / (1 + Math.exp(-3))) < 1e-6);
  assert.deepEqual(Array.from(face.logits), Array.from(alone.logits));
  engine.personal = makePersonal(bundle, {});
  assert.deepEqual((await engine.analyze(FRAME))[0].probabilities, alone.probabilities);
});

test("what is learned or switched off holds for the next frame of a video, unsmoothed, in the same track", async () => {
  const engine = engineThatSees([faceAt(0, 30)], [[0.75, 0.25]]);
  const live = { everyFrame: false };
  const first = await engine.track(FRAME, null, 0, live);
  const bundle = { modelSha256: "d".repeat(64), labelNames: engine.labelNames, features: 2 };
  const head = { weights: [[0, 0], [5, 0]], bias: [0, 0] };
  engine.personal = makePersonal(bundle, { corrections: { head, faces: { sad: 3 }, right_before: 0, right_after: 3 } });
  const second = await engine.track(FRAME, first.state, 0.03, live);
  const [atOnce] = await engine.analyze(FRAME);
  assert.deepEqual(Array.from(second.faces[0].probabilities), Array.from(atOnce.probabilities));
  assert.deepEqual(
    [second.faces[0].label, second.faces[0].personal, second.faces[0].trackId],
    ["sad", true, first.faces[0].trackId],
  );
  engine.personal = null;
  const third = await engine.track(FRAME, second.state, 0.06, live);
  assert.deepEqual(Array.from(third.faces[0].probabilities), Array.from(first.faces[0].probabilities));
  assert.deepEqual([third.faces[0].label, third.faces[0].personal], ["happy", false]);
});
