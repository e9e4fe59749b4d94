"""The page: a live webcam and a photo tab around `face_expression`. Run `python app.py`, or `make app`."""

import base64
import logging
import os
import time
from pathlib import Path

import gradio as gr
import numpy as np
from gradio.components.image import ImageData

from face_expression import (
    Face,
    PictureError,
    Pipeline,
    TrackerState,
    annotate,
    encode_jpeg,
    face_summary,
    load_pipeline,
    read_picture,
)

EXAMPLES = Path(__file__).parent / "examples"
CAMERA = {"video": {"width": {"ideal": 640, "max": 640}, "height": {"ideal": 480, "max": 480}}}
LIVE_VISITORS = 8
LIVE_LIMIT_S = 900
FRAME_INTERVAL_S = 0.1
CLEANING_INTERVAL_S = 60
MAX_UPLOAD = "30mb"

TITLE = """# Live Emotion Detector
What does the *expression* on a face look like?
Each bar estimates how many of a hundred people would pick that word for it."""
NOTICE = """
**What this is, and what it is not.** The program names the look of an expression; it cannot tell what somebody feels,
thinks or intends, and it is often wrong. Do not use it to judge people. Inferring emotions at workplaces and in schools
is prohibited in the European Union (AI Act, Art. 5(1)(f)), and people shown to such a system must be told
(Art. 50(3)): tell everybody in the picture. **What you show is not kept**: frames of the camera stay in memory and are
gone with the answer; an uploaded photo is deleted from the server within a few minutes. Nobody is recognised.
"""
LIVE_HINT = "Press the camera, allow it, then press **Record**. Light from the front works best."
NO_FACE = "No face in view."
CSS = """
#live-camera video, #live-view img, #photo-upload img, #photo-result img {max-height: 62vh}
.face-card {max-width: 420px}
"""


def uploaded_path(payload: ImageData | None) -> str | None:
    """What a photo component hands on: the file as it was sent, so that a bad one can be answered in words."""
    return payload.path if payload else None


def picture_in_answer(value: np.ndarray | None) -> ImageData | None:
    """What a picture component shows: RGB uint8 (H, W, 3) as a JPEG inside the answer, never written to disk."""
    if value is None:
        return None
    return ImageData(url="data:image/jpeg;base64," + base64.b64encode(encode_jpeg(value)).decode())


def face_bars(face: Face, label_names: tuple[str, ...]) -> dict[str, float]:
    """A face's probabilities as `gr.Label` takes them."""
    return dict(zip(label_names, face.probabilities.tolist(), strict=True))


def build_app(pipeline: Pipeline, *, cleaning_interval_s: int = CLEANING_INTERVAL_S) -> gr.Blocks:
    """Lay out the page and connect it to a pipeline.

    Args:
        pipeline: what judges the pictures; shared by all visitors, who each have a tracker state of their own.
        cleaning_interval_s: how often uploads older than this are deleted.
    """
    labels = pipeline.label_names

    def on_frame(frame: np.ndarray | None, state: TrackerState | None):
        if frame is None:
            return None, LIVE_HINT, {}, None
        faces, state = pipeline.track(frame, state, time.monotonic())
        drawn = annotate(frame, faces, labels)
        if not faces:
            return drawn, NO_FACE, {}, state
        return drawn, face_summary(faces[0]), face_bars(faces[0], labels), state

    def on_photo(path: str | None):
        if path is None:
            return None, "", []
        try:
            picture = read_picture(path)
        except PictureError as error:
            return None, f"⚠️ **This file cannot be used:** {error}.", []
        faces = pipeline.analyze(picture)
        if not faces:
            return picture, "No face was found. A larger, well-lit face seen from the front works best.", []
        count = "One face" if len(faces) == 1 else f"{len(faces)} faces, the largest first"
        return annotate(picture, faces, labels, numbered=True, bars=False), f"**{count}**", faces

    with gr.Blocks(
        title="Live Emotion Detector",
        analytics_enabled=False,
        delete_cache=(cleaning_interval_s, cleaning_interval_s),
    ) as page:
        gr.Markdown(TITLE)
        with gr.Tab("Live"):
            tracker = gr.State(None)
            with gr.Row():
                camera = gr.Image(
                    sources=["webcam"],
                    streaming=True,
                    label="Camera",
                    webcam_options=gr.WebcamOptions(mirror=True, constraints=CAMERA),
                    elem_id="live-camera",
                    min_width=280,
                )
                view = gr.Image(
                    label="What the program sees",
                    interactive=False,
                    buttons=["fullscreen"],
                    elem_id="live-view",
                    scale=2,
                    min_width=280,
                )
                with gr.Column(min_width=260):
                    headline = gr.Markdown(LIVE_HINT, elem_id="live-headline")
                    bars = gr.Label(label="Largest face", show_heading=False, elem_id="live-bars")
            camera.stream(
                on_frame,
                [camera, tracker],
                [view, headline, bars, tracker],
                stream_every=FRAME_INTERVAL_S,
                time_limit=LIVE_LIMIT_S,
                concurrency_limit=LIVE_VISITORS,
                show_progress="hidden",
                api_visibility="private",
            )
        with gr.Tab("Photo"):
            found = gr.State([], time_to_live=cleaning_interval_s)
            with gr.Row():
                photo = gr.Image(
                    sources=["upload", "clipboard"],
                    type="filepath",
                    label="Your photo",
                    elem_id="photo-upload",
                    buttons=[],
                )
                result = gr.Image(
                    label="Faces found", interactive=False, buttons=["fullscreen"], elem_id="photo-result"
                )
            summary = gr.Markdown(elem_id="photo-summary")

            @gr.render(inputs=found, concurrency_limit=LIVE_VISITORS)
            def show_faces(faces: list[Face]) -> None:
                with gr.Row():
                    for number, face in enumerate(faces, start=1):
                        with gr.Column(min_width=260, elem_classes="face-card"):
                            gr.Markdown(f"**{number}.** {face_summary(face)}")
                            gr.Label(face_bars(face, labels), label=f"Face {number}", show_heading=False)

            photo.change(on_photo, photo, [result, summary, found], concurrency_limit=4, api_visibility="private")
            gr.Examples(sorted(str(path) for path in EXAMPLES.glob("*.jpg")), photo, label="Examples")
        # Set on the components and not in subclasses, for which Gradio would write an app.pyi beside this file.
        photo.preprocess = uploaded_path
        view.postprocess = result.postprocess = picture_in_answer
        gr.Markdown(NOTICE)
        gr.Markdown(f"In use: {pipeline.source}.", elem_id="source")
    return page


def launch(page: gr.Blocks, **options) -> None:
    """Serve a page of `build_app` with this project's settings; `options` go to `gr.Blocks.launch`."""
    page.launch(
        run_history=False,
        max_file_size=MAX_UPLOAD,
        theme=gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        css=CSS,
        footer_links=["gradio", "settings"],
        **options,
    )


def main() -> None:
    """Load the pipeline and serve the page until it is stopped. HOST and PORT say where."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    port = os.environ.get("PORT")
    # One thread for each visitor's frame: two visitors then share two cores without waiting for each other.
    page = build_app(load_pipeline(threads=1))
    launch(page, server_name=os.environ.get("HOST") or None, server_port=int(port) if port else None)


if __name__ == "__main__":
    main()
