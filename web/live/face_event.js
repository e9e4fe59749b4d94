/** What other programs get of the faces in view: from `createEngine`, from an embedded page, and from Python. */

/**
 * A face as `python -m face_expression video --events` prints it, too.
 *
 * @typedef {object} EventFace
 * @property {number | null} track_id stays with a person while in view
 * @property {number[]} box x0, y0, x1, y1 in pixels of the frame
 * @property {number} score the detector's, 0..1
 * @property {string} label what the expression looks like
 * @property {number} confidence of the label, 0..1
 * @property {Record<string, number>} probabilities by label, summing to 1
 * @property {boolean} reliable whether nothing speaks against the label; if not, say "not sure"
 * @property {string[]} reasons why not
 * @property {true} [personal] the probabilities are adapted to one person, no longer what people would say
 * @property {Record<string, number>} [own] own expressions, if the page or the file learned any
 */

/**
 * @typedef {object} FaceEvent
 * @property {"face-expression"} type
 * @property {1} version
 * @property {number} time_s when the frame was taken, on the page's clock
 * @property {EventFace[]} faces the largest first
 */

/**
 * @param {import("./engine/engine.js").Face[]} faces
 * @param {number} timeS when the frame was taken
 * @param {string[]} labelNames
 * @returns {FaceEvent} plain values only: no pictures
 */
export function faceEvent(faces, timeS, labelNames) {
  return {
    type: "face-expression",
    version: 1,
    time_s: rounded(timeS, 3),
    faces: faces.map((face) => ({
      track_id: face.trackId,
      box: face.box.map((value) => rounded(value, 1)),
      score: rounded(face.score, 4),
      label: face.label,
      confidence: rounded(face.confidence, 4),
      probabilities: Object.fromEntries(labelNames.map((name, at) => [name, rounded(face.probabilities[at], 4)])),
      reliable: face.reliable,
      reasons: [...face.reasons],
      ...(face.personal ? { personal: true } : {}),
      ...(face.own ? { own: Object.fromEntries(face.own.map((one) => [one.name, rounded(one.probability, 4)])) } : {}),
    })),
  };
}

/**
 * The origins that may get events, from the address with which a page was opened: `?events=https://game.example`, more
 * than once if need be. The embedding page writes that address, and the browser delivers to these origins only.
 *
 * @param {string} search of the address
 * @returns {string[]} whole origins; "*" and what is no origin are left out
 */
export function originsForEvents(search) {
  return new URLSearchParams(search).getAll("events").filter((origin) => {
    try {
      return new URL(origin).origin === origin && origin !== "null";
    } catch {
      return false;
    }
  });
}

function rounded(value, digits) {
  return Number(value.toFixed(digits));
}
