/** (frame, state) -> (faces, state) on the visitor's device: `face_expression/pipeline.py` for the browser. */

import { Classifier } from "./classifier.js";
import { readBundleConfig } from "./config.js";
import { cutCrop, regionOfDetection, wholePictureRegion } from "./crop.js";
import { requirePicture } from "./picture.js";
import { toModelInput } from "./preprocess.js";
import { NO_CLEAR_EXPRESSION, measureQuality, qualityReasons } from "./quality.js";
import { NOTHING_SEEN, TRACKER_SETTINGS, indexOfLargest, updateTracks } from "./tracker.js";
import { YuNetDetector } from "./yunet.js";

/** @typedef {import("./picture.js").Picture} Picture */
/** @typedef {import("./tracker.js").TrackerState} TrackerState */

/**
 * One face and what its expression looks like.
 *
 * @typedef {object} Face
 * @property {import("./boxes.js").Box} box in pixels of the frame
 * @property {number} score the detector's, 0..1
 * @property {[number, number][]} landmarks five points in pixels of the frame, as in `Detection`
 * @property {Float32Array} probabilities calibrated, in the order of the engine's `labelNames`
 * @property {string} label the expression shown
 * @property {number} confidence its probability
 * @property {boolean} reliable whether nothing speaks against judging this face
 * @property {string[]} reasons why to say "not sure"
 * @property {number | null} trackId stays with a person in `track`; null in `analyze`
 * @property {Picture} crop what the model was shown, before its contrast is levelled
 */

/**
 * Load a bundle and the face detector.
 *
 * @param {object} parts
 * @param {object} parts.ort the module `onnxruntime-web/wasm`, set up by the caller
 * @param {object} parts.config the bundle's `config.json`, parsed
 * @param {Uint8Array} parts.model the bundle's `model.onnx`
 * @param {Uint8Array} parts.detector YuNet's ONNX file
 * @returns {Promise<Engine>}
 * @throws {import("./config.js").BundleError} if one of them cannot be used
 */
export async function loadEngine({ ort, config, model, detector }) {
  const settings = readBundleConfig(config);
  const yunet = await YuNetDetector.load(ort, detector, settings.preprocessing.yunet);
  return new Engine(settings, yunet, await Classifier.load(ort, model, settings));
}

/** Frames in, labelled faces out. All state is passed in and handed back; one call at a time. */
export class Engine {
  #config;
  #detector;
  #classifier;

  constructor(config, detector, classifier) {
    this.#config = config;
    this.#detector = detector;
    this.#classifier = classifier;
  }

  /** The labels, in the order of every face's probabilities. */
  get labelNames() {
    return this.#config.labelNames;
  }

  /**
   * Find and judge the faces of one picture, the largest first.
   *
   * @param {Picture} frame RGB or RGBA, any size from 1 x 1 up; a canvas's `ImageData` will do
   * @returns {Promise<Face[]>}
   * @throws {TypeError} if the frame is anything else
   */
  async analyze(frame) {
    const judged = await this.#judge(frame);
    return judged.map((face) => this.#face(face, face.probabilities, indexOfLargest(face.probabilities), null));
  }

  /**
   * Find, judge and follow the faces of one frame of a video, the largest first.
   *
   * @param {Picture} frame as in `analyze`
   * @param {TrackerState | null} state what the last call for this viewer returned, or null at the start
   * @param {number} timeS when the frame was taken, in seconds on any clock
   * @returns {Promise<{faces: Face[], state: TrackerState}>}
   * @throws {TypeError} if the frame is no picture
   * @throws {RangeError} if the time is not finite
   */
  async track(frame, state, timeS) {
    const judged = await this.#judge(frame);
    const updated = updateTracks(
      state ?? NOTHING_SEEN,
      judged.map((face) => face.detection.box),
      judged.map((face) => face.probabilities),
      timeS,
      TRACKER_SETTINGS,
    );
    const faces = judged.map((face, index) => {
      const track = updated.tracks[index];
      return this.#face(face, track.probabilities, track.shown, track.trackId);
    });
    return { faces, state: updated.state };
  }

  /**
   * Judge pictures that are already crops of one face each.
   *
   * @param {Picture[]} crops grey, RGB or RGBA, any size
   * @returns {Promise<Float32Array[]>} calibrated probabilities, one row for each crop
   * @throws {TypeError} if a crop is anything else
   */
  async classify(crops) {
    const settings = this.#config.preprocessing;
    const inputs = crops.map((crop) => {
      requirePicture(crop, [1, 3, 4]);
      const region = wholePictureRegion(crop.width, crop.height);
      return toModelInput(cutCrop(crop, region, settings.crop), settings.input);
    });
    return this.#classifier.probabilities(inputs);
  }

  async #judge(frame) {
    requirePicture(frame, [3, 4]);
    const settings = this.#config.preprocessing;
    const detections = await this.#detector.detect(frame);
    const crops = detections.map(({ box, landmarks }) =>
      cutCrop(frame, regionOfDetection(box, landmarks, this.#detector.cropRule, settings.crop), settings.crop),
    );
    const rows = await this.#classifier.probabilities(crops.map((crop) => toModelInput(crop, settings.input)));
    return detections.map((detection, index) => ({
      detection,
      crop: crops[index],
      probabilities: rows[index],
      reasons: qualityReasons(measureQuality(detection, crops[index], settings.input), settings.quality),
    }));
  }

  #face({ detection, crop, reasons }, probabilities, shown, trackId) {
    const confidence = probabilities[shown];
    const all = confidence < this.#config.abstainBelow ? [...reasons, NO_CLEAR_EXPRESSION] : reasons;
    return {
      ...detection,
      probabilities,
      label: this.#config.labelNames[shown],
      confidence,
      reliable: all.length === 0,
      reasons: all,
      trackId,
      crop,
    };
  }
}
