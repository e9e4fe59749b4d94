/** The embedded bundle's graphs, for tests in Node. */

import { readFile } from "node:fs/promises";

import * as ort from "onnxruntime-web/wasm";

import { GRAPH_NAMES, Graphs } from "../live/engine/graphs.js";

/** @returns {Promise<Graphs>} */
export async function bundleGraphs() {
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const files = {};
  for (const name of GRAPH_NAMES) {
    const file = new URL(`../../face_expression/bundle/${name}.onnx`, import.meta.url);
    files[name] = new Uint8Array(await readFile(file));
  }
  return Graphs.load(ort, files);
}
