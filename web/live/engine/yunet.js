/**
 * Frame -> detections, by YuNet in ONNX Runtime, with what `cv2.FaceDetectorYN` does around it.
 *
 * YuNet: Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research, 2023.
 */

import { boxArea } from "./boxes.js";
import { BundleError } from "./config.js";
import { loadNetwork } from "./network.js";
import { roundHalfEven } from "./numbers.js";
import { bytesPerPixel } from "./picture.js";
import { enlarge, shrinkByArea } from "./resize.js";
import { decodeOutputs, suppressOverlaps } from "./yunet_output.js";

/** @typedef {import("./picture.js").Picture} Picture */

/**
 * One face.
 *
 * @typedef {object} Detection
 * @property {import("./boxes.js").Box} box in pixels of the frame
 * @property {number} score 0..1
 * @property {[number, number][]} landmarks the eye left in the picture, the eye right in the picture, nose, the mouth
 *   corners left and right in the picture
 */

// As in `face_expression/detector.py`.
const MAX_DETECTIONS = 500;
const MIN_SIDE_PX = 64;
/** The network halves its input five times. */
const SIDE_MULTIPLE_PX = 32;

/** YuNet, one frame at a time. */
export class YuNetDetector {
  #ort;
  #session;
  #settings;

  constructor(ort, session, settings) {
    this.#ort = ort;
    this.#session = session;
    this.#settings = settings;
  }

  /**
   * @param {object} ort the module `onnxruntime-web`, or one like it
   * @param {Uint8Array} weights the bytes of YuNet's ONNX file, with symbolic height and width
   * @param {object} settings `preprocessing.yunet` of the bundle
   * @returns {Promise<YuNetDetector>}
   * @throws {BundleError} if the file is no YuNet
   */
  static async load(ort, weights, settings) {
    const session = await loadNetwork(ort, weights, "the face detector");
    if (!session.outputNames.includes("kps_32")) throw new BundleError("the face detector's file is no YuNet");
    return new YuNetDetector(ort, session, settings);
  }

  /** Where the crop lies relative to this detector's boxes. */
  get cropRule() {
    return this.#settings.crop;
  }

  /**
   * Find faces, the largest first; where none is seen, once more at a higher resolution.
   *
   * @param {Picture} frame RGB or RGBA
   * @returns {Promise<Detection[]>}
   */
  async detect(frame) {
    for (const longSidePx of [this.#settings.long_side_px, this.#settings.retry_long_side_px]) {
      const detections = await this.#detectAt(scaleToLongSide(frame, longSidePx), frame);
      if (detections.length > 0) {
        return detections.sort((first, second) => boxArea(second.box) - boxArea(first.box));
      }
    }
    return [];
  }

  async #detectAt(scaled, frame) {
    const [width, height] = [paddedSide(scaled.width), paddedSide(scaled.height)];
    const input = new this.#ort.Tensor("float32", bluePlanesFirst(scaled, width, height), [1, 3, height, width]);
    const outputs = await this.#session.run({ [this.#session.inputNames[0]]: input });
    const decoded = decodeOutputs(outputs, width, height, this.#settings.score_threshold);
    const [scaleX, scaleY] = [frame.width / scaled.width, frame.height / scaled.height];
    return suppressOverlaps(decoded, this.#settings.nms_threshold, MAX_DETECTIONS).map(({ box, score, landmarks }) => ({
      box: [box[0] * scaleX, box[1] * scaleY, box[2] * scaleX, box[3] * scaleY],
      score,
      landmarks: landmarks.map(([x, y]) => [x * scaleX, y * scaleY]),
    }));
  }
}

function scaleToLongSide(frame, longSidePx) {
  const scale = longSidePx / Math.max(frame.width, frame.height);
  if (scale === 1) return frame;
  const [width, height] = [frame.width, frame.height].map((side) => Math.max(1, roundHalfEven(side * scale)));
  return scale < 1 ? shrinkByArea(frame, width, height) : enlarge(frame, width, height);
}

function paddedSide(side) {
  return Math.ceil(Math.max(side, MIN_SIDE_PX) / SIDE_MULTIPLE_PX) * SIDE_MULTIPLE_PX;
}

/** Blue, green and red one after the other, 0..255, black where the picture was padded. */
function bluePlanesFirst(picture, width, height) {
  const stride = bytesPerPixel(picture);
  const planes = new Float32Array(3 * width * height);
  for (let y = 0, from = 0; y < picture.height; y++) {
    for (let x = 0, at = y * width; x < picture.width; x++, at++, from += stride) {
      planes[at] = picture.data[from + 2];
      planes[width * height + at] = picture.data[from + 1];
      planes[2 * width * height + at] = picture.data[from];
    }
  }
  return planes;
}
