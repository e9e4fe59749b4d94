/** Resizing as `cv2.resize` does it, so that the browser's crops are the ones that the model was trained on. */

import { bytesPerPixel, channelsOf } from "./picture.js";
import { clamp, roundHalfEven } from "./numbers.js";

/** @typedef {import("./picture.js").Picture} Picture */

// OpenCV weighs 8-bit pixels with 11 bits and drops four of them between the two passes.
const WEIGHT_ONE = 2048;
// Less of a pixel than this is left out, as in OpenCV.
const LEAST_SHARE = 1e-3;

/**
 * Shrink by averaging the area under each new pixel (`cv2.INTER_AREA`).
 *
 * @param {Picture} source
 * @param {number} width new width in pixels, at most the source's
 * @param {number} height new height in pixels, at most the source's
 * @returns {Picture} grey or RGB
 */
export function shrinkByArea(source, width, height) {
  const [factorX, factorY] = [source.width / width, source.height / height];
  if (Number.isInteger(factorX) && Number.isInteger(factorY)) return shrinkByWholeFactors(source, factorX, factorY);
  const stride = bytesPerPixel(source);
  const channels = channelsOf(source);
  const columns = areaShares(source.width, width);
  const rows = areaShares(source.height, height);
  const data = new Uint8Array(width * height * channels);
  const rowSums = new Float32Array(width * channels);
  for (let y = 0; y < height; y++) {
    rowSums.fill(0);
    rows[y].shares.forEach((share, offset) => {
      const row = source.data.subarray((rows[y].first + offset) * source.width * stride);
      addShrunkRow(rowSums, row, stride, channels, columns, share);
    });
    for (let i = 0; i < rowSums.length; i++) data[y * rowSums.length + i] = clamp(roundHalfEven(rowSums[i]), 0, 255);
  }
  return { data, width, height };
}

/** Every step is rounded to 32 bits, as in OpenCV: the crop should be the same to the last bit. */
function addShrunkRow(rowSums, row, stride, channels, columns, rowShare) {
  for (let x = 0; x < columns.length; x++) {
    const { first, shares } = columns[x];
    for (let channel = 0; channel < channels; channel++) {
      let sum = 0;
      for (let i = 0, at = first * stride + channel; i < shares.length; i++, at += stride) {
        sum = Math.fround(sum + Math.fround(row[at] * shares[i]));
      }
      rowSums[x * channels + channel] += Math.fround(sum * rowShare);
    }
  }
}

/** Which old pixels lie under each new one along one side, and what share each has in it. */
function areaShares(oldSize, newSize) {
  const scale = oldSize / newSize;
  return Array.from({ length: newSize }, (_, index) => {
    const from = index * scale;
    const to = from + scale;
    const width = Math.min(scale, oldSize - from);
    const lastWhole = Math.min(Math.floor(to), oldSize - 1);
    const firstWhole = Math.min(Math.ceil(from), lastWhole);
    const shares = Array(lastWhole - firstWhole).fill(1 / width);
    let first = firstWhole;
    if (firstWhole - from > LEAST_SHARE) {
      shares.unshift((firstWhole - from) / width);
      first -= 1;
    }
    if (to - lastWhole > LEAST_SHARE) shares.push(Math.min(to - lastWhole, 1, width) / width);
    return { first, shares: Float32Array.from(shares) };
  });
}

/** Whole pixels are added up exactly; OpenCV rounds the mean of two by two up at a half, and every other to even. */
function shrinkByWholeFactors(source, factorX, factorY) {
  const { data: old } = source;
  const stride = bytesPerPixel(source);
  const channels = channelsOf(source);
  const [width, height, below] = [source.width / factorX, source.height / factorY, source.width * stride];
  const share = Math.fround(1 / (factorX * factorY));
  const halvesUp = factorX === 2 && factorY === 2;
  const data = new Uint8Array(width * height * channels);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0, corner = y * factorY * below; x < width; x++, corner += factorX * stride) {
      for (let channel = 0; channel < channels; channel++) {
        let sum = 0;
        for (let row = 0, start = corner + channel; row < factorY; row++, start += below) {
          for (let column = 0, from = start; column < factorX; column++, from += stride) sum += old[from];
        }
        const mean = Math.fround(sum * share);
        data[at++] = halvesUp ? Math.floor(mean + 0.5) : roundHalfEven(mean);
      }
    }
  }
  return { data, width, height };
}

/**
 * Enlarge 8-bit pixels bilinearly (`cv2.INTER_LINEAR`).
 *
 * @param {Picture} source
 * @param {number} width new width in pixels
 * @param {number} height new height in pixels
 * @returns {Picture} grey or RGB
 */
export function enlarge(source, width, height) {
  const stride = bytesPerPixel(source);
  const channels = channelsOf(source);
  const columns = neighbours(source.width, width).map(withIntegerWeights);
  const rows = neighbours(source.height, height).map(withIntegerWeights);
  const widened = new Int32Array(width * source.height * channels);
  for (let y = 0, at = 0; y < source.height; y++) {
    for (const { first, second, firstWeight, secondWeight } of columns) {
      const [left, right] = [(y * source.width + first) * stride, (y * source.width + second) * stride];
      for (let channel = 0; channel < channels; channel++) {
        widened[at++] = source.data[left + channel] * firstWeight + source.data[right + channel] * secondWeight;
      }
    }
  }
  const data = new Uint8Array(width * height * channels);
  const rowLength = width * channels;
  for (let y = 0, at = 0; y < height; y++) {
    const { first, second, firstWeight, secondWeight } = rows[y];
    for (let i = 0; i < rowLength; i++) {
      const above = (firstWeight * (widened[first * rowLength + i] >> 4)) >> 16;
      const below = (secondWeight * (widened[second * rowLength + i] >> 4)) >> 16;
      data[at++] = (above + below + 2) >> 2;
    }
  }
  return { data, width, height };
}

function withIntegerWeights({ first, second, share }) {
  const [firstWeight, secondWeight] = [1 - share, share].map((weight) => roundHalfEven(weight * WEIGHT_ONE));
  return { first, second, firstWeight, secondWeight };
}

/**
 * Resize one square plane of numbers bilinearly (`cv2.INTER_LINEAR`).
 *
 * @param {Float32Array} plane S x S values
 * @param {number} oldSize S in pixels
 * @param {number} newSize P in pixels
 * @returns {Float32Array} P x P values
 */
export function resizePlane(plane, oldSize, newSize) {
  const table = neighbours(oldSize, newSize);
  const resized = new Float32Array(newSize * newSize);
  for (let y = 0, at = 0; y < newSize; y++) {
    const [above, below] = [table[y].first * oldSize, table[y].second * oldSize];
    for (let x = 0; x < newSize; x++) {
      const { first, second, share } = table[x];
      const top = between(plane[above + first], plane[above + second], share);
      const bottom = between(plane[below + first], plane[below + second], share);
      resized[at++] = between(top, bottom, table[y].share);
    }
  }
  return resized;
}

/** A step from one number to another, rounded to 32 bits twice, as OpenCV's is. */
function between(first, second, share) {
  return Math.fround(first + Math.fround(second - first) * share);
}

/** For each new pixel along one side the two old ones it lies between, and the second one's share. */
function neighbours(oldSize, newSize) {
  const scale = oldSize / newSize;
  return Array.from({ length: newSize }, (_, index) => {
    const place = clamp(Math.fround((index + 0.5) * scale - 0.5), 0, oldSize - 1);
    const first = Math.floor(place);
    return { first, second: Math.min(first + 1, oldSize - 1), share: Math.fround(place - first) };
  });
}
