/** Networks, as ONNX Runtime loads them. */

import { BundleError } from "./config.js";

/**
 * @param {object} ort the module `onnxruntime-web`, or one like it
 * @param {Uint8Array} bytes of an ONNX file
 * @param {string} name what to call it in errors
 * @returns {Promise<object>} an inference session
 * @throws {BundleError} if it is no network that can be run
 */
export async function loadNetwork(ort, bytes, name) {
  try {
    return await ort.InferenceSession.create(bytes);
  } catch (error) {
    throw new BundleError(`ONNX Runtime cannot load ${name}: ${error.message}`, { cause: error });
  }
}
