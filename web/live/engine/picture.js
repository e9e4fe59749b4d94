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
export function bytesPerPixel(picture) {
  return picture.data.length / (picture.width * picture.height);
}

/**
 * @param {Picture} picture
 * @returns {1 | 3} channels that count: alpha does not
 */
export function channelsOf(picture) {
  return bytesPerPixel(picture) === 1 ? 1 : 3;
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
  if (!allowed.includes(bytesPerPixel(picture))) {
    const { data, width, height } = picture;
    throw new TypeError(`expected ${wanted}, got ${data.length} bytes for ${width} x ${height} pixels`);
  }
}

function describe(value) {
  const inside = value?.data;
  return inside === undefined ? String(value) : `data of type ${inside?.constructor?.name ?? String(inside)}`;
}
