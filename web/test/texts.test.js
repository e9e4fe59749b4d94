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

/** Each module's name and its text, but for the table. */
function sources() {
  const names = readdirSync(LIVE, { recursive: true }).filter((name) => name.endsWith(".js") && !name.startsWith("texts"));
  return names.map((name) => [name, readFileSync(new URL(name, LIVE), "utf8")]);
}

test("every text in the code has its German, with the same marks", () => {
  const keys = new Set(sources().flatMap(([, source]) => keysIn(source)));
  assert.ok(keys.size > 80, `${keys.size} texts were found`);
  assert.deepEqual([...keys].filter((key) => !Object.hasOwn(GERMAN, key)), []);
  const marksOf = (text) => [...new Set(text.match(/\{\d\}/g) ?? [])].sort();
  for (const [key, german] of Object.entries(GERMAN)) assert.deepEqual(marksOf(german), marksOf(key), key);
});

/** What is shown as it stands, without `t`: literals with a word in what goes to a sink of words. */
function untranslatedIn(source) {
  const bare = source
    .replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "")
    .replace(/\bt\("(?:[^"\\]|\\.)*"\)/g, "T")
    .replace(/\bt`(?:[^`$]|\$\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})*`/g, "T")
    .replace(/[!=]== "[^"]*"/g, "")
    .replace(/(?:#?find|querySelector(?:All)?|createElement|closest)\((?:"[^"]*"|`[^`]*`)\)/gi, "E");
  const sinks = /(?:\b(?:textContent|title|placeholder|ariaLabel)\s*[:=](?!=)|\bbutton\(|#(?:tell|say|close|tellBeside|stopTaking|stopCountdown)\(|setAttribute\("aria-label",)\s*([^;\n]*)/g;
  return [...bare.matchAll(sinks)].flatMap(([, shown]) => {
    const literals = [...shown.matchAll(/"((?:[^"\\]|\\.)*)"|`([^`]*)`/g)].map(([, plain, marked]) => plain ?? marked);
    return literals.filter((text) => /[a-z]{2}/i.test(text.replace(/\$\{[^}]*\}/g, "")));
  });
}

test("nothing is shown without the table", () => {
  const table = [
    ['name.textContent = "Removed.";', ["Removed."]],
    [`this.#tell(\`\${count} faces\`);`, [`\${count} faces`]],
    ['const remove = button("Remove", () => {', ["Remove"]],
    ['part.textContent = isSo ? t("Yes") : "No";', ["No"]],
    ['part.setAttribute("aria-label", "Close");', ["Close"]],
    [`this.#find(".status").textContent = \`\${before} \${t("Kept.")}\`;`, []],
    [`this.#tell(t\`Kept: \${names.join(", ")}.\`); if (part.textContent !== "abc") next();`, []],
  ];
  for (const [source, found] of table) assert.deepEqual(untranslatedIn(source), found, source);
  const found = sources().flatMap(([name, source]) => untranslatedIn(source).map((text) => `${name}: ${text}`));
  assert.deepEqual(found, []);
});

/** The messages of errors that are for visitors, as keys; those for programmers are others. */
function messagesIn(source) {
  return [...source.matchAll(/new (?:Personal|Bundle|Connection|Refused)?Error\(\s*("(?:[^"\\]|\\.)*"|`[^`]*`)/g)].map(([, text]) => {
    let number = 0;
    return text.startsWith('"') ? JSON.parse(text) : text.slice(1, -1).replace(/\$\{[^}]*\}/g, () => `{${(number += 1)}}`);
  });
}

test("what goes wrong is German, too", () => {
  // That of pages of others is for those who write them.
  const ours = sources().filter(([name]) => name !== "backends/embedded_engine.js");
  const keys = ours.flatMap(([, source]) => messagesIn(source));
  assert.ok(keys.length > 15, `${keys.length} messages were found`);
  assert.deepEqual(keys.filter((key) => !Object.hasOwn(GERMAN, key)), []);
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
