/** Where in a frame faces are searched for, and which of the faces found are one: `face_expression/detection/search.py` in JS. */

import { boxArea, roundHalfEven } from "./boxes.js";

/** @typedef {import("./boxes.js").Box} Box */

/**
 * One face.
 *
 * @typedef {object} Detection
 * @property {Box} box in pixels of the frame
 * @property {number} score 0..1
 * @property {[number, number][]} landmarks the eye left in the picture, the eye right in the picture, nose, the mouth
 *   corners left and right in the picture
 * @property {number} turnDeg how far the face was found turned in the picture's plane, clockwise as seen
 */

/**
 * A part of the frame to search: `part` in whole pixels of the frame, `wh` its size in pixels when it is searched. A
 * face turned clockwise by `turnDeg` (0, 90, 180 or 270) stands upright in it.
 *
 * @typedef {{part: [number, number, number, number], wh: [number, number], turnDeg: number}} View
 */

/**
 * All of a frame, its longer side brought to so many pixels.
 *
 * @returns {View}
 */
export function wholeView(width, height, longSidePx) {
  const scale = longSidePx / Math.max(width, height);
  const searched = (side) => Math.max(1, roundHalfEven(side * scale));
  return { part: [0, 0, width, height], wh: [searched(width), searched(height)], turnDeg: 0 };
}

/** Pixels searched for each pixel of the frame along a side. */
export function scaleOf({ part: [x0, y0, x1, y1], wh }) {
  return Math.max(wh[0] / (x1 - x0), wh[1] / (y1 - y0));
}

/**
 * A frame at one scale in tiles.
 *
 * @param {number} width of the frame
 * @param {number} height of the frame
 * @param {number} scale pixels searched for each pixel of the frame along a side
 * @param {[number, number]} tileWh the largest tile, in pixels searched
 * @param {number} overlapPx faces up to this size, in pixels searched, lie whole in a tile
 * @returns {View[]}
 */
export function tileViews(width, height, scale, tileWh, overlapPx) {
  const spans = [width, height].map((side, axis) => {
    const count = Math.max(1, Math.ceil((side * scale - overlapPx) / (tileWh[axis] - overlapPx)));
    const length = Math.min(side, Math.ceil(tileWh[axis] / scale));
    const starts = Array.from({ length: count }, (_, at) => roundHalfEven((at * (side - length)) / Math.max(count - 1, 1)));
    return starts.map((start) => [start, start + length]);
  });
  const [across, down] = spans;
  const size = (from, to) => Math.max(1, roundHalfEven((to - from) * scale));
  return down.flatMap(([y0, y1]) =>
    across.map(([x0, x1]) => ({ part: [x0, y0, x1, y1], wh: [size(x0, x1), size(y0, y1)], turnDeg: 0 })),
  );
}

/**
 * What a photo is searched in: for each scale the views, the coarsest first.
 *
 * @param {number} width of the frame
 * @param {number} height of the frame
 * @param {import("./config.js").YuNetSettings} settings
 * @returns {View[][]}
 */
export function photoViews(width, height, settings) {
  const longSide = Math.max(width, height);
  const [first, ...finer] = settings.scales_px;
  const views = [first, ...finer.filter((px) => px < longSide)].map((px) => [wholeView(width, height, px)]);
  const tilePx = settings.scales_px.at(-1);
  for (let px = 2 * tilePx; px < longSide; px *= 2) {
    views.push(tiles(width, height, px / longSide, [tilePx, tilePx], settings));
  }
  return views;
}

/**
 * The views at the scale after that of `searched`, up to the frame's own pixels; none if that is hardly finer.
 *
 * @returns {View[]}
 */
export function finestViews(width, height, searched, settings) {
  const scale = scaleOf(searched[0]);
  const finer = Math.min(1, 2 * scale);
  if (finer < settings.finer_factor * scale) return [];
  const tilePx = settings.scales_px.at(-1);
  return tiles(width, height, finer, [tilePx, tilePx], settings);
}

/**
 * What a video is searched in from frame to frame, one after the other, beside the coarsest view of each frame.
 *
 * @returns {View[]}
 */
export function videoViews(width, height, settings) {
  const [first, ...finer] = settings.scales_px;
  const turned = [90, 180, 270].map((turnDeg) => ({ ...wholeView(width, height, first), turnDeg }));
  const longSide = Math.max(width, height);
  const scales = finer.filter((px) => px < 2 * longSide).map((px) => Math.min(1, px / longSide));
  const worth = [...new Set(scales)].filter((scale) => scale * longSide >= settings.finer_factor * first);
  return [...worth.flatMap((scale) => tiles(width, height, scale, settings.video_tile_wh_px, settings)), ...turned];
}

function tiles(width, height, scale, tileWh, settings) {
  return tileViews(width, height, scale, tileWh, settings.window_px);
}

/**
 * Carry a detection from the pixels of a view to those of the frame.
 *
 * @param {Detection} detection
 * @param {View} view
 * @returns {Detection}
 */
export function toFrame({ box, score, landmarks }, { part: [x0, y0, x1, y1], wh: [width, height], turnDeg }) {
  const [scaleX, scaleY] = [(x1 - x0) / width, (y1 - y0) / height];
  const back = {
    0: (x, y) => [x, y],
    90: (x, y) => [width - y, x],
    180: (x, y) => [width - x, height - y],
    270: (x, y) => [y, height - x],
  }[turnDeg];
  /** @type {(at: [number, number]) => [number, number]} */
  const point = ([atX, atY]) => {
    const [x, y] = back(atX, atY);
    return [x0 + x * scaleX, y0 + y * scaleY];
  };
  const [[xA, yA], [xB, yB]] = [point([box[0], box[1]]), point([box[2], box[3]])];
  return {
    box: [Math.min(xA, xB), Math.min(yA, yB), Math.max(xA, xB), Math.max(yA, yB)],
    score,
    landmarks: landmarks.map(point),
    turnDeg,
  };
}

/**
 * Whether a face is seen whole: it does not reach over a side at which the view ends and the frame goes on.
 *
 * @returns {boolean}
 */
export function liesIn({ box: [left, top, right, bottom] }, { part: [x0, y0, x1, y1] }, width, height) {
  return (
    (x0 === 0 || left >= x0) && (y0 === 0 || top >= y0) && (x1 === width || right <= x1) && (y1 === height || bottom <= y1)
  );
}

/**
 * Of detections that are one face keep the most certain one; the best score first.
 *
 * @param {Detection[]} detections of the same frame, in any order
 * @param {import("./config.js").YuNetSettings} settings
 * @returns {Detection[]}
 */
export function merge(detections, settings) {
  const kept = [];
  for (const detection of [...detections].sort((first, second) => second.score - first.score)) {
    if (!kept.some((other) => isSameFace(detection.box, other.box, settings))) kept.push(detection);
  }
  return kept;
}

/**
 * Whether two boxes are of one face: they overlap much, or most of the smaller lies in the larger.
 *
 * @param {Box} first
 * @param {Box} second
 * @param {import("./config.js").YuNetSettings} settings
 * @param {number} [maxOverlap] largest IoU of two faces
 */
export function isSameFace(first, second, settings, maxOverlap = settings.nms_threshold) {
  const width = Math.min(first[2], second[2]) - Math.max(first[0], second[0]);
  const height = Math.min(first[3], second[3]) - Math.max(first[1], second[1]);
  if (width <= 0 || height <= 0) return false;
  const inside = width * height;
  const areas = [boxArea(first), boxArea(second)];
  return inside > maxOverlap * (areas[0] + areas[1] - inside) || inside > settings.max_inside * Math.min(...areas);
}
