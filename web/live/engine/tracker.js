/**
 * Who is who from frame to frame, and what is shown for each: state goes in, state comes out.
 *
 * Made like `face_expression/tracker.py`; `tests/support/tracker_cases.json` is what both must do.
 */

import { boxOverlap } from "./boxes.js";

/** @typedef {import("./boxes.js").Box} Box */

// A mirrored view counts for so many time constants after it was taken.
const MIRRORED_HOLDS = 2;

/**
 * Probabilities smoothed over time, and when the last ones were taken in.
 *
 * @typedef {{probabilities: Float32Array, takenS: number}} Smoothed
 */

/**
 * One person in view.
 *
 * @typedef {object} Track
 * @property {number} trackId from 1
 * @property {Box} box where it was last seen
 * @property {Box} searchBox the box about which it is searched for next, that of the last frame or of an earlier one
 * @property {Smoothed} plain what the crop was classified as
 * @property {Smoothed | null} mirrored what its mirror image was classified as, while that is used
 * @property {Float32Array} probabilities smoothed, the mean of those two
 * @property {number} shown index of the label shown
 * @property {number} seenS when it was last seen
 * @property {number} classifiedS when its probabilities were last taken in
 * @property {number} turnDeg how far the face is turned in the picture's plane, clockwise as seen
 * @property {number} turnSeenS when that was found
 */

/**
 * Everything that is remembered between two frames of one viewer. Values: they are never changed, only replaced.
 * `nextView` is the place in `videoViews` of the next view to search; all that were due by `searchedS` have been.
 * `wholeSearchedS`: when the whole frame was last searched. `looks` has by the number of a track what its face looked
 * like when it was last classified, with its last crop that was not mirrored, and the logits and features of that
 * (`engine.js` keeps it). `personal`: what those answers were adapted to (`engine.js` keeps it, too).
 *
 * @typedef {object} TrackerState
 * @property {Track[]} tracks
 * @property {number} nextId
 * @property {number} nextView
 * @property {number | null} searchedS
 * @property {number} wholeSearchedS
 * @property {Map<number, import("./engine.js").Classified>} [looks]
 * @property {import("./personal.js").Personal | null} [personal]
 */

/** @type {TrackerState} */
export const NOTHING_SEEN = Object.freeze({
  tracks: [],
  nextId: 1,
  nextView: 0,
  searchedS: null,
  wholeSearchedS: -Infinity,
});

/**
 * At the time `now`, the tracks that are not yet forgotten, and for the place of a box the place in `known` of its track.
 *
 * @typedef {{now: number, known: Track[], matches: Map<number, number>}} Matching
 */

/**
 * @param {TrackerState} state
 * @param {Box[]} boxes of one frame
 * @param {number} timeS as in `updateTracks`
 * @param {import("./config.js").TrackerSettings} settings
 * @returns {Matching}
 * @throws {RangeError} if `timeS` is not finite
 */
export function matchTracks({ tracks }, boxes, timeS, settings) {
  requireTime(timeS);
  const now = Math.max(timeS, ...tracks.map((track) => track.seenS));
  const known = tracks.filter((track) => now - track.seenS <= settings.forget_after_s);
  return { now, known, matches: matchBoxes(known, boxes, settings) };
}

/**
 * @param {Matching} matching
 * @param {number} index the place of a box
 * @param {import("./config.js").TrackerSettings} settings
 * @returns {boolean} whether the mirror image of its crop is to be classified, if it is classified
 */
export function isMirrored({ now, known, matches }, index, settings) {
  const track = known[matches.get(index)];
  return Boolean(track) && isMirrorNext(track, now, settings);
}

/**
 * Take one frame's faces in.
 *
 * @param {TrackerState} state what the last call returned, or `NOTHING_SEEN`
 * @param {Box[]} boxes one for each face
 * @param {(Float32Array | null)[]} probabilities one row for each face, of this frame alone; of the mirror image where
 *   `isMirrored` says so; null for a known face that is only followed
 * @param {number} timeS when the frame was taken, on any clock; a time before the last one counts as the same moment
 * @param {import("./config.js").TrackerSettings} settings `tracker` of the bundle; `TrackerSettings` of `face_expression/model/config.py` explains them
 * @param {number[]} [turnsDeg] of the faces in the picture's plane; upright by default
 * @param {Matching} [matching] what `matchTracks` gives for the same arguments, if it is known already
 * @returns {{tracks: Track[], state: TrackerState}} the track of each box, in their order, and the state for next time
 * @throws {RangeError} if `timeS` is not finite
 */
export function updateTracks(
  state,
  boxes,
  probabilities,
  timeS,
  settings,
  turnsDeg = boxes.map(() => 0),
  matching = matchTracks(state, boxes, timeS, settings),
) {
  const { now, known, matches } = matching;
  let { nextId } = state;
  const tracks = boxes.map((box, index) => {
    const [row, turnDeg] = [probabilities[index], turnsDeg[index]];
    if (matches.has(index)) return follow(known[matches.get(index)], box, row, turnDeg, now, settings);
    const seen = { seenS: now, classifiedS: now, turnDeg, turnSeenS: now };
    const views = { plain: { probabilities: row, takenS: now }, mirrored: null, probabilities: row };
    return { trackId: nextId++, box, searchBox: box, ...views, shown: indexOfLargest(row), ...seen };
  });
  const matched = new Set(matches.values());
  const unseen = known.filter((_, index) => !matched.has(index));
  return { tracks, state: { ...state, tracks: [...tracks, ...unseen], nextId } };
}

/**
 * @param {TrackerState} state
 * @returns {TrackerState} the same people, each classified in the next frame and without what was classified before
 */
export function forgetAnswers(state) {
  const tracks = state.tracks.map((track) => ({
    ...track,
    plain: { ...track.plain, takenS: -Infinity },
    mirrored: null,
    classifiedS: -Infinity,
  }));
  return { ...state, tracks };
}

/**
 * @param {Float32Array} values at least one
 * @returns {number} place of the first largest value
 */
export function indexOfLargest(values) {
  return values.indexOf(Math.max(...values));
}

function follow(track, box, row, turnDeg, now, settings) {
  const views = row ? takenIn(track, row, now, settings) : { plain: track.plain, mirrored: track.mirrored };
  const probabilities = meanOf(views);
  const leader = indexOfLargest(probabilities);
  const leads = probabilities[leader] - probabilities[track.shown] > settings.label_margin;
  const stays = boxOverlap(track.searchBox, box) >= settings.keep_search_box_iou;
  const searchBox = stays ? track.searchBox : box;
  const turnSeenS = isTurnFresh(track, now, settings) ? track.turnSeenS : now;
  const shown = leads ? leader : track.shown;
  const times = { seenS: now, classifiedS: row ? now : track.classifiedS, turnSeenS };
  return { trackId: track.trackId, box, searchBox, ...views, probabilities, shown, turnDeg, ...times };
}

/** The track's two views once it is classified again, as it is or mirrored, whichever was its turn. */
function takenIn(track, row, now, settings) {
  const { plain, mirrored } = track;
  if (isMirrorNext(track, now, settings)) {
    // The first mirror image is smoothed like a later one: as if it had had its turn before.
    const first = { probabilities: plain.probabilities, takenS: 2 * plain.takenS - now };
    return { plain, mirrored: smoothed(mirrored ?? first, row, now, settings) };
  }
  if (mirrored && now - mirrored.takenS > MIRRORED_HOLDS * settings.time_constant_s) {
    const mean = { probabilities: track.probabilities, takenS: track.classifiedS };
    return { plain: smoothed(mean, row, now, settings), mirrored: null };
  }
  return { plain: smoothed(plain, row, now, settings), mirrored };
}

function smoothed({ probabilities, takenS }, row, now, settings) {
  const share = 1 - Math.exp(-(now - takenS) / settings.time_constant_s);
  return { probabilities: probabilities.map((value, index) => value + share * (row[index] - value)), takenS: now };
}

function meanOf({ plain, mirrored }) {
  if (!mirrored) return plain.probabilities;
  return plain.probabilities.map((value, index) => (value + mirrored.probabilities[index]) / 2);
}

function isMirrorNext({ plain, mirrored, classifiedS }, now, settings) {
  const wasPlain = !mirrored || mirrored.takenS < plain.takenS;
  const sinceS = now - classifiedS;
  return wasPlain && sinceS > 0 && sinceS < settings.mirror_within_s;
}

/**
 * @param {Track} track
 * @param {number} timeS
 * @param {import("./config.js").TrackerSettings} settings
 * @returns {boolean} whether a face's turn was found so lately that it need not be found anew
 */
export function isTurnFresh(track, timeS, settings) {
  return timeS - track.turnSeenS < settings.turn_interval_s;
}

/**
 * @param {number} timeS
 * @throws {RangeError} if it is not finite
 */
export function requireTime(timeS) {
  if (!Number.isFinite(timeS)) throw new RangeError(`timeS must be finite, got ${timeS}`);
}

/**
 * Pair boxes with tracks, best overlap first, each used once.
 *
 * @param {Track[]} tracks
 * @param {Box[]} boxes
 * @param {import("./config.js").TrackerSettings} settings
 * @returns {Map<number, number>} from the place of a box to that of its track
 */
function matchBoxes(tracks, boxes, settings) {
  const grownTracks = tracks.map((track) => grown(track.box, settings.enlarge));
  const pairs = boxes.flatMap((box, boxIndex) => {
    const grownBox = grown(box, settings.enlarge);
    return grownTracks.map((other, trackIndex) => ({ boxIndex, trackIndex, overlap: boxOverlap(grownBox, other) }));
  });
  pairs.sort((first, second) => second.overlap - first.overlap);
  const matches = new Map();
  const taken = new Set();
  for (const { boxIndex, trackIndex, overlap } of pairs) {
    if (overlap < settings.min_iou) break;
    if (matches.has(boxIndex) || taken.has(trackIndex)) continue;
    matches.set(boxIndex, trackIndex);
    taken.add(trackIndex);
  }
  return matches;
}

/** @param {Box} box @param {number} share @returns {Box} */
function grown([x0, y0, x1, y1], share) {
  const [growX, growY] = [(x1 - x0) * share, (y1 - y0) * share];
  return [x0 - growX, y0 - growY, x1 + growX, y1 + growY];
}
