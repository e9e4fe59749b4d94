/** What a bundle's `config.json` says about how a frame becomes calibrated probabilities. */

const SCHEMA_VERSION = 2;

/** A bundle, or detector weights, that cannot be used; the message says why. */
export class BundleError extends Error {
  /**
   * @param {string} message
   * @param {{cause?: unknown}} [options]
   */
  constructor(message, options) {
    super(message, options);
    this.name = "BundleError";
  }
}

/** @typedef {{scale: number, shift_x: number, shift_y: number}} CropRule */

/**
 * @typedef {object} YuNetSettings
 * @property {number[]} scales_px
 * @property {[number, number]} video_tile_wh_px
 * @property {CropRule} crop
 * @property {number} score_threshold
 * @property {number} small_score_threshold
 * @property {number} hint_score
 * @property {number} hint_max_px
 * @property {number} nms_threshold
 * @property {number} window_px
 * @property {number} window_face_px
 * @property {number} upright_score
 * @property {number} turn_step_deg
 * @property {number} finer_factor
 * @property {number} doubtful_score
 * @property {number} max_hints
 * @property {number} max_turned_places
 * @property {number} near_iou
 * @property {number} max_inside
 * @property {number} tilted_deg
 * @property {number} max_faces
 * @property {number} min_side_px
 * @property {number} cell_px
 */

/**
 * @typedef {object} CropSettings
 * @property {number} size_px
 * @property {number} oversampling
 * @property {boolean} level_eyes
 * @property {number} max_levelling_deg
 * @property {number} max_shrink
 */

/**
 * @typedef {object} InputSettings
 * @property {number} size_px
 * @property {number} channels
 * @property {number[]} grey_weights
 * @property {number[]} mean
 * @property {number[]} std
 * @property {{mean: number, std: number, min_std: number} | null} contrast
 */

/**
 * @typedef {object} QualityLimits
 * @property {number} min_face_px
 * @property {number} min_sharpness
 * @property {number} min_highlight
 * @property {number} max_shadow
 * @property {number} max_turn
 * @property {number} min_score
 * @property {number} light_percent
 */

/** @typedef {{yunet: YuNetSettings, crop: CropSettings, input: InputSettings, quality: QualityLimits}} Preprocessing */

/**
 * @typedef {object} TrackerSettings
 * @property {number} time_constant_s
 * @property {number} label_margin
 * @property {number} forget_after_s
 * @property {number} min_iou
 * @property {number} enlarge
 * @property {number} keep_search_box_iou
 * @property {number} search_interval_s
 * @property {number} tile_interval_s
 * @property {number} classify_interval_s
 * @property {number} turn_interval_s
 * @property {number} mirror_within_s
 */

/**
 * The settings keep the names they have in the file; `face_expression/model/config.py` describes each of them.
 *
 * @typedef {object} BundleConfig
 * @property {string[]} labelNames in the order of the probabilities
 * @property {Preprocessing} preprocessing
 * @property {TrackerSettings} tracker
 * @property {number} temperature what logits are divided by
 * @property {string} modelSha256 of the network's file
 * @property {number} abstainBelow least confidence of a clear expression, 0..1
 */

/**
 * Take what the engine needs out of a bundle's `config.json`. Python has checked the file when it opened the bundle,
 * so only its version and its parts are checked here.
 *
 * @param {any} raw the parsed file
 * @returns {BundleConfig}
 * @throws {BundleError} if it is no bundle of ours, or of another schema version
 */
export function readBundleConfig(raw) {
  const ours = raw?.face_expression;
  if (!ours || !Array.isArray(raw.label_names)) throw new BundleError("config.json: not a bundle of this project");
  if (ours.schema_version !== SCHEMA_VERSION) {
    throw new BundleError(
      `config.json: schema version ${ours.schema_version}, but this program reads version ${SCHEMA_VERSION}`,
    );
  }
  for (const part of ["yunet", "crop", "input", "quality"]) {
    if (!ours.preprocessing?.[part]) throw new BundleError(`config.json: preprocessing.${part} is missing`);
  }
  if (!ours.tracker) throw new BundleError("config.json: tracker is missing");
  return {
    labelNames: raw.label_names,
    preprocessing: ours.preprocessing,
    tracker: { mirror_within_s: 0, ...ours.tracker },
    temperature: ours.temperature,
    abstainBelow: ours.abstain_below,
    modelSha256: ours.model_sha256,
  };
}
