/** Whose expression the headline is about, where several people are in view. Made like `space/live/main_face.py`. */

/** So much larger an area is clearly larger: people of like size do not take the headline from each other. */
const CLEARLY_LARGER = 1.5;

/**
 * Keep to one person until they are gone or another face is clearly larger.
 *
 * @template {{box: import("./engine/boxes.js").Box, trackId: number | null}} F
 * @param {F[]} faces of one frame, the largest first
 * @param {number | null} mainId track of the main face so far; null if there is none
 * @returns {F[]} the same faces, the main one first
 */
export function mainFirst(faces, mainId) {
  const main = faces.find(({ trackId }) => trackId !== null && trackId === mainId);
  if (!main || areaOf(faces[0]) >= CLEARLY_LARGER * areaOf(main)) return faces;
  return withFirst(faces, mainId);
}

/**
 * @template {{trackId: number | null}} F
 * @param {F[]} faces
 * @param {number | null} trackId
 * @returns {F[]} the faces with that track's first, if it is among them
 */
export function withFirst(faces, trackId) {
  const first = faces.find((face) => trackId !== null && face.trackId === trackId);
  return first ? [first, ...faces.filter((face) => face !== first)] : faces;
}

function areaOf({ box: [x0, y0, x1, y1] }) {
  return (x1 - x0) * (y1 - y0);
}
