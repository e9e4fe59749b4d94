"""Gradio's own streaming webcam, for browsers in which the live view cannot run."""

import io
import time

import cv2
import gradio as gr
import numpy as np

from face_expression import PictureError, Pipeline, TrackerState, annotate, face_summary, read_picture
from face_expression.output.markdown import plain_words
from space.gradio_internals import replace_methods
from space.limits import AT_ONCE, Kind
from space.live.main_face import main_face
from space.tabs.components import face_bars, sent_bytes, shown_picture
from space.tabs.visitor_language import translation_for

CAMERA = {"video": {"width": {"ideal": 640, "max": 640}, "height": {"ideal": 480, "max": 480}}}
LIMIT_S = 900
FRAME_INTERVAL_S = 0.1
# A camera need not give what it is asked for. Larger pictures are scaled down, and no camera gives such large ones.
FRAME_SIDE_PX = 1280
MAX_FRAME_SIDE_PX = 4096
MAX_FRAME_SCANS = 20
FRAME_DEADLINE_S = 5.0
HINT = (
    "Press the camera, allow it, then press **Record**. Light from the front works best. "
    f"A session lasts {LIMIT_S // 60} minutes at most; then press Record again."
)
NO_FACE = "No face in view."
NOBODY_SEEN = None, None


def build_basic_tab(pipeline: Pipeline) -> None:
    """Gradio's own webcam, what the program sees in it, and the bars of one face; each visitor has a state."""
    labels = pipeline.label_names

    def on_frame(sent: bytes | None, state: tuple[TrackerState | None, int | None], request: gr.Request):
        """`state` is the tracker's, and the track that the headline is about."""
        if sent is None:
            return None, HINT, {}, NOBODY_SEEN
        try:
            frame = read_picture(
                io.BytesIO(sent), max_side_px=MAX_FRAME_SIDE_PX, max_scans=MAX_FRAME_SCANS, deadline_s=FRAME_DEADLINE_S
            )
        except PictureError as error:
            return None, f"The camera's picture cannot be used: {plain_words(error)}.", {}, state
        frame = scaled_down(frame)
        tracks, main_id = state
        faces, tracks = pipeline.track(frame, tracks, time.monotonic())
        drawn = annotate(frame, faces, labels, translated=translation_for(request))
        face = main_face(faces, main_id)
        if face is None:
            return drawn, NO_FACE, {}, (tracks, main_id)
        return drawn, face_summary(face), face_bars(face, labels), (tracks, face.track_id)

    tracker = gr.State(NOBODY_SEEN)
    with gr.Row():
        camera = gr.Image(
            sources=["webcam"],
            streaming=True,
            label="Camera",
            webcam_options=gr.WebcamOptions(mirror=True, constraints=CAMERA),
            elem_id="basic-camera",
            min_width=280,
        )
        replace_methods(camera, preprocess=sent_bytes)
        view = shown_picture("What the program sees", "basic-view", scale=2, min_width=280)
        with gr.Column(min_width=260):
            headline = gr.Markdown(HINT, elem_id="basic-headline")
            bars = gr.Label(label="Main face", show_heading=False, elem_id="basic-bars")
    camera.stream(
        on_frame,
        [camera, tracker],
        [view, headline, bars, tracker],
        stream_every=FRAME_INTERVAL_S,
        time_limit=LIMIT_S,
        concurrency_id=Kind.CAMERA,
        concurrency_limit=AT_ONCE[Kind.CAMERA],
        show_progress="hidden",
        api_visibility="private",
    )


def scaled_down(frame: np.ndarray) -> np.ndarray:
    """RGB uint8 (H, W, 3), with at most `FRAME_SIDE_PX` pixels a side."""
    height, width = frame.shape[:2]
    scale = FRAME_SIDE_PX / max(height, width)
    if scale >= 1:
        return frame
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
