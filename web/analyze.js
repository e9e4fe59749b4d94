/**
 * What the engine makes of pictures, in Node: `node analyze.js JOB.json` prints JSON.
 *
 * The job names the files `config`, `model` and `detector`, and lists `frames` and `crops`, each {file, width, height}
 * with the file's bytes the raw pixels (1, 3 or 4 for each), and `video`, frames with a `time_s`. The answer has the
 * faces of each frame, the tracked faces of each frame of the video, and the probabilities of each crop.
 */

import { readFile } from "node:fs/promises";

import * as ort from "onnxruntime-web/wasm";

import { doJob } from "./do_job.js";
import { loadEngine } from "./live/engine/engine.js";

async function readPicture({ file, width, height }) {
  return { data: new Uint8Array(await readFile(file)), width, height };
}

ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";
const job = JSON.parse(await readFile(process.argv[2], "utf8"));
const engine = await loadEngine({
  ort,
  config: JSON.parse(await readFile(job.config, "utf8")),
  model: new Uint8Array(await readFile(job.model)),
  detector: new Uint8Array(await readFile(job.detector)),
});

console.log(await doJob(engine, job, readPicture));
