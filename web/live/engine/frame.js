/** Pictures, and the pixels of their parts, scaled and turned. */

/**
 * Pixels, row by row: 1 (grey), 3 (RGB) or 4 (RGBA) bytes for each. A canvas's `ImageData` is one; alpha is ignored.
 *
 * @typedef {object} Picture
 * @property {Uint8Array | Uint8ClampedArray} data width x height x channels values, 0..255
 * @property {number} width in pixels
 * @property {number} height in pixels
 */

/**
 * @param {Picture} picture
 * @returns {number} bytes for each pixel
 */
export function channelsOf(picture) {
  return picture.data.length / (picture.width * picture.height);
}

/**
 * Check that something is a picture with at least one pixel.
 *
 * @param {Picture} picture
 * @param {number[]} allowed bytes for each pixel that are taken: 3 and 4 for frames, 1 as well for crops
 * @throws {TypeError} with what was got instead
 */
export function requirePicture(picture, allowed) {
  const bytes = picture?.data instanceof Uint8Array || picture?.data instanceof Uint8ClampedArray;
  const wanted = `a picture of 8-bit pixels of ${allowed.join(" or ")} channels`;
  if (!bytes) throw new TypeError(`expected ${wanted}, got ${describe(picture)}`);
  if (!allowed.includes(channelsOf(picture))) {
    const { data, width, height } = picture;
    throw new TypeError(`expected ${wanted}, got ${data.length} bytes for ${width} x ${height} pixels`);
  }
}

function describe(value) {
  const inside = value?.data;
  return inside === undefined ? String(value) : `data of type ${inside?.constructor?.name ?? String(inside)}`;
}

/**
 * A part of a picture as it is.
 *
 * @param {Picture} picture
 * @param {[number, number, number, number]} part corners (x0, y0) and (x1, y1) in whole pixels
 * @returns {Picture}
 */
export function cutPart(picture, [x0, y0, x1, y1]) {
  const channels = channelsOf(picture);
  const [width, height] = [x1 - x0, y1 - y0];
  const data = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const from = ((y0 + y) * picture.width + x0) * channels;
    data.set(picture.data.subarray(from, from + width * channels), y * width * channels);
  }
  return { data, width, height };
}

/**
 * A part of a picture, scaled, and then turned counterclockwise. Where it is made smaller each new pixel is the mean of
 * the old ones under it, where it is made larger it lies bilinearly between them: within a grey level what OpenCV's
 * INTER_AREA and INTER_LINEAR give.
 *
 * @param {Picture} picture
 * @param {[number, number, number, number]} part as in `cutPart`
 * @param {[number, number]} wh size before it is turned
 * @param {number} turnDeg 0, 90, 180 or 270
 * @returns {Picture}
 */
export function scalePart(picture, part, [width, height], turnDeg = 0) {
  const [x0, y0, x1, y1] = part;
  if (width === x1 - x0 && height === y1 - y0) return turn(cutPart(picture, part), turnDeg);
  if (2 * width === x1 - x0 && 2 * height === y1 - y0) return turn(halve(picture, x0, y0, width, height), turnDeg);
  const channels = channelsOf(picture);
  const columns = shares(x0, x1, width, channels);
  const rows = shares(y0, y1, height, 1);
  const data = new Uint8Array(width * height * channels);
  const wide = new Float32Array(picture.width * channels);
  for (let y = 0; y < height; y++) {
    const { first, weights } = rows[y];
    const [from, to] = [x0 * channels, x1 * channels];
    wide.fill(0, from, to);
    for (let row = 0; row < weights.length; row++) {
      const weight = weights[row];
      const start = (first + row) * picture.width * channels;
      for (let at = from; at < to; at++) wide[at] += weight * picture.data[start + at];
    }
    for (let x = 0, at = y * width * channels; x < width; x++) {
      const column = columns[x];
      for (let channel = 0; channel < channels; channel++) {
        let sum = 0.5;
        for (let i = 0, old = column.first + channel; i < column.weights.length; i++, old += channels) {
          sum += column.weights[i] * wide[old];
        }
        data[at++] = sum;
      }
    }
  }
  return turn({ data, width, height }, turnDeg);
}

/** What `scalePart` gives for half the size, as a camera's 640 x 480 needs it in every frame, several times as fast. */
function halve(picture, x0, y0, width, height) {
  const { data: old, width: oldWidth } = picture;
  const channels = channelsOf(picture);
  const below = oldWidth * channels;
  const data = new Uint8Array(width * height * channels);
  for (let y = 0, at = 0; y < height; y++) {
    let from = ((y0 + 2 * y) * oldWidth + x0) * channels;
    for (let x = 0; x < width; x++, from += channels) {
      for (let channel = 0; channel < channels; channel++, from++) {
        data[at++] = (old[from] + old[from + channels] + old[from + below] + old[from + below + channels] + 2) >> 2;
      }
    }
  }
  return { data, width, height };
}

/** For each new pixel along a side which old ones count, from `first` (times `step`) on, and with what weights. */
function shares(start, end, count, step) {
  const scale = (end - start) / count;
  return Array.from({ length: count }, (_, index) => {
    if (scale < 1) {
      const place = Math.min(Math.max((index + 0.5) * scale - 0.5, 0), end - start - 1);
      const below = Math.min(Math.floor(place), Math.max(end - start - 2, 0));
      const weights = end - start > 1 ? [1 - (place - below), place - below] : [1];
      return { first: (start + below) * step, weights: Float32Array.from(weights) };
    }
    const [from, to] = [index * scale, (index + 1) * scale];
    const below = Math.floor(from + 1e-9);
    const weights = [];
    for (let pixel = below; pixel < Math.min(Math.ceil(to - 1e-9), end - start); pixel++) {
      weights.push((Math.min(to, pixel + 1) - Math.max(from, pixel)) / scale);
    }
    return { first: (start + below) * step, weights: Float32Array.from(weights) };
  });
}

function turn(picture, turnDeg) {
  if (turnDeg === 0) return picture;
  const { width, height } = picture;
  const channels = channelsOf(picture);
  const size = turnDeg === 180 ? [width, height] : [height, width];
  // From a place of the turned picture to the one it comes from.
  const [stepX, stepY, first] = {
    90: [width, -1, width - 1],
    180: [-1, -width, width * height - 1],
    270: [-width, 1, (height - 1) * width],
  }[turnDeg];
  const data = new Uint8Array(picture.data.length);
  for (let y = 0, at = 0; y < size[1]; y++) {
    for (let x = 0; x < size[0]; x++) {
      const from = (first + x * stepX + y * stepY) * channels;
      for (let channel = 0; channel < channels; channel++) data[at++] = picture.data[from + channel];
    }
  }
  return { data, width: size[0], height: size[1] };
}
