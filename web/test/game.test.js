import assert from "node:assert/strict";
import { test } from "node:test";

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
  secondsLeft,
  skip,
  squareAround,
} from "../live/panels/game/game.js";

const NAMES = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"];

/** The same numbers every time: the generator of "Numerical Recipes". */
function seeded(seed) {
  let state = seed;
  return () => (state = (state * 1664525 + 1013904223) % 2 ** 32) / 2 ** 32;
}

const begin = (seed = 1) => beginGame(NAMES, 0, seeded(seed));

/** A face that is `probability` like the target, and the rest like another label. */
function faceLike(game, probability, changes = {}) {
  const target = NAMES.indexOf(roundOf(game).label);
  const probabilities = new Float32Array(NAMES.length);
  probabilities[target] = probability;
  probabilities[(target + 1) % NAMES.length] = 1 - probability;
  return { probabilities, reliable: true, reasons: [], trackId: 1, ...changes };
}

/** Show faces at times: [timeS, probability, changes of the face] or [timeS, null] for nobody. */
function play(game, looks) {
  const random = seeded(7);
  return looks.reduce((played, [timeS, probability, changes]) => {
    const faces = probability === null ? [] : [faceLike(game, probability, changes)];
    return lookAt(played, { faces, timeS }, random);
  }, game);
}

test("nothing was seen: no points, nothing to show", () => {
  const game = begin();
  assert.equal(scoreOf(game), 0);
  assert.equal(resultOf(game), "No face was made this time.");
  assert.deepEqual(roundsToShow(game), []);
});

test("no target comes twice in a row, all come equally often, and none that would be unfair", () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const random = seeded(seed);
    let game = beginGame(NAMES, 0, random);
    for (let count = 1; count < 60; count += 1) game = skip(game, 0, random);
    const targets = game.rounds.map(({ label }) => label);
    assert.ok(targets.every((label, index) => label !== targets[index - 1]));
    const fair = NAMES.filter((name) => !LEFT_OUT.includes(name));
    const timesOf = (name) => targets.filter((label) => label === name).length;
    for (const name of NAMES) assert.equal(timesOf(name), fair.includes(name) ? 10 : 0);
  }
  const firstTarget = (random) => roundOf(beginGame(NAMES, 0, random)).label;
  assert.notEqual(firstTarget(() => 0), firstTarget(() => 0.99));
});

test("a model of other classes has targets too", () => {
  assert.ok(["up", "down"].includes(roundOf(beginGame(["up", "down"], 0, seeded(1))).label));
  assert.ok(["disgust", "other"].includes(roundOf(beginGame(["disgust", "other"], 0, seeded(1))).label));
});

test("a target is made by holding it", () => {
  const cases = [
    ["too short", [[1, 0.9], [1.5, 0.9]], 0],
    ["long enough", [[1, 0.9], [1.3, 0.9], [1.6, 0.9]], 1],
    ["just above the threshold", [[1, RULES.madeAt + 0.01], [1.3, RULES.madeAt + 0.01], [1.7, RULES.madeAt + 0.01]], 1],
    ["just below", [[1, 0.44], [1.3, 0.44], [2, 0.44]], 0],
    ["let go between", [[1, 0.9], [1.3, 0.2], [1.7, 0.9]], 0],
    ["gone between", [[1, 0.9], [1.3, null], [1.7, 0.9]], 0],
    ["not sure between", [[1, 0.9], [1.3, 0.9, { reliable: false, reasons: ["too dark"] }], [1.7, 0.9]], 0],
    ["somebody else goes on", [[1, 0.9], [1.3, 0.9], [1.7, 0.9, { trackId: 2 }]], 0],
    ["the connection was gone", [[1, 0.9], [2.5, 0.9]], 0],
    ["few frames", [[1, 0.9], [1.9, 0.9]], 1],
    ["seen before it was asked for", [[-0.7, 0.9], [0, 0.9]], 0],
    ["after the end", [[29.5, 0.9], [30.2, 0.9]], 0],
  ];
  for (const [name, looks, made] of cases) {
    const game = play(begin(), looks);
    assert.equal(game.rounds.length - 1, made, name);
    assert.equal(scoreOf(game) > 0, made > 0, name);
  }
});

test("a quick face gives more points", () => {
  const pointsAt = (timeS) => scoreOf(play(begin(), [[timeS - 0.7, 0.9], [timeS, 0.9]]));
  assert.deepEqual([1, 5, 10, 29].map(pointsAt), [19, 15, 10, 10]);
});

test("only what is sure counts, and the player learns why not", () => {
  const game = begin();
  const dark = faceLike(game, 0.8, { reliable: false, reasons: ["too dark", "blurred"] });
  assert.equal(matchOf(game, []), 0);
  assert.equal(adviceOf(game, []), "Nobody is in view.");
  assert.equal(matchOf(game, [dark, faceLike(game, 0.9)]), 0);
  assert.equal(adviceOf(game, [dark]), "Not sure: too dark, blurred.");
  const both = faceLike(game, 0.4, { reliable: false, reasons: ["no clear expression"], between: ["happy", "surprise"] });
  assert.equal(adviceOf(game, [both]), "Not sure: between happy and surprised.");
  const good = faceLike(game, 0.75);
  assert.equal(matchOf(game, [good]), 0.75);
  assert.equal(adviceOf(game, [good]), "");
  assert.equal(adviceOf(play(game, [[1, 0.75]]), [good]), "Hold it …");
});

test("the clock counts whole seconds down", () => {
  const cases = [[0, 30], [0.1, 30], [29.2, 1], [30, 0], [99, 0]];
  for (const [timeS, left] of cases) assert.equal(secondsLeft(begin(), timeS), left);
});

test("the result names faces and points", () => {
  const one = play(begin(), [[1, 0.9], [1.6, 0.9]]);
  assert.equal(resultOf(one), "You made one face: 18 points.");
  const two = play(one, [[2, 0.9], [2.6, 0.9]]);
  assert.equal(resultOf({ ...two, rounds: [...one.rounds, ...one.rounds] }), "You made 2 faces: 36 points.");
});

test("shown are the faces made, or the best tries", () => {
  const round = (best, points) => ({ label: "happy", beganS: 0, best, points });
  const cases = [
    [[round(0, 0)], []],
    [[round(0.1, 0), round(0.3, 0), round(0.2, 0), round(0.4, 0)], [0.3, 0.2, 0.4]],
    [[round(0.1, 0), round(0.6, 12), round(0.9, 0), round(0.5, 11)], [0.6, 0.5]],
    [Array.from({ length: 14 }, (_, at) => round(at + 1, 10)), [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]],
  ];
  for (const [rounds, shown] of cases) assert.deepEqual(roundsToShow({ rounds }).map(({ best }) => best), shown);
});

test("the square around a face stays inside the picture", () => {
  const cases = [
    [[280, 200, 380, 300], { x: 250, y: 170, side: 160 }],
    [[-20, -10, 80, 90], { x: 0, y: 0, side: 160 }],
    [[600, 440, 700, 540], { x: 480, y: 320, side: 160 }],
    [[100, 0, 540, 480], { x: 80, y: 0, side: 480 }],
  ];
  for (const [box, square] of cases) assert.deepEqual(squareAround(box, 640, 480), square);
});
