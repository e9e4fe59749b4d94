/**
 * "Make this face": targets, time and points of one game; state goes in, state comes out.
 *
 * A target is made when its probability stays at `madeAt` for `heldS`. On FER+'s validation split the embedded model
 * gives that much to 94 % of happy faces, 87 % of surprise and of neutral, 73 % of angry, 68 % of sad, 44 % of fear and
 * 32 % of disgust. So disgust is left out, and any target may be passed over.
 */

import { t } from "../../texts.js";
import { reasonsOf } from "../../words.js";

/** All times in seconds. */
export const RULES = Object.freeze({
  lengthS: 30,
  // For each face, made or not.
  faceS: 6,
  // Just above where the embedded model begins to say "not sure".
  madeAt: 0.45,
  heldS: 0.6,
  // Between two observations of one person; after a longer break a face has to be held anew.
  breakS: 1,
  points: 10,
  pointsForQuick: 10,
  quickS: 10,
});

/** Labels that are never a target, since too few people could make them. */
export const LEFT_OUT = Object.freeze(["disgust"]);

const MOST_SHOWN = 12;
const MOST_TRIES_SHOWN = 3;
const SPACE_AROUND = 1.6;

/**
 * One target and how it went.
 *
 * @typedef {object} Round
 * @property {string} label
 * @property {number} beganS
 * @property {number} best the highest probability so far, 0 if nothing sure was seen
 * @property {number} points 0 until it is made
 */

/**
 * A game that is played. Values: they are never changed, only replaced.
 *
 * @typedef {object} Game
 * @property {string[]} labelNames in the order of all probabilities
 * @property {number} beganS on the page's clock
 * @property {Round[]} rounds the last one is being played
 * @property {string[]} coming targets that are drawn already, the last one first
 * @property {{trackId: number | null, sinceS: number, lastS: number} | null} held who holds the face, since when
 */

/**
 * @param {string[]} labelNames in the order of all probabilities, at least two
 * @param {number} timeS on the page's clock
 * @param {() => number} random as `Math.random`
 * @returns {Game}
 */
export function beginGame(labelNames, timeS, random) {
  return nextRound({ labelNames, beganS: timeS, rounds: [], coming: [], held: null }, timeS, random);
}

/**
 * @param {Game} game
 * @returns {Round} the one being played
 */
export function roundOf(game) {
  return game.rounds.at(-1);
}

/**
 * Take an answer in: better match, face held, target made.
 *
 * @param {Game} game
 * @param {import("../../page.js").Answer} answer ignored if from before the target was asked for, or after the end
 * @param {() => number} random as `Math.random`
 * @returns {Game} with another round if the target was made
 */
export function lookAt(game, { faces, timeS }, random) {
  const round = roundOf(game);
  if (timeS < round.beganS || secondsLeft(game, timeS) === 0) return game;
  const probability = matchOf(game, faces);
  const held = probability < RULES.madeAt ? null : heldBy(game.held, faces[0].trackId, timeS);
  const seen = replaceRound({ ...game, held }, { ...round, best: Math.max(round.best, probability) });
  if (!held || timeS - held.sinceS < RULES.heldS) return seen;
  const quick = Math.max(0, 1 - (timeS - round.beganS) / RULES.quickS);
  const points = RULES.points + Math.round(RULES.pointsForQuick * quick);
  return nextRound(replaceRound(seen, { ...roundOf(seen), points }), timeS, random);
}

/**
 * Pass over the target being played; it costs nothing but the time.
 *
 * @param {Game} game
 * @param {number} timeS on the page's clock
 * @param {() => number} random as `Math.random`
 * @returns {Game}
 */
export function skip(game, timeS, random) {
  return nextRound(game, timeS, random);
}

/**
 * @param {Game} game
 * @param {import("../../engine/engine.js").Face[]} faces first the one that the headline is about
 * @returns {number} the target's probability for that face; 0 while the result is not sure
 */
export function matchOf(game, [face]) {
  return face?.reliable ? face.probabilities[game.labelNames.indexOf(roundOf(game).label)] : 0;
}

/**
 * @param {Game} game
 * @param {import("../../engine/engine.js").Face[]} faces first the one that the headline is about
 * @returns {string} what to do now
 */
export function adviceOf(game, faces) {
  if (!faces.length) return t("Nobody is in view.");
  if (!faces[0].reliable) return t`Not sure: ${reasonsOf(faces[0])}.`;
  return game.held ? t("Hold it …") : "";
}

/**
 * @param {Game} game
 * @param {number} timeS on the page's clock
 * @returns {number} whole seconds until the end, 0 when it is reached
 */
export function secondsLeft(game, timeS) {
  return Math.max(0, Math.ceil(RULES.lengthS - (timeS - game.beganS)));
}

/**
 * @param {Game} game
 * @param {number} timeS on the page's clock
 * @returns {number} seconds that are left for the face that is asked for, 0 when the next one is due
 */
export function secondsForFace(game, timeS) {
  return Math.max(0, RULES.faceS - (timeS - roundOf(game).beganS));
}

/**
 * @param {Game} game
 * @returns {number} points of all rounds
 */
export function scoreOf(game) {
  return game.rounds.reduce((total, { points }) => total + points, 0);
}

/**
 * @param {Game} game
 * @returns {string} how it went, such as "You made 2 faces: 31 points."
 */
export function resultOf(game) {
  const made = game.rounds.filter(({ points }) => points > 0).length;
  if (made === 0) return t("No face was made this time.");
  if (made === 1) return t`You made one face: ${scoreOf(game)} points.`;
  return t`You made ${made} faces: ${scoreOf(game)} points.`;
}

/**
 * @param {Game} game
 * @returns {Round[]} what is worth keeping, in the order of play: the faces that were made (the best, if there are
 *   many), or the best tries if there is none
 */
export function roundsToShow({ rounds }) {
  const made = rounds.filter(({ points }) => points > 0);
  const tried = rounds.filter(({ best }) => best > 0);
  const byMatch = [...(made.length ? made : tried)].sort((one, other) => other.best - one.best);
  const shown = new Set(byMatch.slice(0, made.length ? MOST_SHOWN : MOST_TRIES_SHOWN));
  return rounds.filter((round) => shown.has(round));
}

/**
 * A square around a face, inside the picture.
 *
 * @param {import("../../engine/boxes.js").Box} box
 * @param {number} width of the picture in pixels
 * @param {number} height of the picture in pixels
 * @returns {{x: number, y: number, side: number}} in pixels
 */
export function squareAround([x0, y0, x1, y1], width, height) {
  const side = Math.min(SPACE_AROUND * Math.max(x1 - x0, y1 - y0), width, height);
  const inside = (middle, length) => Math.min(Math.max(middle - side / 2, 0), length - side);
  return { x: inside((x0 + x1) / 2, width), y: inside((y0 + y1) / 2, height), side };
}

function heldBy(held, trackId, timeS) {
  const goesOn = held && held.trackId === trackId && timeS - held.lastS <= RULES.breakS;
  return { trackId, sinceS: goesOn ? held.sinceS : timeS, lastS: timeS };
}

function replaceRound(game, round) {
  return { ...game, rounds: [...game.rounds.slice(0, -1), round] };
}

function nextRound(game, timeS, random) {
  const coming = game.coming.length ? game.coming : drawTargets(game.labelNames, roundOf(game)?.label, random);
  const round = { label: coming.at(-1), beganS: timeS, best: 0, points: 0 };
  return { ...game, rounds: [...game.rounds, round], coming: coming.slice(0, -1), held: null };
}

/** Every label once, in random order, and not first the one that was last. */
function drawTargets(labelNames, last, random) {
  const fair = labelNames.filter((name) => !LEFT_OUT.includes(name));
  const targets = fair.length > 1 ? fair : [...labelNames];
  for (let left = targets.length - 1; left > 0; left -= 1) {
    const drawn = Math.floor(random() * (left + 1));
    [targets[left], targets[drawn]] = [targets[drawn], targets[left]];
  }
  return targets.at(-1) === last ? targets.reverse() : targets;
}
