import assert from "node:assert/strict";
import { test } from "node:test";

import { Camera, namesOfCameras } from "../live/sources/camera.js";

const CASES = [
  ["no camera", [], []],
  ["a computer's", ["Integrated Camera (04f2:b71a)"], ["Integrated Camera"]],
  ["a browser that does not name them", ["", ""], ["camera 1", "camera 2"]],
  ["two of one make", ["C920 (046d:0892)", "OBS", "C920 (046d:0892)"], ["C920 1", "OBS", "C920 2"]],
  ["a phone with Android", ["camera2 1, facing front", "camera2 0, facing back"], ["front camera", "rear camera"]],
  [
    "a phone with many",
    ["camera2 1, facing front", "camera2 2, facing back", "camera2 0, facing back"],
    ["front camera", "rear camera 1", "rear camera 2"],
  ],
  ["an iPhone", ["Front Camera", "Back Dual Wide Camera"], ["Front Camera", "Back Dual Wide Camera"]],
];

for (const [name, labels, names] of CASES) {
  test(`the list of cameras: ${name}`, () => assert.deepEqual(namesOfCameras(labels.map((label) => ({ label }))), names));
}

/** Cameras that are given when the test says so: `give[0]()` gives the one that was asked for first. */
function camerasOnDemand() {
  const [give, streams] = [[], []];
  const getUserMedia = () =>
    new Promise((resolve) => {
      const track = { stopped: false, stop: () => (track.stopped = true), getSettings: () => ({}) };
      const stream = { getTracks: () => [track], getVideoTracks: () => [track], track };
      streams.push(stream);
      give.push(() => resolve(stream));
    });
  Object.defineProperty(globalThis, "navigator", { value: { mediaDevices: { getUserMedia } }, configurable: true });
  return { give, streams };
}

for (const order of [
  [0, 1],
  [1, 0],
]) {
  test(`of two cameras only the newest stays on, whichever is given first: ${order}`, async () => {
    const { give, streams } = camerasOnDemand();
    const video = { srcObject: null, play: async () => {} };
    const camera = new Camera(video, () => assert.fail("no camera was lost"));
    const [first, second] = [camera.start(null), camera.start(null)];
    const isRefused = assert.rejects(first, { name: "AbortError" });
    for (const place of order) give[place]();
    await Promise.all([isRefused, second]);
    assert.deepEqual(streams.map(({ track }) => track.stopped), [true, false]);
    assert.equal(video.srcObject, streams[1]);
    camera.stop();
    assert.deepEqual([streams[1].track.stopped, camera.isOn], [true, false]);
  });
}

test("a camera that is given after it was given up is given back", async () => {
  const { give, streams } = camerasOnDemand();
  const camera = new Camera({ srcObject: null, play: async () => {} }, () => {});
  const started = camera.start(null);
  camera.stop();
  give[0]();
  await assert.rejects(started, { name: "AbortError" });
  assert.deepEqual([streams[0].track.stopped, camera.isOn], [true, false]);
});
