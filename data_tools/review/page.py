"""The page on which somebody looks at doubtful labels: faces in a grid, each to be kept, relabelled or rejected.

What is decided is on the disk before the page says so. Pictures go into the page as data: URLs, so that no copy of a
face is left in a folder of Gradio's.
"""

import base64
import mimetypes
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import jinja2
from starlette.middleware import Middleware

from data_tools.review.label_issues import DoubtfulFace
from data_tools.work.decisions import Decision, decide, possible_labels, read_decisions, require_possible
from data_tools.work.manifest import Manifest
from face_expression.cli.same_origin import SameOrigin
from face_expression.errors import DataError

FACES_A_PAGE = 12
_HERE = Path(__file__).parent
_NEXT = "Next page"


@dataclass(frozen=True)
class _Place:
    """Where a viewer is: `page` of the faces that were undecided when they came, by number; after the last, the end."""

    order: tuple[int, ...]
    page: int = 0

    def shown(self) -> tuple[int, ...]:
        return self.order[self.page * FACES_A_PAGE : (self.page + 1) * FACES_A_PAGE]


class _Desk:
    """What all viewers of a page share: the faces, and what was decided about them."""

    def __init__(self, manifest: Manifest, faces: Sequence[DoubtfulFace]):
        self.faces = faces
        self.names = possible_labels(manifest)
        self._folder = manifest.folder
        self._images = {face.image_sha256: manifest.files.find_image(face.image_sha256) for face in faces}
        self._query_labels = {face.image_sha256: face.query_label for face in faces}
        self._decided = read_decisions(manifest.folder)
        self._writing = threading.Lock()
        environment = jinja2.Environment(loader=jinja2.FileSystemLoader(_HERE), autoescape=True, trim_blocks=True)
        self._template = environment.get_template("page.html.jinja")

    def undecided(self) -> tuple[int, ...]:
        return tuple(number for number, face in enumerate(self.faces) if face.image_sha256 not in self._decided)

    def decide(self, wanted: dict[str, str | None]) -> dict[str, object]:
        """Note what the page sends: `image_sha256`, `decision` and `label`. Answers with what to show."""
        try:
            decision = Decision.checked(wanted["image_sha256"] or "", wanted["decision"] or "", wanted["label"])
            require_possible(decision, self._query_labels[decision.image_sha256], self.names)
        except (KeyError, ValueError) as error:
            return {"problem": str(error)}
        with self._writing:
            decide(self._folder, [decision])
            self._decided[decision.image_sha256] = decision
        return {"told": _description(decision), "done": self._done()}

    def html(self, place: _Place) -> str:
        """One page of faces, or what there is to say after the last."""
        return self._template.render(
            faces=[self._card(self.faces[number]) for number in place.shown()],
            first=place.page * FACES_A_PAGE + 1,
            undecided_at_start=len(place.order),
            names=self.names,
            done=self._done(),
            total=len(self.faces),
        )

    def _done(self) -> int:
        return len(self.faces) - len(self.undecided())

    def _card(self, face: DoubtfulFace) -> dict[str, object]:
        path = self._images[face.image_sha256]
        content = base64.b64encode(path.read_bytes()).decode()
        decision = self._decided.get(face.image_sha256)
        return {
            "face": face,
            "picture": f"data:{mimetypes.guess_type(path.name)[0]};base64,{content}",
            "decision": decision,
            "told": _description(decision) if decision else "",
        }


def build_page(manifest: Manifest, faces: Sequence[DoubtfulFace]) -> gr.Blocks:
    """Lay out the page.

    Args:
        manifest: of the work folder to whose decisions are added.
        faces: what to decide about, in this order; decided ones are counted and not shown.

    Raises:
        DataError: if the decisions taken so far cannot be read.
    """
    desk = _Desk(manifest, faces)

    def show(place: _Place) -> tuple[_Place, str, dict, dict]:
        left = len(desk.undecided())
        at_end = not place.shown()
        label = f"Show the {left} left" if at_end else _NEXT
        next_button = gr.update(value=label, interactive=not at_end or left > 0)
        return place, desk.html(place), gr.update(interactive=place.page > 0), next_button

    def turn_forward(place: _Place):
        return show(_Place(place.order, place.page + 1) if place.shown() else _Place(desk.undecided()))

    def decide_one(wanted: dict[str, str | None]) -> dict[str, object]:
        return desk.decide(wanted)

    with gr.Blocks(title="Review of labels", analytics_enabled=False) as page:
        gr.Markdown("# Does the expression look like its label?")
        place = gr.State()
        grid = gr.HTML(
            css_template=(_HERE / "page.css").read_text(encoding="utf-8"),
            js_on_load=(_HERE / "page.js").read_text(encoding="utf-8"),
            server_functions=[decide_one],
            elem_id="faces",
        )
        with gr.Row():
            previous_button = gr.Button("Previous page", elem_id="previous-page", interactive=False)
            next_button = gr.Button(_NEXT, elem_id="next-page", variant="primary")
        changed = [place, grid, previous_button, next_button]
        quietly: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        page.load(lambda: show(_Place(desk.undecided())), None, changed, **quietly)
        next_button.click(turn_forward, place, changed, **quietly)
        previous_button.click(lambda place: show(_Place(place.order, place.page - 1)), place, changed, **quietly)
    return page


def launch(page: gr.Blocks, port: int | None) -> None:
    """Serve a page of `build_page` to this computer only, and not to pages of other sites, in the background.

    Raises:
        DataError: if the port is taken.
    """
    try:
        page.launch(
            server_name="127.0.0.1",
            server_port=port,
            share=False,
            app_kwargs={"middleware": [Middleware(SameOrigin)]},
            run_history=False,
            prevent_thread_lock=True,
            quiet=True,
            theme=gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
            footer_links=["settings"],
        )
    except OSError as error:
        raise DataError(f"the page cannot be served: {error}; name another --port") from error


def _description(decision: Decision) -> str:
    if decision.decision == "relabel":
        return f"now {decision.label}"
    return {"keep": "kept", "reject": "rejected"}[decision.decision]
