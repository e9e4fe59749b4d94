import assert from "node:assert/strict";
import test from "node:test";

import { drawFaces } from "../live/overlay.js";

const LABELS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"];

/** What is drawn for faces at the given boxes, in a frame of 320x240: tags with their place and text. */
function tagsFor(boxes, { mirrored = false } = {}) {
  const tags = [];
  const context = {
    canvas: { width: 320, height: 240, clientWidth: 320, clientHeight: 240 },
    clearRect() {},
    strokeRect() {},
    setLineDash() {},
    measureText: (text) => ({ width: 9 * text.length }),
    fillRect: (left, top, width, height) => tags.push({ left, top, right: left + width, bottom: top + height }),
    fillText: (text) => Object.assign(tags.at(-1), { text }),
  };
  const faces = boxes.map((box, index) => ({
    box,
    trackId: index + 1,
    label: "happy",
    confidence: 0.9,
    reliable: true,
    reasons: [],
    between: null,
  }));
  drawFaces(context, faces, { mirrored, labelNames: LABELS });
  return tags;
}

test("one face needs no number", () => {
  assert.deepEqual(tagsFor([[100, 100, 180, 200]]).map(({ text }) => text), ["happy 90%"]);
  assert.deepEqual(tagsFor([]), []);
});

test("tags of neighbours do not lie over each other, and everybody keeps a number", () => {
  const crowd = [20, 90, 160, 230].map((left) => [left, 100, left + 40, 150]);
  for (const mirrored of [false, true]) {
    const tags = tagsFor(crowd, { mirrored });
    assert.deepEqual(tags.map(({ text }) => text[0]), ["1", "2", "3", "4"]);
    for (const one of tags) {
      assert.ok(one.left >= 0 && one.right <= 320);
      const over = tags.filter((other) => other !== one && other.left < one.right && one.left < other.right);
      assert.deepEqual(over, [], one.text);
    }
  }
});

test("with room for it, the whole answer stands beside the number", () => {
  const tags = tagsFor([[0, 100, 60, 160], [180, 100, 240, 160]]);
  assert.deepEqual(tags.map(({ text }) => text), ["1  happy 90%", "2  happy 90%"]);
});
