import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { DeviceEngine } from "../live/backends/device_engine.js";

const READY = { modelSha256: "1".repeat(64), labelNames: ["happy", "sad"], features: 2 };
const FACES = [{ label: "happy" }];
const PLACES = { model: "files/model.onnx" };

/** Every worker that was started, in turn; each does with a message what `does` says. */
let workers;
let does;

class FakeWorker {
  received = [];
  terminated = false;

  constructor() {
    workers.push(this);
  }

  postMessage(message) {
    this.received.push(message);
    queueMicrotask(() => does(this, message));
  }

  terminate() {
    this.terminated = true;
  }
}

/** What a worker does that works. */
function answer(worker, message) {
  if (message.load) worker.onmessage({ data: { ready: READY } });
  else if (message.frame) worker.onmessage({ data: { faces: FACES } });
}

beforeEach(() => {
  [workers, does] = [[], answer];
  Object.assign(globalThis, {
    Worker: FakeWorker,
    document: { baseURI: "http://localhost/" },
    location: { origin: "null" },
    createImageBitmap: async (picture) => picture,
  });
});

afterEach(() => {
  mock.timers.reset();
  for (const name of ["Worker", "document", "location", "createImageBitmap"]) delete globalThis[name];
});

const load = () => DeviceEngine.load(PLACES, {}, () => {});

test("it loads, and answers one frame at a time", async () => {
  const engine = await load();
  assert.deepEqual(engine.bundle, READY);
  assert.equal(workers[0].received[0].load.model, "http://localhost/files/model.onnx");
  const looking = engine.look({}, 1, 0);
  assert.equal(engine.hasRoom, false);
  assert.deepEqual(await looking, FACES);
  assert.equal(engine.hasRoom, true);
});

for (const [name, fails, message] of [
  ["a file is missing", (worker) => worker.onmessage({ data: { problem: "status 404" } }), /status 404/],
  ["it has no memory, and no words", (worker) => worker.onmessage({ data: { problem: "" } }), /cannot be started/],
  ["its script is missing", (worker) => worker.onerror({ message: "" }), /cannot be started/],
]) {
  test(`a worker that cannot be started is ended: ${name}`, async () => {
    does = fails;
    await assert.rejects(load(), { message });
    assert.deepEqual(workers.map(({ terminated }) => terminated), [true]);
  });
}

test("a worker that does not answer is replaced, and the next one knows what was learned", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const engine = await load();
  engine.learn({ name: "what was learned" });
  does = () => {};
  const looking = engine.look({}, 1, 0);
  const isRefused = assert.rejects(looking, { message: "the model on this device does not answer" });
  await new Promise(setImmediate);
  mock.timers.tick(15_000);
  await isRefused;
  assert.equal(engine.hasRoom, true);
  does = answer;
  assert.deepEqual(await engine.look({}, 2, 0), FACES);
  assert.deepEqual(workers.map(({ terminated }) => terminated), [true, false]);
  assert.deepEqual(workers[1].received[1], { personal: { name: "what was learned" } });
  // An answer in time leaves no clock behind that would end the worker.
  mock.timers.tick(60_000);
  assert.deepEqual(await engine.look({}, 3, 0), FACES);
  assert.equal(workers.length, 2);
});

test("a worker that stops is replaced, also one that says nothing", async () => {
  const engine = await load();
  does = (worker) => worker.onerror({ message: "" });
  await assert.rejects(engine.look({}, 1, 0), { message: "the model on this device has stopped" });
  // As long as no other can be started, each frame says why not.
  does = (worker) => worker.onmessage({ data: { problem: "status 404" } });
  await assert.rejects(engine.look({}, 2, 0), { message: "status 404" });
  does = answer;
  assert.deepEqual(await engine.look({}, 3, 0), FACES);
  assert.deepEqual(workers.map(({ terminated }) => terminated), [true, true, false]);
});

test("a frame that cannot be classified leaves the worker as it is", async () => {
  const engine = await load();
  does = (worker, { frame }) => frame && worker.onmessage({ data: { problem: "" } });
  await assert.rejects(engine.look({}, 1, 0), { message: "the model on this device has stopped" });
  does = answer;
  assert.deepEqual(await engine.look({}, 2, 0), FACES);
  assert.equal(workers.length, 1);
});
