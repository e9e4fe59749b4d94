/** "Learn my face": a resting face, corrections and own expressions; they adapt the answers on this device, at once. */

import { NONE_OF_THESE, PersonalError, adapt, changesAnswer, readPersonal } from "../../engine/personal.js";
import { softmax } from "../../engine/personal_head.js";
import { looks, shownPercent } from "../../words.js";
import { imageDataOf } from "../faces_panel.js";
import { offerFile } from "../offer_file.js";
import {
  MOST_CORRECTIONS,
  NOTHING_LEARNED,
  checkedName,
  conclude,
  contentOfFile,
  isAnything,
  learnedOf,
  recordOf,
  secondsSince1970,
  sentenceOfCorrections,
  sentenceOfOwn,
  withCorrection,
  withOwn,
} from "./personal_learning.js";
import * as store from "./personal_store.js";
import { Taking } from "./personal_taking.js";
import { setMarkup, t, tLabel, tMessage } from "../../texts.js";

// Who has just pressed the button looks down at it.
const RESTING = { countdownS: 2, lengthS: 3, fewest: 5, most: 60 };
const EXPRESSION = { countdownS: 3, lengthS: 3, fewest: 10, most: 20 };
const NEEDS_DEVICE = 'This needs the model on this device: choose "on this device" beside the picture.';
const START_FIRST = t("Start your camera first: this is about your face.");
const NO_FACE = t("No face is in view now. Try again when one is.");
const NAME = "personal.json";

const MARKUP = `
<h3>Learn my face</h3>
<p>The model was made from many people's faces, and none of them was yours. What you show it here adapts its answer in
  this page, at once. Only numbers are kept, no pictures, and they never leave this device by themselves. It adapts every
  face before your camera, so use it while you are alone.</p>
<p class="needs" hidden>${NEEDS_DEVICE}</p>
<p class="status" role="status"></p>
<p class="taking" hidden><progress max="1" value="0" aria-label="Taking frames"></progress>
  <button type="button" class="stop">Stop</button></p>
<div class="parts">
  <div class="part neutral">
    <h4>My neutral</h4>
    <p>Three seconds of your resting face, after a short countdown: the bars then start from it.</p>
    <p class="controls"><button type="button" class="rest">Take my resting face</button></p>
    <div class="has" hidden>
      <label><input type="checkbox" class="neutral-on" checked> use my neutral</label>
      <table><caption>Your resting face, before and after</caption>
        <thead><tr><th scope="col">looks</th><th scope="col">before</th><th scope="col">after</th></tr></thead>
        <tbody></tbody></table>
      <p class="controls"><button type="button" class="forget-neutral">Forget my neutral</button></p>
    </div>
  </div>
  <div class="part corrections">
    <h4>Corrections</h4>
    <p>Press “That's wrong” beside the headline when the model misreads you, and keep some faces that it reads right too:
      they hold it in place.</p>
    <p class="result"></p>
    <p class="controls has" hidden><button type="button" class="undo">Undo the last</button>
      <button type="button" class="delete-corrections">Delete corrections</button></p>
  </div>
  <div class="part own">
    <h4>My own expressions</h4>
    <p>A wink, a yawn, your thinking face: name it, then hold it for three seconds after the countdown.</p>
    <form class="controls"><label>Name of your expression
        <input type="text" class="name" maxlength="60"></label> <button type="submit" class="take">Take it</button>
      <button type="button" class="take-none">Take “${NONE_OF_THESE}”</button></form>
    <ul class="names"></ul>
    <p class="result"></p>
  </div>
  <div class="part keep">
    <h4>Keep it</h4>
    <label><input type="checkbox" class="on-device"> remember it in this browser, for the next visit</label>
    <p class="controls"><button type="button" class="download">Download ${NAME}</button>
      <label class="file">Load ${NAME} <input type="file" class="load" accept="application/json,.json"></label>
      <button type="button" class="delete-all">Delete everything</button></p>
    <p class="content"></p>
    <div class="replacing" role="group" aria-label="Replace what is learned?" hidden><p></p>
      <p class="controls"><button type="button" class="replace">Replace it</button>
        <button type="button" class="leave">Leave it as it is</button></p></div>
  </div>
</div>`;

const BESIDE = `
<div class="top"><button type="button" class="wrong">That's wrong</button></div>
<div class="question" role="group" aria-label="What does your expression look like?" hidden>
  <canvas class="frozen" role="img" aria-label="The face of that moment"></canvas>
  <div><p class="model-answer"></p><p>What does it look like?</p><p class="controls labels"></p>
    <p><button type="button" class="cancel">Cancel</button></p></div>
</div>
<p class="kept-now" role="status"></p>`;

const BELOW = `
<p class="adapted" hidden>Adapted to you: these bars are personal, no longer what ten people would say.</p>
<div class="own-now" hidden><p>Your own expressions; no votes stand behind them.</p><dl class="bars"></dl></div>`;

/** @typedef {import("../../page.js").Panel} Panel */

/** @implements {Panel} */
export class PersonalPanel {
  #element;
  #faces;
  #beside;
  #below;
  #stage;
  /** The countdown again, where one looks while a face is taken. */
  #onPicture = Object.assign(document.createElement("p"), { className: "personal-countdown", hidden: true });
  #labelNames;
  #engine = null;
  #learned = NOTHING_LEARNED;
  #concluded = null;
  /** The face of the newest answer, if it is a camera's and not older than `FRESH_S`; the one that the question is about. */
  #face = null;
  #frozen = null;
  #isLive = false;
  /** Whether the frames that go to the engine are of a camera: the demonstration is not adapted. */
  #isAdapting = false;
  /** A file that was read, and would replace what is learned. */
  #replacement = null;
  /** What is being taken, and what is done with it. */
  #taking = null;
  /** Writings to this device that have not ended. */
  #writings = 0;
  #ownShown = new Map();

  /**
   * @param {HTMLElement} element that is empty
   * @param {import("../../page.js").Context} context
   * @param {HTMLElement} faces the element of `FacesPanel`, already built
   */
  constructor(element, { labelNames }, faces) {
    setMarkup(element, MARKUP);
    this.#element = element;
    this.#labelNames = labelNames;
    this.#faces = faces;
    this.#beside = Object.assign(document.createElement("div"), { className: "personal-beside" });
    this.#below = Object.assign(document.createElement("div"), { className: "personal-below" });
    setMarkup(this.#beside, BESIDE);
    setMarkup(this.#below, BELOW);
    const headline = faces.querySelector(".headline");
    headline.replaceWith(this.#beside);
    this.#beside.querySelector(".top").prepend(headline);
    this.#stage = faces.closest(".live").querySelector(".stage");
    this.#stage.querySelector(".picture").append(this.#onPicture);
    faces.querySelector(".bars").after(this.#below);
    this.#listenBeside();
    this.#listen();
    this.engineChanged(null);
  }

  /**
   * Another engine is in use; called with null while there is none.
   *
   * @param {import("../../backends/device_engine.js").DeviceEngine | import("../../backends/server_engine.js").ServerEngine | null} engine
   */
  engineChanged(engine) {
    const learning = engine && "learn" in engine ? engine : null;
    const isFirst = !this.#engine && learning !== null;
    this.#engine = learning;
    this.#stopTaking("");
    this.#find(".needs").hidden = !engine || Boolean(this.#engine);
    this.#find(".parts").hidden = this.#beside.querySelector(".wrong").hidden = !this.#engine;
    if (!this.#engine) this.#beside.querySelector(".question").hidden = true;
    if (!this.#engine) this.#closeReplacing();
    this.#showFace(null);
    if (isFirst && !isAnything(this.#learned)) this.#recall();
    else if (this.#engine) this.#learn(this.#learned);
  }

  /**
   * The engine gets what is learned before the first frame of a camera, and loses it before the first of the
   * demonstration.
   *
   * @param {number} _timeS
   * @param {boolean} live
   */
  handOn(_timeS, live) {
    if (live === this.#isAdapting) return;
    this.#isAdapting = live;
    this.#adapt();
  }

  /** @param {import("../../page.js").Answer} answer */
  show({ faces: [face], live, timeS }) {
    this.#isLive = live;
    this.#showFace(live && face?.features?.length ? { ...face, timeS: secondsSince1970(timeS) } : null);
    if (this.#taking) this.#take(timeS);
  }

  showNothing() {
    this.#showFace(null);
  }

  forget() {
    this.#isLive = false;
    this.#showFace(null);
    this.#stopTaking("");
  }

  #find(selector) {
    return this.#element.querySelector(selector);
  }

  #listenBeside() {
    const find = (selector) => this.#beside.querySelector(selector);
    find(".labels").append(...this.#labelNames.map((label, index) => button(tLabel(label), () => this.#keepFace(index))));
    find(".wrong").onclick = () => this.#ask();
    find(".cancel").onclick = () => this.#close("");
    find(".question").onkeydown = ({ key }) => key === "Escape" && this.#close("");
  }

  #listen() {
    const on = (selector, act) => (this.#find(selector).onclick = act);
    on(".rest", () => this.#begin(RESTING, t("Rest your face and look at the camera."), (frames) => this.#rested(frames)));
    this.#find(".neutral-on").onchange = ({ target }) => this.#useNeutral(target.checked);
    on(".forget-neutral", () => {
      const loaded = this.#learned.loaded && { ...this.#learned.loaded, neutral: null };
      this.#learn({ ...this.#learned, resting: null, loaded }, t("Your neutral is forgotten."));
    });
    on(".undo", () => {
      this.#learn({ ...this.#learned, corrections: this.#learned.corrections.slice(0, -1) }, t("The last one is undone."));
    });
    on(".delete-corrections", () => {
      const loaded = this.#learned.loaded && { ...this.#learned.loaded, corrections: null };
      this.#learn({ ...this.#learned, corrections: [], loaded }, t("The corrections are deleted."));
    });
    this.#find("form").onsubmit = (event) => {
      event.preventDefault();
      this.#takeNamed(this.#find(".name").value);
    };
    on(".take-none", () => {
      this.#takeOwn(NONE_OF_THESE, t("Talk, smile, look around: anything but your own expressions"));
    });
    on(".stop", () => this.#stopTaking(t("Stopped.")));
    on(".download", () => this.#download());
    this.#find(".load").onchange = ({ target }) => this.#load(target);
    on(".delete-all", () => this.#deleteAll());
    on(".replace", () => this.#replace());
    on(".leave", () => {
      this.#closeReplacing();
      this.#find(".load").focus();
      this.#tell(t("What is learned stays as it is."));
    });
    this.#find(".on-device").onchange = ({ target }) => this.#keepOnDevice(target.checked);
  }

  // Corrections

  #ask() {
    if (!this.#isLive) return this.#tellBeside(START_FIRST);
    if (!this.#face) return this.#tellBeside(NO_FACE);
    if (this.#learned.corrections.length >= MOST_CORRECTIONS) {
      return this.#tellBeside(t`At most ${MOST_CORRECTIONS} faces are learned from. Undo or delete some first.`);
    }
    const { logits, features, crop, label, confidence, reliable, trackId, timeS } = this.#face;
    this.#frozen = { logits: logits.slice(), features: features.slice(), trackId, timeS };
    const canvas = this.#beside.querySelector(".frozen");
    Object.assign(canvas, { width: crop.width, height: crop.height });
    canvas.getContext("2d").putImageData(imageDataOf(crop), 0, 0);
    const answer = reliable ? `${tLabel(label)} ${shownPercent(confidence)}` : t`not sure, at best ${tLabel(label)}`;
    this.#beside.querySelector(".model-answer").textContent = t`The answer was: ${answer}.`;
    this.#beside.querySelector(".question").hidden = false;
    this.#beside.querySelector(".labels button").focus();
    return undefined;
  }

  #keepFace(label) {
    this.#learn(withCorrection(this.#learned, this.#frozen, label));
    this.#close(`${t`Kept as ${tLabel(this.#labelNames[label])}.`} ${sentenceOfCorrections(this.#learned, this.#concluded.check)}`);
  }

  #close(sentence) {
    this.#frozen = null;
    this.#beside.querySelector(".question").hidden = true;
    this.#beside.querySelector(".wrong").focus();
    this.#tellBeside(sentence);
  }

  #tellBeside(sentence) {
    this.#beside.querySelector(".kept-now").textContent = sentence;
  }

  // Taking frames

  #begin(settings, sentence, done) {
    if (!this.#isLive) return this.#tell(START_FIRST);
    this.#taking = { taking: new Taking(settings), sentence, done };
    this.#find(".taking").hidden = false;
    this.#stage.scrollIntoView({ block: "nearest" });
    this.#tellTaking();
    return undefined;
  }

  #take(timeS) {
    const { taking, done } = this.#taking;
    taking.add(this.#face, timeS);
    if (taking.isDone) {
      this.#stopTaking("");
      done(taking.frames);
    } else if (taking.isHopeless) this.#stopTaking(t("No face was in view for long enough. Try again when one is."));
    else this.#tellTaking();
  }

  #tellTaking() {
    const { taking, sentence } = this.#taking;
    this.#find(".taking progress").value = taking.share;
    const now = taking.countdown ? t`${sentence} In ${taking.countdown} …` : sentence;
    this.#onPicture.setAttribute("aria-hidden", "true");
    this.#onPicture.textContent = now;
    this.#onPicture.hidden = false;
    this.#tell(now);
  }

  #stopTaking(sentence) {
    if (!this.#taking) return;
    this.#taking = null;
    this.#find(".taking").hidden = this.#onPicture.hidden = true;
    this.#tell(sentence);
  }

  #rested(frames) {
    this.#find(".neutral-on").checked = true;
    this.#learn({ ...this.#learned, resting: { frames, on: true } }, t`Your neutral comes from ${frames.length} frames.`);
  }

  #useNeutral(on) {
    const { resting } = this.#learned;
    this.#learn({ ...this.#learned, resting: resting && { ...resting, on }, loadedNeutralOn: on });
  }

  #takeNamed(typed) {
    const checked = checkedName(this.#learned, typed, this.#labelNames);
    if (checked.problem) return this.#tell(checked.problem);
    return this.#takeOwn(checked.name, t`Get ready for ${checked.name}, and hold it`);
  }

  #takeOwn(name, sentence) {
    this.#begin(EXPRESSION, `${sentence}.`, (frames) => {
      this.#find(".name").value = "";
      this.#learn(withOwn(this.#learned, name, frames), t`${frames.length} frames of ${tLabel(name)} are taken.`);
    });
  }

  // Keeping

  #download() {
    const { personal } = this.#concluded;
    offerFile(new Blob([JSON.stringify(personal)], { type: "application/json" }), NAME);
  }

  async #load(input) {
    const [file] = input.files;
    if (!file) return;
    try {
      // A huge file is not even read.
      const text = file.size > 8_000_000 ? " ".repeat(4_000_001) : await file.text();
      this.#replacement = { name: file.name, loaded: readPersonal(text, this.#engine.bundle) };
      if (isAnything(this.#learned)) this.#askToReplace();
      else this.#replace();
    } catch (error) {
      this.#closeReplacing();
      const why = error instanceof PersonalError ? tMessage(error.message) : t`it cannot be read: ${error.message}`;
      this.#tell(t`${file.name} is not used: ${why}.`);
    } finally {
      input.value = "";
    }
  }

  #askToReplace() {
    this.#find(".replacing p").textContent = t`${this.#replacement.name} would replace all that is learned here.`;
    this.#find(".replacing").hidden = false;
    this.#find(".replace").focus();
  }

  #closeReplacing() {
    this.#replacement = null;
    this.#find(".replacing").hidden = true;
  }

  #replace() {
    const { name, loaded } = this.#replacement;
    this.#closeReplacing();
    this.#find(".neutral-on").checked = true;
    this.#learn({ ...NOTHING_LEARNED, loaded }, t`${name} is in use.`);
    this.#find(".load").focus();
  }

  async #keepOnDevice(on) {
    try {
      await (on ? this.#store() : this.#drop());
      this.#tell(on ? t("What is learned is kept on this device until you delete it.") : t("Nothing is kept on this device now."));
    } catch (error) {
      this.#find(".on-device").checked = false;
      this.#tell(t`This browser keeps nothing here: ${tMessage(error?.message ?? String(error))}.`);
    }
  }

  #store() {
    return this.#write(store.keep(recordOf(this.#learned, this.#engine.bundle.modelSha256)));
  }

  #drop() {
    return this.#write(store.drop());
  }

  /** @param {Promise<void>} writing that the panel is busy with until it ends */
  async #write(writing) {
    this.#writings += 1;
    this.#element.setAttribute("aria-busy", "true");
    try {
      await writing;
    } finally {
      this.#writings -= 1;
      this.#element.setAttribute("aria-busy", String(this.#writings > 0));
    }
  }

  async #recall() {
    // A browser in private mode may keep nothing; then there is nothing to recall.
    /** @type {any} */
    const record = await store.kept().catch(() => undefined);
    if (!this.#engine || isAnything(this.#learned)) return;
    if (record === undefined) this.#learn(this.#learned);
    else if (record?.modelSha256 !== this.#engine.bundle.modelSha256) {
      await this.#leaveOut(t("What was kept on this device was for another model, and is deleted."));
    } else await this.#useKept(record);
  }

  async #useKept(record) {
    try {
      const learned = learnedOf(record, this.#engine.bundle);
      this.#learn(learned, t("What this page learned on an earlier visit is in use."));
      this.#find(".on-device").checked = true;
      this.#find(".neutral-on").checked = learned.resting?.on ?? learned.loadedNeutralOn;
    } catch {
      await this.#leaveOut(t("What was kept on this device cannot be used by this version of the page, and is deleted."));
    }
  }

  /** Begin anew without what an earlier visit kept. */
  async #leaveOut(sentence) {
    this.#learn(NOTHING_LEARNED, sentence);
    await this.#drop().catch(() => {});
  }

  async #deleteAll() {
    const wasOnDevice = this.#find(".on-device").checked;
    this.#find(".on-device").checked = false;
    this.#closeReplacing();
    this.#learn(NOTHING_LEARNED);
    this.#tellBeside("");
    try {
      await this.#drop();
      this.#tell(t("Everything is deleted."));
    } catch (error) {
      // A browser that keeps nothing (in private mode) cannot delete either.
      if (!wasOnDevice) return this.#tell(t("Everything is deleted."));
      this.#tell(t`What this browser keeps could not be deleted: ${error?.message ?? error}. Delete this site's data in its settings.`);
    }
    return undefined;
  }

  // What follows

  #learn(learned, sentence = "") {
    if (!this.#engine) return;
    this.#concluded = conclude(learned, this.#engine.bundle);
    this.#learned = learned;
    this.#adapt();
    this.#showLearned();
    this.#showNeutral();
    this.#showCorrections();
    this.#showOwn();
    const content = contentOfFile(learned, this.#concluded);
    this.#find(".content").textContent = content.sentence;
    this.#find(".download").disabled = content.isEmpty;
    this.#find(".delete-all").disabled = !isAnything(learned);
    if (sentence) this.#tell(sentence);
    if (this.#find(".on-device").checked) this.#store().catch((error) => this.#tell(t`It could not be kept: ${error}.`));
  }

  #adapt() {
    this.#engine?.learn(this.#isAdapting ? (this.#concluded?.personal ?? null) : null);
  }

  #showNeutral() {
    const { resting } = this.#learned;
    const { shift } = this.#concluded;
    this.#find(".neutral .has").hidden = !shift;
    this.#find(".neutral table").hidden = !resting;
    if (!resting) return;
    const rows = resting.frames.map(({ logits }) => [softmax(logits), softmax(adapt({ neutral: { shift } }, logits, []))]);
    this.#find(".neutral tbody").replaceChildren(
      ...this.#labelNames.map((label, index) => {
        const row = document.createElement("tr");
        row.append(Object.assign(document.createElement("th"), { scope: "row", textContent: looks(label) }));
        for (const side of [0, 1]) row.append(barCell(rows.reduce((sum, pair) => sum + pair[side][index], 0) / rows.length, index));
        return row;
      }),
    );
  }

  #showCorrections() {
    const { check } = this.#concluded;
    const { corrections, loaded } = this.#learned;
    this.#find(".corrections .result").textContent = sentenceOfCorrections(this.#learned, check);
    this.#find(".corrections .has").hidden = !corrections.length && !loaded?.corrections;
    this.#find(".undo").disabled = !corrections.length;
  }

  #showOwn() {
    const { ownCheck } = this.#concluded;
    this.#find(".own .result").textContent = sentenceOfOwn(this.#learned, ownCheck);
    this.#find(".names").replaceChildren(
      ...this.#learned.own.map(({ name, frames }, index) => {
        const item = document.createElement("li");
        const remove = button(t("Delete"), () => {
          const own = this.#learned.own.filter((one) => one.name !== name);
          this.#learn({ ...this.#learned, own }, t`${tLabel(name)} is deleted.`);
        });
        remove.setAttribute("aria-label", t`Delete ${tLabel(name)}`);
        const right = ownCheck?.[index].right;
        const counted = t`${tLabel(name)}: ${frames.length} frames`;
        item.append(ownCheck ? t`${counted}, ${right} recognised` : counted, remove);
        return item;
      }),
    );
  }

  /** @param {any} face of the newest answer, if it is a camera's and still true */
  #showFace(face) {
    this.#face = face;
    this.#showLearned();
    const shown = new Map(face?.own?.map(({ name, probability }) => [name, probability]));
    for (const [name, { bar, value }] of this.#ownShown) {
      const probability = shown.get(name);
      bar.style.width = `${100 * (probability ?? 0)}%`;
      value.textContent = probability === undefined ? "" : shownPercent(probability);
    }
  }

  /** What stands beside the bars is there as long as it is learned, whether a face is in view or not, so that nothing moves. */
  #showLearned() {
    const personal = this.#isLive && this.#engine ? this.#concluded?.personal : null;
    const names = personal?.own?.names ?? [];
    this.#faces.classList.toggle("personal-bars", changesAnswer(personal));
    this.#below.querySelector(".adapted").hidden = !changesAnswer(personal);
    this.#below.querySelector(".own-now").hidden = !names.length;
    if ([...this.#ownShown.keys()].join("\n") !== names.join("\n")) this.#makeOwnBars(names);
  }

  /** @param {string[]} names */
  #makeOwnBars(names) {
    const list = this.#below.querySelector("dl");
    list.replaceChildren();
    this.#ownShown = new Map();
    for (const name of names) {
      const content = document.createElement("dd");
      content.innerHTML = `<span class="bar"><i></i></span><b></b>`;
      list.append(Object.assign(document.createElement("dt"), { textContent: tLabel(name) }), content);
      this.#ownShown.set(name, { bar: content.querySelector("i"), value: content.querySelector("b") });
    }
  }

  #tell(sentence) {
    const status = this.#find(".status");
    if (status.textContent !== sentence) status.textContent = sentence;
  }
}

function barCell(probability, index) {
  const cell = document.createElement("td");
  cell.innerHTML = `<span class="bar class${index}"><i></i></span><b></b>`;
  cell.querySelector("i").style.width = `${100 * probability}%`;
  cell.querySelector("b").textContent = shownPercent(probability);
  return cell;
}

function button(name, onclick) {
  return Object.assign(document.createElement("button"), { type: "button", textContent: name, onclick });
}
