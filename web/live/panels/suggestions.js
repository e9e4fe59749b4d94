/**
 * When something is suggested, and what: state goes in, state comes out.
 *
 * A suggestion follows the largest face once it has looked the same for a while. It then stays until the expression is
 * another one: a glance aside changes nothing, and whoever just sits there is not shown one text after the other.
 */

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
 * @property {number} changedS when the last suggestion was made, on the page's clock
 * @property {{label: string, trackId: number | null, sinceS: number} | null} streak what is seen without a break
 * @property {Suggestion[]} recent the last few, the newest first
 */

/** @type {SuggestionState} */
export const NOTHING_SUGGESTED = Object.freeze({ shown: null, changedS: -Infinity, streak: null, recent: [] });

/**
 * Take one answer in.
 *
 * @param {SuggestionState} state what the last call returned, or `NOTHING_SUGGESTED`
 * @param {import("../page.js").Answer} answer
 * @param {Suggestions} suggestions
 * @param {() => number} random from 0 up to but not 1, as `Math.random`
 * @returns {SuggestionState}
 */
export function takeAnswer(state, answer, suggestions, random) {
  const streak = streakAfter(state.streak, answer, suggestions);
  const { timeS } = answer;
  const isDue =
    streak !== null &&
    streak.label !== state.shown?.label &&
    timeS - streak.sinceS >= suggestions.stable_s &&
    timeS - state.changedS >= suggestions.change_every_s;
  if (!isDue) return { ...state, streak };
  const shown = choose(streak.label, suggestions.expressions[streak.label], state.recent, random);
  return { shown, changedS: timeS, streak, recent: [shown, ...state.recent].slice(0, NOT_AGAIN) };
}

/**
 * Show nothing and begin to watch anew; the next suggestion still keeps its distance from the last one.
 *
 * @param {SuggestionState} state
 * @returns {SuggestionState}
 */
export function withNothingShown(state) {
  return { ...state, shown: null, streak: null };
}

/** The demonstration shows somebody else's face: nothing is said of it. */
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
