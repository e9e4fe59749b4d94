/** The pictures of "Make this face": one face as the visitor saw it, and the card to keep. */

import { squareAround } from "./game.js";
import { shownPercent } from "../../words.js";
import { t, tLabel } from "../../texts.js";

const SNAPSHOT_PX = 240;
const SPACE_PX = 24;
const [FEWEST_COLUMNS, COLUMNS] = [2, 4];
const HEAD_PX = 150;
const CAPTION_PX = 44;
const FOOT_PX = 56;
const FONT = "system-ui, sans-serif";
const [PAPER, INK, PALE] = ["#f5f3ff", "#1e1b4b", "#4c4a6e"];
const FOOTNOTE = t("A model's guess at what an expression looks like, not at what anybody feels.");

/** @returns {HTMLCanvasElement} on which `drawSnapshot` draws */
export function snapshotCanvas() {
  return Object.assign(document.createElement("canvas"), { width: SNAPSHOT_PX, height: SNAPSHOT_PX });
}

/**
 * Draw a face with some space around it.
 *
 * @param {HTMLCanvasElement} canvas square
 * @param {HTMLCanvasElement} frame
 * @param {import("../../engine/boxes.js").Box} box of the face in pixels of the frame
 * @param {{mirrored: boolean}} options
 */
export function drawSnapshot(canvas, frame, box, { mirrored }) {
  const { x, y, side } = squareAround(box, frame.width, frame.height);
  const context = canvas.getContext("2d");
  context.save();
  if (mirrored) {
    context.translate(canvas.width, 0);
    context.scale(-1, 1);
  }
  context.drawImage(frame, x, y, side, side, 0, 0, canvas.width, canvas.height);
  context.restore();
}

/**
 * Draw what somebody may keep of a game; the canvas takes the size it needs.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {string} result how it went
 * @param {{round: import("./game.js").Round, snapshot: HTMLCanvasElement}[]} pictures at least one
 */
export function drawCard(canvas, result, pictures) {
  // As wide as there are pictures, but never narrower than its words.
  const columns = Math.max(FEWEST_COLUMNS, Math.min(COLUMNS, pictures.length));
  const rows = Math.ceil(pictures.length / columns);
  const tall = SNAPSHOT_PX + CAPTION_PX + SPACE_PX;
  canvas.width = SPACE_PX + columns * (SNAPSHOT_PX + SPACE_PX);
  canvas.height = HEAD_PX + rows * tall + FOOT_PX;
  const context = canvas.getContext("2d");
  context.fillStyle = PAPER;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.textBaseline = "middle";
  write(context, t("Make this face"), SPACE_PX, 56, `700 48px ${FONT}`, INK);
  write(context, result, SPACE_PX, 112, `500 28px ${FONT}`, INK);
  pictures.forEach(({ round, snapshot }, index) => {
    const left = SPACE_PX + (index % columns) * (SNAPSHOT_PX + SPACE_PX);
    const top = HEAD_PX + Math.floor(index / columns) * tall;
    context.drawImage(snapshot, left, top);
    write(context, captionOf(round), left, top + SNAPSHOT_PX + CAPTION_PX / 2, `600 24px ${FONT}`, INK);
  });
  write(context, FOOTNOTE, SPACE_PX, canvas.height - FOOT_PX / 2, `400 20px ${FONT}`, PALE);
}

/**
 * @param {import("./game.js").Round} round
 * @returns {string} such as "happy 87%" or "fear 31%, a try"
 */
export function captionOf({ label, best, points }) {
  return `${tLabel(label)} ${shownPercent(best)}${points ? "" : `, ${t("a try")}`}`;
}

function write(context, text, x, y, font, colour) {
  context.font = font;
  context.fillStyle = colour;
  context.fillText(text, x, y, context.canvas.width - x);
}
