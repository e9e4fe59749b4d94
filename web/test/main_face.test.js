import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { mainFirst, withFirst } from "../live/main_face.js";

const CASES = JSON.parse(readFileSync(new URL("../../tests/support/main_face_cases.json", import.meta.url), "utf8"));

for (const { name, faces, main_id: mainId, first } of CASES) {
  test(`whom the headline is about, as in Python: ${name}`, () => {
    const found = faces.map(({ track_id: trackId, box }) => ({ trackId, box }));
    const sorted = mainFirst(found, mainId);
    assert.equal(sorted[0]?.trackId ?? null, first);
    assert.deepEqual(new Set(sorted), new Set(found));
    assert.equal(sorted.length, found.length);
  });
}

test("a face that was chosen comes first whatever its size, while it is in view", () => {
  const [large, small] = [{ trackId: 1 }, { trackId: 2 }];
  assert.deepEqual(withFirst([large, small], 2), [small, large]);
  for (const other of [1, 3, null]) assert.deepEqual(withFirst([large, small], other), [large, small]);
});
