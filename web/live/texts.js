/**
 * The one table of the page's texts. In the code they are written in English, which is the key; `texts_de.js` has the
 * German for each. `?lang=de` or `?lang=en` decides, and otherwise the browser's language.
 */

import { GERMAN } from "./texts_de.js";

const TABLES = { de: GERMAN };

/**
 * @param {string} search of the page's address
 * @param {readonly string[]} preferred the browser's languages, the best first
 * @returns {"en" | "de"}
 */
export function chooseLanguage(search, preferred) {
  const asked = new URLSearchParams(search).get("lang");
  const wanted = [...(asked ? [asked] : []), ...preferred].map((name) => name.slice(0, 2).toLowerCase());
  return /** @type {"en" | "de"} */ (wanted.find((name) => name === "en" || name in TABLES) ?? "en");
}

/** The language in use. Outside a page, as in tests and workers, it is English. */
export const language =
  typeof document === "undefined" ? "en" : chooseLanguage(location.search, navigator.languages ?? [navigator.language]);

/** English texts that the table lacks; none, as the tests check. @type {Set<string>} */
export const missing = new Set();

/**
 * A text in the language in use: t("Stop"), or t`Kept as ${label}.`, whose key is "Kept as {1}.".
 *
 * @param {string | TemplateStringsArray} text in English
 * @param {...unknown} values
 * @returns {string}
 */
export function t(text, ...values) {
  const key = typeof text === "string" ? text : text.reduce((all, part, index) => `${all}{${index}}${part}`);
  const table = TABLES[language];
  if (table && !Object.hasOwn(table, key)) missing.add(key);
  const found = table?.[key] ?? key;
  return values.length ? found.replace(/\{(\d)\}/g, (_, number) => String(values[number - 1])) : found;
}

/**
 * @param {number} share 0..1
 * @param {"en" | "de"} [locale] the language; default: the one in use
 * @returns {string} in whole percent as the language has it: "87%", and in German "87 %" with a no-break space
 */
export function percentOf(share, locale = language) {
  return share.toLocaleString(locale, { style: "percent" });
}

/**
 * What comes from the model or the server: a label, an adjective for it, a reason, a suggestion. Models may have labels of
 * their own; what the table lacks stays as it is.
 *
 * @param {string} label
 * @returns {string}
 */
export function tLabel(label) {
  return Object.hasOwn(TABLES[language] ?? {}, label) ? TABLES[language][label] : label;
}

/**
 * A whole message that comes in English from the engine or the server.
 *
 * @param {string} message
 * @returns {string} in the language in use, if the table has it
 */
export function tMessage(message) {
  return translated(message) ?? message;
}

/** Keys with marks, those with most letters of their own first. @type {[RegExp, string][] | null} */
let patterns = null;

/**
 * A whole text that arrives in English, such as what the server says, with its values and lists.
 *
 * @param {string} text
 * @returns {string | null} null if the table does not have it, or the language is English
 */
export function translated(text) {
  const table = TABLES[language];
  const share = table && /^(\(?)(\d+)%(\)?\.?)$/.exec(text);
  if (share) return share[1] + percentOf(Number(share[2]) / 100) + share[3];
  if (!table || !/[a-z]{2}/i.test(text)) return null;
  if (Object.hasOwn(table, text)) return table[text];
  patterns ??= patternsOf(Object.keys(table));
  for (const [pattern, key] of patterns) {
    const values = pattern.exec(text)?.slice(1);
    if (values) return table[key].replace(/\{(\d)\}/g, (_, number) => translated(values[number - 1]) ?? values[number - 1]);
  }
  const parts = text.replace(/\.$/, "").split(", ");
  if (!parts.every((part) => Object.hasOwn(table, part))) return null;
  return parts.map((part) => table[part]).join(", ") + (text.endsWith(".") ? "." : "");
}

/**
 * @param {string[]} keys
 * @returns {[RegExp, string][]}
 */
function patternsOf(keys) {
  const lettersOf = (key) => key.replace(/\{\d\}/g, "").replace(/[^a-z]/gi, "").length;
  const marked = keys.filter((key) => /\{1\}/.test(key) && lettersOf(key) >= 3);
  marked.sort((one, other) => lettersOf(other) - lettersOf(one));
  return marked.map((key) => {
    const literal = key.split(/\{\d\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return [new RegExp(`^${literal.join("(.+?)")}$`), key];
  });
}

/**
 * Fill an element with English markup in the language in use.
 *
 * @param {HTMLElement} element
 * @param {string} markup
 */
export function setMarkup(element, markup) {
  element.innerHTML = markup;
  if (!TABLES[language]) return;
  const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (let next = texts.nextNode(); next; next = texts.nextNode()) {
    const node = /** @type {Text} */ (next);
    const words = node.data.trim().replace(/\s+/g, " ");
    if (!/[a-z]{2}/i.test(words)) continue;
    const [before, after] = [/^\s*/.exec(node.data)[0], /\s*$/.exec(node.data)[0]];
    node.data = (before && " ") + t(words) + (after && " ");
  }
  for (const part of element.querySelectorAll("[aria-label]")) {
    part.setAttribute("aria-label", t(part.getAttribute("aria-label")));
  }
}
