/**
 * What the engine makes of pictures, in Node: `node analyze.js JOB.json` prints JSON.
 *
 * The job names the files `config`, `model` and `detector` and those of the `graphs`, and lists `frames` and `crops`,
 * each {file, width, height} with the file's bytes the raw pixels (1, 3 or 4 for each), and `video`, frames with a
 * `time_s`. The answer has the faces of each frame, the tracked faces of each frame of the video, and the probabilities
 * of each crop.
 */

import { readFile } from "node:fs/promises";

import * as ort from "onnxruntime-web/wasm";

import { loadEngine } from "../live/engine/engine.js";
import { doJob } from "./do_job.js";

const bytes = async (file) => new Uint8Array(await readFile(file));

ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";
const job = JSON.parse(await readFile(process.argv[2], "utf8"));
const graphs = {};
for (const [name, file] of Object.entries(job.graphs)) graphs[name] = await bytes(file);
const engine = await loadEngine({
  ort,
  config: JSON.parse(await readFile(job.config, "utf8")),
  model: await bytes(job.model),
  graphs,
  detector: await bytes(job.detector),
});

console.log(await doJob(engine, job, async ({ file, width, height }) => ({ data: await bytes(file), width, height })));
