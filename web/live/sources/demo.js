/**
 * What is shown before anybody's camera is asked for: a photo and drawn faces, one scene after the other. What the page
 * says of them is the engine's answer, as for a camera.
 */

import { LOOKS, POSES, between, drawFace } from "./drawn_face.js";

const WIDTH = 480;
const HEIGHT = 360;
const BACKGROUND = "#7d8894";
/** How long each scene lasts, and how long a drawn face takes to change, in seconds. */
export const SCENE_S = 5;
const CHANGE_S = 0.6;

/** The scenes, in turn; a drawn face is named by its pose. */
const SCENES = [
  { photo: true },
  { faces: ["surprise"] },
  { faces: ["sad"] },
  { faces: ["neutral", "happy"] },
  { faces: ["angry"] },
  { faces: ["neutral"], brightness: 0.12 },
];

/**
 * @param {string} place address of a picture with a face
 * @returns {Promise<(timeS: number) => HTMLCanvasElement>} draws the scene at a time and gives its canvas; for visitors
 *   who asked their system for less motion the first scene stands still
 */
export async function loadDemo(place) {
  const picture = new Image();
  picture.src = place;
  await picture.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: WIDTH, height: HEIGHT });
  const context = canvas.getContext("2d");
  return (timeS) => {
    drawScene(context, picture, standsStill() ? 0 : timeS);
    return canvas;
  };
}

/** Whether the visitor asked the system for less motion. */
function standsStill() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/**
 * @param {number} timeS since the demonstration began
 * @returns {number} the scene at that time, from 0
 */
export function sceneAt(timeS) {
  return standsStill() ? 0 : Math.floor(timeS / SCENE_S) % SCENES.length;
}

function drawScene(context, picture, timeS) {
  const number = sceneAt(timeS);
  const { photo, faces, brightness } = SCENES[number];
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.filter = "none";
  context.fillStyle = BACKGROUND;
  context.fillRect(0, 0, WIDTH, HEIGHT);
  if (photo) return drawPhoto(context, picture, timeS);
  const share = Math.min(1, (timeS % SCENE_S) / CHANGE_S);
  faces.forEach((name, index) => {
    const pose = between(POSES.neutral, POSES[name], share);
    const alone = faces.length === 1;
    const place = {
      x: WIDTH * (alone ? 0.5 : 0.27 + 0.46 * index) + 14 * Math.sin(timeS / 1.3 + index),
      y: HEIGHT * 0.46 + 6 * Math.cos(timeS / 1.7 + index),
      size: alone ? 0.95 : 0.72,
      turn: 0.05 * Math.sin(timeS / 1.9 + 2 * index),
    };
    drawFace(context, place, pose, LOOKS[alone ? number % LOOKS.length : index % LOOKS.length]);
  });
  if (!brightness) return;
  context.fillStyle = `rgb(0 0 0 / ${1 - brightness})`;
  context.fillRect(0, 0, WIDTH, HEIGHT);
}

function drawPhoto(context, picture, timeS) {
  const size = HEIGHT * (1.25 + 0.12 * Math.sin(timeS / 3));
  context.filter = `brightness(${(0.85 + 0.35 * Math.sin(timeS / 1.9)).toFixed(3)})`;
  context.fillStyle = "#556";
  context.fillRect(0, 0, WIDTH, HEIGHT);
  context.translate(WIDTH / 2 + 45 * Math.sin(timeS / 2.3), HEIGHT / 2 + 12 * Math.cos(timeS / 1.7));
  context.rotate(0.08 * Math.sin(timeS / 2.9));
  context.drawImage(picture, -size / 2, -size / 3, size, size);
}
