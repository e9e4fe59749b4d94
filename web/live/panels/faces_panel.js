/** What the page shows of each face in view: the one that the headline is about in full, the others with their bars. */

import { colourOf } from "../overlay.js";
import { headlineOf, looks, sentenceOfTen, shownPercent, tenPeople } from "../words.js";
import { setMarkup, t, tLabel } from "../texts.js";

const NOBODY = t("No face in view.");
const UPDATE_EVERY_MS = 500;
const SPOKEN_EVERY_MS = 2000;
// A face that was lost for a moment is not read aloud again.
const SPOKEN_AGAIN_MS = 20_000;
const RATE_OVER_MS = 2000;
const MOST_OTHERS = 5;

const MARKUP = `
<p class="headline"></p>
<p class="spoken" aria-live="polite"></p>
<div class="people" aria-hidden="true"></div>
<p class="sentence"></p>
<dl class="bars"></dl>
<div class="seen"><canvas width="48" height="48" role="img" aria-label="What the model sees"></canvas>
  <p>What the model sees.<br><span class="figures"></span></p></div>
<ul class="others" aria-label="Other faces"></ul>`;

/** @typedef {import("../page.js").Panel} Panel */

/** @implements {Panel} */
export class FacesPanel {
  #element;
  #labelNames;
  #bars;
  #choose;
  #others = [];
  #answeredAt = [];
  #updatedAt = 0;
  /** Whom the words are about: a track's number, null for nobody; and the expression that they name, if they are sure. */
  #wordsAbout = null;
  #named = null;
  #spokenAt = -Infinity;
  #lastSpoken = "";
  #demoIsSpoken = false;

  /**
   * @param {HTMLElement} element that is empty
   * @param {import("../page.js").Context} context
   */
  constructor(element, { labelNames, choose }) {
    setMarkup(element, MARKUP);
    this.#element = element;
    this.#choose = choose;
    this.#labelNames = labelNames;
    this.#bars = new Bars(element.querySelector(".bars"), labelNames);
  }

  show({ faces, tookMs, live }) {
    const now = performance.now();
    const [face] = faces;
    this.#answeredAt = [...this.#answeredAt.filter((at) => now - at < RATE_OVER_MS), now];
    this.#element.classList.toggle("unsure", Boolean(face) && !face.reliable);
    this.#bars.show(face);
    this.#showCrop(face?.crop);
    this.#showOthers(faces.slice(1, 1 + MOST_OTHERS));
    // What people read changes less often than what they see, but never names another person or expression.
    const who = face ? face.trackId : null;
    const isStillNamed = !this.#named || !face?.reliable || face.label === this.#named;
    if (who === this.#wordsAbout && isStillNamed && now - this.#updatedAt < UPDATE_EVERY_MS) return;
    this.#named = face?.reliable ? face.label : null;
    [this.#updatedAt, this.#wordsAbout] = [now, who];
    this.#tell(face, live);
    const rate = ((this.#answeredAt.length - 1) * 1000) / (now - this.#answeredAt[0]);
    const frames = this.#answeredAt.length > 1 ? t`${rate.toFixed(0)} frames/s, ` : "";
    this.#find(".figures").textContent = t`${frames}${tookMs.toFixed(0)} ms each`;
  }

  showNothing() {
    this.#answeredAt = [];
    this.#updatedAt = 0;
    for (const part of [".headline", ".sentence", ".spoken", ".figures"]) this.#find(part).textContent = "";
    this.#find(".headline").style.setProperty("--colour", "transparent");
    this.#find(".people").replaceChildren();
    this.#element.classList.remove("unsure");
    this.#bars.show(null);
    this.#showCrop(null);
    this.#showOthers([]);
  }

  forget() {
    this.showNothing();
  }

  #find(selector) {
    return this.#element.querySelector(selector);
  }

  #tell(face, live) {
    const headline = this.#find(".headline");
    const headlineText = face ? headlineOf(face) : NOBODY;
    if (headline.textContent !== headlineText) headline.textContent = headlineText;
    headline.style.setProperty("--colour", face ? colourOf(face, this.#labelNames) : "transparent");
    this.#find(".sentence").textContent = face?.reliable ? sentenceOfTen(face.probabilities, this.#labelNames) : "";
    this.#find(".people").replaceChildren(...(face?.reliable ? this.#drawPeople(face) : []));
    this.#speak(face, live);
  }

  /** For screen readers: only what has changed, and not its every percent; of each demonstration only what comes first. */
  #speak(face, live) {
    if (!live && this.#demoIsSpoken) return;
    const spoken = this.#find(".spoken");
    const seen = face ? (face.reliable ? t`looks ${looks(face.label)}` : headlineOf(face)) : NOBODY;
    const words = live ? seen : t`Demonstration: ${seen}`;
    const sinceMs = performance.now() - this.#spokenAt;
    const isNews = words !== this.#lastSpoken || sinceMs > SPOKEN_AGAIN_MS;
    if (spoken.textContent === words || !isNews || sinceMs < SPOKEN_EVERY_MS) return;
    spoken.textContent = words;
    [this.#lastSpoken, this.#spokenAt] = [words, performance.now()];
    this.#demoIsSpoken = !live;
  }

  #drawPeople(face) {
    return tenPeople(face.probabilities).flatMap((count, index) =>
      Array.from({ length: count }, () => {
        const person = document.createElement("span");
        person.className = `person class${index}`;
        person.title = tLabel(this.#labelNames[index]);
        return person;
      }),
    );
  }

  #showOthers(faces) {
    const list = this.#find(".others");
    while (this.#others.length < faces.length) this.#others.push(new SmallFace(list, this.#labelNames, this.#choose));
    this.#others.forEach((other, index) => other.show(faces[index]));
  }

  #showCrop(crop) {
    const canvas = this.#find(".seen canvas");
    if (!crop) return canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    Object.assign(canvas, { width: crop.width, height: crop.height });
    canvas.getContext("2d").putImageData(imageDataOf(crop), 0, 0);
  }
}

/** Another face: a button that says what it looks like and puts it first, and its bars. */
class SmallFace {
  #element;
  #bars;
  #labelNames;
  #trackId = null;

  constructor(list, labelNames, choose) {
    this.#labelNames = labelNames;
    this.#element = document.createElement("li");
    this.#element.innerHTML =
      `<button type="button" class="choose"><span class="number"></span> <b></b></button><dl class="bars"></dl>`;
    const button = this.#element.querySelector("button");
    button.title = t("Show this face first");
    button.onclick = () => choose(this.#trackId);
    this.#bars = new Bars(this.#element.querySelector(".bars"), labelNames);
    list.append(this.#element);
  }

  show(face) {
    this.#element.hidden = !face;
    if (!face) return;
    this.#trackId = face.trackId;
    this.#element.style.setProperty("--colour", colourOf(face, this.#labelNames));
    this.#element.classList.toggle("unsure", !face.reliable);
    this.#element.querySelector(".number").textContent = face.trackId;
    this.#element.querySelector("b").textContent = headlineOf(face);
    this.#bars.show(face);
  }
}

/** One bar for each label. */
class Bars {
  #bars;
  #values;

  constructor(list, labelNames) {
    const row = (_, index) => `<dt></dt><dd><span class="bar class${index}"><i></i></span><b></b></dd>`;
    list.innerHTML = labelNames.map(row).join("");
    list.querySelectorAll("dt").forEach((name, index) => (name.textContent = tLabel(labelNames[index])));
    this.#bars = list.querySelectorAll("i");
    this.#values = list.querySelectorAll("b");
  }

  show(face) {
    this.#bars.forEach((bar, index) => (bar.style.width = `${100 * (face?.probabilities[index] ?? 0)}%`));
    this.#values.forEach((value, index) => {
      value.textContent = face ? shownPercent(face.probabilities[index]) : "";
    });
  }
}

/**
 * @param {import("../engine/frame.js").Picture} picture grey, RGB or RGBA
 * @returns {ImageData}
 */
export function imageDataOf({ data, width, height }) {
  const channels = data.length / (width * height);
  const pixels = new ImageData(width, height);
  for (let at = 0; at < width * height; at += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      pixels.data[4 * at + channel] = data[channels * at + (channels >= 3 ? channel : 0)];
    }
    pixels.data[4 * at + 3] = 255;
  }
  return pixels;
}
