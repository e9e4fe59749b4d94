/**
 * Model inputs -> calibrated probabilities, with ONNX Runtime.
 *
 * Calibration is temperature scaling: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
 */

import { BundleError } from "./config.js";
import { loadNetwork } from "./network.js";

/**
 * Turn one face's class scores into probabilities.
 *
 * @param {ArrayLike<number>} logits at least one
 * @returns {Float32Array} of the same length, each in 0..1, summing to 1
 */
export function softmax(logits) {
  const largest = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return Float32Array.from(powers, (power) => power / sum);
}

/** A bundle's network. */
export class Classifier {
  #ort;
  #session;
  #config;

  constructor(ort, session, config) {
    this.#ort = ort;
    this.#session = session;
    this.#config = config;
  }

  /**
   * @param {object} ort the module `onnxruntime-web`, or one like it
   * @param {Uint8Array} model the bytes of the bundle's `model.onnx`
   * @param {import("./config.js").BundleConfig} config
   * @returns {Promise<Classifier>}
   * @throws {BundleError} if the file is no such network
   */
  static async load(ort, model, config) {
    const session = await loadNetwork(ort, model, "the model");
    if (!session.outputNames.includes("logits")) throw new BundleError("the model has no output named logits");
    return new Classifier(ort, session, config);
  }

  /**
   * @param {Float32Array[]} inputs from `toModelInput`; there may be none
   * @returns {Promise<Float32Array[]>} calibrated probabilities, one row for each input
   * @throws {BundleError} if the network gives another number of classes than the bundle has labels
   */
  async probabilities(inputs) {
    if (inputs.length === 0) return [];
    const { channels, size_px: size } = this.#config.preprocessing.input;
    const batch = new Float32Array(inputs.length * channels * size * size);
    inputs.forEach((input, index) => batch.set(input, index * input.length));
    const tensor = new this.#ort.Tensor("float32", batch, [inputs.length, channels, size, size]);
    const { logits } = await this.#session.run({ [this.#session.inputNames[0]]: tensor }, ["logits"]);
    const classes = this.#config.labelNames.length;
    if (logits.dims[1] !== classes) {
      throw new BundleError(`the model gives ${logits.dims[1]} classes, but there are ${classes} labels`);
    }
    return inputs.map((_, index) => {
      const row = logits.data.subarray(index * classes, (index + 1) * classes);
      return softmax(row.map((logit) => logit / this.#config.temperature));
    });
  }
}
