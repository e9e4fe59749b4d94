import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { NOTHING_SEEN, TRACKER_SETTINGS, updateTracks } from "../live/engine/tracker.js";

/** `tests/test_tracker.py` reads the same table. */
const table = JSON.parse(readFileSync(new URL("../../tests/tracker_cases.json", import.meta.url), "utf8"));
const FACE = [0, 0, 100, 100];

/** Run frames through the tracker; the tracks of each frame. */
function play(frames) {
  let state = NOTHING_SEEN;
  return frames.map(({ time_s: timeS, boxes, probabilities }) => {
    const rows = probabilities.map((row) => Float32Array.from(row));
    const updated = updateTracks(state, boxes, rows, timeS, TRACKER_SETTINGS);
    state = updated.state;
    return updated.tracks;
  });
}

function assertClose(values, expected, tolerance) {
  assert.equal(values.length, expected.length);
  values.forEach((value, index) => assert.ok(Math.abs(value - expected[index]) <= tolerance, `${values}: ${expected}`));
}

test("the table is written for the settings in use", () => {
  assert.deepEqual(table.settings, { ...TRACKER_SETTINGS });
});

for (const { name, frames } of table.cases) {
  test(name, () => {
    play(frames).forEach((tracks, index) => {
      const { track_ids: trackIds, shown, smoothed } = frames[index];
      assert.deepEqual(tracks.map((track) => track.trackId), trackIds);
      assert.deepEqual(tracks.map((track) => track.shown), shown);
      smoothed?.forEach((row, face) => assertClose(tracks[face].probabilities, row, 1e-4));
    });
  });
}

for (const framesPerSecond of [5, 30, 120]) {
  test(`smoothing does not depend on the frame rate: ${framesPerSecond} frames a second`, () => {
    const times = Array.from({ length: framesPerSecond + 1 }, (_, index) => index / framesPerSecond);
    const frames = times.map((time_s) => ({ time_s, boxes: [FACE], probabilities: [time_s === 0 ? [1, 0] : [0, 1]] }));
    const [last] = play(frames).at(-1);
    assertClose([last.probabilities[1]], [1 - Math.exp(-1 / TRACKER_SETTINGS.time_constant_s)], 1e-4);
  });
}

for (const timeS of [NaN, Infinity, undefined]) {
  test(`a time that is none is refused: ${timeS}`, () => {
    assert.throws(() => updateTracks(NOTHING_SEEN, [], [], timeS, TRACKER_SETTINGS), RangeError);
  });
}

test("states are values", () => {
  const happy = Float32Array.of(1, 0);
  const { state } = updateTracks(NOTHING_SEEN, [FACE], [happy], 0, TRACKER_SETTINGS);
  updateTracks(state, [FACE], [Float32Array.of(0, 1)], 5, TRACKER_SETTINGS);
  const { tracks } = updateTracks(state, [FACE], [happy], 0.1, TRACKER_SETTINGS);
  assert.equal(tracks[0].trackId, 1);
  assertClose(tracks[0].probabilities, [1, 0], 0);
  assert.deepEqual(NOTHING_SEEN, { tracks: [], nextId: 1 });
});
