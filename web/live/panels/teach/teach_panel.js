/** "Teach it": the visitor says what a face looks like when the model is wrong, and takes the faces home as a zip. */

import { imageDataOf } from "../faces_panel.js";
import { offerFile } from "../offer_file.js";
import { MOST_KEPT, freeze, tellOf, zipOf } from "./teach.js";
import { shownPercent } from "../../words.js";
import { setMarkup, t, tLabel } from "../../texts.js";

const FILE_NAME = "corrections.zip";

const MARKUP = `
<h3>Teach it</h3>
<p>When the model is wrong about your face, keep the face with the right word. A zip of such faces can teach a model
  further. They stay in this page until you delete them or leave it; ask others before you keep their faces.</p>
<p class="controls"><button type="button" class="wrong">Keep this face</button></p>
<div class="question" role="group" aria-label="What does this expression look like?" hidden>
  <canvas class="frozen" role="img" aria-label="The face as the model was shown it"></canvas>
  <div>
    <p class="model-answer"></p>
    <p>What does this expression look like?</p>
    <p class="controls labels"></p>
    <p><button type="button" class="cancel">Cancel</button></p>
  </div>
</div>
<p class="status" role="status"></p>
<ul class="kept" aria-label="Faces kept"></ul>
<p class="controls taking" hidden><button type="button" class="download">Download zip</button>
  <button type="button" class="delete">Delete all</button></p>`;

/** @typedef {import("../../page.js").Panel} Panel */

/** @implements {Panel} */
export class TeachPanel {
  #element;
  /** The face in view now, if it is a camera's and its crop is there. */
  #face = null;
  #isLive = false;
  /** What the question is about, as `freeze` gives it. */
  #frozen = null;
  /** @type {import("./teach.js").Correction[]} */
  #kept = [];
  #zipLibrary;
  /** Fetched with the page: so the zip can be made without a network too. */
  #zipping;

  /**
   * @param {HTMLElement} element that is empty
   * @param {import("../../page.js").Context} context
   */
  constructor(element, { labelNames, zipLibrary }) {
    this.#zipLibrary = zipLibrary;
    this.#zipping = loadZip(zipLibrary);
    setMarkup(element, MARKUP);
    this.#element = element;
    this.#find(".labels").append(...labelNames.map((label) => button(tLabel(label), () => this.#keep(label))));
    this.#find(".wrong").onclick = () => this.#ask();
    this.#find(".cancel").onclick = () => this.#close("");
    this.#find(".question").onkeydown = ({ key }) => key === "Escape" && this.#close("");
    this.#find(".download").onclick = () => this.#download();
    this.#find(".delete").onclick = () => this.#deleteAll();
    this.#tell("");
  }

  /** @param {import("../../page.js").Answer} answer */
  show({ faces: [face], live }) {
    this.#isLive = live;
    this.#face = live && face?.crop ? face : null;
  }

  showNothing() {
    this.#face = null;
  }

  forget() {
    this.#isLive = false;
    this.#face = null;
  }

  #find(selector) {
    return this.#element.querySelector(selector);
  }

  #ask() {
    if (!this.#isLive) return this.#tell(t("Start your camera first: this is about your face."));
    if (!this.#face) return this.#tell(t("No face is in view now. Try again when one is."));
    if (this.#kept.length >= MOST_KEPT) return this.#tell(t`At most ${MOST_KEPT} faces are kept. Download them first.`);
    this.#frozen = freeze(this.#face);
    drawCrop(this.#find(".frozen"), this.#frozen.crop);
    this.#find(".model-answer").textContent = opinionOf(this.#frozen);
    this.#find(".question").hidden = false;
    this.#find(".labels button").focus();
  }

  #keep(label) {
    const correction = { ...this.#frozen, label };
    this.#kept = [...this.#kept, correction];
    this.#find(".kept").append(this.#itemOf(correction));
    this.#close(t`Kept as ${tLabel(label)}.`);
  }

  #close(before) {
    this.#frozen = null;
    this.#find(".question").hidden = true;
    this.#find(".wrong").focus();
    this.#tell(before);
  }

  #itemOf(correction) {
    const item = document.createElement("li");
    const canvas = document.createElement("canvas");
    canvas.setAttribute("aria-hidden", "true");
    drawCrop(canvas, correction.crop);
    const name = document.createElement("span");
    name.textContent = tLabel(correction.label);
    const remove = button(t("Remove"), () => {
      this.#kept = this.#kept.filter((other) => other !== correction);
      (item.nextElementSibling ?? item.previousElementSibling)?.querySelector("button").focus();
      item.remove();
      if (!this.#kept.length) this.#find(".wrong").focus();
      this.#tell(t("Removed."));
    });
    remove.setAttribute("aria-label", t`Remove the face kept as ${tLabel(correction.label)}`);
    item.append(canvas, name, remove);
    return item;
  }

  async #download() {
    try {
      const zip = (await this.#zipping) ?? (await (this.#zipping = loadZip(this.#zipLibrary)));
      if (!zip) return this.#tell(t("The zip cannot be made without a part of the page that could not be loaded."));
      offerFile(new Blob([await zipOf(this.#kept, encodePng, zip)], { type: "application/zip" }), FILE_NAME);
    } catch (error) {
      this.#tell(t`The zip cannot be made: ${error.message}.`);
    }
  }

  #deleteAll() {
    this.#kept = [];
    this.#find(".kept").replaceChildren();
    this.#find(".wrong").focus();
    this.#tell(t("Deleted."));
  }

  /** Something that has just happened, if anything has, and how much is kept. */
  #tell(before) {
    this.#find(".status").textContent = `${before} ${tellOf(this.#kept)}`.trim();
    this.#find(".taking").hidden = !this.#kept.length;
  }
}

/**
 * @param {string} address of fflate
 * @returns {Promise<Parameters<typeof zipOf>[2] | null>} its `zipSync`, or null if it is unavailable now
 */
function loadZip(address) {
  return import(address).then(
    ({ zipSync }) => zipSync,
    () => null,
  );
}

function opinionOf({ modelLabel, confidence, reliable }) {
  if (!reliable) return t`The model was not sure; its best guess was ${tLabel(modelLabel)}.`;
  return t`The model answered: ${tLabel(modelLabel)} ${shownPercent(confidence)}.`;
}

function button(name, onclick) {
  return Object.assign(document.createElement("button"), { type: "button", textContent: name, onclick });
}

function drawCrop(canvas, crop) {
  Object.assign(canvas, { width: crop.width, height: crop.height });
  canvas.getContext("2d").putImageData(imageDataOf(crop), 0, 0);
}

async function encodePng(crop) {
  const canvas = new OffscreenCanvas(crop.width, crop.height);
  canvas.getContext("2d").putImageData(imageDataOf(crop), 0, 0);
  return new Uint8Array(await (await canvas.convertToBlob({ type: "image/png" })).arrayBuffer());
}
