import assert from "node:assert/strict";
import test from "node:test";

import { faceEvent, originsForEvents } from "../live/face_event.js";

const FACE = {
  box: [1.26, 2, 3, 4],
  score: 0.91239,
  landmarks: [],
  probabilities: Float32Array.of(0.25, 0.75),
  label: "happy",
  confidence: 0.75,
  reliable: false,
  reasons: ["too dark"],
  trackId: 3,
  crop: { data: new Uint8Array(4), width: 1, height: 1 },
};

test("an event holds plain values and no picture", () => {
  assert.deepEqual(faceEvent([], 1.23456, ["sad", "happy"]), { type: "face-expression", version: 1, time_s: 1.235, faces: [] });
  assert.deepEqual(faceEvent([FACE], 0, ["sad", "happy"]).faces, [
    {
      track_id: 3,
      box: [1.3, 2, 3, 4],
      score: 0.9124,
      label: "happy",
      confidence: 0.75,
      probabilities: { sad: 0.25, happy: 0.75 },
      reliable: false,
      reasons: ["too dark"],
    },
  ]);
});

test("own expressions go along where there are any", () => {
  const [face] = faceEvent([{ ...FACE, own: [{ name: "wink", probability: 0.87654 }] }], 0, ["sad", "happy"]).faces;
  assert.deepEqual(face.own, { wink: 0.8765 });
});

test("an answer that is adapted to one person says so", () => {
  const [alone, adapted] = faceEvent([{ ...FACE, personal: false }, { ...FACE, personal: true }], 0, ["sad", "happy"]).faces;
  assert.ok(!("personal" in alone));
  assert.equal(adapted.personal, true);
});

test("events go to whole origins only", () => {
  const table = [
    ["", []],
    ["?events=https://game.example", ["https://game.example"]],
    ["?events=https://a.example&events=http://localhost:8000", ["https://a.example", "http://localhost:8000"]],
    ["?events=*", []],
    ["?events=null", []],
    ["?events=https://game.example/path", []],
    ["?events=game.example", []],
    ["?events=data:text/html,x", []],
    ["?other=https://game.example", []],
  ];
  for (const [search, origins] of table) assert.deepEqual(originsForEvents(search), origins, search);
});
