import assert from "node:assert/strict";
import { test } from "node:test";

import { NOTHING_SUGGESTED, looksSo, takeAnswer, withNothingShown } from "../live/panels/suggestions/suggestions.js";

const EIGHT = [1, 2, 3, 4, 5, 6, 7, 8];

function entriesOf(label) {
  const music = (number) => ({ search: `${label} music ${number}`, link: `https://music.test/${label}${number}` });
  return {
    looks: `${label}-like`,
    lines: EIGHT.map((number) => `${label} line ${number}`),
    activities: EIGHT.map((number) => `${label} activity ${number}`),
    music: EIGHT.map(music),
  };
}

const SUGGESTIONS = {
  confident_from: 0.6,
  stable_s: 2,
  change_every_s: 10,
  music_place: "Music",
  expressions: { happy: entriesOf("happy"), sad: entriesOf("sad") },
};

const first = () => 0;

function face(label, changes) {
  return { label, confidence: 0.9, reliable: true, trackId: 1, ...changes };
}

/** Answers at these times; each is [seconds, face or null, changes to the answer]. The label shown after each. */
function play(answers, random = first) {
  let state = NOTHING_SUGGESTED;
  return answers.map(([timeS, seen, changes]) => {
    const answer = { faces: seen ? [seen] : [], timeS, tookMs: 30, live: true, ...changes };
    state = takeAnswer(state, answer, SUGGESTIONS, random);
    return state.shown;
  });
}

const happy = face("happy");
const sad = face("sad");
const anotherHappy = face("happy", { trackId: 2 });

const CASES = [
  { name: "no answers", answers: [], labels: [] },
  { name: "nobody", answers: [[0, null], [5, null]], labels: [null, null] },
  {
    name: "the same for two seconds",
    answers: [[100, happy], [101, happy], [101.9, happy], [102, happy], [103, happy]],
    labels: [null, null, null, "happy", "happy"],
  },
  {
    name: "the first moment of the page's clock counts as well",
    answers: [[0, happy], [2, happy]],
    labels: [null, "happy"],
  },
  {
    name: "another label begins anew",
    answers: [[0, sad], [1, happy], [2, happy], [3, happy]],
    labels: [null, null, null, "happy"],
  },
  {
    name: "nobody for one answer begins anew",
    answers: [[0, happy], [1, happy], [1.5, null], [2, happy], [3.9, happy], [4, happy]],
    labels: [null, null, null, null, null, "happy"],
  },
  {
    name: "unreliable for one answer begins anew",
    answers: [[0, happy], [1.9, face("happy", { reliable: false })], [2, happy], [3.9, happy], [4, happy]],
    labels: [null, null, null, null, "happy"],
  },
  {
    name: "not confident for one answer begins anew",
    answers: [[0, happy], [1.9, face("happy", { confidence: 0.59 })], [2, happy], [3.9, happy], [4, happy]],
    labels: [null, null, null, null, "happy"],
  },
  {
    name: "confident enough is enough",
    answers: [[0, face("happy", { confidence: 0.6 })], [2, face("happy", { confidence: 0.6 })]],
    labels: [null, "happy"],
  },
  {
    name: "another person with the same expression begins anew",
    answers: [[0, happy], [1.9, anotherHappy], [2, anotherHappy], [3.9, anotherHappy]],
    labels: [null, null, null, "happy"],
  },
  {
    name: "only the largest face counts",
    answers: [0, 1, 2, 3].map((timeS) => [timeS, null, { faces: [face("happy", { reliable: false }), sad] }]),
    labels: [null, null, null, null],
  },
  {
    name: "the demonstration is not the visitor",
    answers: [[0, happy, { live: false }], [3, happy, { live: false }], [4, happy], [6, happy]],
    labels: [null, null, null, "happy"],
  },
  {
    name: "a label without entries gets none, and none that every object has",
    answers: [[0, face("bored")], [3, face("bored")], [4, face("constructor")], [7, face("constructor")]],
    labels: [null, null, null, null],
  },
  {
    name: "at most one change in ten seconds, counted from the last change",
    answers: [[0, happy], [2, happy], [3, sad], [11.9, sad], [12, sad], [13, happy], [21.9, happy], [22, happy]],
    labels: [null, "happy", "happy", null, "sad", "sad", null, "happy"],
  },
  {
    name: "what is shown goes once the face has surely looked otherwise for two seconds",
    answers: [[0, happy], [2, happy], [3, sad], [4.9, sad], [5, sad], [6, happy]],
    labels: [null, "happy", "happy", "happy", null, null],
  },
  {
    name: "two other expressions in turn are otherwise, too, and doubt between them is no return",
    answers: [[0, happy], [2, happy], [3, sad], [4, face("angry")], [4.5, face("happy", { reliable: false })], [5, face("angry")]],
    labels: [null, "happy", "happy", "happy", "happy", null],
  },
  {
    name: "what is shown stays if the face looks so again before that",
    answers: [[0, happy], [2, happy], [3, sad], [4, happy], [5, sad], [6.9, sad]],
    labels: [null, "happy", "happy", "happy", "happy", "happy"],
  },
  {
    name: "after ten seconds, too, it must have been the same for two",
    answers: [[0, happy], [2, happy], [15, sad], [16.9, sad], [17, sad]],
    labels: [null, "happy", "happy", "happy", "sad"],
  },
  {
    name: "what is shown stays when the face glances aside or looks otherwise for a while",
    answers: [[0, happy], [2, happy], [2.5, null], [3, face("sad", { reliable: false })], [11, sad], [11.5, happy]],
    labels: [null, "happy", "happy", "happy", "happy", "happy"],
  },
  {
    name: "what is shown goes a second after the face it is about",
    answers: [[0, happy], [2, happy], [3, null], [3.1, null], [3.2, happy], [11, happy], [12, happy]],
    labels: [null, "happy", "happy", null, null, null, "happy"],
  },
  {
    name: "what is shown of one visitor is not shown to the next one, nor to somebody who comes nearer",
    answers: [[0, happy], [2, happy], [3, anotherHappy], [3.1, anotherHappy], [12, anotherHappy]],
    labels: [null, "happy", null, null, "happy"],
  },
  {
    name: "what is shown goes when the demonstration comes back",
    answers: [[0, happy], [2, happy], [2.5, happy, { live: false }], [3.1, happy, { live: false }]],
    labels: [null, "happy", null, null],
  },
];

for (const { name, answers, labels } of CASES) {
  test(name, () => assert.deepEqual(play(answers).map((shown) => shown?.label ?? null), labels));
}

test("a suggestion is of one label, and stays word by word while the expression is the same", () => {
  const [, shown, ...later] = play([[0, happy], [2, happy], [13, happy], [60, sad], [60.5, null], [61, happy]]);
  assert.deepEqual(shown, {
    label: "happy",
    looks: "happy-like",
    line: "happy line 1",
    activity: "happy activity 1",
    music: { search: "happy music 1", link: "https://music.test/happy1" },
  });
  for (const other of later) assert.equal(other, shown);
});

test("it says how the expression looks only while it looks so", () => {
  let state = NOTHING_SUGGESTED;
  const unsure = face("happy", { reliable: false });
  const seen = [[0, happy], [2, happy], [2.9, unsure], [3, null], [3.1, unsure], [4, happy], [4.1, sad], [4.5, unsure], [5, happy]];
  const looks = [];
  for (const [timeS, one] of seen) {
    state = takeAnswer(state, { faces: one ? [one] : [], timeS, tookMs: 30, live: true }, SUGGESTIONS, first);
    looks.push(looksSo(state, timeS));
  }
  assert.deepEqual(looks, [false, true, true, true, false, true, false, false, true]);
  assert.equal(state.shown.label, "happy");
});

for (const [name, random] of [["smallest", first], ["largest", () => 1 - Number.EPSILON / 2]]) {
  test(`none of the last few is shown again, with the ${name} random number`, () => {
    const turns = Array.from({ length: 12 }, (_, turn) => (turn % 2 ? sad : happy));
    const answers = turns.flatMap((seen, turn) => [[turn * 20, seen], [turn * 20 + 10, seen]]);
    const shown = play(answers, random).filter((_, index) => index % 2);
    for (const kind of ["line", "activity", "music"]) {
      shown.forEach((one, turn) => {
        assert.ok(one[kind]);
        const lastFew = shown.slice(Math.max(0, turn - 4), turn).map((past) => past[kind]);
        assert.ok(!lastFew.includes(one[kind]), `${kind} of turn ${turn}`);
      });
    }
  });
}

test("every entry may come", () => {
  const drawn = EIGHT.map((number) => play([[0, happy], [2, happy]], () => (number - 1) / 8)[1]);
  assert.deepEqual(drawn.map(({ line }) => line), SUGGESTIONS.expressions.happy.lines);
  assert.deepEqual(drawn.map(({ music }) => music), SUGGESTIONS.expressions.happy.music);
});

test("switching off shows nothing, and switching on again does not get round the ten seconds", () => {
  const take = (before, timeS) =>
    takeAnswer(before, { faces: [happy], timeS, tookMs: 30, live: true }, SUGGESTIONS, first);
  const shown = take(take(NOTHING_SUGGESTED, 0), 2);
  let state = withNothingShown(shown);
  assert.equal(state.shown, null);
  for (const [timeS, label] of [[3, undefined], [11, undefined], [12, "happy"]]) {
    state = take(state, timeS);
    assert.equal(state.shown?.label, label);
  }
  assert.notEqual(state.shown.line, shown.shown.line);
  assert.equal(take(withNothingShown(shown), 14).shown, null, "it must be seen for two seconds again");
  assert.deepEqual([NOTHING_SUGGESTED.shown, NOTHING_SUGGESTED.streak, NOTHING_SUGGESTED.recent], [null, null, []]);
});
