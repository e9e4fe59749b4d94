/** The engine on the server, as the page uses it: what it sends, how many at once, and what it makes of answers. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { ServerEngine } from "../live/backends/server_engine.js";

class FakeCanvas {
  constructor(width, height) {
    Object.assign(this, { width, height });
  }
  getContext() {
    return { drawImage() {} };
  }
  async convertToBlob() {
    return new Blob(["a jpeg"]);
  }
}

const before = { OffscreenCanvas: globalThis.OffscreenCanvas, document: globalThis.document, fetch: globalThis.fetch };
const picture = { videoWidth: 640, videoHeight: 480 };

beforeEach(() => {
  Object.assign(globalThis, { OffscreenCanvas: FakeCanvas, document: { baseURI: "https://a.example/in/a/folder/" } });
});
afterEach(() => Object.assign(globalThis, before));

function makeEngine(answering) {
  const asked = [];
  globalThis.fetch = async (address, options) => {
    asked.push([String(address), options]);
    return answering();
  };
  return { engine: new ServerEngine("live/frames", () => {}), asked };
}

function answered(content, serverMs = 10, status = 200) {
  const headers = serverMs === null ? {} : { "Server-Timing": `frame;dur=${serverMs}` };
  return new Response(JSON.stringify(content), { status, headers });
}

test("a picture goes to the page's own folder, with its time and scene, and faces come back in its pixels", async () => {
  const face = { box: [1, 2, 3, 4], landmarks: null, probabilities: [1, 0], track_id: 7, crop: null, label: "happy" };
  const { engine, asked } = makeEngine(() => answered({ faces: [face] }));
  const [seen] = await engine.look(picture, 1.5, 3);
  const [[address, { method, headers, body }]] = asked;
  assert.deepEqual([address, method], ["https://a.example/in/a/folder/live/frames", "POST"]);
  assert.deepEqual([headers["Content-Type"], headers["X-Time-S"], headers["X-Scene"]], ["image/jpeg", "1.5", "3"]);
  assert.equal(new TextDecoder().decode(body), "a jpeg");
  assert.deepEqual([seen.box, seen.trackId, seen.label], [[2, 4, 6, 8], 7, "happy"]);
});

for (const [serverMs, room] of [[10, true], [null, true], [49, true], [120, false]]) {
  test(`a second picture follows the first: ${room}, if the server had the last one for ${serverMs} ms`, async () => {
    let answer;
    const { engine } = makeEngine(() => answer);
    answer = answered({ faces: [] }, serverMs);
    assert.ok(engine.hasRoom);
    await engine.look(picture, 0, 0);
    let come;
    answer = new Promise((resolve) => (come = resolve));
    const looking = engine.look(picture, 1, 0);
    assert.equal(engine.hasRoom, room);
    come(answered({ faces: null }, 10));
    assert.equal(await looking, null);
    assert.ok(engine.hasRoom);
  });
}

for (const [name, answering, kind, words] of [
  ["no connection", () => Promise.reject(new TypeError("failed")), "ConnectionError", "cannot be reached"],
  ["no JSON", () => new Response("<html>"), "ConnectionError", "cannot be reached"],
  ["too many requests", () => answered("wait", 10, 429), "ConnectionError", "cannot be reached"],
  ["no answer in time", () => Promise.reject(new DOMException("", "TimeoutError")), "ConnectionError", "does not answer"],
  ["an unusable picture", () => answered({ refused: "it is damaged" }, 1, 422), "RefusedError", "it is damaged"],
  ["a refusal", () => answered({ refused: "the server is busy" }), "RefusedError", "the server is busy"],
]) {
  test(`${name} is said in words`, async () => {
    const { engine } = makeEngine(answering);
    await assert.rejects(engine.look(picture, 0, 0), (error) => {
      assert.equal(error.constructor.name, kind);
      assert.match(error.message, new RegExp(words));
      return true;
    });
    assert.ok(engine.hasRoom);
  });
}
