/** The visitor's camera: chosen from the list of cameras, asked for, given back. */

import { t } from "../texts.js";

const WANTED = { width: { ideal: 640 }, height: { ideal: 480 } };
const FACES_AWAY = /\b(back|rear|environment)\b/i;
const FACES_THE_VISITOR = /\b(front|user)\b/i;

/** One camera at a time, shown in a video element. */
export class Camera {
  #video;
  #lost;
  #stream = null;
  /** How often a camera was asked for or given back: whoever asked before is no longer waited for. */
  #turn = 0;

  /**
   * @param {HTMLVideoElement} video where it is shown
   * @param {() => void} lost called when the camera is unplugged or taken away
   */
  constructor(video, lost) {
    this.#video = video;
    this.#lost = lost;
  }

  /** Whether a camera has been given and not been given back. */
  get isOn() {
    return this.#stream !== null;
  }

  /** @returns {string | null} `deviceId` of the camera that is on, if the browser says so */
  get deviceId() {
    return this.#track?.getSettings().deviceId ?? null;
  }

  /** Whether the camera that is on faces away from the person who holds the device, so that nobody expects a mirror. */
  get facesAway() {
    const facing = this.#track?.getSettings().facingMode;
    return facing ? facing === "environment" : FACES_AWAY.test(this.#track?.label ?? "");
  }

  /**
   * Ask for a camera and show it.
   *
   * @param {string | null} deviceId of one of `listCameras`; null for the one that the browser prefers, the front one
   *   of a phone
   * @returns {Promise<void>} once it plays
   * @throws {DOMException | TypeError} as `getUserMedia` and `play` do; nothing is on then. An `AbortError` if this was
   *   called again, or `stop`, before the camera was given: it is given back
   */
  async start(deviceId) {
    this.stop();
    const turn = this.#turn;
    const which = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "user" };
    const stream = await navigator.mediaDevices.getUserMedia({ video: { ...WANTED, ...which }, audio: false });
    if (turn !== this.#turn) {
      release(stream);
      throw new DOMException("another camera was asked for", "AbortError");
    }
    this.#stream = stream;
    this.#track.onended = () => {
      this.stop();
      this.#lost();
    };
    try {
      this.#video.srcObject = this.#stream;
      await this.#video.play();
    } catch (error) {
      if (turn === this.#turn) this.stop();
      throw error;
    }
  }

  /** Give the camera back. */
  stop() {
    this.#turn += 1;
    if (this.#stream) release(this.#stream);
    this.#stream = null;
    this.#video.srcObject = null;
  }

  get #track() {
    return this.#stream?.getVideoTracks()[0];
  }
}

/** @param {MediaStream} stream */
function release(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/** Whether this browser gives cameras to this page at all; without HTTPS it does so on localhost only. */
export function camerasAreAllowed() {
  return isSecureContext && Boolean(navigator.mediaDevices?.getUserMedia);
}

/** @returns {Promise<MediaDeviceInfo[]>} all cameras; their names and ids are empty until one has been allowed */
export async function listCameras() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter(({ kind }) => kind === "videoinput");
}

/**
 * What cameras are called in a list. Phones name theirs by number and side ("camera2 1, facing front"), which is
 * shortened to the side; names that would be equal are numbered.
 *
 * @param {{label: string}[]} cameras
 * @returns {string[]} one name each, all different
 */
export function namesOfCameras(cameras) {
  const names = cameras.map(({ label }) => nameOf(label));
  return names.map((name, index) => {
    const isOnlyOne = names.filter((other) => other === name).length === 1;
    return isOnlyOne ? name : `${name} ${names.slice(0, index + 1).filter((other) => other === name).length}`;
  });
}

function nameOf(label) {
  if (/^camera2? \d+, facing /i.test(label)) {
    if (FACES_AWAY.test(label)) return t("rear camera");
    if (FACES_THE_VISITOR.test(label)) return t("front camera");
  }
  // Chromium adds the numbers of maker and model.
  return label.replace(/ \([0-9a-f]{4}:[0-9a-f]{4}\)$/i, "").trim() || t("camera");
}
