import assert from "node:assert/strict";
import { test } from "node:test";

import { readFileSync } from "node:fs";

import { sharedLead } from "../live/engine/classifier.js";
import { percentOf } from "../live/texts.js";
import { adviceOnCamera, headlineOf, needsHttps, sentenceOfTen, shownPercent, tenPeople } from "../live/words.js";

const NAMES = ["angry", "happy", "neutral"];

test("ten people are shared out by the probabilities", () => {
  const cases = [
    [[0, 1, 0], [0, 10, 0]],
    [[0.61, 0.3, 0.09], [6, 3, 1]],
    [[0.34, 0.33, 0.33], [4, 3, 3]],
    [[1 / 3, 1 / 3, 1 / 3], [4, 3, 3]],
    [[0.04, 0.92, 0.04], [1, 9, 0]],
    [[0.999, 0.0005, 0.0005], [10, 0, 0]],
  ];
  for (const [probabilities, people] of cases) assert.deepEqual(tenPeople(probabilities), people);
});

test("the sentence names who would say what, the most first", () => {
  assert.equal(sentenceOfTen([0, 1, 0], NAMES), "Of ten people, probably all would call this happy.");
  assert.equal(
    sentenceOfTen([0.1, 0.3, 0.6], NAMES),
    "Of ten people, about six would call this neutral, three happy, one angry.",
  );
});

test("the headline is never certain, and says why it is not sure", () => {
  const face = { label: "happy", confidence: 0.999, reliable: true, reasons: [] };
  assert.equal(headlineOf(face), "happy 99%");
  assert.equal(
    headlineOf({ ...face, reliable: false, reasons: ["too dark", "blurred"] }),
    "not sure: too dark, blurred",
  );
});

test("percent are written as in Python, and in German as Germans write them", () => {
  const cases = JSON.parse(readFileSync(new URL("../../tests/support/percent_cases.json", import.meta.url), "utf8"));
  for (const { share, text, german, shown } of cases) {
    assert.equal(percentOf(share, "en"), text);
    assert.equal(percentOf(share, "de"), german);
    assert.equal(shownPercent(share), shown);
  }
});

test("whatever is wrong with the camera, there is something to do", () => {
  for (const name of ["NotAllowedError", "NotFoundError", "NotReadableError", "OverconstrainedError", "TypeError"]) {
    assert.match(adviceOnCamera({ name, message: "" }), /Allow|Connect|Close|Try another|Open/);
  }
  assert.equal(adviceOnCamera({ name: "AbortError", message: "gone" }), "The camera cannot be used: gone");
});

test("over plain HTTP only tabs that are there are named", () => {
  assert.match(needsHttps(true), /^This page came over plain HTTP.* Photo and Video work here, too\.$/);
  assert.doesNotMatch(needsHttps(false), /Photo/);
});

test("two expressions share the lead as in Python", () => {
  const { label_names: names, cases } = JSON.parse(readFileSync(new URL("../../tests/support/shared_lead_cases.json", import.meta.url), "utf8"));
  for (const { probabilities, lead } of cases) assert.deepEqual(sharedLead(probabilities, names), lead, String(probabilities));
  assert.deepEqual(sharedLead([0.5, 0.5], ["yes", "no"]), ["yes", "no"]);
});

test("a face between two expressions names both", () => {
  const face = { reliable: false, reasons: ["too dark", "no clear expression"], between: ["surprise", "happy"] };
  assert.equal(headlineOf(face), "not sure: too dark, between surprised and happy");
  assert.equal(headlineOf({ ...face, between: null }), "not sure: too dark, no clear expression");
  assert.equal(headlineOf({ reliable: true, label: "fear", confidence: 0.5 }), "fearful 50%");
});
