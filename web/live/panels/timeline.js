/** Draws the last minute: probabilities stacked over time, hatched where the result is not sure. */

const LENGTH_S = 60;
const UNSURE_STRENGTH = 0.3;
const HATCH_EVERY_PX = 7;

/**
 * Draw spans so that `nowS` is at the right edge. Where nobody was in view, or nothing was watched, it stays empty.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {readonly import("./last_minute.js").Span[]} spans
 * @param {object} options
 * @param {number} options.nowS on the clock of the spans
 * @param {string[]} options.colours for each label, drawn from the top down
 * @param {string} options.ink colour of the hatching
 * @param {number} options.scale pixels of the canvas for one of the page
 */
export function drawTimeline(context, spans, { nowS, colours, ink, scale }) {
  const { width, height } = context.canvas;
  context.clearRect(0, 0, width, height);
  const xOf = (timeS) => Math.round(width * (1 - (nowS - timeS) / LENGTH_S));
  const blocks = spans
    .filter((span) => span.face)
    .map(({ fromS, untilS, face }) => ({ left: xOf(fromS), right: xOf(untilS), face }));
  for (const { left, right, face } of blocks) {
    context.globalAlpha = face.reliable ? 1 : UNSURE_STRENGTH;
    let below = 0;
    colours.forEach((colour, index) => {
      const top = Math.round(below * height);
      below += face.probabilities[index];
      context.fillStyle = colour;
      context.fillRect(left, top, right - left, Math.round(below * height) - top);
    });
  }
  context.globalAlpha = 1;
  const unsure = blocks.filter(({ face }) => !face.reliable);
  if (unsure.length) hatch(context, unsure, { ink, scale, origin: xOf(0) });
}

/** Slanted lines over blocks; they move with what lies under them, since they are counted from `origin`. */
function hatch(context, blocks, { ink, scale, origin }) {
  const { width, height } = context.canvas;
  const every = HATCH_EVERY_PX * scale;
  context.save();
  context.beginPath();
  for (const { left, right } of blocks) context.rect(left, 0, right - left, height);
  context.clip();
  context.beginPath();
  for (let x = (origin % every) - height; x < width; x += every) {
    context.moveTo(x, height);
    context.lineTo(x + height, 0);
  }
  context.strokeStyle = ink;
  context.lineWidth = scale;
  context.stroke();
  context.restore();
}
