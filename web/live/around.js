/**
 * What stands around the live view: tabs, Photo, Video and notices, which the server writes in English and Gradio lays
 * out. They are shown in the language in use, from the table that the live view has, too.
 */

import { language, translated } from "./texts.js";

const ATTRIBUTES = ["aria-label", "title", "alt", "placeholder"];
/** The live view, once it is there, has its own words; what people type and what is never shown stays as it is. */
const LEFT_OUT = "#live-view div.live, script, style, textarea, input, [contenteditable]";

/**
 * Show a page in the language in use, and keep it so while it changes. In English there is nothing to do.
 *
 * @param {HTMLElement} root
 */
export function translateAround(root) {
  document.documentElement.lang = language;
  if (language === "en") return;
  translateAll(root);
  new MutationObserver((changes) => {
    for (const { target, addedNodes, type } of changes) {
      if (type === "childList") addedNodes.forEach(translateAll);
      else if (target instanceof Element) translateAttributes(target);
      else if (target instanceof Text) translateText(target);
    }
  }).observe(root, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ATTRIBUTES });
}

/** @param {Node} node */
function translateAll(node) {
  if (node instanceof Text) return translateText(node);
  if (!(node instanceof Element) || node.closest(LEFT_OUT)) return;
  const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) translateText(/** @type {Text} */ (text));
  for (const part of [node, ...node.querySelectorAll("*")]) translateAttributes(part);
}

/** @param {Text} node */
function translateText(node) {
  if (!node.parentElement || node.parentElement.closest(LEFT_OUT)) return;
  const [, before, words, after] = /^(\s*)(.*?)(\s*)$/s.exec(node.data);
  const found = translated(words.replace(/\s+/g, " "));
  if (found !== null && found !== words) node.data = before + found + after;
}

/** @param {Element} element */
function translateAttributes(element) {
  if (element.closest(LEFT_OUT)) return;
  for (const name of ATTRIBUTES) {
    const words = element.getAttribute(name);
    const found = words && translated(words.trim());
    if (found && found !== words) element.setAttribute(name, found);
  }
}
