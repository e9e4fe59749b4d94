import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { finestViews, isSameFace, liesIn, merge, photoViews, toFrame, videoViews } from "../live/engine/search.js";

/** `tests/core/test_search_views.py` reads the same table. */
const table = JSON.parse(readFileSync(new URL("../../tests/support/search_cases.json", import.meta.url), "utf8"));

for (const { size, photo, finest, video } of table.views) {
  test(`views of a frame of ${size}`, () => {
    const [width, height] = size;
    const listed = (views) => views.map(({ part, wh, turnDeg }) => [...part, ...wh, turnDeg]);
    const levels = photoViews(width, height, table.settings);
    assert.deepEqual(levels.map(listed), photo);
    assert.deepEqual(listed(finestViews(width, height, levels.at(-1), table.settings)), finest);
    assert.deepEqual(listed(videoViews(width, height, table.settings)), video);
  });
}

for (const { view, frame, detection, box, landmark, whole } of table.detections) {
  test(`a detection in the view ${view}`, () => {
    const [x0, y0, x1, y1, width, height, turnDeg] = view;
    const seen = { part: [x0, y0, x1, y1], wh: [width, height], turnDeg };
    const found = toFrame({ box: detection.box, score: 0.9, landmarks: [detection.landmark] }, seen);
    assert.deepEqual([found.box, found.landmarks[0], found.turnDeg], [box, landmark, turnDeg]);
    assert.equal(liesIn(found, seen, ...frame), whole);
  });
}

for (const { first, second, same } of table.same_face) {
  test(`${first} and ${second} are ${same ? "one face" : "two faces"}`, () => {
    assert.deepEqual([isSameFace(first, second, table.settings), isSameFace(second, first, table.settings)], [same, same]);
    const scores = [{ box: first, score: 0.7 }, { box: second, score: 0.8 }];
    assert.deepEqual(merge(scores, table.settings).map(({ score }) => score), same ? [0.8] : [0.8, 0.7]);
  });
}
