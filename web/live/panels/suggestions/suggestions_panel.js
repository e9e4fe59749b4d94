/** Suggestions for the expression shown: a line, something to do, and music. Off until a visitor switches it on. */

import { NOTHING_SUGGESTED, looksSo, takeAnswer, withNothingShown } from "./suggestions.js";
import { setMarkup, t, tLabel } from "../../texts.js";

const MARKUP = `
<h3>Suggestions</h3>
<label><input type="checkbox" role="switch"> suggest something for what my expression looks like</label>
<div class="suggestion" aria-live="polite" aria-atomic="true">
  <p class="hint" hidden></p>
  <div class="shown" hidden>
    <p><strong class="looks" aria-live="off"></strong> <span class="line"></span></p>
    <p>Something to do: <span class="activity"></span></p>
    <p>Music: <a target="_blank" rel="noopener noreferrer"></a></p>
  </div>
</div>`;

/** @typedef {import("../../page.js").Panel} Panel */

/** @implements {Panel} */
export class SuggestionsPanel {
  #find;
  #suggestions;
  #state = NOTHING_SUGGESTED;

  /**
   * @param {HTMLElement} element that is empty
   * @param {import("../../page.js").Context} context
   */
  constructor(element, { suggestions }) {
    setMarkup(element, MARKUP);
    this.#find = (selector) => element.querySelector(selector);
    this.#suggestions = suggestions;
    const { stable_s: stableS, change_every_s: changeEveryS } = suggestions;
    this.#find(".hint").textContent =
      t`A suggestion appears once your camera is on and one clear expression was seen for ${stableS} seconds, and changes every ${changeEveryS} seconds at most.`;
    this.#find("input").onchange = () => this.forget();
  }

  show(answer) {
    if (!this.#isOn) return;
    this.#become(takeAnswer(this.#state, answer, this.#suggestions, Math.random));
    if (this.#state.shown) this.#tellLooks(this.#state.shown, looksSo(this.#state, answer.timeS));
  }

  showNothing() {
    this.forget();
  }

  forget() {
    this.#become(withNothingShown(this.#state));
  }

  get #isOn() {
    return this.#find("input").checked;
  }

  #become(state) {
    const isNew = state.shown !== this.#state.shown;
    this.#state = state;
    this.#find(".hint").hidden = !this.#isOn || state.shown !== null;
    this.#find(".shown").hidden = state.shown === null;
    if (isNew && state.shown) this.#write(state.shown);
  }

  #tellLooks({ looks }, isSo) {
    const text = isSo ? t`Your expression looks ${tLabel(looks)}.` : t`A moment ago your expression looked ${tLabel(looks)}.`;
    if (this.#find(".looks").textContent !== text) this.#find(".looks").textContent = text;
  }

  #write({ line, activity, music }) {
    this.#find(".line").textContent = tLabel(line);
    this.#find(".activity").textContent = tLabel(activity);
    const link = this.#find("a");
    link.href = music.link;
    link.textContent = t`${music.search} (opens a new tab: ${this.#suggestions.music_place} search)`;
  }
}
