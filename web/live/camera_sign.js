/** Says that the camera is on where nobody would see it otherwise: while another tab of the app is open. */

import { setMarkup } from "./texts.js";

const MARKUP = `<span>Your camera is on. Its pictures are not processed now.</span> <button type="button">Stop the camera</button>`;

export class CameraSign {
  #element = document.createElement("div");

  /**
   * @param {HTMLElement} view the live view; the sign lies beside all tabs, where the app's styles hold
   * @param {() => void} stop stops the camera
   */
  constructor(view, stop) {
    setMarkup(this.#element, MARKUP);
    this.#element.className = "camera-sign";
    this.#element.hidden = true;
    this.#element.setAttribute("role", "status");
    this.#element.querySelector("button").onclick = stop;
    (view.closest(".contain") ?? document.body).append(this.#element);
  }

  /** @param {boolean} isShown */
  show(isShown) {
    this.#element.hidden = !isShown;
  }
}
