/** What a bundle's `config.json` says about how a frame becomes calibrated probabilities. */

const SCHEMA_VERSION = 2;

/** A bundle, or detector weights, that cannot be used; the message says why. */
export class BundleError extends Error {
  /**
   * @param {string} message
   * @param {{cause?: unknown}} [options]
   */
  constructor(message, options) {
    super(message, options);
    this.name = "BundleError";
  }
}

/**
 * The settings keep the names they have in the file; `face_expression/config.py` describes each of them.
 *
 * @typedef {object} BundleConfig
 * @property {string[]} labelNames in the order of the probabilities
 * @property {{yunet: object, crop: object, input: object, quality: object}} preprocessing
 * @property {object} tracker
 * @property {number} temperature what logits are divided by
 * @property {string} modelSha256 of the network's file
 * @property {number} abstainBelow least confidence of a clear expression, 0..1
 */

/**
 * Take what the engine needs out of a bundle's `config.json`. Python has checked the file when it opened the bundle,
 * so only its version and its parts are checked here.
 *
 * @param {object} raw the parsed file
 * @returns {BundleConfig}
 * @throws {BundleError} if it is no bundle of ours, or of another schema version
 */
export function readBundleConfig(raw) {
  const ours = raw?.face_expression;
  if (!ours || !Array.isArray(raw.label_names)) throw new BundleError("config.json: not a bundle of this project");
  if (ours.schema_version !== SCHEMA_VERSION) {
    throw new BundleError(
      `config.json: schema version ${ours.schema_version}, but this program reads version ${SCHEMA_VERSION}`,
    );
  }
  for (const part of ["yunet", "crop", "input", "quality"]) {
    if (!ours.preprocessing?.[part]) throw new BundleError(`config.json: preprocessing.${part} is missing`);
  }
  if (!ours.tracker) throw new BundleError("config.json: tracker is missing");
  return {
    labelNames: raw.label_names,
    preprocessing: ours.preprocessing,
    tracker: ours.tracker,
    temperature: ours.temperature,
    abstainBelow: ours.abstain_below,
    modelSha256: ours.model_sha256,
  };
}
