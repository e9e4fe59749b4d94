/**
 * Model inputs -> calibrated probabilities, with ONNX Runtime.
 *
 * Calibration is temperature scaling: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
 */

import { BundleError } from "./config.js";
import { loadNetwork } from "./graphs.js";

/**
 * Turn one face's class scores into probabilities.
 *
 * @param {Iterable<number> & ArrayLike<number>} logits at least one
 * @returns {Float32Array} of the same length, each in 0..1, summing to 1
 */
export function softmax(logits) {
  const largest = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return Float32Array.from(powers, (power) => power / sum);
}

// As in `face_expression/labels.py`.
const [NEARLY, BOTH] = [0.7, 0.6];

/**
 * Made like `shared_lead` of `face_expression/labels.py`; `tests/support/shared_lead_cases.json` is what both must do.
 *
 * @param {ArrayLike<number>} probabilities one for each label, at least two
 * @param {string[]} labelNames
 * @returns {[string, string] | null} the two labels that share the lead, the more probable first; null if one leads or
 *   more than two do
 */
export function sharedLead(probabilities, labelNames) {
  const order = labelNames.map((_, index) => index).sort((one, other) => probabilities[other] - probabilities[one]);
  const [first, second, third] = order;
  if (probabilities[second] < NEARLY * probabilities[first]) return null;
  if ((probabilities[third] ?? 0) >= NEARLY * probabilities[second]) return null;
  if (probabilities[first] + probabilities[second] < BOTH) return null;
  return [labelNames[first], labelNames[second]];
}

/** A bundle's network. */
export class Classifier {
  #session;
  #config;
  /** How many features the network gives for each face; if its file does not say so, known from the first run on. */
  featureCount = 0;

  /** @param {import("./graphs.js").Session} session @param {import("./config.js").BundleConfig} config */
  constructor(session, config) {
    this.#session = session;
    this.#config = config;
    const features = session.outputMetadata.find(({ name }) => name === "features");
    const width = features?.isTensor ? features.shape[1] : 0;
    if (typeof width === "number") this.featureCount = width;
  }

  /**
   * @param {import("./graphs.js").Ort} ort the module `onnxruntime-web`, or one like it
   * @param {Uint8Array} model the bytes of the bundle's `model.onnx`
   * @param {import("./config.js").BundleConfig} config
   * @returns {Promise<Classifier>}
   * @throws {BundleError} if the file is no such network
   */
  static async load(ort, model, config) {
    const session = await loadNetwork(ort, model, "the model");
    if (!session.outputNames.includes("logits")) throw new BundleError("the model has no output named logits");
    return new Classifier(session, config);
  }

  /**
   * @param {import("./graphs.js").Output} inputs from `toModelInputs`
   * @returns {Promise<{logits: Float32Array, features: Float32Array}[]>} for each input the logits, whose softmax is the
   *   calibrated answer, and the features (the layer before the last); none if the network does not give them
   * @throws {BundleError} if the network gives another number of classes than the bundle has labels
   */
  async run(inputs) {
    const wanted = ["logits", "features"].filter((name) => this.#session.outputNames.includes(name));
    const outputs = await this.#session.run({ [this.#session.inputNames[0]]: inputs }, wanted);
    const { logits, features } = /** @type {Record<string, import("onnxruntime-web").TypedTensor<"float32">>} */ (outputs);
    const classes = this.#config.labelNames.length;
    if (logits.dims[1] !== classes) {
      throw new BundleError(`the model gives ${logits.dims[1]} classes, but there are ${classes} labels`);
    }
    const width = features?.dims[1] ?? 0;
    this.featureCount = width;
    return Array.from({ length: inputs.dims[0] }, (_, index) => {
      const row = logits.data.subarray(index * classes, (index + 1) * classes);
      return {
        logits: row.map((logit) => logit / this.#config.temperature),
        features: features?.data.slice(index * width, (index + 1) * width) ?? new Float32Array(),
      };
    });
  }
}
