import assert from "node:assert/strict";
import test from "node:test";

import { enlarge, resizePlane, shrinkByArea } from "../live/engine/resize.js";

function row(...data) {
  return { data: Uint8Array.from(data), width: data.length, height: 1 };
}

for (const [name, source, width, expected] of [
  ["the same size", row(1, 2, 3), 3, [1, 2, 3]],
  ["one pixel of all", row(0, 10, 20, 31), 1, [15]],
  ["halves", row(10, 20, 30, 40), 2, [15, 35]],
  ["thirds", row(0, 0, 9, 9, 9, 9), 2, [3, 9]],
  ["parts of pixels", row(0, 90, 180), 2, [30, 150]],
]) {
  test(`shrinking by area: ${name}`, () => {
    assert.deepEqual(Array.from(shrinkByArea(source, width, 1).data), expected);
  });
}

test("a mean of four is rounded up at a half, one of sixteen to even", () => {
  const square = (side, bright) => {
    const data = new Uint8Array(side * side);
    data.fill(1, 0, bright);
    return { data, width: side, height: side };
  };
  assert.deepEqual(Array.from(shrinkByArea(square(2, 2), 1, 1).data), [1]);
  assert.deepEqual(Array.from(shrinkByArea(square(4, 8), 1, 1).data), [0]);
});

test("red, green and blue are shrunk apart, and alpha is left out", () => {
  const two = { data: Uint8Array.of(10, 20, 30, 255, 30, 40, 50, 0), width: 2, height: 1 };
  assert.deepEqual(shrinkByArea(two, 1, 1), { data: Uint8Array.of(20, 30, 40), width: 1, height: 1 });
});

test("enlarging blends neighbours and repeats the border", () => {
  assert.deepEqual(Array.from(enlarge(row(0, 100), 4, 1).data), [0, 25, 75, 100]);
  assert.deepEqual(enlarge(row(7), 2, 2), { data: Uint8Array.of(7, 7, 7, 7), width: 2, height: 2 });
});

test("a plane is resized bilinearly", () => {
  const plane = Float32Array.of(0, 1, 2, 3);
  assert.deepEqual(resizePlane(plane, 2, 2), plane);
  assert.deepEqual(Array.from(resizePlane(plane, 2, 4).subarray(0, 8)), [0, 0.25, 0.75, 1, 0.5, 0.75, 1.25, 1.5]);
});
