/** Frame + detection -> crop -> model input: `face_expression/model/preprocess.py`, which explains it, for the browser. */

import { boxSize, roundHalfEven } from "./boxes.js";
import { channelsOf, cutPart, scalePart } from "./frame.js";

/** @typedef {import("./frame.js").Picture} Picture */
/** @typedef {import("./boxes.js").Box} Box */

/**
 * A square of the frame, in pixels, turned clockwise (as seen) by `angleDeg` about its centre.
 *
 * @typedef {{centerX: number, centerY: number, sidePx: number, angleDeg: number}} CropRegion
 */

const RADIANS = Math.PI / 180;

/**
 * The crop that belongs to a detector's box, to an eighth of a pixel and of a degree: finer steps would let the
 * hundred-thousandths of a pixel by which two builds of a detector differ change pixels of the crop.
 *
 * @param {Box} box in pixels of the frame
 * @param {[number, number][]} landmarks five points: the eye left in the picture, the eye right in the picture, nose,
 *   mouth corners
 * @param {import("./config.js").CropRule} rule where this detector's boxes lie in the training crops
 * @param {import("./config.js").CropSettings} settings `preprocessing.crop` of the bundle
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
 * Slope of the line from the first eye to the second, positive clockwise as seen; the way from the eyes to the mouth
 * decides where that line differs too much from it.
 *
 * @param {[number, number][]} landmarks as in `regionOfDetection`
 * @param {import("./config.js").CropSettings} settings `preprocessing.crop` of the bundle
 * @returns {number} degrees, -180..180; 0 if eyes are not to be levelled
 */
export function levellingAngleDeg(landmarks, settings) {
  if (!settings.level_eyes) return 0;
  const [[x0, y0], [x1, y1], , [mouthX0, mouthY0], [mouthX1, mouthY1]] = landmarks;
  const eyes = Math.atan2(y1 - y0, x1 - x0) / RADIANS;
  const [downX, downY] = [mouthX0 + mouthX1 - x0 - x1, mouthY0 + mouthY1 - y0 - y1];
  const upright = downX === 0 && downY === 0 ? 0 : Math.atan2(-downX, downY) / RADIANS;
  const difference = ((((eyes - upright + 180) % 360) + 360) % 360) - 180;
  return Math.abs(difference) <= settings.max_levelling_deg ? eyes : upright;
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
 * Cut a region out of a frame.
 *
 * @param {Picture} frame
 * @param {CropRegion} region it may reach beyond the frame
 * @param {Pick<import("./config.js").CropSettings, "size_px" | "oversampling"> & {max_shrink?: number}} settings as in `preprocessing.crop` of the bundle
 * @param {import("./graphs.js").Graphs} graphs
 * @returns {Promise<Picture>} size_px x size_px pixels, grey or RGB
 */
export async function cutCrop(frame, region, settings, graphs) {
  const size = settings.size_px;
  const largest = settings.max_shrink * size;
  if (region.sidePx > largest) [frame, region] = shrunk(frame, region, largest);
  const { centerX, centerY, sidePx, angleDeg } = region;
  const halvings = Math.max(0, Math.ceil(Math.log2(sidePx / (2 * settings.oversampling * size))));
  const reach = sidePx * Math.SQRT1_2 + 2 * 2 ** halvings;
  const [across, down] = [spanOf(centerX, reach, frame.width, halvings), spanOf(centerY, reach, frame.height, halvings)];
  const [cos, sin] = [Math.cos(angleDeg * RADIANS), Math.sin(angleDeg * RADIANS)].map((value) => (value * sidePx) / 2);
  const toPicture = [
    [(2 * cos) / across.length, (-2 * sin) / across.length, (2 * (centerX - across.start)) / across.length - 1],
    [(2 * sin) / down.length, (2 * cos) / down.length, (2 * (centerY - down.start)) / down.length - 1],
  ];
  const part = cutPart(frame, [across.first, down.first, across.last, down.last]);
  const { crop } = await graphs.run("crop", {
    pixels: graphs.pictures([part], true),
    pads: graphs.integers([down.before, across.before, down.after, across.after]),
    halvings: graphs.integers([halvings], []),
    to_picture: graphs.floats(toPicture.flat(), [2, 3]),
    size: graphs.integers([size]),
    oversampling: graphs.integers([sidePx > size ? settings.oversampling : 1]),
  });
  return { data: /** @type {Uint8Array} */ (crop.data), width: size, height: size };
}

/**
 * @param {Picture} crop
 * @returns {Picture} its mirror image, left and right exchanged
 */
export function mirroredCrop({ data, width, height }) {
  const channels = channelsOf({ data, width, height });
  const mirrored = new Uint8Array(data.length);
  for (let from = 0; from < data.length; from += channels) {
    const x = (from / channels) % width;
    const to = from + (width - 1 - 2 * x) * channels;
    for (let channel = 0; channel < channels; channel++) mirrored[to + channel] = data[from + channel];
  }
  return { data: mirrored, width, height };
}

/** What of one side of a frame a region needs, and by how many edge pixels that must grow on both ends. */
function spanOf(center, reach, side, halvings) {
  const start = Math.floor(center - reach);
  const length = Math.ceil((Math.ceil(center + reach) - start) / 2 ** halvings) * 2 ** halvings;
  const first = Math.min(Math.max(start, 0), side - 1);
  const last = Math.min(Math.max(start + length, 1), side);
  const before = Math.max(0, first - start);
  return { start, length, first, last, before, after: length - before - (last - first) };
}

/** The part of a frame around a very large region, and the region in it, of a side of about `sidePx`. */
function shrunk(frame, region, sidePx) {
  const factor = region.sidePx / sidePx;
  const reach = region.sidePx * Math.SQRT1_2 + 2 * factor;
  const [[left, right], [top, bottom]] = [
    [region.centerX, frame.width],
    [region.centerY, frame.height],
  ].map(([center, side]) => {
    const first = Math.min(Math.max(Math.floor(center - reach), 0), side - 1);
    return [first, Math.max(first + 1, Math.min(Math.ceil(center + reach), side))];
  });
  const [width, height] = [right - left, bottom - top].map((side) => Math.max(1, roundHalfEven(side / factor)));
  const [scaleX, scaleY] = [width / (right - left), height / (bottom - top)];
  const [centerX, centerY] = [(region.centerX - left) * scaleX, (region.centerY - top) * scaleY];
  return [scalePart(frame, [left, top, right, bottom], [width, height]), { ...region, centerX, centerY, sidePx }];
}

/**
 * Normalise crops and enlarge them to the network's input.
 *
 * @param {Picture[]} crops at least one, all of one size and kind
 * @param {import("./config.js").InputSettings} settings `preprocessing.input` of the bundle
 * @param {import("./graphs.js").Graphs} graphs
 * @returns {Promise<import("./graphs.js").Output>} a tensor of N x channels x size_px x size_px
 */
export async function toModelInputs(crops, settings, graphs) {
  const { channels, contrast } = settings;
  const colors = channelsOf(crops[0]);
  const grey = colors === 1 ? [1] : settings.grey_weights;
  const color = colors === 1 ? [1, 1, 1] : [1, 0, 0, 0, 1, 0, 0, 0, 1];
  const { pixels } = await graphs.run("model_input", {
    crops: graphs.pictures(crops),
    mix: graphs.floats(channels === 1 ? grey : color, [colors, channels]),
    normalize_contrast: graphs.truth(Boolean(contrast)),
    contrast_mean: graphs.floats([contrast?.mean ?? 0]),
    contrast_std: graphs.floats([contrast?.std ?? 1]),
    min_std: graphs.floats([contrast?.min_std ?? 1]),
    mean: graphs.floats(settings.mean, [channels, 1]),
    std: graphs.floats(settings.std, [channels, 1]),
    size: graphs.integers([settings.size_px]),
  });
  return pixels;
}
