/** The last minute as a drawing, and the session in numbers and files. */

import { describeSpans } from "../last_minute.js";
import { offerFile } from "../offer_file.js";
import { MOST_ROWS, Session } from "./session.js";
import { toCsv, toJson } from "./session_files.js";
import { drawTimeline } from "../timeline.js";
import { language, percentOf, setMarkup, t, tLabel } from "../../texts.js";

const DRAWN_EVERY_MS = 200;
const UPDATE_EVERY_MS = 500;
const DESCRIBED_EVERY_MS = 5000;
const DELETED_FOR_S = 10;

const MARKUP = `
<div class="minute">
  <h3>The last minute<span class="of-demo"></span></h3>
  <canvas role="img"></canvas>
  <p class="axis" aria-hidden="true"><span>60 s ago</span><span>30 s ago</span><span>now</span></p>
  <ul class="legend" aria-label="Colours"></ul>
  <p class="note">The face that the headline is about. The more of the height a colour fills, the more probable its word.</p>
</div>
<div class="sums">
  <h3>This session</h3>
  <p class="nothing">Nothing is recorded yet. It begins with your camera; the demonstration is not counted.</p>
  <div class="recorded" hidden>
    <dl class="times">
      <div><dt>Length</dt><dd class="length-time"></dd></div>
      <div><dt>Classified</dt><dd class="classified-time"></dd></div>
      <div><dt>Not sure</dt><dd class="unsure-time"></dd></div>
      <div><dt>Nobody in view</dt><dd class="nobody-time"></dd></div>
      <div class="unwatched"><dt>No pictures</dt><dd class="unwatched-time"></dd></div>
    </dl>
    <table>
      <caption>What the face in the headline looked like, as a share of the time it could be classified</caption>
      <thead><tr><th scope="col">Expression</th><th scope="col" colspan="2">Share</th><th scope="col">Time</th>
        <th scope="col">Longest stretch</th></tr></thead>
      <tbody></tbody>
    </table>
    <p class="note">The numbers are for the face that the headline was about at each moment. In the files every face has rows of its own,
      at most four a second; the newest <span class="most-rows"></span> are kept.
      <span class="dropped"></span></p>
  </div>
  <p class="buttons">
    <button type="button" class="csv">Download CSV</button>
    <button type="button" class="json">Download JSON</button>
    <button type="button" class="delete">Delete</button>
  </p>
  <p class="status" role="status" tabindex="-1"></p>
  <p class="note">Held in this page only, and gone when you close it.</p>
</div>`;

/** @typedef {import("../../page.js").Panel} Panel */

/** @implements {Panel} */
export class SessionPanel {
  #element;
  #session;
  /** What the demonstration shows, for the drawing only, as long as nothing is recorded. */
  #demo;
  #rows;
  #swatches;
  #drawnAt = -Infinity;
  #updatedAt = -Infinity;
  #describedAt = -Infinity;

  /**
   * @param {HTMLElement} element that is empty
   * @param {import("../../page.js").Context} context
   */
  constructor(element, { labelNames }) {
    setMarkup(element, MARKUP);
    this.#element = element;
    this.#session = new Session(labelNames);
    this.#demo = new Session(labelNames);
    this.#swatches = makeLegend(this.#find(".legend"), labelNames);
    this.#rows = labelNames.map((name, index) => makeRow(this.#find("tbody"), name, index));
    this.#find(".most-rows").textContent = MOST_ROWS.toLocaleString(language);
    this.#find(".csv").onclick = () =>
      offerFile(new Blob([toCsv(this.#session)], { type: "text/csv" }), "expressions.csv");
    this.#find(".json").onclick = () =>
      offerFile(new Blob([toJson(this.#session)], { type: "application/json" }), "expressions.json");
    this.#find(".delete").onclick = () => this.#delete();
    this.#showAll();
  }

  show(answer) {
    const now = performance.now();
    if (!answer.live) return this.#showDemo(answer, now);
    this.#session.add(answer);
    if (now - this.#drawnAt >= DRAWN_EVERY_MS) this.#draw(now);
    if (now - this.#updatedAt >= UPDATE_EVERY_MS) this.#tell(now);
    if (now - this.#describedAt >= DESCRIBED_EVERY_MS) this.#describe(now);
  }

  forget() {
    this.#session.beginScene();
    this.#showAll();
  }

  /** The demonstration is drawn, but never counted. */
  #showDemo(answer, now) {
    if (!this.#session.isEmpty) return;
    this.#demo.add({ ...answer, live: true });
    if (now - this.#drawnAt >= DRAWN_EVERY_MS) this.#draw(now);
    if (now - this.#describedAt >= DESCRIBED_EVERY_MS) this.#describe(now);
  }

  /** The session that is drawn. */
  get #drawn() {
    return this.#session.isEmpty ? this.#demo : this.#session;
  }

  #find(selector) {
    return this.#element.querySelector(selector);
  }

  #delete() {
    this.#session.clear();
    this.#demo.clear();
    this.#showAll();
    const status = this.#find(".status");
    status.textContent = t("Deleted. While the camera is on, a new session is recorded.");
    // The button is disabled now, and would drop the focus at the beginning of the page.
    status.focus({ preventScroll: true });
  }

  #showAll() {
    const now = performance.now();
    this.#draw(now);
    this.#tell(now);
    this.#describe(now);
  }

  #draw(now) {
    const canvas = this.#find("canvas");
    const scale = devicePixelRatio;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.round(side * scale));
    // Another tab of the page is open.
    if (width === 0) return;
    this.#drawnAt = now;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const colours = this.#swatches.map((swatch) => getComputedStyle(swatch).getPropertyValue("--person"));
    const drawn = this.#drawn;
    this.#find(".of-demo").textContent = drawn === this.#demo && !drawn.isEmpty ? ` ${t("(demonstration)")}` : "";
    drawTimeline(canvas.getContext("2d"), drawn.lastMinute, {
      nowS: drawn.nowS,
      colours,
      ink: getComputedStyle(canvas).color,
      scale,
    });
  }

  #tell(now) {
    this.#updatedAt = now;
    const session = this.#session;
    this.#find(".nothing").hidden = !session.isEmpty;
    this.#find(".recorded").hidden = session.isEmpty;
    for (const button of this.#element.querySelectorAll("button")) button.disabled = session.isEmpty;
    const { lengthS, watchedS, classifiedS, unsureS, nobodyS, expressions } = session.summary();
    const unwatchedS = lengthS - watchedS;
    const times = { length: lengthS, classified: classifiedS, unsure: unsureS, nobody: nobodyS, unwatched: unwatchedS };
    for (const [kind, timeS] of Object.entries(times)) this.#find(`.${kind}-time`).textContent = durationOf(timeS);
    this.#find(".unwatched").hidden = unwatchedS < 0.05;
    expressions.forEach((expression, index) => this.#rows[index](expression));
    const dropped = session.droppedRows;
    this.#find(".dropped").textContent = dropped ? t`${dropped.toLocaleString(language)} older rows were dropped.` : "";
    if (lengthS > DELETED_FOR_S) this.#find(".status").textContent = "";
  }

  #describe(now) {
    this.#describedAt = now;
    const words = describeSpans(this.#drawn.lastMinute);
    const isDemo = this.#drawn === this.#demo && !this.#demo.isEmpty;
    this.#find("canvas").ariaLabel = isDemo ? t`Demonstration. ${words}` : words;
  }
}

/** @returns {HTMLElement[]} the swatch of each label, which has its colour */
function makeLegend(list, labelNames) {
  const item = (kind) => `<li><i class="swatch ${kind}"></i><span></span></li>`;
  list.innerHTML = [...labelNames.map((_, index) => item(`class${index}`)), item("unsure"), item("nobody")].join("");
  const words = [...labelNames.map(tLabel), t("not sure"), t("nobody in view")];
  list.querySelectorAll("span").forEach((word, index) => (word.textContent = words[index]));
  return [...list.querySelectorAll(".swatch")].slice(0, labelNames.length);
}

/** @returns {(expression: {share: number, timeS: number, longestS: number}) => void} shows one of a summary's `expressions` in a new row */
function makeRow(body, name, index) {
  const row = body.insertRow();
  row.innerHTML = `<th scope="row"></th><td class="class${index}"><span class="share"><i></i></span></td>
    <td></td><td></td><td></td>`;
  const [label, , percent, time, longest] = row.cells;
  label.textContent = tLabel(name);
  const bar = row.querySelector(".share i");
  return ({ share, timeS, longestS }) => {
    bar.style.width = `${100 * share}%`;
    percent.textContent = percentOf(share);
    time.textContent = durationOf(timeS);
    longest.textContent = durationOf(longestS);
  };
}

/** Such as "7.5 s", "42 s", "1 min 05 s" or "2 h 03 min". */
function durationOf(timeS) {
  if (timeS < 9.95) return `${timeS.toFixed(1)} s`;
  const seconds = Math.round(timeS);
  const two = (value) => String(value).padStart(2, "0");
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} min`;
}
