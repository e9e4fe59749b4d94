import assert from "node:assert/strict";
import test from "node:test";

import { hasMoved } from "../live/sources/stillness.js";

const room = new Uint8ClampedArray(4 * 32 * 24).fill(110);

test("a camera's noise and its exposure are no movement", () => {
  const noisy = room.map((value, index) => value + ((7 * index) % 13) - 6);
  assert.equal(hasMoved(room, noisy), false);
  assert.equal(hasMoved(noisy, room.map((value) => value + 5)), false);
});

test("somebody far away, of one cell, is movement, darker or brighter than the room", () => {
  for (const by of [-30, 30]) {
    const visited = room.slice();
    for (let channel = 0; channel < 3; channel += 1) visited[4 * 100 + channel] += by;
    assert.equal(hasMoved(room, visited), true);
  }
});
