import assert from "node:assert/strict";
import test from "node:test";

/** The modules as on a German page: the language is chosen when the texts are loaded. */
const page = { document: {}, location: { search: "?lang=de" }, navigator: { languages: ["en"] } };
for (const [name, value] of Object.entries(page)) Object.defineProperty(globalThis, name, { value, configurable: true });
const { language, tMessage } = await import("../live/texts.js");
const { PersonalError, readPersonal } = await import("../live/engine/personal.js");
const { NOTHING_LEARNED, checkedName } = await import("../live/panels/personal/personal_learning.js");
const { adviceOnCamera } = await import("../live/words.js");

test("the page is German", () => assert.equal(language, "de"));

for (const [typed, problem] of [
  ["fröhlich", /hat für fröhlich schon einen Balken/],
  ["Happy", /hat für Happy schon einen Balken/],
  ["Nichts davon", /hat einen eigenen Knopf/],
  ["none of these", /hat einen eigenen Knopf/],
]) {
  test(`no own name in either language: ${typed}`, () => {
    assert.match(checkedName(NOTHING_LEARNED, typed, ["happy", "sad"]).problem, problem);
  });
}

test("a name of one's own is free", () => {
  assert.deepEqual(checkedName(NOTHING_LEARNED, "Zwinkern", ["happy", "sad"]), { name: "Zwinkern" });
});

test("why a file is refused is said in German", () => {
  const bundle = { modelSha256: "c".repeat(64), labelNames: ["happy", "sad"], features: 2 };
  const file = { format: "live-emotion-detector personal", schema_version: 1 };
  for (const [text, why] of [
    ["{", "sie ist beschädigt: kein JSON"],
    ["[]", "sie ist keine personal.json dieses Programms"],
    [" ".repeat(4_000_001), "sie ist größer als 4 MB, also keine personal.json dieses Programms"],
    [JSON.stringify({ ...file, schema_version: 2 }), "sie hat Schema-Version 2, aber dieses Programm liest Version 1"],
    [JSON.stringify(file), "sie ist beschädigt: label_names"],
  ]) {
    assert.throws(() => readPersonal(text, bundle), (error) => error instanceof PersonalError && tMessage(error.message) === why, why);
  }
});

test("what comes from the worker or the server is German as far as the table goes", () => {
  assert.equal(tMessage("model.onnx cannot be fetched: status 404"), "model.onnx kann nicht geladen werden: Status 404");
  assert.equal(tMessage("ONNX Runtime cannot load crop.onnx: out of memory"), "ONNX Runtime kann crop.onnx nicht laden: out of memory");
  assert.equal(tMessage("the frame cannot be used: too many scans."), "Das Bild kann nicht benutzt werden: too many scans.");
  assert.equal(tMessage("nobody knows this"), "nobody knows this");
  assert.match(adviceOnCamera({ name: "OtherError", message: "" }), /^Die Kamera/);
});
