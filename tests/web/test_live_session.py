"""The last minute and the session's summary in the live view, in real Chromium with a camera that plays real faces."""

import csv
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from face_expression.labels import LABEL_NAMES
from tests.support.browsing import PATIENCE_MS, wait_until_loaded
from tests.support.builders import calm_face, happy_face, moving

FRAMES_A_FACE = 40
pytestmark = pytest.mark.usefixtures("installed_web")
BUTTONS = ("Download CSV", "Download JSON", "Delete")
# How many pixels of the drawing have the colour of a class, for each class.
COUNT_PIXELS = """(canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const swatches = [...document.querySelectorAll("#live-view .session .legend [class*=class]")];
    return swatches.map((swatch) => {
        const [red, green, blue] = getComputedStyle(swatch).backgroundColor.match(/\\d+/g).map(Number);
        let count = 0;
        for (let at = 0; at < data.length; at += 4) {
            count += data[at] === red && data[at + 1] === green && data[at + 2] === blue && data[at + 3] === 255;
        }
        return count;
    });
}"""


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    faces = moving(happy_face(), FRAMES_A_FACE) + moving(calm_face(), FRAMES_A_FACE)
    return faces


@pytest.fixture
def page(open_page, camera: Path) -> Page:
    """The live view, loaded, with a camera that is not started."""
    return wait_until_loaded(open_page(camera))


def share_shown(page: Page, label: str) -> Locator:
    return page.locator("#live-view .session tbody tr").filter(has_text=label).locator("td").nth(1)


def drawing(page: Page) -> Locator:
    return page.locator("#live-view .session canvas")


def expect_nothing_recorded(page: Page) -> None:
    session = page.locator("#live-view .session")
    expect(session.get_by_text("Nothing is recorded yet")).to_be_visible()
    expect(session.get_by_role("table")).to_be_hidden()
    for name in BUTTONS:
        expect(session.get_by_role("button", name=name)).to_be_disabled()
    expect(drawing(page)).to_have_attribute("aria-label", re.compile(r"^(No data yet\.|Demonstration\.)"))


def stop(page: Page) -> None:
    button = page.locator("#live-view .start")
    button.click()
    expect(button).to_have_text("Use my camera")


def downloaded(page: Page, button: str) -> str:
    with page.expect_download() as download:
        page.locator("#live-view .session").get_by_role("button", name=button).click()
    return download.value.path().read_bytes().decode()


def test_what_the_camera_sees_and_no_demonstration_is_summed_up_downloaded_and_deleted(page):
    expect(page.locator("#live-view .headline")).to_contain_text("happy", timeout=PATIENCE_MS)
    expect_nothing_recorded(page)
    session = page.locator("#live-view .session")
    page.locator("#live-view .start").click()
    for label in ("happy", "neutral"):
        expect(share_shown(page, label)).not_to_have_text("0%", timeout=PATIENCE_MS)
    stop(page)
    classified = session.locator(".classified-time").inner_text()
    page.locator("#live-view .start").click()
    expect(session.locator(".classified-time")).not_to_have_text(classified, timeout=PATIENCE_MS)
    stop(page)

    drawn = dict(zip(LABEL_NAMES, drawing(page).evaluate(COUNT_PIXELS), strict=True))
    assert drawn["happy"] > 100 and drawn["neutral"] > 100
    assert "happy" in drawing(page).get_attribute("aria-label")

    table = list(csv.DictReader(downloaded(page, "Download CSV").splitlines()))
    file = json.loads(downloaded(page, "Download JSON"))
    assert file["label_names"] == list(LABEL_NAMES)
    assert [as_text(row, file["label_names"]) for row in file["rows"]] == table
    assert {row["scene"] for row in table} == {"1", "2"}
    assert all(abs(sum(row["probabilities"].values()) - 1) < 0.001 for row in file["rows"])
    reliable = [row for row in file["rows"] if row["reliable"]]
    for expression in file["summary"]["expressions"]:
        label, share = expression["label"], expression["share"]
        assert abs(int(share_shown(page, label).inner_text().removesuffix("%")) - 100 * share) <= 0.51
        assert abs(sum(row["label"] == label for row in reliable) / len(reliable) - share) < 0.2
        assert expression["longest_s"] <= expression["time_s"] <= file["summary"]["judged_s"]
    assert 0 < file["summary"]["judged_s"] <= file["summary"]["watched_s"] < file["summary"]["length_s"]

    session.get_by_role("button", name="Delete").click()
    expect(session.get_by_role("status")).to_contain_text("Deleted")
    expect_nothing_recorded(page)


def as_text(row: dict, label_names: list[str]) -> dict[str, str]:
    """A row of the JSON file as a reader of the CSV file finds it."""
    box = dict(zip(("x0_px", "y0_px", "x1_px", "y1_px"), row["box_px"], strict=True))
    values = {name: row["probabilities"][name] for name in label_names}
    same = {name: row[name] for name in ("time_s", "scene", "track_id", "label")}
    cells = {name: f"{value}" for name, value in {**same, **box, **values}.items()}
    return cells | {"reliable": json.dumps(row["reliable"]), "reasons": "; ".join(row["reasons"])}
