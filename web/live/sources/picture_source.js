/** The image source: the visitor's camera once it is started, and before that the demonstration. */

import { Camera, camerasAreAllowed, listCameras, namesOfCameras } from "./camera.js";
import { loadDemo, sceneAt } from "./demo.js";
import { adviceOnCamera } from "../words.js";
import { t } from "../texts.js";

const TAKEN_AWAY = t("The camera was disconnected. Connect it again, then start it again.");
const DEMO = t("Demonstration, not you");
const LIVE = t("Your camera");
const PAUSED_DEMO = t`${DEMO} (paused)`;

/** The picture in the stage, the buttons that start and stop the camera, and the list of cameras. */
export class PictureSource {
  #find;
  #changed;
  #sceneChanged;
  #tell;
  #camera;
  #demo = null;
  #demoIsPaused = false;
  /** When the demonstration began, on the page's clock; its pauses do not count. */
  #demoBeganS = 0;
  #pausedAtS = 0;
  #demoScene = 0;
  #frameIsNew = true;
  /** Whether the browser has been asked to tell of the next frame; it draws the page for that, so only when it matters. */
  #isWatching = false;
  /** The start under way, which all who want the camera wait for; null if there is none. @type {Promise<void> | null} */
  #starting = null;
  /** `deviceId` of the camera that was on last: the visitor's choice to mirror it or not is kept. */
  #lastDeviceId = null;

  /**
   * @param {(selector: string) => HTMLElement} find finds the parts of page.js's markup
   * @param {() => void} changed called when another picture begins
   * @param {() => void} sceneChanged called when the demonstration goes on to another face
   * @param {(problem: string) => void} tell called with what is wrong with the camera, or "" if nothing is any more
   */
  constructor(find, changed, sceneChanged, tell) {
    this.#find = find;
    this.#changed = changed;
    this.#sceneChanged = sceneChanged;
    this.#tell = tell;
    this.#camera = new Camera(/** @type {HTMLVideoElement} */ (find("video")), () => {
      this.#showDemo();
      tell(TAKEN_AWAY);
    });
    find(".start").onclick = () => (this.#camera.isOn ? this.stop() : this.#start());
    find(".start-here").onclick = () => find(".start").click();
    find(".camera").onchange = () => this.#choose();
    find(".mirror").onchange = () => this.#mirror();
    find(".needs-https").hidden = camerasAreAllowed();
    find(".badge").textContent = DEMO;
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.#listCameras());
  }

  /**
   * @param {string} place address of the demonstration's picture
   * @returns {Promise<void>} once it is shown
   */
  async loadDemo(place) {
    this.#demo = await loadDemo(place);
    if (!this.#camera.isOn) this.#showDemo();
  }

  /** @returns {Promise<boolean>} whether a camera is on, which is started if it is not */
  async start() {
    if (this.#starting || !this.#camera.isOn) await this.#start();
    return this.#camera.isOn;
  }

  /** Whether a camera is on; if not, it is the demonstration. */
  get isLive() {
    return this.#camera.isOn;
  }

  /** Whether the visitor sees the picture mirrored. */
  get isMirrored() {
    return this.#camera.isOn && this.#find(".mirror").checked;
  }

  /** Whether there is a frame that nobody took yet: a camera gives fewer than a screen shows. */
  get hasNewFrame() {
    return this.#frameIsNew;
  }

  /** The frame that is shown now is taken. */
  takeFrame() {
    this.#frameIsNew = !("requestVideoFrameCallback" in HTMLVideoElement.prototype);
    if (this.#frameIsNew || this.#isWatching) return;
    this.#isWatching = true;
    this.#find("video").requestVideoFrameCallback(() => {
      this.#frameIsNew = true;
      this.#isWatching = false;
    });
  }

  /** @returns {HTMLVideoElement | HTMLCanvasElement | null} what is shown, never mirrored; null if there is nothing yet */
  picture() {
    const video = this.#find("video");
    if (this.#camera.isOn) return video.videoWidth ? video : null;
    if (!this.#demo) return null;
    const canvas = this.#find(".demo");
    if (this.#demoIsPaused) return canvas;
    const timeS = performance.now() / 1000 - this.#demoBeganS;
    if (sceneAt(timeS) !== this.#demoScene) {
      this.#demoScene = sceneAt(timeS);
      this.#sceneChanged();
    }
    const drawn = this.#demo(timeS);
    if (canvas.width !== drawn.width) Object.assign(canvas, { width: drawn.width, height: drawn.height });
    canvas.getContext("2d").drawImage(drawn, 0, 0);
    return canvas;
  }

  /** Begin the demonstration anew, with its first scene. */
  restartDemo() {
    this.#demoBeganS = this.#pausedAtS = performance.now() / 1000;
    this.#demoScene = 0;
  }

  /** Let the demonstration stand still, or go on. */
  pauseDemo(isPaused) {
    if (isPaused === this.#demoIsPaused) return;
    this.#demoIsPaused = isPaused;
    const nowS = performance.now() / 1000;
    if (isPaused) this.#pausedAtS = nowS;
    else this.#demoBeganS += nowS - this.#pausedAtS;
    if (!this.#camera.isOn) this.#find(".badge").textContent = isPaused ? PAUSED_DEMO : DEMO;
  }

  /** Let everything stand still while nobody can see it, or go on; a camera stays on. */
  rest(isResting) {
    this.pauseDemo(isResting && !this.#camera.isOn);
    if (!this.#camera.isOn) return;
    const video = /** @type {HTMLVideoElement} */ (this.#find("video"));
    if (isResting) video.pause();
    // The camera may end while it is about to play.
    else video.play().catch(() => {});
  }

  #mirror() {
    this.#find("video").classList.toggle("mirrored", this.#find(".mirror").checked);
  }

  #start() {
    this.#starting ??= this.#startOnce().finally(() => (this.#starting = null));
    return this.#starting;
  }

  async #startOnce() {
    const start = this.#find(".start");
    this.#tell("");
    start.disabled = this.#find(".camera").disabled = true;
    try {
      await this.#camera.start(this.#chosen);
      this.#mirrorByDefault();
      this.#showCamera();
    } catch (error) {
      this.#showDemo();
      this.#tell(await this.#adviceOn(error));
    }
    await this.#listCameras();
    start.disabled = this.#find(".camera").disabled = false;
  }

  /** People expect to see themselves as in a mirror, and all else as it is. */
  #mirrorByDefault() {
    const { deviceId, facesAway } = this.#camera;
    const isFirst = this.#lastDeviceId === null;
    if (deviceId !== this.#lastDeviceId && (facesAway || !isFirst)) this.#find(".mirror").checked = !facesAway;
    this.#lastDeviceId = deviceId;
  }

  async #adviceOn(error) {
    if (!camerasAreAllowed()) return this.#find(".needs-https").textContent;
    // WebKit calls it an impossible wish when there is no camera at all.
    const hasCamera = (await listCameras().catch(() => [])).length > 0;
    const isMissing = error.name === "OverconstrainedError" && !hasCamera;
    // One that was chosen and is gone must not be asked for for ever.
    if (error.name === "OverconstrainedError" || error.name === "NotFoundError") this.#find(".camera").value = "";
    return adviceOnCamera(isMissing ? { ...error, name: "NotFoundError" } : error);
  }

  /** Give the camera back, and show the demonstration. */
  stop() {
    this.#camera.stop();
    this.#showDemo();
  }

  /** `deviceId` of the camera that the visitor chose; null if there was no choice yet. */
  get #chosen() {
    return this.#find(".camera").value || null;
  }

  async #choose() {
    if (!this.#camera.isOn) return;
    this.stop();
    await this.#start();
  }

  /** Offer the cameras by name, if there are several and the browser names them, which it does once one was allowed. */
  async #listCameras() {
    const cameras = (await listCameras().catch(() => [])).filter(({ deviceId }) => deviceId);
    const list = this.#find(".camera");
    const chosen = this.#camera.deviceId ?? this.#chosen;
    const names = namesOfCameras(cameras);
    list.replaceChildren(...cameras.map(({ deviceId }, index) => new Option(names[index], deviceId)));
    list.value = cameras.some(({ deviceId }) => deviceId === chosen) ? chosen : "";
    this.#find(".cameras").hidden = cameras.length < 2;
  }

  #showCamera() {
    this.#find("video").hidden = false;
    this.#find(".demo").hidden = this.#find(".invitation").hidden = true;
    this.#find(".badge").textContent = LIVE;
    this.#find(".start").textContent = t("Stop");
    this.#mirror();
    this.#changed();
  }

  #showDemo() {
    this.#find("video").hidden = true;
    this.#find(".demo").hidden = !this.#demo;
    this.#find(".invitation").hidden = !camerasAreAllowed();
    this.#find(".badge").textContent = this.#demoIsPaused ? PAUSED_DEMO : DEMO;
    this.restartDemo();
    this.#find(".start").textContent = t("Use my camera");
    this.#changed();
  }
}

/**
 * @param {HTMLVideoElement | HTMLCanvasElement} picture
 * @returns {{width: number, height: number}} of its frames, in their own pixels
 */
export function sizeOf(picture) {
  return "videoWidth" in picture
    ? { width: picture.videoWidth, height: picture.videoHeight }
    : { width: picture.width, height: picture.height };
}
