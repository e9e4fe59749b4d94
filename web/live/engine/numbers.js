/** Above so many values numpy adds up two halves on their own. */
const SUM_BLOCK = 128;

/**
 * Round to the nearest integer, and halves to the even one, as Python's `round` and OpenCV's `cvRound` do.
 *
 * @param {number} value
 * @returns {number}
 */
export function roundHalfEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/**
 * @param {number} value
 * @param {number} least
 * @param {number} most
 * @returns {number} `value`, or the nearer end where it lies outside
 */
export function clamp(value, least, most) {
  return Math.min(Math.max(value, least), most);
}

/**
 * Mean and standard deviation (of all values, not of a sample), to the last bit those of numpy.
 *
 * @param {Float32Array} values at least one
 * @returns {{mean: number, std: number}} rounded to 32 bits
 */
export function meanAndStd(values) {
  const mean = Math.fround(pairwiseSum(values) / values.length);
  const squares = values.map((value) => Math.fround(value - mean) ** 2);
  return { mean, std: Math.fround(Math.sqrt(Math.fround(pairwiseSum(squares) / values.length))) };
}

/** The sum in 32 bits in numpy's order: halves of the values on their own, and in each block eight sums at once. */
function pairwiseSum(values) {
  if (values.length > SUM_BLOCK) {
    const half = Math.floor(values.length / 2);
    const middle = half - (half % 8);
    return Math.fround(pairwiseSum(values.subarray(0, middle)) + pairwiseSum(values.subarray(middle)));
  }
  const whole = values.length - (values.length % 8);
  const sums = new Float32Array(8);
  for (let i = 0; i < whole; i++) sums[i % 8] += values[i];
  for (let apart = 1; apart < 8; apart *= 2) {
    for (let i = 0; i < 8; i += 2 * apart) sums[i] += sums[i + apart];
  }
  for (let i = whole; i < values.length; i++) sums[0] += values[i];
  return sums[0];
}
