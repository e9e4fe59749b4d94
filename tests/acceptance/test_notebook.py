"""The guided tour: what is committed of it, and that it runs from top to bottom, far from any network.

`UPDATE_NOTEBOOK=1` writes the outputs of the test's run into the repository.
"""

import base64
import json
import os
import re
import shutil
import tempfile
import urllib.request
from pathlib import Path

import cv2
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from face_expression.hub.download import DETECTOR_VARIABLE, EMBEDDED_BUNDLE
from tests.support.builders import REPOSITORY, happy_face, moving

NOTEBOOK = Path("notebooks/live_emotion_detector.ipynb")
PARTS = ("app.py", "data_tools", "examples", "face_expression", "notebooks", "space", "train", "web")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "node_modules", ".ipynb_checkpoints")
CELL_LIMIT_S = 240
MAX_BYTES = 600_000
HAPPY_TAG = (148, 98, 0)
# Nobody's own camera is switched on by a test.
NO_CAMERA = 99


class Watching(NotebookClient):
    """Runs a notebook, and keeps the pictures that were shown in the place of others, and the app's page."""

    def __init__(self, notebook: NotebookNode, folder: Path):
        super().__init__(
            notebook,
            timeout=CELL_LIMIT_S,
            record_timing=False,
            resources={"metadata": {"path": str(folder)}},
            on_cell_executed=self.visit,
        )
        self.updates: list[np.ndarray] = []
        self.page = ""

    def process_message(self, msg, cell, cell_index):
        content = msg["content"]
        if msg["msg_type"] == "update_display_data" and "image/jpeg" in content["data"]:
            encoded = np.frombuffer(base64.b64decode(content["data"]["image/jpeg"]), np.uint8)
            self.updates.append(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1])
        return super().process_message(msg, cell, cell_index)

    def visit(self, cell, cell_index, execute_reply):
        """Open the app while it is served."""
        if cell.id == "app":
            (address,) = re.findall(r'<iframe src="(http://127\.0\.0\.1:\d+/)"', text_of(cell))
            with urllib.request.urlopen(address, timeout=20) as answer:
                self.page = answer.read().decode()


class Run:
    """A run of the notebook in a copy of the repository: its cells by their names, and what was there to be seen."""

    def __init__(self, client: Watching, written: set[str], left_behind: list[str]):
        self.cells = {cell.id: cell for cell in client.nb.cells}
        self.updates, self.page, self.written, self.left_behind = client.updates, client.page, written, left_behind


def read() -> NotebookNode:
    return nbformat.read(REPOSITORY / NOTEBOOK, as_version=4)


def text_of(cell: NotebookNode) -> str:
    """All that a cell printed or showed as text."""
    parts = []
    for output in cell.outputs:
        shown = output.get("data", {})
        parts += [output.get("text", "")] + [shown[kind] for kind in sorted(shown) if kind.startswith("text/")]
    return "\n".join(parts)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def files_of(folder: Path) -> set[str]:
    """Every file, with its size and when it was changed; what Python compiles for itself is left out."""
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {f"{path.relative_to(folder)} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files}


@pytest.fixture(scope="module")
def run(yunet_weights, tmp_path_factory) -> Run:
    copy, temporary = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("temporary")
    for part in PARTS:
        source = REPOSITORY / part
        shutil.copytree(source, copy / part, ignore=LEFT_OUT) if source.is_dir() else shutil.copy2(source, copy / part)
    clip = tmp_path_factory.mktemp("clip") / "clip.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter_fourcc(*"MJPG"), 20, (640, 480))
    for frame in moving(happy_face(), 12):
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()

    notebook = read()
    number, camera = next((number, cell) for number, cell in enumerate(notebook.cells) if cell.id == "camera")
    assert "\nCAMERA = 0\n" in f"\n{camera.source}"
    camera.source = camera.source.replace("CAMERA = 0", f"CAMERA = {NO_CAMERA}")
    notebook.cells.insert(number + 1, new_code_cell(f"watch({str(clip)!r}, 60)", id="clip"))
    client = Watching(notebook, copy / NOTEBOOK.parent)
    before = files_of(copy)
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("FACE_EXPRESSION")}
    surroundings |= {
        "HF_HUB_OFFLINE": "1",
        DETECTOR_VARIABLE: str(yunet_weights),
        "TMPDIR": str(temporary),
        "IPYTHONDIR": str(tmp_path_factory.mktemp("ipython")),
    }
    client.execute(env=surroundings)
    if os.environ.get("UPDATE_NOTEBOOK"):
        nbformat.write(to_be_committed(client.nb), REPOSITORY / NOTEBOOK)
    # ONNX Runtime writes `.ses` wherever it is imported.
    left_behind = [path.name for path in temporary.iterdir() if path.name != ".ses"]
    return Run(client, files_of(copy) ^ before, left_behind)


def to_be_committed(executed: NotebookNode) -> NotebookNode:
    """An executed notebook without what the test put in, and what only holds for one run."""
    notebook = read()
    outputs = {cell.id: cell.outputs for cell in code_cells(executed)}
    for count, cell in enumerate(code_cells(notebook), start=1):
        cell.execution_count = count
        cell.metadata = NotebookNode()
        # Where the app was to be found holds for one run only.
        cell.outputs = [] if cell.id == "app" else outputs[cell.id]
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
    notebook.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    return notebook


def test_a_picture_is_labelled_and_a_bad_one_is_not(run):
    label, unsure = text_of(run.cells["label"]), text_of(run.cells["unsure"])
    assert "`astronaut`: This expression looks **happy**" in label
    assert "`grace_hopper`: This expression looks **neutral**" in label
    assert [output for output in run.cells["label"].outputs if "image/jpeg" in output.get("data", {})]
    assert all(f"**Not sure:** {reason}." in unsure for reason in ("too small", "too dark", "blurred"))
    assert text_of(run.cells["crop"]).endswith("same bars: True\n")


def test_what_is_committed_is_what_comes_out(run):
    committed = {cell.id: cell for cell in code_cells(read())}
    for name in ("setup", "load", "label", "crop", "unsure", "pictures", "camera", "end"):
        # Another processor may round a percent differently.
        fresh, before = (re.sub(r"\d+", "#", text_of(cells[name])) for cells in (run.cells, committed))
        assert fresh == before, name


def test_pictures_become_a_data_set_with_their_provenance(run):
    output = text_of(run.cells["collect"])
    kept, published = (re.findall(pattern, output) for pattern in (r"kept +(\d+)\n", r"rows: (\d+) train, (\d+) val"))
    assert 36 <= int(kept[-1]) <= 72 and "near_duplicate" in output
    assert "published: faces\n" in output and all(int(count) > 4 for count in published[0])
    assert "url               local:pictures/happy/astronaut-" in text_of(run.cells["manifest"])


def test_the_loop_from_training_to_the_app_is_closed(run):
    output = text_of(run.cells["export"])
    assert "bundle: bundle (temperature" in output and "\nreport: report.html" in output
    measured = json.loads((EMBEDDED_BUNDLE / "metrics.json").read_text())
    accuracy = measured["protocols"][measured["main_protocol"]]["accuracy"]
    assert f"| embedded | 3349 | {accuracy:.1%} (" in text_of(run.cells["figures"])
    assert sum("image/png" in output.get("data", {}) for output in run.cells["figures"].outputs) == 1
    ours = text_of(run.cells["loop"])
    assert "`astronaut`: This expression looks **happy**" in ours
    assert "`grace_hopper`: This expression looks **neutral**" in ours


def test_a_camera_is_watched_and_its_pictures_do_not_stay(run):
    assert len(run.updates) == 12
    for frame in run.updates:
        assert frame.shape == (480, 640, 3)
        assert (np.abs(frame.astype(int) - HAPPY_TAG).max(2) < 20).sum() > 500, "no box and tag of a happy face"
    (last,) = run.cells["clip"].outputs
    assert last.data["text/markdown"] == "The camera is off; 12 frames were shown." and "image/jpeg" not in last.data


def test_where_no_camera_is_a_sentence_says_so(run):
    (message,) = run.cells["camera"].outputs
    assert message.text.startswith("There is no camera here") and message.text.count("\n") == 1


def test_the_app_is_served_and_everything_is_tidied_up(run):
    assert "Live Emotion Detector" in run.page
    assert text_of(run.cells["end"]) == "closed\n"
    assert run.left_behind == [] and run.written == set()


def test_what_is_committed_is_a_whole_run_and_small():
    notebook = read()
    nbformat.validate(notebook)
    assert (REPOSITORY / NOTEBOOK).stat().st_size < MAX_BYTES
    assert notebook.metadata.kernelspec.name == "python3" and set(notebook.metadata) == {"kernelspec", "language_info"}
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not any(cell.metadata for cell in notebook.cells)
    kinds = {(output.output_type, output.get("name")) for cell in cells for output in cell.outputs}
    assert kinds <= {("stream", "stdout"), ("display_data", None), ("execute_result", None)}, "an error, or a warning"


def test_what_is_committed_tells_nothing_of_the_machine_that_made_it():
    notebook = read()
    text = "\n".join([cell.source for cell in notebook.cells] + [text_of(cell) for cell in code_cells(notebook)])
    traces = {str(REPOSITORY), str(Path.home()), tempfile.gettempdir() + "/", "/home/", "/root/", "/tmp/", "/var/"}
    traces |= {"/Users/", "\\Users\\", "site-packages", "127.0.0.1", "localhost"}
    assert not [trace for trace in traces if trace in text]
