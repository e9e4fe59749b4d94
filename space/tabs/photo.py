"""A photo, its faces, and what each expression looks like."""

from pathlib import Path
from random import Random

import gradio as gr

from face_expression import PictureError, Pipeline, annotate
from face_expression.output.markdown import plain_words
from space.gradio_internals import replace_methods
from space.limits import AT_ONCE, Kind
from space.paths import EXAMPLES
from space.photos import Photos
from space.suggestions import load_suggestions
from space.tabs.components import face_cards, shown_picture, uploaded_path
from space.tabs.visitor_language import translation_for
from space.traffic.workers import BusyError

NO_SUGGESTION = "<p>There is no suggestion: no face here shows one clear expression.</p>"


def build_photo_tab(pipeline: Pipeline, photos: Photos) -> None:
    """A photo, its faces with numbers, and the bars of each."""
    labels = pipeline.label_names
    suggestions, chance = load_suggestions(), Random()

    def on_photo(path: str | None, request: gr.Request):
        if path is None:
            return None, "", "", ""
        try:
            photo = photos.analyze(Path(path))
        except (PictureError, BusyError) as error:
            return None, f"⚠️ **This file cannot be used:** {plain_words(error)}.", "", ""
        faces = photo.faces
        if not faces:
            return photo.shown, "No face was found. A larger, well-lit face seen from the front works best.", "", ""
        boxes = annotate(
            photo.shown, photo.shown_faces, labels, numbered=True, bars=False, translated=translation_for(request)
        )
        count = "One face" if len(faces) == 1 else f"{len(faces)} faces, the largest first"
        suggested = suggestions.suggest(faces, chance)
        return (
            boxes,
            f"**{count}**",
            face_cards(faces, labels),
            suggested.as_html() if suggested else NO_SUGGESTION,
        )

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

    # Not `gr.render`: each time, Gradio would leave an animation running in the page that never ends.
    cards = gr.HTML(elem_id="photo-faces")
    photo.change(
        on_photo,
        photo,
        [result, summary, cards, suggestion],
        show_progress_on=[result, summary],
        concurrency_id=Kind.PICTURE,
        concurrency_limit=AT_ONCE[Kind.PICTURE],
        api_visibility="private",
    )
    gr.Examples(sorted(str(path) for path in EXAMPLES.glob("*.jpg")), photo, label="Examples", elem_id="photo-examples")
