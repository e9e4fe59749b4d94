"""A photo, its faces, and what each expression looks like."""

from pathlib import Path
from random import Random

import gradio as gr

from face_expression import PictureError, Pipeline, annotate, face_summary
from face_expression.output.markdown import plain_words
from space.gradio_internals import replace_methods
from space.limits import AT_ONCE, Kind
from space.paths import EXAMPLES
from space.photos import Photos
from space.suggestions import load_suggestions
from space.tabs.components import bars_as_html, face_bars, shown_picture, uploaded_path
from space.traffic.workers import BusyError

CARDS_AT_ONCE = 8
NO_SUGGESTION = "<p>There is no suggestion: no face here shows one clear expression.</p>"


def build_photo_tab(pipeline: Pipeline, photos: Photos, *, remember_s: int) -> None:
    """A photo, its faces with numbers, and the bars of each; the bars are remembered for `remember_s` at most."""
    labels = pipeline.label_names
    suggestions, chance = load_suggestions(), Random()

    def on_photo(path: str | None):
        if path is None:
            return None, "", [], ""
        try:
            photo = photos.analyze(Path(path))
        except (PictureError, BusyError) as error:
            return None, f"⚠️ **This file cannot be used:** {plain_words(error)}.", [], ""
        faces = photo.faces
        if not faces:
            return photo.shown, "No face was found. A larger, well-lit face seen from the front works best.", [], ""
        count = "One face" if len(faces) == 1 else f"{len(faces)} faces, the largest first"
        summaries = [(face_summary(face), face_bars(face, labels)) for face in faces]
        suggested = suggestions.suggest(faces, chance)
        return (
            annotate(photo.shown, photo.shown_faces, labels, numbered=True, bars=False),
            f"**{count}**",
            summaries,
            suggested.as_html() if suggested else NO_SUGGESTION,
        )

    found = gr.State([], time_to_live=remember_s)
    with gr.Row():
        photo = gr.Image(
            sources=["upload", "clipboard"], type="filepath", label="Your photo", elem_id="photo-upload", buttons=[]
        )
        replace_methods(photo, preprocess=uploaded_path)
        result = shown_picture("Faces found", "photo-result")
    summary = gr.Markdown(elem_id="photo-summary")
    suggests = gr.Checkbox(label="Suggest something for the largest face that can be classified", container=False)
    suggestion = gr.HTML(visible=False, elem_id="photo-suggestion")
    suggests.change(lambda on: gr.update(visible=on), suggests, suggestion, api_visibility="private")

    @gr.render(inputs=found, concurrency_limit=CARDS_AT_ONCE)
    def show_faces(summaries: list[tuple[str, dict[str, float]]]) -> None:
        with gr.Row():
            for number, (sentence, face_values) in enumerate(summaries, start=1):
                with gr.Column(min_width=260, elem_classes="face-card"):
                    gr.Markdown(f"**{number}.** {sentence}")
                    gr.HTML(bars_as_html(face_values))

    photo.change(
        on_photo,
        photo,
        [result, summary, found, suggestion],
        concurrency_id=Kind.PICTURE,
        concurrency_limit=AT_ONCE[Kind.PICTURE],
        api_visibility="private",
    )
    gr.Examples(sorted(str(path) for path in EXAMPLES.glob("*.jpg")), photo, label="Examples", elem_id="photo-examples")
