/** The bundle's graphs and networks in ONNX Runtime; Python runs the same files (`face_expression/model/graphs.py`). */

import { BundleError } from "./config.js";
import { channelsOf } from "./frame.js";

export const GRAPH_NAMES = ["crop", "detector_input", "detector_output", "model_input", "quality"];

/** @typedef {typeof import("onnxruntime-web")} Ort */
/** @typedef {import("onnxruntime-web").InferenceSession} Session */
/** @typedef {import("onnxruntime-web").TypedTensor<"float32"> | import("onnxruntime-web").TypedTensor<"uint8">} Output */

/**
 * @param {Ort} ort the module `onnxruntime-web`, or one like it
 * @param {Uint8Array} bytes of an ONNX file
 * @param {string} name what to call it in errors
 * @returns {Promise<Session>}
 * @throws {BundleError} if it is no network that can be run
 */
export async function loadNetwork(ort, bytes, name) {
  try {
    // Errors only: it would warn of each output of each call whose size is not the one in YuNet's file.
    return await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
  } catch (error) {
    throw new BundleError(`ONNX Runtime cannot load ${name}: ${error.message}`, { cause: error });
  }
}

/** The small graphs, and the tensors that they take. */
export class Graphs {
  #ort;
  #sessions;

  /** @param {Ort} ort @param {Record<string, Session>} sessions */
  constructor(ort, sessions) {
    this.#ort = ort;
    this.#sessions = sessions;
  }

  /**
   * @param {Ort} ort the module `onnxruntime-web`, or one like it
   * @param {Record<string, Uint8Array | Promise<Uint8Array>>} files the bytes of each graph by its name
   * @returns {Promise<Graphs>}
   * @throws {BundleError} if one is missing or is no graph
   */
  static async load(ort, files) {
    /** @type {Record<string, Session>} */
    const sessions = {};
    for (const name of GRAPH_NAMES) {
      const file = await files?.[name];
      if (!file) throw new BundleError(`the graph ${name} is missing`);
      sessions[name] = await loadNetwork(ort, file, `the graph ${name}`);
    }
    return new Graphs(ort, sessions);
  }

  /**
   * Run a graph; `train/export/graphs.py` describes inputs and outputs.
   *
   * @param {string} name
   * @param {Record<string, import("onnxruntime-web").Tensor>} inputs
   * @returns {Promise<Record<string, Output>>}
   */
  run(name, inputs) {
    return /** @type {Promise<Record<string, Output>>} */ (this.#sessions[name].run(inputs));
  }

  /** Values of 32 bits; without `dims` as a list. */
  floats(values, dims = [values.length]) {
    return new this.#ort.Tensor("float32", Float32Array.from(values), dims);
  }

  /** Whole numbers; without `dims` as a list. */
  integers(values, dims = [values.length]) {
    return new this.#ort.Tensor("int64", BigInt64Array.from(values, BigInt), dims);
  }

  /** Whether something holds. */
  truth(value) {
    return new this.#ort.Tensor("bool", [value], [1]);
  }

  /**
   * Pictures of one size and kind, or one of them alone.
   *
   * @param {import("./frame.js").Picture[]} pictures at least one
   * @param {boolean} alone whether there is one, as height x width x channels
   */
  pictures(pictures, alone = false) {
    const [{ data, width, height }] = pictures;
    const dims = [height, width, channelsOf(pictures[0])];
    if (alone) return new this.#ort.Tensor("uint8", new Uint8Array(data.buffer, data.byteOffset, data.length), dims);
    const all = new Uint8Array(pictures.length * data.length);
    pictures.forEach((picture, index) => all.set(picture.data, index * data.length));
    return new this.#ort.Tensor("uint8", all, [pictures.length, ...dims]);
  }
}
