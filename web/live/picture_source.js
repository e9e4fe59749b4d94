/** What is looked at: the visitor's camera once it is started, and before that the demonstration. */

import { Camera, FRONT } from "./camera.js";
import { loadDemo } from "./demo.js";
import { adviceOnCamera } from "./words.js";

const TAKEN_AWAY = "The camera was taken away. Connect it again, then start it again.";

/** The picture in the stage, and the buttons that start, turn and stop the camera. */
export class PictureSource {
  #find;
  #changed;
  #tell;
  #camera;
  #demo = null;
  #frameIsNew = true;

  /**
   * @param {(selector: string) => HTMLElement} find finds the parts of page.js's markup
   * @param {() => void} changed called when another picture begins
   * @param {(problem: string) => void} tell called with what is wrong with the camera, or "" if nothing is any more
   */
  constructor(find, changed, tell) {
    this.#find = find;
    this.#changed = changed;
    this.#tell = tell;
    this.#camera = new Camera(find("video"), () => {
      this.#showDemo();
      tell(TAKEN_AWAY);
    });
    find(".start").onclick = () => (this.#camera.isOn ? this.#stop() : this.#start());
    find(".turn").onclick = () => this.#turn();
    find(".mirror").onchange = () => this.#mirror();
    this.#watchVideo();
  }

  /**
   * @param {string} place address of the demonstration's picture
   * @returns {Promise<void>} once it is shown
   */
  async loadDemo(place) {
    this.#demo = await loadDemo(place);
    if (!this.#camera.isOn) this.#showDemo();
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
  }

  /** @returns {HTMLVideoElement | HTMLCanvasElement | null} what is shown, never mirrored; null if there is nothing yet */
  picture() {
    const video = this.#find("video");
    if (this.#camera.isOn) return video.videoWidth ? video : null;
    if (!this.#demo) return null;
    const canvas = this.#find(".demo");
    const drawn = this.#demo(performance.now() / 1000);
    if (canvas.width !== drawn.width) Object.assign(canvas, { width: drawn.width, height: drawn.height });
    canvas.getContext("2d").drawImage(drawn, 0, 0);
    return canvas;
  }

  #watchVideo() {
    this.#find("video").requestVideoFrameCallback?.(() => {
      this.#frameIsNew = true;
      this.#watchVideo();
    });
  }

  #mirror() {
    this.#find("video").classList.toggle("mirrored", this.#find(".mirror").checked);
  }

  async #start() {
    const start = this.#find(".start");
    this.#tell("");
    start.disabled = true;
    try {
      await this.#camera.start();
      this.#showCamera();
      this.#find(".turn").hidden = !(await Camera.hasAnother());
    } catch (error) {
      this.#showDemo();
      this.#tell(adviceOnCamera(error));
    } finally {
      start.disabled = false;
    }
  }

  #stop() {
    this.#camera.stop();
    this.#showDemo();
  }

  async #turn() {
    this.#camera.turn();
    this.#find(".mirror").checked = this.#camera.facing === FRONT;
    this.#stop();
    await this.#start();
  }

  #showCamera() {
    this.#find("video").hidden = false;
    this.#find(".demo").hidden = this.#find(".badge").hidden = true;
    this.#find(".start").textContent = "Stop";
    this.#mirror();
    this.#changed();
  }

  #showDemo() {
    this.#find("video").hidden = this.#find(".turn").hidden = true;
    this.#find(".demo").hidden = this.#find(".badge").hidden = !this.#demo;
    this.#find(".start").textContent = "Use my camera";
    this.#changed();
  }
}

/**
 * @param {HTMLVideoElement | HTMLCanvasElement} picture
 * @returns {{width: number, height: number}} of its frames, in their own pixels
 */
export function sizeOf(picture) {
  return { width: picture.videoWidth ?? picture.width, height: picture.videoHeight ?? picture.height };
}
