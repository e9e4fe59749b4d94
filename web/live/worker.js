/**
 * The engine in a worker of its own, so that the page never stutters.
 *
 * Messages in: {load: {ort, wasm, config, model, detector, GRAPH: ...}, lengths} with addresses, each graph by its name,
 * and the bytes of each file before any compression, as far as known; {frame: ImageBitmap, timeS, scene}; and
 * {personal}, what was learned about the person, or null.
 * Messages out: {progress: {loaded, total}} in bytes, {ready: {modelSha256, labelNames, features}}, {faces}, {problem}. A scene is a number;
 * nobody in it is known from the one before.
 */

import { fetchWithProgress } from "./download.js";
import { loadEngine } from "./engine/engine.js";
import { GRAPH_NAMES } from "./engine/graphs.js";

let engine = null;
let state = null;
let sceneOfState = null;
let canvas = null;

async function load(places, lengths) {
  const tell = (progress) => postMessage({ progress });
  const importing = import(places.ort);
  // Awaited below; by then a file that is missing may have ended it all.
  importing.catch(() => {});
  const [wasm, model, detector, configBytes, ...graphs] = await fetchWithProgress(
    ["wasm", "model", "detector", "config", ...GRAPH_NAMES].map((name) => ({
      address: places[name],
      length: lengths?.[name],
    })),
    tell,
  );
  const ort = await importing;
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = wasm.buffer;
  ort.env.logLevel = "error";
  const config = JSON.parse(new TextDecoder().decode(configBytes));
  const named = Object.fromEntries(GRAPH_NAMES.map((name, index) => [name, graphs[index]]));
  engine = await loadEngine({ ort, config, model, graphs: named, detector });
  // How many features there are is known once something was classified.
  await engine.classify([{ data: new Uint8ClampedArray(64 * 64 * 4), width: 64, height: 64 }]);
  const { modelSha256, labelNames, featureCount: features } = engine;
  postMessage({ ready: { modelSha256, labelNames, features } });
}

function pixelsOf(bitmap) {
  if (canvas?.width !== bitmap.width || canvas?.height !== bitmap.height) {
    canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  }
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

async function look({ frame, timeS, scene }) {
  const tracked = await engine.track(pixelsOf(frame), scene === sceneOfState ? state : null, timeS, {
    everyFrame: false,
  });
  [state, sceneOfState] = [tracked.state, scene];
  postMessage({ faces: tracked.faces });
}

self.onmessage = async ({ data }) => {
  try {
    if (data.load) await load(data.load, data.lengths);
    else if ("personal" in data) engine.personal = data.personal;
    else await look(data);
  } catch (error) {
    postMessage({ problem: error.message });
  }
};
