/** A drawn face that moves its brows, lids and mouth: nobody's, so nobody is made to pull faces. */

/**
 * How the parts of the face are moved. All are 0 in a face at rest, in shares of the distance between the eyes; up is
 * negative.
 *
 * @typedef {object} Pose
 * @property {number} browInner height of the brows' inner ends
 * @property {number} browOuter height of their outer ends
 * @property {number} browIn how far the inner ends come together
 * @property {number} lids how far the eyes open wider (narrower, if negative)
 * @property {number} corner height of the mouth's corners
 * @property {number} wide how much wider the mouth is, at each side
 * @property {number} open how far the mouth is open
 * @property {number} teeth how much of the upper teeth is seen, 0..1
 * @property {number} folds depth of the folds beside the mouth, 0..1
 * @property {number} frown depth of the folds between the brows, 0..1
 */

const AT_REST = { browInner: 0, browOuter: 0, browIn: 0, lids: 0, corner: 0, wide: 0, open: 0, teeth: 0, folds: 0.25, frown: 0 };

/** Poses by what most people would call them. What the page says of them is the engine's answer, whatever it is. */
export const POSES = Object.freeze({
  neutral: AT_REST,
  happy: { browInner: -0.22, browOuter: -0.05, browIn: -0.01, lids: -0.35, corner: -0.2, wide: 0.13, open: 0.02, teeth: 0.02, folds: 0.36, frown: 0.08 },
  sad: { browInner: -0.09, browOuter: 0.09, browIn: -0.02, lids: -0.31, corner: 0.11, wide: 0.09, open: 0.04, teeth: 0.07, folds: 0.5, frown: 0.43 },
  surprise: { browInner: -0.1, browOuter: -0.12, browIn: 0, lids: 0.35, corner: 0.04, wide: -0.08, open: 0.29, teeth: 0.03, folds: 0.09, frown: 0.01 },
  angry: { browInner: 0.14, browOuter: -0.17, browIn: -0.02, lids: -0.35, corner: 0.2, wide: -0.12, open: 0.4, teeth: 0.5, folds: 0.89, frown: 0.09 },
  fear: { browInner: -0.2, browOuter: 0.12, browIn: 0.02, lids: 0.53, corner: 0.15, wide: 0.16, open: 0.08, teeth: 0.11, folds: 0.66, frown: 0.38 },
});

/** Colours of skin, its shadow, hair, lips and eyes. */
export const LOOKS = Object.freeze([
  { skin: "#e8b894", shade: "#b98460", hair: "#3b2a20", lips: "#b5605a", iris: "#5b3a21", shirt: "#356859" },
  { skin: "#9a6a48", shade: "#6b4329", hair: "#17120f", lips: "#7d3f3a", iris: "#2b1a10", shirt: "#8a5a00" },
]);

/**
 * @param {Pose} one
 * @param {Pose} other
 * @param {number} share 0 is `one`, 1 is `other`
 * @returns {Pose} between them
 */
export function between(one, other, share) {
  const mixed = Object.keys(one).map((part) => [part, one[part] + share * (other[part] - one[part])]);
  return /** @type {Pose} */ (Object.fromEntries(mixed));
}

/**
 * Draw a head with its shoulders. The eyes are 100 units apart before `size` is applied.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {object} where
 * @param {number} where.x of the point between the eyes, in pixels
 * @param {number} where.y
 * @param {number} where.size pixels for each unit
 * @param {number} where.turn clockwise, in radians
 * @param {Pose} pose
 * @param {typeof LOOKS[number]} look
 */
export function drawFace(context, { x, y, size, turn }, pose, look) {
  context.save();
  context.translate(x, y);
  context.rotate(turn);
  context.scale(size, size);
  context.lineCap = context.lineJoin = "round";
  drawHead(context, look);
  for (const side of [-1, 1]) {
    drawEye(context, side, pose, look);
    drawBrow(context, side, pose, look);
  }
  drawNose(context, look);
  drawFolds(context, pose, look);
  drawMouth(context, pose, look);
  context.restore();
}

function drawHead(context, { skin, shade, hair, shirt }) {
  // Hair behind the head, neck and shoulders.
  ellipse(context, 0, -40, 128, 140, hair);
  fill(context, shirt, () => {
    context.moveTo(-260, 420);
    context.bezierCurveTo(-230, 240, -120, 235, -55, 210);
    context.lineTo(55, 210);
    context.bezierCurveTo(120, 235, 230, 240, 260, 420);
  });
  fill(context, shade, () => {
    context.moveTo(-55, 120);
    context.lineTo(-58, 215);
    context.quadraticCurveTo(0, 262, 58, 215);
    context.lineTo(55, 120);
  });
  for (const side of [-1, 1]) ellipse(context, side * 112, 22, 17, 32, shade);
  const light = context.createRadialGradient(-25, -20, 20, 0, 20, 175);
  light.addColorStop(0, mix(skin, "#ffffff", 0.22));
  light.addColorStop(0.55, skin);
  light.addColorStop(1, shade);
  fill(context, light, () => {
    context.moveTo(-110, -20);
    context.bezierCurveTo(-118, -150, 118, -150, 110, -20);
    context.bezierCurveTo(112, 80, 70, 172, 0, 174);
    context.bezierCurveTo(-70, 172, -112, 80, -110, -20);
  });
  // Hair over the forehead.
  fill(context, hair, () => {
    context.moveTo(-120, 0);
    context.bezierCurveTo(-150, -200, 150, -200, 120, 0);
    context.bezierCurveTo(112, -60, 80, -92, 40, -98);
    context.bezierCurveTo(-20, -104, -96, -90, -120, 0);
  });
  // Sockets and cheeks are a little darker.
  for (const side of [-1, 1]) {
    soft(context, side * 50, 2, 40, shade, 0.45);
    soft(context, side * 66, 70, 34, mix(shade, "#c0392b", 0.35), 0.35);
  }
  soft(context, 0, 150, 40, shade, 0.3);
}

function drawEye(context, side, { lids }, { iris, shade }) {
  const middle = side * 50;
  const [above, below] = [13 + 26 * lids, 9 + 12 * Math.max(lids, -0.4)];
  const outline = () => {
    context.moveTo(middle - 25, 2);
    context.quadraticCurveTo(middle, -above * 1.6, middle + 25, 2);
    context.quadraticCurveTo(middle, below * 1.7, middle - 25, 2);
  };
  context.save();
  context.beginPath();
  outline();
  context.clip();
  context.fillStyle = "#f4f0ea";
  context.fillRect(middle - 30, -60, 60, 120);
  ellipse(context, middle, 0, 12.5, 12.5, iris);
  ellipse(context, middle, 0, 6, 6, "#100c0a");
  ellipse(context, middle - 4, -4, 2.6, 2.6, "#fff");
  context.restore();
  stroke(context, "#1d1512", 4.5, () => {
    context.moveTo(middle - 26, 3);
    context.quadraticCurveTo(middle, -above * 1.6, middle + 26, 3);
  });
  stroke(context, mix(shade, "#301a10", 0.4), 2, () => {
    context.moveTo(middle - 24, 3);
    context.quadraticCurveTo(middle, below * 1.7, middle + 24, 3);
  });
  stroke(context, mix(shade, "#301a10", 0.3), 2, () => {
    context.moveTo(middle - 26, -7);
    context.quadraticCurveTo(middle, -above * 1.6 - 12, middle + 26, -7);
  });
}

function drawBrow(context, side, { browInner, browOuter, browIn, frown }, { hair, shade }) {
  const [inner, outer] = [side * (24 - 100 * browIn), side * 82];
  const [innerY, outerY] = [-32 + 100 * browInner, -29 + 100 * browOuter];
  stroke(context, hair, 9.5, () => {
    context.moveTo(inner, innerY);
    context.quadraticCurveTo(side * 56, Math.min(innerY, outerY) - 9 + 0.25 * Math.abs(innerY - outerY), outer, outerY);
  });
  if (frown <= 0) return;
  context.globalAlpha = Math.min(frown, 1);
  stroke(context, mix(shade, "#301a10", 0.45), 3, () => {
    context.moveTo(side * 8, innerY - 6);
    context.quadraticCurveTo(side * 5, innerY + 8, side * 9, innerY + 22);
  });
  context.globalAlpha = 1;
}

function drawNose(context, { shade, skin }) {
  soft(context, -4, 42, 20, mix(skin, "#ffffff", 0.35), 0.7);
  stroke(context, mix(shade, "#301a10", 0.25), 3, () => {
    context.moveTo(14, 8);
    context.bezierCurveTo(16, 34, 26, 46, 22, 58);
    context.quadraticCurveTo(16, 66, 8, 62);
    context.quadraticCurveTo(0, 67, -8, 62);
    context.quadraticCurveTo(-17, 66, -22, 57);
  });
  for (const side of [-1, 1]) ellipse(context, side * 10, 60, 4.5, 2.6, mix(shade, "#301a10", 0.7));
}

function drawFolds(context, { folds, corner, wide }, { shade }) {
  context.globalAlpha = Math.max(0, Math.min(folds, 1));
  for (const side of [-1, 1]) {
    const out = 46 + 100 * wide;
    stroke(context, mix(shade, "#301a10", 0.3), 3, () => {
      context.moveTo(side * 26, 56);
      context.quadraticCurveTo(side * (out + 4), 70, side * (out + 6), 100 + 60 * corner);
    });
  }
  context.globalAlpha = 1;
}

function drawMouth(context, { corner, wide, open, teeth }, { lips, shade }) {
  const half = 38 + 100 * wide;
  const y = 106;
  const cornerY = y + 100 * corner;
  const [top, bottom] = [y - 3 - 25 * open, y + 3 + 100 * open];
  const inside = () => {
    context.moveTo(-half, cornerY);
    context.bezierCurveTo(-half / 2, top, -half / 4, top, 0, top + 1);
    context.bezierCurveTo(half / 4, top, half / 2, top, half, cornerY);
    context.bezierCurveTo(half / 2, bottom, half / 4, bottom, 0, bottom);
    context.bezierCurveTo(-half / 4, bottom, -half / 2, bottom, -half, cornerY);
  };
  fill(context, lips, () => {
    context.moveTo(-half - 3, cornerY);
    context.bezierCurveTo(-half / 2, top - 7, -half / 4, top - 12, 0, top - 6);
    context.bezierCurveTo(half / 4, top - 12, half / 2, top - 7, half + 3, cornerY);
    context.bezierCurveTo(half / 2, bottom + 10, half / 4, bottom + 13, 0, bottom + 13);
    context.bezierCurveTo(-half / 4, bottom + 13, -half / 2, bottom + 10, -half - 3, cornerY);
  });
  context.save();
  context.beginPath();
  inside();
  context.clip();
  context.fillStyle = "#3a1214";
  context.fillRect(-120, 0, 240, 300);
  context.fillStyle = "#f6f1ea";
  context.fillRect(-120, 0, 240, top + teeth * 0.75 * (bottom - top));
  context.restore();
  stroke(context, "#5a2422", 2.5, inside);
  soft(context, 0, bottom + 22, 24, shade, 0.4);
}

function fill(context, colour, path) {
  context.fillStyle = colour;
  context.beginPath();
  path();
  context.closePath();
  context.fill();
}

function stroke(context, colour, width, path) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.beginPath();
  path();
  context.stroke();
}

function ellipse(context, x, y, wide, tall, colour) {
  fill(context, colour, () => context.ellipse(x, y, wide, tall, 0, 0, 2 * Math.PI));
}

/** A spot without an edge. */
function soft(context, x, y, radius, colour, strength) {
  const spot = context.createRadialGradient(x, y, 0, x, y, radius);
  spot.addColorStop(0, withAlpha(colour, strength));
  spot.addColorStop(1, withAlpha(colour, 0));
  context.fillStyle = spot;
  context.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
}

function channels(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

function mix(one, other, share) {
  const [from, to] = [channels(one), channels(other)];
  return `#${from.map((value, at) => Math.round(value + share * (to[at] - value)).toString(16).padStart(2, "0")).join("")}`;
}

function withAlpha(colour, alpha) {
  return `rgb(${channels(colour).join(" ")} / ${alpha})`;
}
