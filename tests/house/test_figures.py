"""Figures on the record: what the documents show is what a command wrote, and the old ones are named."""

import json
import re
import subprocess
import sys

import pytest

from benchmarks import figures
from benchmarks.peers import tools
from benchmarks.peers.pictures import Pictures, read_answers, scores
from face_expression.hub.download import EMBEDDED_BUNDLE
from tests.support.builders import REPOSITORY

ON_RECORD = figures.read_figures()


@pytest.fixture
def recorded(tmp_path):
    file = tmp_path / "speed.json"
    figures.record(
        file,
        command="python -m benchmarks.speed",
        speaks_of=["face_expression/boxes.py"],
        tables={"all": figures.table(("faces", "ms"), [(1, "2.5")], notes=["On one thread."])},
        values={"best": "2.5 ms"},
    )
    return figures.read_figures(tmp_path)


def test_nothing_between_markers_is_written_by_hand(recorded):
    text = (
        "Before.\n<!-- figures: speed/all -->\nold\n<!-- end of figures -->\n"
        "It takes <!-- figure: speed/best -->9 ms<!-- end --> a face.\n"
    )
    new = figures.filled(text, recorded)
    assert (
        "| faces | ms |\n| --- | --- |\n| 1 | 2.5 |\n\nOn one thread.\nPrinted by `python -m benchmarks.speed`" in new
    )
    assert "It takes <!-- figure: speed/best -->2.5 ms<!-- end --> a face." in new and "old" not in new
    assert figures.filled(new, recorded) == new and figures.filled("No figures.", recorded) == "No figures."
    with pytest.raises(KeyError):
        figures.filled("<!-- figure: gone/best --><!-- end -->", recorded)


def test_figures_say_where_they_come_from_and_what_changed_since(recorded):
    speed = recorded["speed"]
    assert (
        speed["bundle_sha256"] == json.loads((EMBEDDED_BUNDLE / "metrics.json").read_text())["bundle"]["model_sha256"]
    )
    assert re.fullmatch("[0-9a-f]{40}[+]?", speed["commit"]) and "cores" in speed["machine"]
    assert figures.why_old(speed) == []
    (changed,) = figures.why_old({**speed, "speaks_of_sha256": "0" * 64})
    assert "face_expression/boxes.py" in changed
    (other,) = figures.why_old({**speed, "bundle_sha256": "0" * 64})
    assert other.startswith("the bundle is ")


def test_make_figures_measures_all_that_is_on_record():
    recipe = (REPOSITORY / "Makefile").read_text().split("\nfigures:")[1].split("\n\n")[0]
    measured = set(re.findall(r"python -m ([\w.]+)", recipe))
    # `evaluate` judges a bundle when it is made; the figures are taken from what it wrote.
    missing = {
        name: module
        for name, figure in ON_RECORD.items()
        if (module := figure["command"].split()[2]) not in measured and figure["command"] != "python -m train evaluate"
    }
    assert not missing and "benchmarks.figures bundle" in recipe


def test_the_documents_show_what_is_on_record():
    for document in figures.documents():
        text = document.read_text()
        assert figures.filled(text, ON_RECORD) == text, f"{document}: run `python -m benchmarks.figures insert`"


@pytest.mark.parametrize("name", ON_RECORD)
def test_figures_are_complete(name):
    on_record = ON_RECORD[name]
    for key in ("command", "machine", "date", "commit", "bundle_sha256", "speaks_of", "speaks_of_sha256"):
        assert on_record[key], key
    for path in on_record["speaks_of"]:
        assert (REPOSITORY / path).exists()


@pytest.mark.parametrize("name", ON_RECORD)
def test_figures_are_as_new_as_what_they_speak_of(name):
    """No failure: to measure again takes a calm machine, and the line below a table says what it was measured with."""
    if reasons := figures.why_old(ON_RECORD[name]):
        pytest.xfail(f"{'; '.join(reasons)}; `make figures` measures again")


# Beside the other tools


def answer(happy: float | None, ms: float = 1.0) -> str:
    values = None if happy is None else [0, 0, 0, happy, 0, 0, 1 - happy]
    return json.dumps({"ms": ms, "probabilities": values})


def test_a_face_that_is_not_found_is_no_right_answer(ferplus):
    pytest.importorskip("scipy")
    pictures = three_people(ferplus)
    lines = [answer(0.9)] * 4 + [answer(0.9), answer(0.2)] + [answer(0.1), answer(0.8), answer(0.3), answer(None)]
    measured = scores(read_answers(lines, pictures), pictures)
    assert measured["london_pairs"] == 0.5 and measured["london_found"] == 0.75 and measured["genki_auc"] == 1
    with pytest.raises(ValueError, match="9 answers"):
        read_answers(lines[:-1], pictures)


def three_people(ferplus) -> Pictures:
    import numpy as np

    from face_expression.labels import LABEL_NAMES
    from train.data.dataset import load_split
    from train.evaluate.protocols import read_truth

    picture = np.zeros((4, 4, 3), np.uint8)
    truth = read_truth(load_split(str(ferplus), "test").select(range(4)), LABEL_NAMES)
    return Pictures(
        [picture] * 4, [picture] * 2, [picture] * 4, truth, np.array([True, False]), np.array([[0, 1], [2, 3]])
    )


def test_this_projects_adapter_speaks_the_protocol(tmp_path):
    import numpy as np

    from tests.support.builders import happy_face, happy_photo

    parts = []
    for number, (mode, picture) in enumerate((("crop", happy_face()), ("photo", happy_photo()), ("photo", None))):
        shown = np.zeros((64, 64, 3), np.uint8) if picture is None else picture
        shown.tofile(tmp_path / f"{number}.rgb")
        parts.append({"mode": mode, "pixels": f"{number}.rgb", "sizes": [[shown.shape[1], shown.shape[0]]]})
    (tmp_path / "work.json").write_text(json.dumps({"sets": parts}))
    command = tools.command_of(tools.TOOLS[0], tmp_path, tmp_path / "work.json")
    assert command[0] == sys.executable
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.splitlines()
    assert printed[0] == "ready"
    crop, photo, nothing = (json.loads(line)["probabilities"] for line in printed[1:])
    assert np.argmax(crop) == np.argmax(photo) == 3 and nothing is None


def test_what_cannot_be_fetched_is_a_reason(tmp_path):
    missing = tools.Tool("gone 1", "gone.py", pip=("gone",), needs="http://127.0.0.1:9/weights")
    with pytest.raises(tools.Unavailable, match="weights cannot be downloaded here"):
        tools.install(missing, tmp_path / "gone")
