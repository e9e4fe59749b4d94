/** Is this crop fit to be classified? Measures and reasons as in `face_expression/quality.py`, which explains them. */

import { boxSize } from "./boxes.js";
import { channelsOf } from "./frame.js";

export const NO_CLEAR_EXPRESSION = "no clear expression";

/**
 * @typedef {object} Quality
 * @property {number} score the detector's, 0..1
 * @property {number} facePx side of the detector's box in pixels of the frame
 * @property {number} highlight high percentile of the grey crop, 0..255
 * @property {number} shadow low percentile of the grey crop, 0..255
 * @property {number} sharpness standard deviation of the grey crop's Laplacian over that of the crop
 * @property {number} turn how far the nose lies from the middle between the eyes, in eye distances
 */

/**
 * Measure faces.
 *
 * @param {import("./search.js").Detection[]} detections at least one
 * @param {import("./frame.js").Picture[]} crops those that `cutCrop` made of them
 * @param {import("./config.js").Preprocessing} settings
 * @param {import("./graphs.js").Graphs} graphs
 * @returns {Promise<Quality[]>}
 */
export async function measureQuality(detections, crops, settings, graphs) {
  const colors = channelsOf(crops[0]);
  const { shadow, highlight, sharpness } = await graphs.run("quality", {
    crops: graphs.pictures(crops),
    grey_weights: graphs.floats(colors === 1 ? [1] : settings.input.grey_weights, [colors, 1]),
    percent: graphs.floats([settings.quality.light_percent]),
  });
  return detections.map(({ box, score, landmarks }, index) => ({
    score,
    facePx: boxSize(box),
    highlight: highlight.data[index],
    shadow: shadow.data[index],
    sharpness: sharpness.data[index],
    turn: measureTurn(landmarks),
  }));
}

/**
 * Why a face should not be classified.
 *
 * @param {Quality} quality
 * @param {import("./config.js").QualityLimits} limits
 * @returns {string[]} empty if nothing speaks against it
 */
export function qualityReasons(quality, limits) {
  /** @type {[string, boolean][]} */
  const checks = [
    ["may be no face", quality.score < limits.min_score],
    ["too small", quality.facePx < limits.min_face_px],
    ["turned away", quality.turn > limits.max_turn],
    ["too dark", quality.highlight < limits.min_highlight],
    ["too bright", quality.shadow > limits.max_shadow],
    ["blurred", quality.sharpness < limits.min_sharpness],
  ];
  return checks.filter(([, holds]) => holds).map(([reason]) => reason);
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
