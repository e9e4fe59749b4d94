/** "Make this face": thirty seconds, one expression after the other, and a picture to keep. */

import {
  LEFT_OUT,
  RULES,
  adviceOf,
  beginGame,
  lookAt,
  matchOf,
  resultOf,
  roundOf,
  roundsToShow,
  scoreOf,
  secondsForFace,
  secondsLeft,
  skip,
} from "./game.js";
import { captionOf, drawCard, drawSnapshot, snapshotCanvas } from "./game_card.js";
import { offerFile } from "../offer_file.js";
import { RecentFrames } from "../recent_frames.js";
import { shownPercent } from "../../words.js";
import { setMarkup, t, tLabel } from "../../texts.js";

const CLOCK_MS = 100;
const COUNTDOWN_S = 3;
const FILE_NAME = "make-this-face.png";
const HINTS = {
  angry: "brows down and together, lips pressed",
  fear: "eyes wide open, brows up and together, mouth stretched",
  happy: "a broad smile",
  sad: "inner ends of the brows up, corners of the mouth down",
  surprise: "brows up, eyes and mouth wide open",
  neutral: "nothing moves",
};

const MARKUP = `
<h3>Make this face</h3>
<p class="rules">A game of ${RULES.lengthS} seconds with ${RULES.faceS} for each face: make the face that is asked for, and hold it. Each gives ${RULES.points} points, and up to ${RULES.pointsForQuick} more if it is quick.
  <span class="left-out"></span> Pictures of it stay in this page until you delete them, play again or leave.</p>
<p class="controls"><button type="button" class="play">Play</button>
  <button type="button" class="skip" hidden>Skip this one</button>
  <button type="button" class="leave" hidden>Back to the live view</button></p>
<p class="status" role="status"></p>
<p class="countdown" aria-hidden="true" hidden></p>
<div class="playing" hidden>
  <canvas class="you" role="img" aria-label="You, as you are seen now"></canvas>
  <div>
    <p class="asked"><b class="target"></b> <span class="hint"></span></p>
    <p class="match"><span class="track" aria-hidden="true"><i></i></span> <b class="percent"></b></p>
    <progress class="face-time" max="${RULES.faceS}" aria-hidden="true"></progress>
    <p class="advice"></p>
    <p class="clock"><b class="seconds"></b> s left, <b class="score"></b> points</p>
  </div>
</div>
<div class="result" hidden>
  <canvas class="card" role="img"></canvas>
  <p class="controls"><button type="button" class="download">Download picture</button>
    <button type="button" class="share" hidden>Share the picture</button>
    <button type="button" class="delete">Delete</button></p>
</div>`;

/** @typedef {import("../../page.js").Panel} Panel */

/** @implements {Panel} */
export class GamePanel {
  #element;
  #context;
  #isLive = false;
  #game = null;
  #clock = null;
  /** Until when it is counted down, on the page's clock; 0 if it is not. */
  #countdownUntil = 0;
  /** The picture as a file. @type {File[] | null} */
  #shared = null;
  /** How often a card was drawn or deleted: a file that is made of an earlier one comes too late. */
  #cards = 0;
  #frames = new RecentFrames();
  /** One for each round of the game, taken when its target matched best. @type {HTMLCanvasElement[]} */
  #snapshots = [];

  /**
   * @param {HTMLElement} element that is empty
   * @param {import("../../page.js").Context} context
   */
  constructor(element, context) {
    setMarkup(element, MARKUP);
    this.#element = element;
    this.#context = context;
    const missing = context.labelNames.filter((name) => LEFT_OUT.includes(name));
    if (missing.length) {
      this.#find(".left-out").textContent =
        t`The model sees ${missing.map(tLabel).join(", ")} too seldom for a fair game, so it is left out.`;
    }
    this.#find(".match").style.setProperty("--made-at", `${100 * RULES.madeAt}%`);
    Object.assign(this.#find(".you"), { width: snapshotCanvas().width, height: snapshotCanvas().height });
    this.#find(".play").onclick = () => this.#playOrStop();
    this.#find(".leave").onclick = () => this.#leave();
    this.#find(".share").onclick = () => this.#share();
    this.#find(".skip").onclick = () => this.#goOn(skip(this.#game, now(), Math.random));
    this.#find(".download").onclick = () => this.#download();
    this.#find(".delete").onclick = () => this.#delete();
  }

  handOn(timeS) {
    if (this.#game) this.#frames.keep(this.#context.picture(), timeS);
  }

  show(answer) {
    this.#isLive = answer.live;
    if (!this.#game) return;
    if (this.#isOver()) return this.#end();
    this.#takeSnapshot(answer);
    this.#showMatch(answer.faces);
    this.#goOn(lookAt(this.#game, answer, Math.random));
    this.#find(".advice").textContent = adviceOf(this.#game, answer.faces);
  }

  showNothing() {
    if (!this.#game) return;
    const you = this.#find(".you");
    you.getContext("2d").clearRect(0, 0, you.width, you.height);
    this.#showMatch([]);
    this.#find(".advice").textContent = "";
  }

  forget() {
    this.#isLive = false;
    if (this.#game) this.#end();
    if (this.#countdownUntil) this.#stopCountdown("");
  }

  #find(selector) {
    return this.#element.querySelector(selector);
  }

  #playOrStop() {
    if (this.#game) return this.#end();
    if (this.#countdownUntil) return this.#stopCountdown("");
    return this.#prepare();
  }

  /** The game has the page to itself; it starts the camera, and counts down while people get ready. */
  async #prepare() {
    const play = this.#find(".play");
    play.disabled = true;
    const isOn = await this.#context.startCamera();
    play.disabled = false;
    if (!isOn) {
      this.#leave();
      return this.#say(t("This game needs your camera; what is wrong with it stands beside the picture."));
    }
    this.#delete();
    this.#showAlone(true);
    this.#countdownUntil = now() + COUNTDOWN_S;
    play.textContent = t("Stop");
    this.#find(".countdown").hidden = false;
    this.#say(t("Get ready …"));
    this.#every(() => this.#countDown());
    return this.#countDown();
  }

  /** There is one clock: what it did before ends. */
  #every(act) {
    clearInterval(this.#clock);
    this.#clock = setInterval(act, CLOCK_MS);
  }

  #countDown() {
    const left = Math.ceil(this.#countdownUntil - now());
    // A slow engine may not have seen the camera yet.
    this.#find(".countdown").textContent = left > 0 ? String(left) : "…";
    if (left > 0 || !this.#isLive) return;
    this.#stopCountdown("");
    this.#begin();
  }

  #stopCountdown(words) {
    clearInterval(this.#clock);
    this.#countdownUntil = 0;
    this.#find(".countdown").hidden = true;
    this.#find(".play").textContent = t("Play");
    this.#say(words);
  }

  #begin() {
    this.#game = beginGame(this.#context.labelNames, now(), Math.random);
    this.#showPlaying(true);
    this.#showRound("");
    this.#showClock();
    this.#every(() => this.#tick());
  }

  #tick() {
    if (this.#isOver()) return this.#end();
    if (secondsForFace(this.#game, now()) === 0) this.#goOn(skip(this.#game, now(), Math.random));
    return this.#showClock();
  }

  /** Whether the game is a view of its own, without the other panels. */
  #showAlone(alone) {
    this.#element.closest(".live").classList.toggle("in-game", alone);
    this.#find(".leave").hidden = !alone;
    if (alone) this.#element.closest(".live").scrollIntoView({ block: "start" });
  }

  #leave() {
    if (this.#game) this.#end();
    if (this.#countdownUntil) this.#stopCountdown("");
    this.#showAlone(false);
    this.#find(".play").focus();
  }

  #isOver() {
    return secondsLeft(this.#game, now()) === 0;
  }

  #goOn(game) {
    const before = this.#game;
    this.#game = game;
    if (game.rounds.length === before.rounds.length) return;
    const done = game.rounds.at(-2);
    this.#showRound(done.points ? t`Made: ${tLabel(done.label)}, ${done.points} points. ` : "");
  }

  #showRound(before) {
    const { label } = roundOf(this.#game);
    this.#find(".target").textContent = tLabel(label);
    this.#find(".hint").textContent = HINTS[label] ? t(HINTS[label]) : "";
    this.#find(".score").textContent = scoreOf(this.#game);
    this.#showMatch([]);
    this.#say(before + t`Make this face: ${tLabel(label)}.`);
  }

  #showMatch(faces) {
    const match = matchOf(this.#game, faces);
    this.#find(".track i").style.width = `${100 * match}%`;
    this.#find(".match").classList.toggle("enough", match >= RULES.madeAt);
    this.#find(".percent").textContent = shownPercent(match);
  }

  #showClock() {
    const seconds = String(secondsLeft(this.#game, now()));
    this.#find(".face-time").value = secondsForFace(this.#game, now());
    if (this.#find(".seconds").textContent !== seconds) this.#find(".seconds").textContent = seconds;
  }

  #takeSnapshot({ faces, timeS }) {
    const frame = this.#frames.at(timeS);
    if (!faces.length || !frame) return;
    const you = this.#find(".you");
    drawSnapshot(you, frame, faces[0].box, { mirrored: this.#context.mirrored() });
    if (matchOf(this.#game, faces) <= roundOf(this.#game).best) return;
    const canvas = (this.#snapshots[this.#game.rounds.length - 1] ??= snapshotCanvas());
    canvas.getContext("2d").drawImage(you, 0, 0);
  }

  #end() {
    clearInterval(this.#clock);
    const game = this.#game;
    this.#game = null;
    this.#showPlaying(false);
    const shown = roundsToShow(game);
    const pictures = shown.map((round) => ({ round, snapshot: this.#snapshots[game.rounds.indexOf(round)] }));
    this.#snapshots = [];
    this.#frames.clear();
    this.#say(t`The game is over. ${resultOf(game)}`);
    if (!pictures.length) return;
    const card = this.#find(".card");
    drawCard(card, resultOf(game), pictures);
    card.setAttribute("aria-label", t`Your picture. ${resultOf(game)} It shows ${shown.map(captionOf).join(", ")}.`);
    this.#find(".result").hidden = false;
    this.#offerSharing(card);
  }

  /** The browser's own share sheet, where there is one that takes pictures. */
  async #offerSharing(card) {
    const number = (this.#cards += 1);
    const png = await new Promise((resolve) => card.toBlob(resolve, "image/png"));
    if (number !== this.#cards) return;
    this.#shared = png && [new File([png], FILE_NAME, { type: "image/png" })];
    this.#find(".share").hidden = !this.#shared || !navigator.canShare?.({ files: this.#shared });
  }

  async #share() {
    try {
      await navigator.share({ files: this.#shared, title: t("Make this face") });
    } catch (error) {
      // Somebody who closes the sheet needs no message.
      if (error.name !== "AbortError") this.#say(t`It cannot be shared: ${error.message}.`);
    }
  }

  #showPlaying(playing) {
    this.#find(".play").textContent = playing ? t("Stop") : t("Play again");
    this.#find(".playing").hidden = this.#find(".skip").hidden = !playing;
  }

  #download() {
    this.#find(".card").toBlob((png) => offerFile(png, FILE_NAME), "image/png");
  }

  #delete() {
    this.#cards += 1;
    this.#shared = null;
    this.#find(".share").hidden = true;
    Object.assign(this.#find(".card"), { width: 1, height: 1 });
    const [result, play] = [this.#find(".result"), this.#find(".play")];
    if (result.contains(document.activeElement)) play.focus();
    result.hidden = true;
    this.#say("");
  }

  #say(words) {
    this.#find(".status").textContent = words;
  }
}

function now() {
  return performance.now() / 1000;
}
