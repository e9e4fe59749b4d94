import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";

import { chooseLanguage, language, t } from "../live/texts.js";
import { GERMAN } from "../live/texts_de.js";

const LIVE = new URL("../live/", import.meta.url);

/** The keys of t("...") and t`...` in a source, as `t` makes them. */
function keysIn(source) {
  const plain = [...source.matchAll(/\bt\(("(?:[^"\\]|\\.)*")\)/g)].map(([, text]) => JSON.parse(text));
  const marked = [...source.matchAll(/\bt`((?:[^`$]|\$\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})*)`/g)].map(([, text]) => {
    let number = 0;
    return text.replace(/\$\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}/g, () => `{${(number += 1)}}`);
  });
  return [...plain, ...marked];
}

test("every text in the code has its German, with the same marks", () => {
  const files = readdirSync(LIVE, { recursive: true }).filter((name) => name.endsWith(".js") && !name.startsWith("texts"));
  const keys = new Set(files.flatMap((name) => keysIn(readFileSync(new URL(name, LIVE), "utf8"))));
  assert.ok(keys.size > 80, `${keys.size} texts were found`);
  assert.deepEqual([...keys].filter((key) => !Object.hasOwn(GERMAN, key)), []);
  const marksOf = (text) => [...new Set(text.match(/\{\d\}/g) ?? [])].sort();
  for (const [key, german] of Object.entries(GERMAN)) assert.deepEqual(marksOf(german), marksOf(key), key);
});

test("the address decides on the language, then the browser", () => {
  const table = [
    ["", ["de-AT", "en"], "de"],
    ["", ["fr", "en-US", "de"], "en"],
    ["", ["fr"], "en"],
    ["", [], "en"],
    ["?lang=en", ["de"], "en"],
    ["?lang=de", ["en"], "de"],
    ["?lang=xx", ["de"], "de"],
    ["?lang=constructor", ["en"], "en"],
  ];
  for (const [search, preferred, wanted] of table) assert.equal(chooseLanguage(search, preferred), wanted, search);
});

test("English is the key itself", () => {
  assert.equal(language, "en");
  assert.equal(t("Stop"), "Stop");
  assert.equal(t`Kept as ${"happy"}.`, "Kept as happy.");
});
