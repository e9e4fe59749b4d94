/**
 * The engine in a worker of its own, so that the page never stutters.
 *
 * Messages in: {load: {ort, wasm, config, model, detector, GRAPH: ...}, sizes} with addresses, each graph by its name,
 * and the size of each file, as far as known; {frame: ImageBitmap, timeS, scene, mostViews}; and
 * {personal}, what was learned about the person, or null.
 * Messages out: {progress: {loaded, total}} in bytes, {ready: {modelSha256, labelNames, features}}, {faces}, {problem}. A scene is a number;
 * nobody in it is known from the one before.
 */

import { fetchWithProgress, isPacked } from "./download.js";
import { loadEngine } from "../engine/engine.js";
import { GRAPH_NAMES } from "../engine/graphs.js";

let engine = null;
let state = null;
let sceneOfState = null;
let canvas = null;

async function load(places, sizes) {
  const tell = (progress) => postMessage({ progress });
  const importing = import(places.ort);
  const files = fetchWithProgress(
    ["wasm", "model", "detector", "config", ...GRAPH_NAMES].map((name) => ({
      address: places[name],
      size: sizes?.[name],
    })),
    tell,
  );
  const [wasm, model, detector, config, ...graphs] = files;
  const start = async () => {
    const ort = await importing;
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = "error";
    // ONNX Runtime asks for it once more, so that the browser compiles it while it comes, and keeps what it compiled.
    if (isPacked(places.wasm)) ort.env.wasm.wasmBinary = (await wasm).buffer;
    else ort.env.wasm.wasmPaths = { wasm: places.wasm };
    const named = Object.fromEntries(GRAPH_NAMES.map((name, index) => [name, graphs[index]]));
    const parsed = JSON.parse(new TextDecoder().decode(await config));
    return loadEngine({ ort, config: parsed, model, graphs: named, detector });
  };
  // A file that is missing ends it at once, whichever is waited for.
  [engine] = await Promise.all([start(), ...files]);
  if (!engine.featureCount) await engine.classify([{ data: new Uint8ClampedArray(64 * 64 * 4), width: 64, height: 64 }]);
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

async function look({ frame, timeS, scene, mostViews }) {
  const tracked = await engine.track(pixelsOf(frame), scene === sceneOfState ? state : null, timeS, {
    everyFrame: false,
    mostViews,
  });
  [state, sceneOfState] = [tracked.state, scene];
  postMessage({ faces: tracked.faces });
}

self.onmessage = async ({ data }) => {
  try {
    if (data.load) await load(data.load, data.sizes);
    else if ("personal" in data) engine.personal = data.personal;
    else await look(data);
  } catch (error) {
    postMessage({ problem: error.message });
  }
};
