/** Frame + detection -> crop, as `face_expression/preprocess.py` cuts it. */

import { boxSize } from "./boxes.js";
import { clamp, roundHalfEven } from "./numbers.js";
import { bytesPerPixel, channelsOf } from "./picture.js";
import { shrinkByArea } from "./resize.js";

/** @typedef {import("./picture.js").Picture} Picture */
/** @typedef {import("./boxes.js").Box} Box */

/**
 * A square of the frame, in pixels, turned clockwise (as seen) by `angleDeg` about its centre.
 *
 * @typedef {object} CropRegion
 * @property {number} centerX
 * @property {number} centerY
 * @property {number} sidePx
 * @property {number} angleDeg
 */

/**
 * From a pixel (x, y) of the picture that is made to the place in the picture that is read:
 * (xx * x + xy * y + x0, yx * x + yy * y + y0).
 *
 * @typedef {{xx: number, xy: number, x0: number, yx: number, yy: number, y0: number}} Affine
 */

const RADIANS = Math.PI / 180;
// `cv2.warpAffine` keeps places in 1/1024 of a pixel and blends neighbours in steps of 1/32.
const PLACE_ONE = 1024;
const BLEND_BITS = 5;
const BLEND_ONE = 1 << BLEND_BITS;

/** Which pixel of a side of `size` stands in for one at `index` beyond it. */
const BORDERS = {
  replicate: (index, size) => clamp(index, 0, size - 1),
  reflect_101: (index, size) => {
    if (size === 1) return 0;
    const period = 2 * (size - 1);
    const inside = ((index % period) + period) % period;
    return Math.min(inside, period - inside);
  },
};

/**
 * The crop that belongs to a detector's box, to an eighth of a pixel and of a degree: finer steps would let the
 * hundred-thousandths of a pixel by which two builds of a detector differ change pixels of the crop.
 *
 * @param {Box} box in pixels of the frame
 * @param {[number, number][]} landmarks five points: the eye left in the picture, the eye right in the picture, nose,
 *   mouth corners
 * @param {{scale: number, shift_x: number, shift_y: number}} rule where this detector's boxes lie in the training crops
 * @param {object} settings `preprocessing.crop` of the bundle
 * @returns {CropRegion}
 */
export function regionOfDetection(box, landmarks, rule, settings) {
  const unit = Math.max(boxSize(box), 1);
  const angleDeg = levellingAngleDeg(landmarks, settings);
  const [cos, sin] = [Math.cos(angleDeg * RADIANS), Math.sin(angleDeg * RADIANS)];
  const [shiftX, shiftY] = [rule.shift_x * unit, rule.shift_y * unit];
  return {
    centerX: toEighths((box[0] + box[2]) / 2 + cos * shiftX - sin * shiftY),
    centerY: toEighths((box[1] + box[3]) / 2 + sin * shiftX + cos * shiftY),
    sidePx: toEighths(rule.scale * unit),
    angleDeg: toEighths(angleDeg),
  };
}

const toEighths = (value) => roundHalfEven(value * 8) / 8;

/**
 * Slope of the line from the first eye to the second, in degrees, positive clockwise as seen; 0 if eyes are not to be
 * levelled, or if the line is so steep that it is taken for a mistake of the detector.
 */
function levellingAngleDeg(landmarks, settings) {
  if (!settings.level_eyes) return 0;
  const [[x0, y0], [x1, y1]] = landmarks;
  const angle = Math.atan2(y1 - y0, x1 - x0) / RADIANS;
  return Math.abs(angle) <= settings.max_levelling_deg ? angle : 0;
}

/**
 * The region of a picture that is already a crop: the smallest square around all of it.
 *
 * @param {number} width in pixels
 * @param {number} height in pixels
 * @returns {CropRegion}
 */
export function wholePictureRegion(width, height) {
  return { centerX: width / 2, centerY: height / 2, sidePx: Math.max(width, height), angleDeg: 0 };
}

/**
 * Cut a region out of a frame. A region larger than the crop is sampled on a finer grid and averaged, so that nothing
 * aliases.
 *
 * @param {Picture} frame
 * @param {CropRegion} region it may reach beyond the frame
 * @param {object} settings `preprocessing.crop` of the bundle: `size_px` S, `border`, `max_oversampling`
 * @returns {Picture} S x S pixels, grey or RGB
 */
export function cutCrop(frame, region, settings) {
  const finer = Math.max(1, Math.ceil(region.sidePx / settings.size_px - 1e-6));
  const gridPx = settings.size_px * Math.min(finer, settings.max_oversampling);
  const step = region.sidePx / gridPx;
  const cos = Math.cos(region.angleDeg * RADIANS) * step;
  const sin = Math.sin(region.angleDeg * RADIANS) * step;
  const first = (gridPx - 1) / 2;
  const gridToFrame = {
    xx: cos,
    xy: -sin,
    x0: region.centerX - 0.5 - cos * first + sin * first,
    yx: sin,
    yy: cos,
    y0: region.centerY - 0.5 - sin * first - cos * first,
  };
  const shrink = Math.ceil(step);
  const [source, gridToSource] = shrink > 1 ? shrunkPart(frame, region, gridToFrame, shrink) : [frame, gridToFrame];
  const grid = warp(source, gridToSource, gridPx, BORDERS[settings.border]);
  return gridPx === settings.size_px ? grid : shrinkByArea(grid, settings.size_px, settings.size_px);
}

/** The part of a frame that a large region needs, `shrink` times smaller, and the way from the grid into it. */
function shrunkPart(frame, region, gridToFrame, shrink) {
  const reach = region.sidePx * Math.SQRT1_2 + 2 * shrink + 2;
  const edge = (place, size) => roundHalfEven(clamp(place, 0, size - 1));
  const [left, right] = [-reach, reach].map((offset) => edge(region.centerX + offset, frame.width));
  const [top, bottom] = [-reach, reach].map((offset) => edge(region.centerY + offset, frame.height));
  const part = copyPart(frame, left, top, right - left + 1, bottom - top + 1);
  const width = Math.max(1, roundHalfEven(part.width / shrink));
  const height = Math.max(1, roundHalfEven(part.height / shrink));
  const [scaleX, scaleY] = [width / part.width, height / part.height];
  const gridToPart = {
    xx: gridToFrame.xx * scaleX,
    xy: gridToFrame.xy * scaleX,
    x0: (gridToFrame.x0 - left) * scaleX + (scaleX - 1) / 2,
    yx: gridToFrame.yx * scaleY,
    yy: gridToFrame.yy * scaleY,
    y0: (gridToFrame.y0 - top) * scaleY + (scaleY - 1) / 2,
  };
  return [shrinkByArea(part, width, height), gridToPart];
}

function copyPart(frame, left, top, width, height) {
  const stride = bytesPerPixel(frame);
  const data = new Uint8Array(width * height * stride);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * frame.width + left) * stride;
    data.set(frame.data.subarray(from, from + width * stride), y * width * stride);
  }
  return { data, width, height };
}

/**
 * Sample a picture bilinearly on a square grid, in the whole numbers in which `cv2.warpAffine` calculates.
 *
 * @param {Picture} source
 * @param {Affine} gridToSource
 * @param {number} sizePx side of the grid
 * @param {(index: number, size: number) => number} border
 * @returns {Picture}
 */
function warp(source, gridToSource, sizePx, border) {
  const { width, height, data: old } = source;
  const stride = bytesPerPixel(source);
  const channels = channelsOf(source);
  const data = new Uint8Array(sizePx * sizePx * channels);
  const columns = Int32Array.from({ length: sizePx }, (_, x) => roundHalfEven(gridToSource.xx * x * PLACE_ONE));
  const columnsDown = Int32Array.from({ length: sizePx }, (_, x) => roundHalfEven(gridToSource.yx * x * PLACE_ONE));
  const toBlendSteps = Math.log2(PLACE_ONE) - BLEND_BITS;
  const half = 1 << (toBlendSteps - 1);
  for (let y = 0, at = 0; y < sizePx; y++) {
    const rowX = roundHalfEven((gridToSource.xy * y + gridToSource.x0) * PLACE_ONE) + half;
    const rowY = roundHalfEven((gridToSource.yy * y + gridToSource.y0) * PLACE_ONE) + half;
    for (let x = 0; x < sizePx; x++) {
      const placeX = (rowX + columns[x]) >> toBlendSteps;
      const placeY = (rowY + columnsDown[x]) >> toBlendSteps;
      const [shareX, shareY] = [placeX & (BLEND_ONE - 1), placeY & (BLEND_ONE - 1)];
      const [left, top] = [placeX >> BLEND_BITS, placeY >> BLEND_BITS];
      const [columnLeft, columnRight] = [border(left, width) * stride, border(left + 1, width) * stride];
      const [rowTop, rowBottom] = [border(top, height) * width * stride, border(top + 1, height) * width * stride];
      for (let channel = 0; channel < channels; channel++) {
        const above =
          old[rowTop + columnLeft + channel] * (BLEND_ONE - shareX) + old[rowTop + columnRight + channel] * shareX;
        const below =
          old[rowBottom + columnLeft + channel] * (BLEND_ONE - shareX) +
          old[rowBottom + columnRight + channel] * shareX;
        const sum = above * (BLEND_ONE - shareY) + below * shareY;
        data[at++] = (sum + BLEND_ONE * (BLEND_ONE / 2)) >> (2 * BLEND_BITS);
      }
    }
  }
  return { data, width: sizePx, height: sizePx };
}
