/** (frame, state) -> (faces, state) on the visitor's device: `face_expression/pipeline.py` for the browser. */

import { clipBox } from "./boxes.js";
import { Classifier, sharedLead, softmax } from "./classifier.js";
import { readBundleConfig } from "./config.js";
import { cutCrop, mirroredCrop, regionOfDetection, toModelInputs, wholePictureRegion } from "./crop.js";
import { YuNetDetector } from "./detector.js";
import { requirePicture } from "./frame.js";
import { Graphs } from "./graphs.js";
import { adapt, changesAnswer, ownExpressions } from "./personal.js";
import { NO_CLEAR_EXPRESSION, measureQuality, qualityReasons } from "./quality.js";
import { videoViews } from "./search.js";
import {
  NOTHING_SEEN,
  forgetAnswers,
  indexOfLargest,
  isMirrored,
  isTurnFresh,
  matchTracks,
  requireTime,
  updateTracks,
} from "./tracker.js";

/** @typedef {import("./frame.js").Picture} Picture */
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
 * @property {boolean} reliable whether nothing speaks against classifying this face
 * @property {string[]} reasons why to say "not sure"
 * @property {number | null} trackId stays with a person in `track`; null in `analyze`
 * @property {Picture} crop what the model was shown, before its contrast is levelled; in `track`, which shows the model
 *   every second crop mirrored, the last one that was not
 * @property {Float32Array} logits the bundle's own for `crop`, after the temperature: neither smoothed nor personal
 * @property {Float32Array} features the network's, for `crop`
 * @property {boolean} personal whether the probabilities are adapted to one person
 * @property {[string, string] | null} between the two labels that share the lead, where no expression is clear
 * @property {{name: string, probability: number}[] | null} own own expressions in this frame; null without any
 */

/**
 * What a face of one frame was found and classified to be, before tracks are updated; `probabilities` are those of the
 * crop or of its mirror image.
 *
 * @typedef {object} Classified
 * @property {import("./search.js").Detection} detection
 * @property {Picture} crop
 * @property {Float32Array} logits
 * @property {Float32Array} features
 * @property {Float32Array} probabilities
 * @property {string[]} reasons
 */

/**
 * Load a bundle and the face detector.
 *
 * @param {object} parts
 * @param {import("./graphs.js").Ort} parts.ort the module `onnxruntime-web/wasm`, set up by the caller
 * @param {object} parts.config the bundle's `config.json`, parsed
 * @param {Uint8Array | Promise<Uint8Array>} parts.model the bundle's `model.onnx`; as all files, it may be on its way
 * @param {Record<string, Uint8Array | Promise<Uint8Array>>} parts.graphs the bundle's graphs by their names
 * @param {Uint8Array | Promise<Uint8Array>} parts.detector YuNet's ONNX file
 * @returns {Promise<Engine>}
 * @throws {import("./config.js").BundleError} if one of them cannot be used
 */
export async function loadEngine({ ort, config, model, graphs: files, detector }) {
  const settings = readBundleConfig(config);
  const graphs = await Graphs.load(ort, files);
  const yunet = await YuNetDetector.load(ort, await detector, settings.preprocessing, graphs);
  const isHere = await Promise.race([model, null]);
  // Browsers compile what is run for the first time; the first frame need not wait for all of that.
  if (!isHere) await yunet.detect({ data: new Uint8ClampedArray(64 * 64 * 4), width: 64, height: 64 });
  return new Engine(settings, yunet, await Classifier.load(ort, await model, settings), graphs);
}

/** Frames in, labelled faces out. All state is passed in and handed back; one call at a time. */
export class Engine {
  #config;
  #detector;
  #classifier;
  #graphs;
  /** What was learned about the person before the camera, or null; the answers are adapted to it. @type {import("./personal.js").Personal | null} */
  personal = null;

  constructor(config, detector, classifier, graphs) {
    this.#config = config;
    this.#detector = detector;
    this.#classifier = classifier;
    this.#graphs = graphs;
  }

  /** The labels, in the order of every face's probabilities. */
  get labelNames() {
    return this.#config.labelNames;
  }

  /** The sha256 of the bundle's network, which a `personal.json` is made for. */
  get modelSha256() {
    return this.#config.modelSha256;
  }

  /** How many features the network gives for each face; 0 if it gives none, or if nothing was classified and its file does not say. */
  get featureCount() {
    return this.#classifier.featureCount;
  }

  /**
   * Find and classify the faces of one picture, the largest first.
   *
   * @param {Picture} frame RGB or RGBA, any size from 1 x 1 up; a canvas's `ImageData` will do
   * @returns {Promise<Face[]>}
   * @throws {TypeError} if the frame is anything else
   */
  async analyze(frame) {
    requirePicture(frame, [3, 4]);
    const { personal } = this;
    const found = await this.#classified(frame, await this.#detector.detect(frame), [], personal);
    return found.map((face) =>
      this.#face(frame, face, face.probabilities, indexOfLargest(face.probabilities), null, personal),
    );
  }

  /**
   * Find, classify and follow the faces of one frame of a video, the largest first.
   *
   * @param {Picture} frame as in `analyze`
   * @param {TrackerState | null} state what the last call for this viewer returned, or null at the start
   * @param {number} timeS when the frame was taken, in seconds on any clock
   * @param {{everyFrame?: boolean, mostViews?: number}} [options] `everyFrame`: classify each face in each frame, as
   *   Python does. Otherwise a face that was classified within the bundle's `classify_interval_s` is only followed: its
   *   box is new, and the rest of it of that earlier frame. `mostViews`: in how many parts of the frame at most small and
   *   turned faces are searched for, besides the whole frame; by default in all whose turn it is, as Python does
   * @returns {Promise<{faces: Face[], state: TrackerState}>}
   * @throws {TypeError} if the frame is no picture
   * @throws {RangeError} if the time is not finite
   */
  async track(frame, state, timeS, { everyFrame = true, mostViews = Infinity } = {}) {
    requirePicture(frame, [3, 4]);
    requireTime(timeS);
    const settings = this.#config.tracker;
    let before = { ...(state ?? NOTHING_SEEN) };
    const { personal } = this;
    // What was just learned, or switched off, holds at once: it is never averaged with answers from before.
    if (personal !== (before.personal ?? null)) before = { ...forgetAnswers(before), personal };
    let detections;
    if (before.searchedS === null) {
      detections = await this.#detector.detect(frame);
      [before.searchedS, before.wholeSearchedS] = [timeS, timeS];
    } else {
      const known = before.tracks.filter((track) => timeS - track.seenS <= settings.forget_after_s);
      const sinceS = timeS - before.wholeSearchedS;
      const search = !(sinceS > 0 && sinceS < settings.search_interval_s);
      let due = { views: [] };
      if (search) {
        const views = videoViews(frame.width, frame.height, this.#config.preprocessing.yunet);
        due = viewsDue(before, views, timeS, settings, mostViews);
        before = { ...before, ...due.state, wholeSearchedS: timeS };
      }
      const places = known.map((track) => ({
        box: track.searchBox,
        turnDeg: track.turnDeg,
        isTurnFresh: isTurnFresh(track, timeS, settings),
      }));
      detections = await this.#detector.follow(frame, places, due.views, search);
    }
    const boxes = detections.map((detection) => detection.box);
    const matching = matchTracks(before, boxes, timeS, settings);
    const known = boxes.map((_, index) => matching.known[matching.matches.get(index)]);
    const mirrored = boxes.map((_, index) => isMirrored(matching, index, settings));
    const isClassified = known.map((track) => everyFrame || !wasJustClassified(track, timeS, settings));
    const classified = await this.#classified(
      frame,
      detections.filter((_, index) => isClassified[index]),
      mirrored.filter((_, index) => isClassified[index]),
      personal,
    );
    const found = detections.map((detection, index) => {
      const look = before.looks?.get(known[index]?.trackId);
      if (!isClassified[index]) return { ...look, detection };
      const face = classified.shift();
      return mirrored[index] ? { ...face, crop: look.crop, logits: look.logits, features: look.features } : face;
    });
    const updated = updateTracks(
      before,
      boxes,
      found.map((face, index) => (isClassified[index] ? face.probabilities : null)),
      timeS,
      settings,
      detections.map((detection) => detection.turnDeg),
      matching,
    );
    const faces = found.map((face, index) => {
      const track = updated.tracks[index];
      return this.#face(frame, face, track.probabilities, track.shown, track.trackId, personal);
    });
    /** @type {Map<number, Classified>} */
    const looks = new Map();
    for (const { trackId } of updated.state.tracks) looks.set(trackId, before.looks?.get(trackId));
    for (const [index, { trackId }] of updated.tracks.entries()) looks.set(trackId, found[index]);
    return { faces, state: { ...updated.state, looks } };
  }

  /**
   * Classify pictures that are already crops of one face each.
   *
   * @param {Picture[]} crops grey, RGB or RGBA, any size
   * @returns {Promise<Float32Array[]>} calibrated probabilities, one row for each crop, adapted if something was learned
   * @throws {TypeError} if a crop is anything else
   */
  async classify(crops) {
    const settings = this.#config.preprocessing;
    const rows = [];
    for (const crop of crops) {
      requirePicture(crop, [1, 3, 4]);
      const cut = await cutCrop(crop, wholePictureRegion(crop.width, crop.height), settings.crop, this.#graphs);
      const [row] = await this.#classifier.run(await toModelInputs([cut], settings.input, this.#graphs));
      rows.push(softmax(adapt(this.personal, row.logits, row.features)));
    }
    return rows;
  }

  async #classified(frame, detections, mirrored, personal) {
    if (detections.length === 0) return [];
    const settings = this.#config.preprocessing;
    const crops = [];
    for (const { box, landmarks } of detections) {
      const region = regionOfDetection(box, landmarks, this.#detector.cropRule, settings.crop);
      crops.push(await cutCrop(frame, region, settings.crop, this.#graphs));
    }
    const shown = crops.map((crop, index) => (mirrored[index] ? mirroredCrop(crop) : crop));
    const inputs = await toModelInputs(shown, settings.input, this.#graphs);
    const rows = await this.#classifier.run(inputs);
    const qualities = await measureQuality(detections, crops, settings, this.#graphs);
    return detections.map((detection, index) => ({
      detection,
      crop: crops[index],
      ...rows[index],
      probabilities: softmax(adapt(personal, rows[index].logits, rows[index].features)),
      reasons: qualityReasons(qualities[index], settings.quality),
    }));
  }

  #face(frame, { detection, crop, reasons, logits, features }, probabilities, shown, trackId, personal) {
    const confidence = probabilities[shown];
    const isClear = confidence >= this.#config.abstainBelow;
    const all = isClear ? reasons : [...reasons, NO_CLEAR_EXPRESSION];
    return {
      box: clipBox(detection.box, frame.width, frame.height),
      score: detection.score,
      landmarks: detection.landmarks,
      probabilities,
      label: this.#config.labelNames[shown],
      confidence,
      reliable: all.length === 0,
      reasons: all,
      trackId,
      crop,
      logits,
      features,
      personal: changesAnswer(personal),
      own: ownExpressions(personal, features),
      between: isClear ? null : sharedLead(probabilities, this.#config.labelNames),
    };
  }
}

/** Whether a face is known and was classified so lately that it need not be classified anew. */
function wasJustClassified(track, timeS, settings) {
  const sinceS = track ? timeS - track.classifiedS : Infinity;
  return sinceS > 0 && sinceS < settings.classify_interval_s;
}

/**
 * The views whose turn has come since the last frame, and what of the state notes it; all of them if time jumped. Of more
 * than `mostViews` the rest wait.
 */
function viewsDue({ nextView, searchedS }, views, timeS, { tile_interval_s: intervalS }, mostViews) {
  const sinceS = timeS - searchedS;
  const isJump = !(sinceS >= 0 && sinceS < views.length * intervalS);
  if (mostViews < (isJump ? views.length : Math.floor(sinceS / intervalS))) {
    const chosen = Array.from({ length: mostViews }, (_, step) => views[(nextView + step) % views.length]);
    return { views: chosen, state: { nextView: (nextView + mostViews) % views.length, searchedS: timeS } };
  }
  if (isJump) return { views, state: { searchedS: timeS } };
  const due = Math.floor(sinceS / intervalS);
  const chosen = Array.from({ length: due }, (_, step) => views[(nextView + step) % views.length]);
  return { views: chosen, state: { nextView: (nextView + due) % views.length, searchedS: searchedS + due * intervalS } };
}
