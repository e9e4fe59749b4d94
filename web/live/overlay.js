/** Boxes and labels over a picture. */

import { headlineOf } from "./words.js";

const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const UNSURE = "#767676";

/**
 * @param {import("./engine/engine.js").Face} face
 * @returns {string} the colour of a face's track, or grey while the result is not sure
 */
export function colourOf(face) {
  return face.reliable ? COLOURS[(face.trackId ?? 0) % COLOURS.length] : UNSURE;
}

/**
 * Draw the faces of a frame over it. A mirrored picture keeps its letters the right way round.
 *
 * @param {CanvasRenderingContext2D} context of a canvas as large as the frame
 * @param {import("./engine/engine.js").Face[]} faces in pixels of the frame
 * @param {{mirrored: boolean}} options
 */
export function drawFaces(context, faces, { mirrored }) {
  const { width, height } = context.canvas;
  context.clearRect(0, 0, width, height);
  // Letters as large as those of the page, however large the canvas is shown.
  const { clientWidth, clientHeight } = context.canvas;
  const unit = Math.max(width / (clientWidth || width), height / (clientHeight || height));
  context.lineWidth = 3 * unit;
  context.font = `600 ${16 * unit}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  for (const face of faces) {
    const [x0, y0, x1, y1] = face.box;
    const left = mirrored ? width - x1 : x0;
    const colour = colourOf(face);
    context.strokeStyle = colour;
    context.setLineDash(face.reliable ? [] : [8 * unit, 6 * unit]);
    context.strokeRect(left, y0, x1 - x0, y1 - y0);
    const text = headlineOf(face);
    const tall = 24 * unit;
    const wide = context.measureText(text).width + 12 * unit;
    const top = y0 >= tall ? y0 - tall : Math.min(y1, height - tall);
    const start = Math.max(0, Math.min(left, width - wide));
    context.fillStyle = colour;
    context.fillRect(start, top, wide, tall);
    context.fillStyle = "#fff";
    context.fillText(text, start + 6 * unit, top + tall / 2);
  }
}
