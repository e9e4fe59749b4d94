import assert from "node:assert/strict";
import { test } from "node:test";

import { describeSpans } from "../live/panels/last_minute.js";
import { csvCell } from "../live/panels/csv.js";
import { toCsv, toJson } from "../live/panels/session/session_files.js";
import { MOST_ROWS, Session } from "../live/panels/session/session.js";

const NAMES = ["angry", "happy", "neutral"];
const NOBODY = null;

function face(label, { trackId = 1, reasons = [], names = NAMES } = {}) {
  const probabilities = Float32Array.from(names, (name) => (name === label ? 0.8 : 0.2 / (names.length - 1)));
  return {
    box: [10.04, 20, 110, 120.5],
    landmarks: [],
    probabilities,
    label,
    confidence: 0.8,
    reliable: reasons.length === 0,
    reasons,
    trackId,
    crop: { data: new Uint8Array(48 * 48), width: 48, height: 48 },
  };
}

const UNSURE = face("happy", { reasons: ["too dark", "blurred"] });

/** A session that saw moments of [time, face or faces or nobody]; the word "scene" begins another one. */
function played(moments, session = new Session(NAMES)) {
  for (const moment of moments) {
    if (moment === "scene") session.beginScene();
    else session.add({ faces: [moment[1] ?? []].flat(), timeS: moment[0], tookMs: 20, live: true });
  }
  return session;
}

/** The sums of a session, rounded, by name; labels with nothing are left out. */
function summaryOf(session) {
  const { lengthS, classifiedS, unsureS, nobodyS, expressions } = session.summary();
  const all = { lengthS, classifiedS, unsureS, nobodyS };
  for (const { label, timeS, longestS } of expressions) if (timeS) all[label] = [timeS, longestS];
  const round = (value) => Math.round(value * 1000) / 1000;
  return Object.fromEntries(
    Object.entries(all).map(([name, value]) => [name, Array.isArray(value) ? value.map(round) : round(value)]),
  );
}

test("time is counted for what is shown until the next answer", () => {
  const [happy, neutral] = [face("happy"), face("neutral")];
  const other = face("happy", { trackId: 2 });
  const none = { lengthS: 0, classifiedS: 0, unsureS: 0, nobodyS: 0 };
  const cases = [
    ["nothing", [], none],
    ["one answer", [[5, happy]], none],
    ["one label", [[5, happy], [5.5, happy], [6, happy]], { ...none, lengthS: 1, classifiedS: 1, happy: [1, 1] }],
    [
      "labels in turn",
      [[0, happy], [1, neutral], [1.5, happy], [2.25, happy]],
      { ...none, lengthS: 2.25, classifiedS: 2.25, happy: [1.75, 1], neutral: [0.5, 0.5] },
    ],
    [
      "nobody for a moment does not end a stretch, nor count in it",
      [[0, happy], [1, NOBODY], [1.5, happy], [2, happy]],
      { ...none, lengthS: 2, classifiedS: 1.5, nobodyS: 0.5, happy: [1.5, 1.5] },
    ],
    [
      "nobody for longer ends it",
      [[0, happy], [1, NOBODY], [2, NOBODY], [2.25, happy], [2.5, happy]],
      { ...none, lengthS: 2.5, classifiedS: 1.25, nobodyS: 1.25, happy: [1.25, 1] },
    ],
    [
      "not sure is not classified, whatever the label",
      [[0, UNSURE], [0.5, happy], [0.75, UNSURE], [1.75, UNSURE], [2, happy], [2.5, happy]],
      { ...none, lengthS: 2.5, classifiedS: 0.75, unsureS: 1.75, happy: [0.75, 0.5] },
    ],
    [
      "a stall counts as one second, and ends a stretch",
      [[0, happy], [1, happy], [2.5, happy], [3, NOBODY], [99, NOBODY]],
      { ...none, lengthS: 99, classifiedS: 2.5, nobodyS: 1, happy: [2.5, 2] },
    ],
    [
      "a time before the last one is the same moment",
      [[3, happy], [1, happy], [3.5, happy], [2, neutral], [4, neutral]],
      { ...none, lengthS: 1, classifiedS: 1, happy: [0.5, 0.5], neutral: [0.5, 0.5] },
    ],
    [
      "another face that looks the same begins another stretch",
      [[0, happy], [1, [other, happy]], [1.5, other]],
      { ...none, lengthS: 1.5, classifiedS: 1.5, happy: [1.5, 1] },
    ],
    [
      "only the largest face counts",
      [[0, [neutral, other]], [1, [neutral, other]]],
      { ...none, lengthS: 1, classifiedS: 1, neutral: [1, 1] },
    ],
    [
      "another scene ends a stretch; how long the last answer held is not known",
      [[0, happy], [0.5, happy], "scene", [0.75, happy], [1, happy]],
      { ...none, lengthS: 1, classifiedS: 0.75, happy: [0.75, 0.5] },
    ],
  ];
  for (const [name, moments, expected] of cases) assert.deepEqual(summaryOf(played(moments)), expected, name);
});

test("shares are of the time that could be classified", () => {
  assert.deepEqual(new Session(NAMES).summary().expressions.map(({ share }) => share), [0, 0, 0]);
  const session = played([[0, face("happy")], [0.75, UNSURE], [1, face("angry")], [1.25, NOBODY], [2, NOBODY]]);
  assert.deepEqual(session.summary().expressions.map(({ share }) => share), [0.25, 0.75, 0]);
  assert.equal(session.summary().watchedS, 2);
});

test("the demonstration is not recorded", () => {
  const session = new Session(NAMES);
  for (const timeS of [0, 1, 2]) session.add({ faces: [face("happy")], timeS, tookMs: 20, live: false });
  assert.ok(session.isEmpty);
  assert.deepEqual([session.rows, session.lastMinute], [[], []]);
});

test("a time that is none is refused", () => {
  assert.throws(() => played([[Number.NaN, NOBODY]]), RangeError);
});

test("rows hold every face, four times a second at most, and its scene", () => {
  const faces = [face("happy"), face("angry", { trackId: 2 })];
  const moments = Array.from({ length: 31 }, (_, index) => [7 + index / 30, faces]);
  const session = played([...moments, "scene", "scene", [9, face("neutral")], [10, NOBODY]]);
  const seen = session.rows.map(({ scene, trackId, label }) => `${scene} ${trackId} ${label}`);
  assert.deepEqual(seen, [...Array(4).fill(["1 1 happy", "1 2 angry"]).flat(), "2 1 neutral"]);
  assert.equal(session.rows.at(-1).timeS, 2);
  assert.equal(session.summary().scenes, 2);
});

test("hours of it take no more memory than two, and the sums stay", () => {
  const session = new Session(NAMES);
  const faces = [face("happy"), face("neutral", { trackId: 2 })];
  const seconds = 3 * 60 * 60;
  for (let tick = 0; tick <= seconds * 10; tick += 1) session.add({ faces, timeS: tick / 10, tookMs: 20, live: true });
  assert.equal(session.rows.length, MOST_ROWS);
  assert.equal(session.rows.at(-1).timeS, seconds);
  assert.ok(session.droppedRows > 0);
  assert.equal(JSON.parse(toJson(session)).dropped_rows, session.droppedRows);
  assert.ok(session.lastMinute.length <= 302, `${session.lastMinute.length} spans`);
  assert.equal(Math.round(session.summary().classifiedS), seconds);
  assert.ok(session.lastMinute.every((span) => !("crop" in span.face)), "pixels are not kept");
  session.clear();
  assert.deepEqual([session.isEmpty, session.rows, session.droppedRows, session.lastMinute], [true, [], 0, []]);
  assert.deepEqual(session.summary(), new Session(NAMES).summary());
});

test("the last minute is coarse, has gaps where nothing was watched, and is described in words", () => {
  const fast = Array.from({ length: 301 }, (_, index) => [100 + index / 100, face("happy")]);
  const session = played([...fast, [104, UNSURE], [105, NOBODY], [107, NOBODY]]);
  const spans = session.lastMinute;
  assert.ok(spans.length <= 19, `${spans.length} spans`);
  assert.deepEqual(spans.at(-1), { fromS: 105, untilS: 106, face: null });
  assert.equal(describeSpans(spans), "Last 6 s: happy 67%, not sure 17%, nobody in view 17%.");
  assert.equal(describeSpans([]), "No data yet.");
  played([[200, NOBODY], [201, NOBODY]], session);
  assert.deepEqual(session.lastMinute, [{ fromS: 200, untilS: 201, face: null }]);
});

test("CSV quotes what needs it", () => {
  const names = ["calm, or bored", 'so "so"', "two\nlines"];
  assert.equal(
    toCsv(new Session(names)),
    "time_s,scene,track_id,x0_px,y0_px,x1_px,y1_px," +
      '"calm, or bored","so ""so""","two\nlines",label,reliable,reasons\r\n',
  );
  const odd = face(names[0], { names, trackId: null, reasons: ["too dark", "blurred"] });
  const [, ...lines] = toCsv(played([[3, odd]], new Session(names))).split("\r\n");
  assert.deepEqual(lines, ['0,1,,10,20,110,120.5,0.8,0.1,0.1,"calm, or bored",false,too dark; blurred', ""]);
});

test("no cell of a CSV is a formula, and no number is changed", () => {
  const names = ["=1+2", "+a", "-b", "@c"];
  const lines = toCsv(played([[3, face(names[0], { names, reasons: ["-odd"] })]], new Session(names))).split("\r\n");
  assert.ok(lines[0].includes("'=1+2,'+a,'-b,'@c"));
  assert.ok(lines[1].includes(",'=1+2,false,'-odd"));
  assert.equal(csvCell(-3.5), "-3.5");
  assert.equal(csvCell('=HYPERLINK("x")'), `"'=HYPERLINK(""x"")"`);
});

test("both files say which answers were adapted to one person", () => {
  const session = played([[3, face("happy")], [3.5, { ...face("happy"), personal: true }]]);
  const file = JSON.parse(toJson(session));
  assert.deepEqual(file.rows.map((row) => row.personal), [undefined, true]);
  assert.deepEqual(Object.keys(file.rows[1]), Object.keys(file.fields));
  assert.match(file.about.at(-1), /adapted to one person/);
  const alone = played([[3, face("happy")]]);
  assert.doesNotMatch(toJson(alone), /personal/);
  const [head, ...lines] = toCsv(session).split("\r\n");
  assert.equal(head, `${toCsv(alone).split("\r\n")[0]},personal`);
  assert.deepEqual(lines.slice(0, 2).map((line) => line.split(",").at(-1)), ["false", "true"]);
});

test("JSON says what its fields are, and holds the rows of the CSV", () => {
  const session = played([[3, face("happy")], [3.5, face("neutral")], [4, NOBODY]]);
  const file = JSON.parse(toJson(session));
  assert.deepEqual(Object.keys(file.rows[0]), Object.keys(file.fields));
  const { expressions, ...sums } = file.summary;
  assert.deepEqual(
    [...Object.keys(sums), ...Object.keys(expressions[0]).slice(1)],
    Object.keys(file.summary_fields),
  );
  assert.deepEqual(expressions[1], { label: "happy", time_s: 0.5, share: 0.5, longest_s: 0.5 });
  assert.deepEqual(file.rows[1], {
    time_s: 0.5,
    scene: 1,
    track_id: 1,
    box_px: [10, 20, 110, 120.5],
    probabilities: { angry: 0.1, happy: 0.1, neutral: 0.8 },
    label: "neutral",
    reliable: true,
    reasons: [],
  });
  assert.equal(toCsv(session).split("\r\n")[2], "0.5,1,1,10,20,110,120.5,0.1,0.1,0.8,neutral,true,");
});
