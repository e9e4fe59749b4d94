/** A session as files: CSV for tables, JSON with the summary and what everything means. */

import { csvCell } from "../csv.js";
import { HOLD_S, MOST_ROWS, ROW_INTERVAL_S } from "./session.js";

const FIELDS = {
  time_s: "seconds since the session began",
  scene: "from 1; another scene begins when the camera or the engine is changed or started anew",
  track_id: "stays with one face within one scene; the same number in another scene is somebody else",
  box_px: "x0, y0, x1, y1 of the face in pixels of the camera's picture, which is not mirrored",
  probabilities: "of each label, smoothed over time; they sum to 1 but for rounding",
  label: "what the expression looks like most; it says nothing of what somebody feels",
  reliable: 'false where the page says "not sure"; the label should not be relied on then',
  reasons: "why it is not sure",
};

/** There only where *Learn my face* was in use. */
const PERSONAL_FIELD = "true: the probabilities are adapted to one person, no longer what ten people would say; else missing";

const SUMMARY_FIELDS = {
  length_s: "from the first picture to the last",
  watched_s: "the sum of the next three; the rest of length_s passed without pictures",
  judged_s: "how long there was a face whose expression could be classified",
  not_sure_s: "how long there was a face that could not be classified",
  nobody_s: "how long no face was in view",
  scenes: "how many scenes there were",
  time_s: "how long the label was shown",
  share: "of judged_s, from 0 to 1",
  longest_s: "the longest stretch in which one face kept the label; pauses of up to a second do not end it or count",
};

/**
 * @param {import("./session.js").Session} session
 * @returns {string} as RFC 4180 has it: one line for each row under one line of names; the last column, `personal`, is
 *   there only where *Learn my face* was in use
 */
export function toCsv({ labelNames, rows }) {
  const names = ["time_s", "scene", "track_id", "x0_px", "y0_px", "x1_px", "y1_px"];
  const isPersonal = hasPersonalRows(rows);
  const lines = [[...names, ...labelNames, "label", "reliable", "reasons", ...(isPersonal ? ["personal"] : [])]];
  for (const row of rows) {
    const { time_s, scene, track_id, box_px, probabilities, label, reliable, reasons } = toRecord(row, labelNames);
    const values = labelNames.map((name) => probabilities[name]);
    const last = isPersonal ? [row.personal ?? false] : [];
    lines.push([time_s, scene, track_id, ...box_px, ...values, label, reliable, reasons.join("; "), ...last]);
  }
  return lines.map((cells) => `${cells.map(csvCell).join(",")}\r\n`).join("");
}

/**
 * @param {import("./session.js").Session} session
 * @returns {string}
 */
export function toJson(session) {
  const { labelNames, rows, droppedRows } = session;
  const isPersonal = hasPersonalRows(rows);
  return JSON.stringify({
    about: [
      "A session of the Live Emotion Detector: what expressions looked like.",
      "The summary is of one face at each moment, the one in the headline, even if the person changes; the rows are of every face.",
      `What is shown for one picture counts until the next one, for ${HOLD_S} s at most.`,
      `Rows are at least ${ROW_INTERVAL_S} s apart for each face; moments with nobody in view have none.`,
      `At most ${MOST_ROWS} rows are kept; the oldest are dropped, but stay in the summary.`,
      ...(isPersonal ? ["Answers were adapted to one person: rows with personal, and their part of the summary."] : []),
    ],
    label_names: labelNames,
    summary: toSummaryRecord(session.summary()),
    summary_fields: SUMMARY_FIELDS,
    dropped_rows: droppedRows,
    fields: isPersonal ? { ...FIELDS, personal: PERSONAL_FIELD } : FIELDS,
    rows: rows.map((row) => toRecord(row, labelNames)),
  });
}

function hasPersonalRows(rows) {
  return rows.some((row) => row.personal);
}

function toRecord({ timeS, scene, trackId, box, probabilities, label, reliable, reasons, personal }, labelNames) {
  const named = labelNames.map((name, index) => [name, rounded(probabilities[index], 4)]);
  return {
    time_s: rounded(timeS, 3),
    scene,
    track_id: trackId,
    box_px: box.map((value) => rounded(value, 1)),
    probabilities: Object.fromEntries(named),
    label,
    reliable,
    reasons,
    ...(personal ? { personal } : {}),
  };
}

function toSummaryRecord({ lengthS, watchedS, classifiedS, unsureS, nobodyS, scenes, expressions }) {
  return {
    length_s: rounded(lengthS, 3),
    watched_s: rounded(watchedS, 3),
    judged_s: rounded(classifiedS, 3),
    not_sure_s: rounded(unsureS, 3),
    nobody_s: rounded(nobodyS, 3),
    scenes,
    expressions: expressions.map(({ label, timeS, share, longestS }) => ({
      label,
      time_s: rounded(timeS, 3),
      share: rounded(share, 4),
      longest_s: rounded(longestS, 3),
    })),
  };
}

function rounded(value, digits) {
  return Number(value.toFixed(digits));
}
