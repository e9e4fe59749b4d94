/** YuNet's raw maps -> faces: what `cv2.FaceDetectorYN` does after the network has run. */

import { boxArea, boxOverlap } from "./boxes.js";

/**
 * @typedef {import("./yunet.js").Detection} Detection
 * @typedef {{score_threshold: number, nms_threshold: number}} Thresholds
 */

/** Each map has one cell for so many pixels of the network's input along a side. */
const STRIDES = [8, 16, 32];

/**
 * Faces whose score reaches the threshold, in pixels of the network's input.
 *
 * @param {Record<string, {data: Float32Array}>} outputs `cls_S` and `obj_S` (one value a cell), `bbox_S` (4) and
 *   `kps_S` (10) for each stride S
 * @param {number} width of the network's input in pixels, a multiple of 32
 * @param {number} height of the network's input in pixels, a multiple of 32
 * @param {number} scoreThreshold 0..1
 * @returns {Detection[]} overlapping ones not yet suppressed
 */
export function decodeOutputs(outputs, width, height, scoreThreshold) {
  const detections = [];
  for (const stride of STRIDES) {
    const [classScores, objectScores, boxes, points] = ["cls", "obj", "bbox", "kps"].map(
      (name) => outputs[`${name}_${stride}`].data,
    );
    const columns = width / stride;
    for (let cell = 0; cell < columns * (height / stride); cell++) {
      const score = Math.sqrt(limited(classScores[cell]) * limited(objectScores[cell]));
      if (score < scoreThreshold) continue;
      const corner = { column: cell % columns, row: Math.floor(cell / columns), stride };
      detections.push({
        box: decodeBox(boxes.subarray(cell * 4, cell * 4 + 4), corner),
        score,
        landmarks: decodePoints(points.subarray(cell * 10, cell * 10 + 10), corner),
      });
    }
  }
  return detections;
}

function limited(score) {
  return Math.min(Math.max(score, 0), 1);
}

function decodeBox([shiftX, shiftY, logWidth, logHeight], { column, row, stride }) {
  const [centerX, centerY] = [(column + shiftX) * stride, (row + shiftY) * stride];
  const [halfWidth, halfHeight] = [(Math.exp(logWidth) * stride) / 2, (Math.exp(logHeight) * stride) / 2];
  return [centerX - halfWidth, centerY - halfHeight, centerX + halfWidth, centerY + halfHeight];
}

function decodePoints(values, { column, row, stride }) {
  return [0, 2, 4, 6, 8].map((at) => [(values[at] + column) * stride, (values[at + 1] + row) * stride]);
}

/**
 * Of faces that overlap keep the one with the highest score (non-maximum suppression).
 *
 * @param {Detection[]} detections
 * @param {number} overlapThreshold largest intersection over union of two faces, 0..1
 * @param {number} limit so many of the highest scores are looked at
 * @returns {Detection[]} the highest score first
 */
export function suppressOverlaps(detections, overlapThreshold, limit) {
  const ranked = [...detections].sort((first, second) => second.score - first.score).slice(0, limit);
  const kept = [];
  for (const detection of ranked) {
    const box = wholePixelBox(detection.box);
    if (kept.every((other) => overlapOf(box, other.box) <= overlapThreshold)) kept.push({ box, detection });
  }
  return kept.map(({ detection }) => detection);
}

/** OpenCV compares boxes whose corner and size were cut to whole pixels. */
function wholePixelBox([x0, y0, x1, y1]) {
  const [left, top] = [Math.trunc(x0), Math.trunc(y0)];
  return [left, top, left + Math.trunc(x1 - x0), top + Math.trunc(y1 - y0)];
}

/** Two boxes without area count as the same, as in OpenCV. */
function overlapOf(first, second) {
  return boxArea(first) + boxArea(second) === 0 ? 1 : boxOverlap(first, second);
}
