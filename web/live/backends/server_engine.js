/** The engine on the server: small JPEG pictures go there, faces come back. */

import { sizeOf } from "../sources/picture_source.js";
import { t } from "../texts.js";

const WIDTH_PX = 320;
const QUALITY = 0.8;
const PATIENCE_MS = 5000;
// The status of an answer that says why a picture cannot be used.
const UNUSABLE = 422;
const MOST_IN_FLIGHT = 3;
// A way this long has room for one frame more; on a shorter one they would only wait for each other.
const WAY_OF_ONE_FRAME_MS = 75;
const REMEMBERED_WAYS = 30;
// A server that keeps a frame for so long is busy with those of others, and a second one would only grow old there.
const BUSY_MS = 50;

/** The server does not answer; the message says why. Asking again later may help. */
export class ConnectionError extends Error {}

/** The server will not take a picture, and says why. */
export class RefusedError extends Error {}

/** Frames in, faces out; what the camera sees goes to the server, which keeps none of it. */
export class ServerEngine {
  #address;
  #sending;
  #visitor = randomName();
  #canvas = new OffscreenCanvas(1, 1);
  #inFlight = 0;
  #waysMs = [];
  #serverMs = 0;

  /**
   * @param {string} address where the server takes pictures, as `space/live/frames.py` says
   * @param {() => void} sending called for each picture that goes to the server
   */
  constructor(address, sending) {
    this.#address = new URL(address, document.baseURI);
    this.#sending = sending;
  }

  /** Whether it takes another frame now; several may be on their way, so that a long way costs no frames. */
  get hasRoom() {
    // The shortest is what the way itself takes; on the others something else was on the line, too.
    const wayMs = this.#waysMs.length ? Math.min(...this.#waysMs) : 0;
    const onTheWay = Math.floor(wayMs / WAY_OF_ONE_FRAME_MS);
    return this.#inFlight < Math.min(MOST_IN_FLIGHT, (this.#serverMs < BUSY_MS ? 2 : 1) + onTheWay);
  }

  /**
   * @param {HTMLVideoElement | HTMLCanvasElement} picture
   * @param {number} timeS when it was taken
   * @param {number} scene nobody in a scene is known from another one
   * @returns {Promise<import("../engine/engine.js").Face[] | null>} in pixels of the picture, or null if the server had a newer
   *   picture to process
   * @throws {ConnectionError} if no answer comes
   * @throws {RefusedError} if the server takes no picture
   */
  async look(picture, timeS, scene) {
    this.#inFlight += 1;
    try {
      return await this.#send(picture, timeS, scene);
    } finally {
      this.#inFlight -= 1;
    }
  }

  async #send(picture, timeS, scene) {
    const { width, height } = sizeOf(picture);
    const jpeg = await this.#encode(picture, width, height);
    this.#sending();
    const answer = await this.#ask(jpeg, timeS, scene);
    if (answer.refused) throw new RefusedError(answer.refused);
    if (!answer.faces) return null;
    const scale = width / this.#canvas.width;
    return answer.faces.map((face) => readFace(face, scale));
  }

  async #encode(picture, width, height) {
    const scale = Math.min(1, WIDTH_PX / width);
    const canvas = this.#canvas;
    const [smallWidth, smallHeight] = [Math.round(width * scale), Math.round(height * scale)];
    if (canvas.width !== smallWidth || canvas.height !== smallHeight) {
      [canvas.width, canvas.height] = [smallWidth, smallHeight];
    }
    canvas.getContext("2d").drawImage(picture, 0, 0, smallWidth, smallHeight);
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
    return blob.arrayBuffer();
  }

  async #ask(jpeg, timeS, scene) {
    const askedAt = performance.now();
    try {
      const answer = await fetch(this.#address, {
        method: "POST",
        headers: {
          "Content-Type": "image/jpeg",
          "X-Visitor": this.#visitor,
          "X-Time-S": String(timeS),
          "X-Scene": String(scene),
        },
        body: jpeg,
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      if (answer.ok || answer.status === UNUSABLE) {
        const content = await answer.json();
        this.#serverMs = serverMsOf(answer);
        // Never below 0, whatever the server's clock says: nothing would be sent any more.
        const wayMs = Math.max(0, performance.now() - askedAt - this.#serverMs);
        this.#waysMs = [wayMs, ...this.#waysMs.slice(0, REMEMBERED_WAYS - 1)];
        return content;
      }
    } catch (error) {
      if (error.name === "TimeoutError") throw new ConnectionError(t("the server does not answer"));
    }
    throw new ConnectionError(t("the server cannot be reached"));
  }
}

/** A name that nobody else has; `crypto.randomUUID` is missing on pages over plain HTTP. */
function randomName() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** For how long the server had a frame, as its answer says; 0 if a proxy has left that out. */
function serverMsOf(answer) {
  return Number(/dur=([\d.]+)/.exec(answer.headers.get("Server-Timing") ?? "")?.[1] ?? 0);
}

/** A face of the server's answer, as the engine on the device gives it. */
function readFace(face, scale) {
  const { box, landmarks, track_id: trackId, crop, ...same } = face;
  return {
    ...same,
    box: box.map((value) => value * scale),
    landmarks: landmarks?.map((point) => point.map((value) => value * scale)) ?? null,
    probabilities: Float32Array.from(face.probabilities),
    trackId,
    crop: crop ? readPicture(crop) : null,
  };
}

/** A picture whose pixels came in base64. */
function readPicture({ width, height, data }) {
  return { width, height, data: Uint8ClampedArray.from(atob(data), (letter) => letter.charCodeAt(0)) };
}
