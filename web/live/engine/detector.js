/** Frame -> detections, by YuNet: `face_expression/detection/yunet.py`, which explains it, for the browser. */

import { boxArea, boxOverlap, boxSize } from "./boxes.js";
import { BundleError } from "./config.js";
import { cutCrop, levellingAngleDeg } from "./crop.js";
import { scalePart } from "./frame.js";
import { loadNetwork } from "./graphs.js";
import { finestViews, isSameFace, liesIn, merge, photoViews, scaleOf, toFrame, wholeView } from "./search.js";

/** @typedef {import("./frame.js").Picture} Picture */
/** @typedef {import("./search.js").Detection} Detection */
/** @typedef {import("./search.js").View} View */

/**
 * A face of an earlier frame: where it was, how it was turned, and whether that was checked lately.
 *
 * @typedef {{box: import("./boxes.js").Box, turnDeg: number, isTurnFresh: boolean}} Known
 */

// As in `face_expression/detection/yunet.py`.
const FIXED_SIDES = [0x0a, 0x03, 0x08, 0x80, 0x05, 0x0a, 0x03, 0x08, 0x80, 0x05];
const FREE_SIDES = [0x0a, 0x03, 0x12, 0x01, 0x68, 0x0a, 0x03, 0x12, 0x01, 0x77];

const RADIANS = Math.PI / 180;

/** YuNet, one frame at a time. */
export class YuNetDetector {
  #session;
  #settings;
  #crop;
  #graphs;

  /**
   * @param {import("./graphs.js").Session} session
   * @param {import("./config.js").YuNetSettings} settings
   * @param {import("./config.js").CropSettings} crop
   * @param {import("./graphs.js").Graphs} graphs
   */
  constructor(session, settings, crop, graphs) {
    this.#session = session;
    this.#settings = settings;
    this.#crop = crop;
    this.#graphs = graphs;
  }

  /**
   * @param {import("./graphs.js").Ort} ort the module `onnxruntime-web`, or one like it
   * @param {Uint8Array} weights the bytes of YuNet's ONNX file
   * @param {import("./config.js").Preprocessing} preprocessing of the bundle
   * @param {import("./graphs.js").Graphs} graphs
   * @returns {Promise<YuNetDetector>}
   * @throws {BundleError} if the file is no YuNet
   */
  static async load(ort, weights, { yunet, crop }, graphs) {
    const session = await loadNetwork(ort, freeSides(weights), "the face detector");
    if (!session.outputNames.includes("kps_32")) throw new BundleError("the face detector's file is no YuNet");
    return new YuNetDetector(session, yunet, crop, graphs);
  }

  /** Where the crop lies relative to this detector's boxes. */
  get cropRule() {
    return this.#settings.crop;
  }

  /**
   * Find the faces of a photo at every scale for which it has pixels, the largest first.
   *
   * @param {Picture} frame
   * @returns {Promise<Detection[]>}
   */
  async detect(frame) {
    const settings = this.#settings;
    const { width, height } = frame;
    const levels = photoViews(width, height, settings);
    const hints = [];
    for (const views of levels) hints.push(await this.#scanViews(frame, views, settings.hint_score));
    let found = hints[0].filter((hint) => hint.score >= settings.score_threshold);
    levels.slice(1).forEach((views, index) => {
      found.push(...hints[index + 1].filter((face) => this.#isCredible(face, scaleOf(views[0]), hints[index])));
    });
    found = merge(found, settings);
    const finer = finestViews(width, height, levels.at(-1), settings);
    const scale = scaleOf(levels.at(-1)[0]);
    const left = placesLeft(hints.at(-1), found, settings);
    const small = left.filter((hint) => boxSize(hint.box) * scale <= settings.hint_max_px);
    const area = finer.reduce((sum, { wh }) => sum + wh[0] * wh[1], 0);
    const many = small.length * settings.window_px ** 2 > area / 2;
    const closer = [];
    if (finer.length && (many || (doubtful(left, settings).length > 0 && levels.length <= settings.scales_px.length))) {
      closer.push(...(await this.#scanViews(frame, finer, settings.score_threshold)));
    } else if (finer.length) {
      for (const hint of small) closer.push(...present(await this.#scanAround(frame, hint.box, 0)));
    }
    found.push(...closer.filter((face) => this.#isCredible(face, scaleOf(finer[0]), hints.at(-1))));
    const upright = [];
    for (const face of merge(found, settings)) upright.push(await this.#upright(frame, face));
    found = upright;
    const places = doubtful(placesLeft(hints[0], found, settings), settings);
    if (found.length && places.length <= settings.max_turned_places) {
      const turned = [];
      for (const place of places) turned.push(await this.#upright(frame, place));
      found.push(...this.#notAmong(found, turned.filter(({ score }) => score >= settings.upright_score)));
    } else {
      for (const turnDeg of [90, 180, 270]) {
        found.push(...(await this.#scanTurned(frame, { ...levels[0][0], turnDeg }, found)));
      }
    }
    return largestFirst(merge(found, settings));
  }

  /**
   * Find the faces of one frame of a video: the known ones where they were, and others in the whole frame.
   *
   * @param {Picture} frame
   * @param {Known[]} known faces of earlier frames
   * @param {View[]} views what else to search (`videoViews`)
   * @param {boolean} search whether to search the whole frame though each known face is where it was
   * @returns {Promise<Detection[]>} the largest first
   */
  async follow(frame, known, views, search) {
    const settings = this.#settings;
    const whole = wholeView(frame.width, frame.height, settings.scales_px[0]);
    // A few faces are cheaper to follow than to find, and keep to one scale, so that their boxes do not jump.
    const areFew = known.length * settings.window_px ** 2 <= (whole.wh[0] * whole.wh[1]) / 2;
    const again = [];
    for (const face of areFew ? known : []) again.push(await this.#again(frame, face));
    const followed = merge(again.flatMap(present), settings);
    if (areFew && !search && again.every((face) => face !== null)) return largestFirst(followed);
    const hints = await this.#scanViews(frame, [whole], settings.doubtful_score);
    const seen = merge(hints.filter(({ score }) => score >= settings.score_threshold), settings);
    const found = this.#notAmong(followed, seen);
    for (const view of views) {
      const all = [...followed, ...found];
      if (view.turnDeg) {
        found.push(...(await this.#scanTurned(frame, view, all)));
      } else {
        const closer = await this.#scanViews(frame, [view], settings.score_threshold);
        const credible = closer.filter((face) => this.#isCredible(face, scaleOf(view), hints));
        found.push(...this.#notAmong(all, credible));
      }
    }
    for (const face of areFew ? [] : this.#notAmong(found, known)) {
      found.push(...this.#notAmong(found, present(await this.#scanAround(frame, face.box, face.turnDeg))));
    }
    const turned = [];
    for (const face of merge(found, settings)) turned.push(await this.#turnedAsBefore(frame, face, known));
    return largestFirst(merge([...followed, ...turned], settings));
  }

  /** A known face where it was; null if it is not there. */
  async #again(frame, known) {
    const face = await this.#scanAround(frame, known.box, known.turnDeg);
    return face === null || known.turnDeg || known.isTurnFresh ? face : await this.#upright(frame, face);
  }

  /** Whether a face found at a finer scale can be one, by what a coarser scale has seen there. */
  #isCredible(face, scale, coarser) {
    const settings = this.#settings;
    if (face.score < settings.score_threshold) return false;
    const traces = doubtful(coarser, settings);
    if (traces.some((hint) => boxOverlap(face.box, hint.box) > settings.nms_threshold)) return true;
    return face.score >= settings.small_score_threshold && boxSize(face.box) * scale <= settings.window_px;
  }

  /** Faces in a turned view that are not among those found, and certain once they stand upright. */
  async #scanTurned(frame, view, found) {
    const { score_threshold: minScore, upright_score: sure } = this.#settings;
    const upright = [];
    for (const face of this.#notAmong(found, await this.#scanViews(frame, [view], minScore))) {
      upright.push(await this.#upright(frame, face));
    }
    return upright.filter(({ score }) => score >= sure);
  }

  #notAmong(found, others) {
    return others.filter((other) => !found.some((face) => isSameFace(other.box, face.box, this.#settings)));
  }

  async #turnedAsBefore(frame, face, known) {
    const overlaps = known.map((other) => boxOverlap(face.box, other.box));
    const before = known[overlaps.indexOf(Math.max(...overlaps))];
    if (before && boxOverlap(face.box, before.box) > this.#settings.nms_threshold) {
      const again = before.turnDeg && (await this.#scanAround(frame, face.box, before.turnDeg));
      if (again) return again;
      if (before.isTurnFresh) return face;
    }
    return await this.#upright(frame, face);
  }

  /** The same face as it is found best when the frame is turned about it; as it is, if it is not found better. */
  async #upright(frame, face) {
    const { upright_score: sure, turn_step_deg: step, tilted_deg: tiltedDeg } = this.#settings;
    let best = face;
    if (face.score < sure) {
      for (let turnDeg = 0; turnDeg < 360; turnDeg += step) {
        const tried = await this.#scanAround(frame, face.box, face.turnDeg + turnDeg);
        if (tried?.score > best.score) best = tried;
      }
    }
    const turnDeg = levellingAngleDeg(best.landmarks, this.#crop);
    if (Math.abs(turnDeg) > tiltedDeg) {
      const exact = await this.#scanAround(frame, best.box, turnDeg);
      if (exact?.score >= best.score) best = exact;
    }
    return best;
  }

  /** The face nearest to a box, in a window about it that is turned with it; null if there is none. */
  async #scanAround(frame, box, turnDeg) {
    const { window_px: windowPx, window_face_px: facePx, score_threshold: minScore } = this.#settings;
    const [centerX, centerY] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
    const sidePx = Math.max((Math.max(boxSize(box), 1) * windowPx) / facePx, 1);
    const window = { size_px: windowPx, oversampling: 1 };
    const pixels = await cutCrop(frame, { centerX, centerY, sidePx, angleDeg: turnDeg }, window, this.#graphs);
    const middle = windowPx / 2;
    const isNear = (low, high) => Math.abs((low + high) / 2 - middle) <= facePx / 2;
    const scanned = await this.#scan(pixels, minScore);
    const near = scanned.filter((face) => isNear(face.box[0], face.box[2]) && isNear(face.box[1], face.box[3]));
    if (!near.length) return null;
    const best = near.reduce((first, second) => (second.score > first.score ? second : first));
    const scale = sidePx / windowPx;
    const [cos, sin] = [Math.cos(turnDeg * RADIANS) * scale, Math.sin(turnDeg * RADIANS) * scale];
    /** @type {(at: [number, number]) => [number, number]} */
    const point = ([x, y]) => [
      centerX + cos * (x - middle) - sin * (y - middle),
      centerY + sin * (x - middle) + cos * (y - middle),
    ];
    const [x, y] = point([(best.box[0] + best.box[2]) / 2, (best.box[1] + best.box[3]) / 2]);
    const halves = [((best.box[2] - best.box[0]) * scale) / 2, ((best.box[3] - best.box[1]) * scale) / 2];
    const [halfX, halfY] = Math.abs(Math.cos(turnDeg * RADIANS)) >= Math.SQRT1_2 ? halves : halves.reverse();
    return {
      box: [x - halfX, y - halfY, x + halfX, y + halfY],
      score: best.score,
      landmarks: best.landmarks.map(point),
      turnDeg: ((((turnDeg + 180) % 360) + 360) % 360) - 180,
    };
  }

  async #scanViews(frame, views, minScore) {
    const found = [];
    for (const view of views) {
      const scanned = await this.#scan(scalePart(frame, view.part, view.wh, view.turnDeg), minScore);
      const inFrame = scanned.map((detection) => toFrame(detection, view));
      found.push(...inFrame.filter((detection) => liesIn(detection, view, frame.width, frame.height)));
    }
    return found;
  }

  /** The faces in a picture, in its pixels, the best score first. @returns {Promise<Detection[]>} */
  async #scan(picture, minScore) {
    const settings = this.#settings;
    const graphs = this.#graphs;
    const { network_input: input } = await graphs.run("detector_input", {
      pixels: graphs.pictures([picture], true),
      min_side: graphs.integers([settings.min_side_px]),
      multiple: graphs.integers([settings.cell_px]),
    });
    const { boxes, landmarks, scores } = await graphs.run("detector_output", {
      ...(await this.#session.run({ [this.#session.inputNames[0]]: input })),
      width: graphs.integers([input.dims[3]]),
      min_score: graphs.floats([minScore]),
      max_overlap: graphs.floats([settings.nms_threshold]),
      max_faces: graphs.integers([settings.max_faces]),
    });
    return Array.from(scores.data, (score, index) => {
      const points = landmarks.data.subarray(10 * index, 10 * index + 10);
      return {
        box: /** @type {import("./boxes.js").Box} */ (Array.from(boxes.data.subarray(4 * index, 4 * index + 4))),
        score,
        landmarks: [0, 2, 4, 6, 8].map((at) => /** @type {[number, number]} */ ([points[at], points[at + 1]])),
        turnDeg: 0,
      };
    });
  }
}

/** YuNet's file with an input of any height and width, also where it was written for one size. */
function freeSides(weights) {
  const at = weights.findIndex((_, start) => FIXED_SIDES.every((byte, offset) => weights[start + offset] === byte));
  if (at < 0) return weights;
  const free = weights.slice();
  free.set(FREE_SIDES, at);
  return free;
}

/** The hints, the best first, at which no face was found. */
function placesLeft(hints, found, settings) {
  const ranked = [...hints].sort((first, second) => second.score - first.score);
  const isFree = (hint) => !found.some((face) => isSameFace(hint.box, face.box, settings, settings.near_iou));
  return ranked.filter(isFree).slice(0, settings.max_hints);
}

function largestFirst(detections) {
  return [...detections].sort((first, second) => boxArea(second.box) - boxArea(first.box));
}

function present(detection) {
  return detection ? [detection] : [];
}

/** Of hints, those with a score that is a reason to look closer. */
function doubtful(hints, settings) {
  return hints.filter(({ score }) => score >= settings.doubtful_score);
}
