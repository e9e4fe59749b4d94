/** A face that moves and is lit differently, so that there is something to see before anybody's camera is asked for. */

const WIDTH = 480;
const HEIGHT = 360;

/**
 * @param {string} place address of a picture with a face
 * @returns {Promise<(timeS: number) => HTMLCanvasElement>} draws the scene at a time and gives its canvas; for visitors
 *   who asked their system for less motion the scene stands still
 */
export async function loadDemo(place) {
  const picture = new Image();
  picture.src = place;
  await picture.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: WIDTH, height: HEIGHT });
  const context = canvas.getContext("2d");
  const lessMotion = matchMedia("(prefers-reduced-motion: reduce)");
  return (timeS) => {
    drawScene(context, picture, lessMotion.matches ? 0 : timeS);
    return canvas;
  };
}

function drawScene(context, picture, timeS) {
  const size = HEIGHT * (1.25 + 0.12 * Math.sin(timeS / 3));
  const x = WIDTH / 2 + 45 * Math.sin(timeS / 2.3);
  const y = HEIGHT / 2 + 12 * Math.cos(timeS / 1.7);
  context.filter = `brightness(${(0.85 + 0.35 * Math.sin(timeS / 1.9)).toFixed(3)})`;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = "#556";
  context.fillRect(0, 0, WIDTH, HEIGHT);
  context.translate(x, y);
  context.rotate(0.08 * Math.sin(timeS / 2.9));
  context.drawImage(picture, -size / 2, -size / 3, size, size);
}
