/** Boxes and labels over a picture. */

import { headlineOf, looks } from "./words.js";

// Those of `face_expression/output/annotate.py`, which says why; page.css has them for the bars.
const COLOURS = ["#b84a00", "#4f7a1f", "#8450b5", "#946200", "#0068a8", "#b83a78", "#1f7a73"];
const UNSURE = "#686d76";

/**
 * @param {import("./engine/engine.js").Face} face
 * @param {string[]} labelNames in the order of all probabilities
 * @returns {string} the colour of a face's expression, or grey while the result is not sure
 */
export function colourOf(face, labelNames) {
  return face.reliable ? COLOURS[labelNames.indexOf(face.label) % COLOURS.length] : UNSURE;
}

/**
 * Which face was clicked: the smallest whose box holds the point, as one may lie before another.
 *
 * @param {import("./engine/engine.js").Face[]} faces in pixels of the frame
 * @param {number} x in pixels of the frame
 * @param {number} y
 * @returns {import("./engine/engine.js").Face | null}
 */
export function faceAt(faces, x, y) {
  const areaOf = ({ box: [x0, y0, x1, y1] }) => (x1 - x0) * (y1 - y0);
  const held = faces.filter(({ box: [x0, y0, x1, y1] }) => x >= x0 && x <= x1 && y >= y0 && y <= y1);
  return held.sort((one, other) => areaOf(one) - areaOf(other))[0] ?? null;
}

/**
 * Draw the faces of a frame over it. A mirrored picture keeps its letters the right way round.
 *
 * @param {CanvasRenderingContext2D} context of a canvas as large as the frame
 * @param {import("./engine/engine.js").Face[]} faces in pixels of the frame
 * @param {{mirrored: boolean, labelNames: string[]}} options
 */
export function drawFaces(context, faces, { mirrored, labelNames }) {
  const { width, height } = context.canvas;
  context.clearRect(0, 0, width, height);
  // Letters as large as those of the page, however large the canvas is shown.
  const { clientWidth, clientHeight } = context.canvas;
  const unit = Math.max(width / (clientWidth || width), height / (clientHeight || height));
  context.lineWidth = 3 * unit;
  context.font = `600 ${16 * unit}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  const tall = 24 * unit;
  const tags = faces.map((face) => {
    const [x0, y0, x1, y1] = face.box;
    const left = mirrored ? width - x1 : x0;
    const colour = colourOf(face, labelNames);
    context.strokeStyle = colour;
    context.setLineDash(face.reliable ? [] : [8 * unit, 6 * unit]);
    context.strokeRect(left, y0, x1 - x0, y1 - y0);
    const top = y0 >= tall ? y0 - tall : Math.min(y1, height - tall);
    return tagsOf(face, faces.length > 1).map((text) => {
      const wide = context.measureText(text).width + 12 * unit;
      const start = Math.max(0, Math.min(left, width - wide));
      return { text, colour, left: start, right: start + wide, top };
    });
  });
  for (const { text, colour, left, right, top } of chooseTags(tags, tall)) {
    context.fillStyle = colour;
    context.fillRect(left, top, right - left, tall);
    context.fillStyle = "#fff";
    context.fillText(text, left + 6 * unit, top + tall / 2);
  }
}

/**
 * @typedef {object} Tag
 * @property {string} text
 * @property {string} colour
 * @property {number} left in pixels of the canvas
 * @property {number} right
 * @property {number} top
 */

/**
 * For each face the longest tag that leaves the others' alone; the first face chooses first.
 *
 * @param {Tag[][]} tags what each face's tag may be, the longest first
 * @param {number} tall height of a tag
 * @returns {Tag[]}
 */
function chooseTags(tags, tall) {
  const chosen = tags.map((choices) => choices.at(-1));
  tags.forEach((choices, index) => {
    const leavesOthersAlone = (tag) =>
      chosen.every(
        (other, place) =>
          place === index || tag.left >= other.right || other.left >= tag.right || Math.abs(other.top - tag.top) >= tall,
      );
    chosen[index] = choices.find(leavesOthersAlone) ?? chosen[index];
  });
  return chosen;
}

/**
 * What a face's tag may say, the longest first: in a crowd, a shorter one leaves room for the others. Several people are
 * numbered.
 *
 * @param {import("./engine/engine.js").Face} face
 * @param {boolean} isOneOfSeveral
 * @returns {string[]}
 */
function tagsOf(face, isOneOfSeveral) {
  if (!isOneOfSeveral) return [headlineOf(face)];
  const word = face.reliable ? looks(face.label) : "?";
  return [`${face.trackId}  ${headlineOf(face)}`, `${face.trackId}  ${word}`, String(face.trackId)];
}
