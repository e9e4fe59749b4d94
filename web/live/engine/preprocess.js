/**
 * Crop -> model input, as `face_expression/preprocess.py` makes it.
 *
 * Every step is rounded to 32 bits where Python's is: a network of 8-bit numbers can turn a difference in the last bit
 * of a pixel into one hundredth of a probability.
 */

import { clamp, meanAndStd } from "./numbers.js";
import { bytesPerPixel } from "./picture.js";
import { resizePlane } from "./resize.js";

/** @typedef {import("./picture.js").Picture} Picture */

/**
 * Brightness of a crop.
 *
 * @param {Picture} crop
 * @param {object} settings `preprocessing.input` of the bundle: the weights of red, green and blue
 * @returns {Float32Array} one value for each pixel, 0..255
 */
export function toGrey(crop, settings) {
  const stride = bytesPerPixel(crop);
  if (stride === 1) return Float32Array.from(crop.data);
  const [red, green, blue] = Float32Array.from(settings.grey_weights);
  return Float32Array.from({ length: crop.width * crop.height }, (_, pixel) => {
    const at = pixel * stride;
    const two = Math.fround(Math.fround(crop.data[at] * red) + Math.fround(crop.data[at + 1] * green));
    return two + Math.fround(crop.data[at + 2] * blue);
  });
}

/**
 * Normalise a crop and enlarge it to the network's input.
 *
 * @param {Picture} crop S x S pixels
 * @param {object} settings `preprocessing.input` of the bundle: channels, contrast, mean, std and `size_px` P
 * @returns {Float32Array} channels x P x P values
 */
export function toModelInput(crop, settings) {
  const raw = settings.channels === 1 ? toGrey(crop, settings) : colorPlanes(crop);
  const planes = settings.contrast ? levelContrast(raw, settings.contrast) : raw;
  const pixels = crop.width * crop.height;
  const input = new Float32Array(settings.channels * settings.size_px ** 2);
  for (let channel = 0; channel < settings.channels; channel++) {
    const [mean, std] = [Math.fround(settings.mean[channel]), Math.fround(settings.std[channel])];
    const plane = planes
      .subarray(channel * pixels, (channel + 1) * pixels)
      .map((value) => Math.fround(Math.fround(value / 255) - mean) / std);
    input.set(resizePlane(plane, crop.width, settings.size_px), channel * settings.size_px ** 2);
  }
  return input;
}

/** Red, green and blue one after the other; grey is repeated. */
function colorPlanes(crop) {
  const stride = bytesPerPixel(crop);
  const pixels = crop.width * crop.height;
  return Float32Array.from({ length: 3 * pixels }, (_, at) => {
    const channel = stride === 1 ? 0 : Math.floor(at / pixels);
    return crop.data[(at % pixels) * stride + channel];
  });
}

/**
 * Bring a crop to the same brightness and contrast as all others, whatever light it was taken in.
 *
 * @param {Float32Array} planes values in 0..255; all channels are changed alike
 * @param {{mean: number, std: number, min_std: number}} settings the mean and standard deviation wanted
 * @returns {Float32Array} in 0..255
 */
export function levelContrast(planes, settings) {
  const { mean, std } = meanAndStd(planes);
  const gain = Math.fround(settings.std / Math.max(std, settings.min_std));
  const wantedMean = Math.fround(settings.mean);
  return planes.map((value) => clamp(Math.fround(Math.fround(value - mean) * gain) + wantedMean, 0, 255));
}
