/** Is this crop fit to be judged? Measures and reasons as in `face_expression/quality.py`, which explains them. */

import { boxSize } from "./boxes.js";
import { meanAndStd } from "./numbers.js";
import { toGrey } from "./preprocess.js";

export const NO_CLEAR_EXPRESSION = "no clear expression";

/**
 * @typedef {object} Quality
 * @property {number} facePx side of the detector's box in pixels of the frame
 * @property {number} highlight 95th percentile of the grey crop, 0..255
 * @property {number} shadow 5th percentile of the grey crop, 0..255
 * @property {number} sharpness standard deviation of the grey crop's Laplacian over that of the crop
 * @property {number} turn how far the nose lies from the middle between the eyes, in eye distances
 */

/**
 * Measure one face.
 *
 * @param {import("./yunet.js").Detection} detection
 * @param {import("./picture.js").Picture} crop the crop that `cutCrop` made of it
 * @param {object} settings `preprocessing.input` of the bundle
 * @returns {Quality}
 */
export function measureQuality(detection, crop, settings) {
  const grey = toGrey(crop, settings);
  const sorted = grey.slice().sort();
  return {
    facePx: boxSize(detection.box),
    highlight: percentile(sorted, 95),
    shadow: percentile(sorted, 5),
    sharpness: measureSharpness(grey, crop.width),
    turn: measureTurn(detection.landmarks),
  };
}

/**
 * Why a face should not be judged.
 *
 * @param {Quality} quality
 * @param {object} limits `preprocessing.quality` of the bundle
 * @returns {string[]} empty if nothing speaks against it
 */
export function qualityReasons(quality, limits) {
  const checks = [
    ["too small", quality.facePx < limits.min_face_px],
    ["turned away", quality.turn > limits.max_turn],
    ["too dark", quality.highlight < limits.min_highlight],
    ["too bright", quality.shadow > limits.max_shadow],
    ["blurred", quality.sharpness < limits.min_sharpness],
  ];
  return checks.filter(([, holds]) => holds).map(([reason]) => reason);
}

/** A percentile with linear interpolation between the two nearest values. */
function percentile(sorted, percent) {
  const place = (percent / 100) * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

/**
 * @param {Float32Array} grey size x size values, 0..255
 * @param {number} size at least 2
 * @returns {number} see `Quality`
 */
export function measureSharpness(grey, size) {
  const mirrored = (index) => (index < 0 ? 1 : index >= size ? size - 2 : index);
  const laplacian = new Float32Array(grey.length);
  for (let y = 0, at = 0; y < size; y++) {
    const [above, below] = [mirrored(y - 1) * size, mirrored(y + 1) * size];
    for (let x = 0; x < size; x++, at++) {
      const beside = grey[y * size + mirrored(x - 1)] + grey[y * size + mirrored(x + 1)];
      laplacian[at] = grey[above + x] + grey[below + x] + beside - 4 * grey[at];
    }
  }
  return meanAndStd(laplacian).std / Math.max(meanAndStd(grey).std, 1);
}

/**
 * @param {[number, number][]} landmarks first eye, second eye, nose, ...
 * @returns {number} see `Quality`
 */
export function measureTurn(landmarks) {
  const [[x0, y0], [x1, y1], [noseX, noseY]] = landmarks;
  const [lineX, lineY] = [x1 - x0, y1 - y0];
  const along = (noseX - (x0 + x1) / 2) * lineX + (noseY - (y0 + y1) / 2) * lineY;
  return Math.abs(along) / Math.max(lineX ** 2 + lineY ** 2, 1e-6);
}
