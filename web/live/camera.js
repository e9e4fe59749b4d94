/** The visitor's camera: asked for, turned round, given back. */

/** The camera that looks at whoever holds the device. */
export const FRONT = "user";
const REAR = "environment";

/** One camera at a time, shown in a video element. */
export class Camera {
  #video;
  #lost;
  #stream = null;

  /** Which way it looks: `FRONT`, or away from whoever holds the device. */
  facing = FRONT;

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

  /**
   * Ask for the camera and show it.
   *
   * @returns {Promise<void>} once it plays
   * @throws {DOMException | TypeError} as `getUserMedia` and `play` do; nothing is on then
   */
  async start() {
    const wanted = { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: this.facing };
    this.#stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    this.#stream.getVideoTracks()[0].onended = () => {
      this.stop();
      this.#lost();
    };
    try {
      this.#video.srcObject = this.#stream;
      await this.#video.play();
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  /** Give the camera back. */
  stop() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    this.#video.srcObject = null;
  }

  /** The next `start` asks for the camera on the other side of the device. */
  turn() {
    this.facing = this.facing === FRONT ? REAR : FRONT;
  }

  /** @returns {Promise<boolean>} whether there is another one to turn to */
  static async hasAnother() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.filter(({ kind }) => kind === "videoinput").length > 1;
  }
}
