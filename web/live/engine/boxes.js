/** Pure geometry on boxes written xyxy: [x0, y0, x1, y1], in pixels, edges not centres, as numbers. */

/** @typedef {[number, number, number, number]} Box */

/**
 * @param {Box} box
 * @returns {number} area in square pixels; 0 for a box that is inside out
 */
export function boxArea(box) {
  return Math.max(0, box[2] - box[0]) * Math.max(0, box[3] - box[1]);
}

/**
 * @param {Box} box
 * @returns {number} side in pixels of the square with a box's area; 0 for a box that is inside out
 */
export function boxSize(box) {
  return Math.sqrt(boxArea(box));
}

/**
 * @param {Box} first
 * @param {Box} second
 * @returns {number} intersection over union, 0..1; 0 where both boxes are empty
 */
export function boxOverlap(first, second) {
  const intersection = boxArea([
    Math.max(first[0], second[0]),
    Math.max(first[1], second[1]),
    Math.min(first[2], second[2]),
    Math.min(first[3], second[3]),
  ]);
  const union = boxArea(first) + boxArea(second) - intersection;
  return union > 0 ? intersection / union : 0;
}

/**
 * @param {Box} box
 * @param {number} width of the frame in pixels
 * @param {number} height of the frame in pixels
 * @returns {Box} the part of a box that lies in the frame
 */
export function clipBox([x0, y0, x1, y1], width, height) {
  const inside = (value, side) => Math.min(Math.max(value, 0), side);
  return [inside(x0, width), inside(y0, height), inside(x1, width), inside(y1, height)];
}

/**
 * @param {number} value
 * @returns {number} the nearest whole number, and of two the even one, as Python rounds
 */
export function roundHalfEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}
