/**
 * When something is suggested, and what: state goes in, state comes out.
 *
 * A suggestion follows the largest face once it has looked the same for a while. It then stays while that face is in
 * view, so that it can be read, until the expression is another one: a glance aside changes nothing, and somebody who
 * just sits there is not shown one text after the other. What it says of the expression never contradicts the headline:
 * once that names another expression, it speaks of the past, and soon goes.
 */

import { FRESH_S } from "../../fresh.js";

// Of the last few, none is shown again; the file has more entries than these for each expression.
const NOT_AGAIN = 4;

/**
 * `space/suggestions.yaml`, which explains it, as `Suggestions.as_json` of `space/suggestions.py` hands it on.
 *
 * @typedef {object} Suggestions
 * @property {number} confident_from
 * @property {number} stable_s
 * @property {number} change_every_s
 * @property {string} music_place
 * @property {Record<string, Entries>} expressions by label; a label that is missing gets no suggestion
 */

/** @typedef {{looks: string, lines: string[], activities: string[], music: Music[]}} Entries */

/** @typedef {{search: string, link: string}} Music what to search for, and the address that does */

/** @typedef {{label: string, looks: string, line: string, activity: string, music: Music}} Suggestion */

/**
 * Everything that is remembered between two answers. Values: they are never changed, only replaced.
 *
 * @typedef {object} SuggestionState
 * @property {Suggestion | null} shown
 * @property {number | null} trackId whose expression it is about
 * @property {number} looksS when that face last looked so
 * @property {number | null} otherS since when it has surely looked otherwise; null if it has not since then
 * @property {number} inViewS when that face was last the largest in view
 * @property {number} changedS when the last suggestion was made, on the page's clock
 * @property {{label: string, trackId: number | null, sinceS: number} | null} streak what is seen without a break
 * @property {Suggestion[]} recent the last few, the newest first
 */

/** @type {SuggestionState} */
export const NOTHING_SUGGESTED = Object.freeze({
  shown: null,
  trackId: null,
  looksS: -Infinity,
  otherS: null,
  inViewS: -Infinity,
  changedS: -Infinity,
  streak: null,
  recent: [],
});

/**
 * Take one answer in.
 *
 * @param {SuggestionState} state what the last call returned, or `NOTHING_SUGGESTED`
 * @param {import("../../page.js").Answer} answer
 * @param {Suggestions} suggestions
 * @param {() => number} random from 0 up to but not 1, as `Math.random`
 * @returns {SuggestionState}
 */
export function takeAnswer(state, answer, suggestions, random) {
  const streak = streakAfter(state.streak, answer, suggestions);
  const seen = { ...stillShown(state, answer, suggestions), streak };
  const { timeS } = answer;
  const isDue =
    streak !== null &&
    streak.label !== seen.shown?.label &&
    timeS - streak.sinceS >= suggestions.stable_s &&
    timeS - seen.changedS >= suggestions.change_every_s;
  if (!isDue) return seen;
  const shown = choose(streak.label, suggestions.expressions[streak.label], seen.recent, random);
  const recent = [shown, ...seen.recent].slice(0, NOT_AGAIN);
  const { trackId } = streak;
  return { shown, trackId, looksS: timeS, otherS: null, inViewS: timeS, changedS: timeS, streak, recent };
}

/**
 * @param {SuggestionState} state
 * @param {number} timeS of an answer that was taken in
 * @returns {boolean} whether the face still looks as the suggestion says; if not, it did
 */
export function looksSo({ shown, looksS, otherS }, timeS) {
  return shown !== null && otherS === null && timeS - looksS <= FRESH_S;
}

/**
 * When the face that a suggestion is about was last seen, and looked so; without the face there is no suggestion, nor
 * beside another face, nor once it has surely looked otherwise for as long as a new suggestion takes.
 *
 * @param {SuggestionState} state
 * @param {import("../../page.js").Answer} answer
 * @param {Suggestions} suggestions
 * @returns {SuggestionState}
 */
function stillShown(state, { faces: [face], live, timeS }, { stable_s: stableS }) {
  if (!state.shown) return state;
  if (!live || (face && face.trackId !== state.trackId)) return withNothingShown(state);
  const inViewS = face ? timeS : state.inViewS;
  const looks = face?.reliable && face.label === state.shown.label;
  const otherS = looks ? null : (state.otherS ?? (face?.reliable ? timeS : null));
  if (timeS - inViewS > FRESH_S || (otherS !== null && timeS - otherS >= stableS)) return withNothingShown(state);
  return { ...state, inViewS, otherS, looksS: looks ? timeS : state.looksS };
}

/**
 * Show nothing and begin to watch anew; the next suggestion still keeps its distance from the last one.
 *
 * @param {SuggestionState} state
 * @returns {SuggestionState}
 */
export function withNothingShown(state) {
  return { ...state, shown: null, otherS: null, streak: null };
}

/**
 * The demonstration shows somebody else's face: no suggestion is made for it.
 *
 * @param {SuggestionState["streak"]} streak
 * @param {import("../../page.js").Answer} answer
 * @param {Suggestions} suggestions
 * @returns {SuggestionState["streak"]}
 */
function streakAfter(streak, { faces: [face], live, timeS }, { confident_from: confidentFrom, expressions }) {
  if (!live || !face?.reliable || !(face.confidence >= confidentFrom) || !Object.hasOwn(expressions, face.label)) {
    return null;
  }
  const { label, trackId } = face;
  // A face that was out of view for long comes back with another id, so answers far apart are no streak.
  const goesOn = streak?.label === label && streak.trackId === trackId;
  return goesOn ? streak : { label, trackId, sinceS: timeS };
}

function choose(label, { looks, lines, activities, music }, recent, random) {
  const pick = (entries, past) => {
    const fresh = entries.filter((entry) => !past.includes(entry));
    return fresh[Math.floor(random() * fresh.length)];
  };
  return {
    label,
    looks,
    line: pick(lines, recent.map((one) => one.line)),
    activity: pick(activities, recent.map((one) => one.activity)),
    music: pick(music, recent.map((one) => one.music)),
  };
}
