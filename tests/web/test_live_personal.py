"""*Learn my face* in the live view, in real Chromium: it adapts the answers at once, and Python reads its file."""

import base64
import json

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from face_expression import encode_jpeg, load_pipeline
from face_expression.personal.personal_file import NONE_OF_THESE
from tests.support.browsing import PATIENCE_MS, headline, start_button, wait_until_loaded
from tests.support.builders import calm_face, happy_face, moving

pytestmark = pytest.mark.usefixtures("installed_web")

# A camera whose face the test chooses: `showFace("calm")`, and that stops without a word: `holdCamera(true)`.
SETTLED_AFTER_ANSWERS = 30
CAMERA = """(() => {
  const pictures = %s;
  const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 480 });
  const images = {};
  for (const [name, source] of Object.entries(pictures)) images[name] = Object.assign(new Image(), { src: source });
  let shown = "calm", step = 0, held = false;
  window.showFace = (name) => { shown = name; };
  window.holdCamera = (hold) => { held = hold; };
  navigator.mediaDevices.getUserMedia = async () => {
    const context = canvas.getContext("2d");
    setInterval(() => {
      if (held) return;
      step += 1;
      context.fillRect(0, 0, 640, 480);
      if (images[shown]) context.drawImage(images[shown], 2 * Math.sin(step / 3), 2 * Math.cos(step / 5));
    }, 50);
    return canvas.captureStream(20);
  };
})();"""


@pytest.fixture
def page(open_page, served_app) -> Page:
    faces = {"calm": calm_face(), "happy": happy_face()}
    pictures = {
        name: "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(moving(face, 1)[0], quality=95)).decode()
        for name, face in faces.items()
    }
    page = open_page(leave_blank=True)
    page.add_init_script(CAMERA % json.dumps(pictures))
    page.goto(served_app[0])
    return wait_until_loaded(page)


def panel(page: Page) -> Locator:
    return page.locator("#live-view .personal")


def status(page: Page) -> Locator:
    return panel(page).get_by_role("status")


def press(page: Page, name: str) -> None:
    panel(page).get_by_role("button", name=name, exact=True).click()


def show_face(page: Page, name: str, label: str | None) -> None:
    page.evaluate("(name) => window.showFace(name)", name)
    expect(headline(page)).to_contain_text(label or "No face", timeout=PATIENCE_MS)


def keep_face(page: Page, label: str) -> None:
    keep_one_face(page, label, times=1)
    beside = page.locator("#live-view .personal-beside")
    expect(beside.get_by_role("status")).to_contain_text(f"Kept as {label}.")


def keep_one_face(page: Page, label: str, *, times: int) -> None:
    """Press *That's wrong* so many times about one answer: an older one than a second is not taken."""
    page.evaluate(
        """([label, times, patienceMs]) => new Promise((resolve, reject) => {
            setTimeout(() => reject(new Error("no answer came")), patienceMs);
            const view = document.querySelector("#live-view .live").parentElement;
            const beside = view.querySelector(".personal-beside");
            view.addEventListener("answer", function keep({ detail }) {
                if (!detail.faces.length) return;
                view.removeEventListener("answer", keep);
                for (let press = 0; press < times; press += 1) {
                    beside.querySelector(".wrong").click();
                    [...beside.querySelectorAll(".labels button")].find((one) => one.textContent === label).click();
                }
                resolve();
            });
        })""",
        [label, times, PATIENCE_MS],
    )


def wait_for_another_moment(page: Page) -> None:
    """Faces within three seconds of each other are of one moment."""
    began_s = next_answer(page)["timeS"]
    while next_answer(page)["timeS"] < began_s + 3.1:
        pass


def next_answer(page: Page, *, personal: bool | None = None) -> dict:
    """What the engine answers for the next frame with a face, personal or not if that is asked for, as plain lists."""
    return page.evaluate(
        """([wanted, patienceMs]) => new Promise((resolve, reject) => {
            setTimeout(() => reject(new Error("no such answer came")), patienceMs);
            const view = document.querySelector("#live-view .live").parentElement;
            view.addEventListener("answer", function take({ detail }) {
                if (!detail.faces.length || (wanted ?? detail.faces[0].personal) !== detail.faces[0].personal) return;
                view.removeEventListener("answer", take);
                const { probabilities, logits, personal, own, crop } = detail.faces[0];
                const answer = { personal, own, crop: [...crop.data], timeS: detail.timeS };
                resolve({ ...answer, probabilities: [...probabilities], logits: [...logits] });
            });
        })""",
        [personal, PATIENCE_MS],
    )


def start(page: Page) -> None:
    start_button(page).click()
    expect(page.get_by_text("Demonstration, not you")).to_be_hidden()


def test_it_learns_a_face_at_once_and_forgets_it(page):
    adapted = page.locator("#live-view .adapted")
    page.locator("#live-view .personal-beside").get_by_role("button", name="That's wrong").click()
    expect(page.locator("#live-view .personal-beside")).to_contain_text("Start your camera first")
    start(page)
    show_face(page, "calm", "neutral")

    press(page, "Take my resting face")
    expect(status(page)).to_contain_text("Your neutral comes from", timeout=PATIENCE_MS)
    expect(panel(page).locator(".neutral tbody tr")).to_have_count(7)
    expect(adapted).to_be_visible()
    expect(page.locator("#live-view .people")).to_be_hidden()
    panel(page).get_by_label("use my neutral").uncheck()
    expect(adapted).to_be_hidden()

    # The face of the moment of the click, whatever is in view when the word is chosen.
    alone = next_answer(page, personal=False)
    page.locator("#live-view .personal-beside").get_by_role("button", name="That's wrong").click()
    show_face(page, "happy", "happy")
    page.locator("#live-view .personal-beside .question").get_by_role("button", name="sad", exact=True).click()
    expect(panel(page).locator(".corrections .result")).to_contain_text("1 face is kept")
    show_face(page, "calm", "neutral")
    press(page, "Delete corrections")
    keep_one_face(page, "sad", times=3)
    result = panel(page).locator(".corrections .result")
    expect(result).to_contain_text("3 faces are kept, all of one moment.")
    expect(adapted).to_be_hidden()
    wait_for_another_moment(page)
    keep_face(page, "sad")
    expect(result).to_contain_text("On your 4 faces from 2 moments: 0 right before")
    expect(result).to_contain_text("So they are used.")
    expect(adapted).to_be_visible()
    now, sad = next_answer(page, personal=True), 4
    assert now["probabilities"][sad] > alone["probabilities"][sad] + 0.02
    np.testing.assert_allclose(now["logits"], alone["logits"], atol=1.5)
    press(page, "Undo the last")
    expect(result).to_contain_text("3 faces are kept, all of one moment.")
    press(page, "Delete everything")
    expect(panel(page).locator(".corrections .result")).to_have_text("No face is kept yet.")
    expect(adapted).to_be_hidden()
    check_that_suggestions_follow_the_headline(page)
    assert page.foreign_requests == []


def check_that_suggestions_follow_the_headline(page: Page) -> None:
    """No answer leaves "Your expression looks happy." beside a headline that names another expression."""
    suggestions = page.locator("#live-view .suggestions")
    suggestions.get_by_role("switch").check()
    show_face(page, "happy", "happy")
    expect(suggestions).to_contain_text("Your expression looks happy.", timeout=PATIENCE_MS)
    page.evaluate(
        """() => {
            window.besides = [];
            const view = document.querySelector("#live-view .live").parentElement;
            view.addEventListener("answer", () => {
                const words = view.querySelector(".suggestions .shown:not([hidden]) .looks")?.textContent ?? "";
                besides.push([view.querySelector(".headline").textContent, words]);
            });
        }"""
    )
    show_face(page, "calm", "neutral")
    expect(suggestions.locator(".shown")).to_be_hidden()
    page.wait_for_function("besides.some(([headline]) => headline.startsWith('neutral'))", timeout=PATIENCE_MS)
    beside = {words for headline, words in page.evaluate("besides") if headline.startswith("neutral")}
    # Where the first answer after the change comes late, the suggestion is gone by then.
    assert beside <= {"A moment ago your expression looked happy.", ""}


def test_own_expressions_go_home_as_a_file_that_python_reads(page, tmp_path):
    start(page)
    show_face(page, "happy", "happy")
    panel(page).get_by_label("Name of your expression").fill("happy")
    press(page, "Take it")
    expect(status(page)).to_contain_text("has a bar for happy already")
    panel(page).get_by_label("Name of your expression").fill(" big  grin ")
    press(page, "Take it")
    expect(status(page)).to_contain_text("frames of big grin are taken", timeout=PATIENCE_MS)
    show_face(page, "calm", "neutral")
    press(page, f"Take “{NONE_OF_THESE}”")
    expect(status(page)).to_contain_text("are taken", timeout=PATIENCE_MS)
    expect(panel(page).locator(".own .result")).to_contain_text("Recognised:")
    bars = page.locator("#live-view .own-now dt")
    expect(bars).to_have_text(["big grin", NONE_OF_THESE])
    keep_face(page, "fear")
    wait_for_another_moment(page)
    keep_face(page, "fear")
    expect(page.locator("#live-view .adapted")).to_be_visible()
    check_nothing_stale_is_shown_or_taken(page)
    content = panel(page).locator(".content")
    expect(content).to_have_text("The file holds: corrections (2), own expressions (big grin).")
    with page.expect_download() as download:
        press(page, "Download personal.json")
    file = tmp_path / "personal.json"
    download.value.save_as(file)
    assert set(json.loads(file.read_text())["corrections"]["faces"]) == {"fear"}
    check_same_answers(page, file)

    # The file comes back after everything was forgotten, also without a network; a damaged one changes nothing.
    page.context.set_offline(True)
    press(page, "Delete everything")
    expect(page.locator("#live-view .own-now")).to_be_hidden()
    damaged = tmp_path / "damaged.json"
    damaged.write_text(file.read_text()[:300])
    panel(page).locator(".load").set_input_files(damaged)
    expect(status(page)).to_contain_text("damaged.json is not used: it is damaged")
    panel(page).locator(".load").set_input_files(file)
    expect(status(page)).to_contain_text("personal.json is in use")
    expect(bars).to_have_text(["big grin", NONE_OF_THESE])
    check_same_answers(page, file)

    # Nothing that is learned is lost without a question.
    keep_face(page, "fear")
    panel(page).locator(".load").set_input_files(file)
    expect(panel(page).locator(".replacing")).to_contain_text("personal.json would replace all that is learned here.")
    press(page, "Leave it as it is")
    expect(content).to_contain_text("It leaves out: corrections that are not used (1).")
    panel(page).locator(".load").set_input_files(file)
    press(page, "Replace it")
    expect(status(page)).to_contain_text("personal.json is in use")
    expect(content).to_have_text("The file holds: corrections (2), own expressions (big grin).")


def check_nothing_stale_is_shown_or_taken(page: Page) -> None:
    """Nothing of a face older than a second is shown or kept; what was learned keeps its place on the page."""
    own = page.locator("#live-view .own-now")
    percentages, height = own.locator("b"), own.bounding_box()["height"]
    expect(percentages).to_contain_text(["%", "%"])
    for stop, start_again in (("holdCamera(true)", "holdCamera(false)"), ("showFace('nobody')", "showFace('calm')")):
        page.evaluate(stop)
        expect(percentages).to_have_text(["", ""])
        assert own.locator("i").evaluate_all("(bars) => bars.map((bar) => bar.style.width)") == ["0%", "0%"]
        page.locator("#live-view .personal-beside").get_by_role("button", name="That's wrong").click()
        expect(page.locator("#live-view .personal-beside")).to_contain_text("No face is in view now.")
        expect(page.locator("#live-view .adapted")).to_be_visible()
        assert own.bounding_box()["height"] == height
        page.evaluate(start_again)
        expect(percentages).to_contain_text(["%", "%"])


def check_same_answers(page: Page, file) -> None:
    """The page and Python say the same of the same crop, within what two builds of ONNX Runtime differ by."""
    pipeline = load_pipeline(personal=file)
    answers = [next_answer(page) for _ in range(2 * SETTLED_AFTER_ANSWERS)][SETTLED_AFTER_ANSWERS:]
    crops = [np.ascontiguousarray(np.uint8(one["crop"]).reshape(48, 48, -1)[..., :3]) for one in answers]
    logits, features = pipeline.classifier.calibrated(pipeline.model_inputs(crops))
    np.testing.assert_allclose(logits, [one["logits"] for one in answers], atol=0.05)
    own = [[one["probability"] for one in answer["own"]] for answer in answers]
    np.testing.assert_allclose(pipeline.personal.own_probabilities(features), own, atol=0.02)
    # The page smooths over time a face that trembles a little, and classifies it mirrored in turn.
    sides = [np.ascontiguousarray(side) for crop in crops for side in (crop, crop[:, ::-1])]
    shown = np.mean([one["probabilities"] for one in answers], axis=0)
    np.testing.assert_allclose(pipeline.classify(sides).mean(axis=0), shown, atol=0.1)


def remember_a_face(page: Page) -> None:
    """Keep a calm face as fear, in this browser, too."""
    start(page)
    show_face(page, "calm", "neutral")
    keep_face(page, "fear")
    panel(page).get_by_label("remember it in this browser").check()
    expect(status(page)).to_contain_text("kept on this device")


def test_it_is_kept_on_this_device_only_if_asked(page):
    start(page)
    show_face(page, "calm", "neutral")
    keep_face(page, "fear")
    page.reload()
    wait_until_loaded(page)
    expect(panel(page).locator(".corrections .result")).to_have_text("No face is kept yet.")
    remember_a_face(page)
    wait_for_another_moment(page)
    keep_face(page, "fear")
    expect(page.locator("#live-view .adapted")).to_be_visible()
    expect(panel(page)).to_have_attribute("aria-busy", "false")
    page.reload()
    wait_until_loaded(page)
    expect(status(page)).to_contain_text("earlier visit")
    assert not next_answer(page)["personal"], "the demonstration is nobody's face"
    expect(page.locator("#live-view .adapted")).to_be_hidden()
    expect(panel(page).locator(".corrections .result")).to_contain_text("On your 2 faces")
    expect(panel(page).get_by_label("remember it in this browser")).to_be_checked()
    page.get_by_label("on the server").check()
    expect(panel(page)).to_contain_text("This needs the model on this device")
    expect(panel(page).locator(".parts")).to_be_hidden()
    page.get_by_label("on this device", exact=True).check()
    expect(panel(page).locator(".corrections .result")).to_contain_text("On your 2 faces")
    start(page)
    show_face(page, "calm", "neutral")
    next_answer(page, personal=True)
    expect(page.locator("#live-view .adapted")).to_be_visible()
    delete_while_the_database_is_busy(page)
    page.reload()
    wait_until_loaded(page)
    expect(panel(page).locator(".corrections .result")).to_have_text("No face is kept yet.")

    remember_a_face(page)
    keep_the_shape_of_an_old_page(page)
    page.reload()
    wait_until_loaded(page)
    expect(status(page)).to_contain_text("cannot be used by this version of the page, and is deleted")

    remember_a_face(page)
    page.evaluate("() => { IDBObjectStore.prototype.delete = () => { throw new Error('disk full') } }")
    press(page, "Delete everything")
    expect(status(page)).to_contain_text("could not be deleted: disk full. Delete this site's data in its settings.")


def keep_the_shape_of_an_old_page(page: Page) -> None:
    page.evaluate(
        """() => new Promise((resolve, reject) => {
            indexedDB.open("live-emotion-detector").onsuccess = ({ target: { result: database } }) => {
                const transaction = database.transaction("personal", "readwrite");
                const store = transaction.objectStore("personal");
                store.get("learned").onsuccess = ({ target: { result: { modelSha256, learned } } }) => {
                    store.put({ modelSha256, learned: { ...learned, corrections: [{ label: 0 }] } }, "learned");
                };
                transaction.onerror = () => reject(transaction.error);
                transaction.oncomplete = () => { database.close(); resolve(); };
            };
        })"""
    )


def delete_while_the_database_is_busy(page: Page) -> None:
    """Nothing is called deleted before it is: another page's transaction holds the database up for a while."""
    page.evaluate(
        """() => new Promise((resolve) => {
            indexedDB.open("live-emotion-detector").onsuccess = ({ target: { result: database } }) => {
                const store = database.transaction("personal", "readwrite").objectStore("personal");
                const goOn = () => {
                    if (window.letGo) database.close();
                    else store.get("learned").onsuccess = goOn;
                };
                goOn();
                resolve();
            };
        })"""
    )
    press(page, "Delete everything")
    expect(panel(page).locator(".corrections .result")).to_have_text("No face is kept yet.")
    for _ in range(SETTLED_AFTER_ANSWERS):
        next_answer(page)
    expect(status(page)).not_to_have_text("Everything is deleted.")
    page.evaluate("window.letGo = true")
    expect(status(page)).to_have_text("Everything is deleted.")
