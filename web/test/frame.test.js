import assert from "node:assert/strict";
import test from "node:test";

import { cutPart, scalePart } from "../live/engine/frame.js";

const grey = (width, values) => ({ data: Uint8Array.from(values), width, height: values.length / width });
const listed = ({ data, width, height }) => [width, height, Array.from(data)];

test("a part is copied as it is", () => {
  const picture = grey(3, [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(listed(cutPart(picture, [1, 0, 3, 2])), [2, 2, [2, 3, 5, 6]]);
  assert.deepEqual(listed(scalePart(picture, [1, 0, 3, 2], [2, 2])), [2, 2, [2, 3, 5, 6]]);
});

test("pixels are averaged where a picture is made smaller", () => {
  const picture = grey(4, [0, 10, 20, 30, 2, 12, 22, 35]);
  assert.deepEqual(listed(scalePart(picture, [0, 0, 4, 2], [2, 1])), [2, 1, [6, 27]]);
  assert.deepEqual(listed(scalePart(grey(3, [0, 90, 30]), [0, 0, 3, 1], [2, 1])), [2, 1, [30, 50]]);
});

test("pixels lie between the old ones where a picture is made larger", () => {
  assert.deepEqual(listed(scalePart(grey(2, [0, 100]), [0, 0, 2, 1], [4, 1])), [4, 1, [0, 25, 75, 100]]);
  assert.deepEqual(listed(scalePart(grey(1, [7]), [0, 0, 1, 1], [3, 2])), [3, 2, [7, 7, 7, 7, 7, 7]]);
});

test("every channel is scaled", () => {
  const picture = { data: Uint8Array.from([0, 1, 2, 255, 10, 21, 32, 255]), width: 2, height: 1 };
  assert.deepEqual(listed(scalePart(picture, [0, 0, 2, 1], [1, 1])), [1, 1, [5, 11, 17, 255]]);
});

for (const [turnDeg, expected] of [
  [90, [2, 3, [3, 6, 2, 5, 1, 4]]],
  [180, [3, 2, [6, 5, 4, 3, 2, 1]]],
  [270, [2, 3, [4, 1, 5, 2, 6, 3]]],
]) {
  test(`a picture is turned counterclockwise: ${turnDeg}`, () => {
    assert.deepEqual(listed(scalePart(grey(3, [1, 2, 3, 4, 5, 6]), [0, 0, 3, 2], [3, 2], turnDeg)), expected);
  });
}
