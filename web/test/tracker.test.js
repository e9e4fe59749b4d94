import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { NOTHING_SEEN, isMirrored, matchTracks, updateTracks } from "../live/engine/tracker.js";

/** `tests/core/test_tracker.py` reads the same table. */
const table = JSON.parse(readFileSync(new URL("../../tests/support/tracker_cases.json", import.meta.url), "utf8"));
const bundle = new URL("../../face_expression/bundle/config.json", import.meta.url);
const SETTINGS = JSON.parse(readFileSync(bundle, "utf8")).face_expression.tracker;
const FACE = [0, 0, 100, 100];

/** Run frames through the tracker; the tracks of each frame. */
function play(frames) {
  return playViews(frames).map(({ tracks }) => tracks);
}

/** As `play`, with whether the mirror image of each face is classified. */
function playViews(frames) {
  let state = NOTHING_SEEN;
  return frames.map(({ time_s: timeS, boxes, probabilities }) => {
    const rows = probabilities.map((row) => Float32Array.from(row));
    const matching = matchTracks(state, boxes, timeS, SETTINGS);
    const mirrored = boxes.map((_, index) => isMirrored(matching, index, SETTINGS));
    const updated = updateTracks(state, boxes, rows, timeS, SETTINGS);
    state = updated.state;
    return { tracks: updated.tracks, mirrored };
  });
}

function assertClose(values, expected, tolerance) {
  assert.equal(values.length, expected.length);
  values.forEach((value, index) => assert.ok(Math.abs(value - expected[index]) <= tolerance, `${values}: ${expected}`));
}

test("the table is written for the settings in use", () => {
  for (const [name, value] of Object.entries(table.settings)) assert.equal(SETTINGS[name], value);
});

test("a face's turn is kept, and when it was found", () => {
  const row = Float32Array.of(1, 0);
  const first = updateTracks(NOTHING_SEEN, [FACE], [row], 10, SETTINGS, [90]);
  const soon = updateTracks(first.state, [FACE], [row], 10.1, SETTINGS, [88]);
  const late = updateTracks(soon.state, [FACE], [row], 10.1 + SETTINGS.turn_interval_s, SETTINGS, [87]);
  const turns = [first, soon, late].map(({ tracks: [track] }) => [track.turnDeg, track.turnSeenS]);
  assert.deepEqual(turns, [[90, 10], [88, 10], [87, 10.1 + SETTINGS.turn_interval_s]]);
});

for (const { name, frames } of table.cases) {
  test(name, () => {
    playViews(frames).forEach(({ tracks, mirrored }, index) => {
      const { track_ids: trackIds, shown, search_boxes: searchBoxes, smoothed, mirrored: turns } = frames[index];
      assert.deepEqual(tracks.map((track) => track.trackId), trackIds);
      assert.deepEqual(tracks.map((track) => track.shown), shown);
      if (turns) assert.deepEqual(mirrored, turns);
      if (searchBoxes) assert.deepEqual(tracks.map((track) => track.searchBox), searchBoxes);
      smoothed?.forEach((row, face) => assertClose(tracks[face].probabilities, row, 1e-4));
    });
  });
}

for (const framesPerSecond of [2, 5, 30, 120]) {
  test(`smoothing does not depend on the frame rate: ${framesPerSecond} frames a second`, () => {
    const times = Array.from({ length: framesPerSecond + 1 }, (_, index) => index / framesPerSecond);
    const frames = times.map((time_s) => ({ time_s, boxes: [FACE], probabilities: [time_s === 0 ? [1, 0] : [0, 1]] }));
    const [last] = play(frames).at(-1);
    assertClose([last.probabilities[1]], [1 - Math.exp(-1 / SETTINGS.time_constant_s)], 1e-4);
  });
}

for (const timeS of [NaN, Infinity, undefined]) {
  test(`a time that is none is refused: ${timeS}`, () => {
    assert.throws(() => updateTracks(NOTHING_SEEN, [], [], timeS, SETTINGS), RangeError);
  });
}

test("states are values", () => {
  const happy = Float32Array.of(1, 0);
  const { state } = updateTracks(NOTHING_SEEN, [FACE], [happy], 0, SETTINGS);
  updateTracks(state, [FACE], [Float32Array.of(0, 1)], 5, SETTINGS);
  const { tracks } = updateTracks(state, [FACE], [happy], 0.1, SETTINGS);
  assert.equal(tracks[0].trackId, 1);
  assertClose(tracks[0].probabilities, [1, 0], 0);
  const fresh = { tracks: [], nextId: 1, nextView: 0, searchedS: null, wholeSearchedS: -Infinity };
  assert.deepEqual(NOTHING_SEEN, fresh);
});
