"""The page: a live webcam and a photo tab around `face_expression`. Run `python app.py`, or `make app`."""

import asyncio
import base64
import contextlib
import json
import logging
import os
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import gradio as gr
import numpy as np
from gradio.components.image import ImageData
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from face_expression import (
    Face,
    PictureError,
    Pipeline,
    TrackerState,
    annotate,
    encode_jpeg,
    face_summary,
    load_pipeline,
    log_to_stderr,
    read_picture,
)

log = logging.getLogger(__name__)

EXAMPLES = Path(__file__).parent / "examples"
WEB = Path(__file__).parent / "web"
ONNX_RUNTIME = WEB / "node_modules" / "onnxruntime-web" / "dist"
CAMERA = {"video": {"width": {"ideal": 640, "max": 640}, "height": {"ideal": 480, "max": 480}}}
LIVE_VISITORS = 8
LIVE_LIMIT_S = 900
FRAME_INTERVAL_S = 0.1
CLEANING_INTERVAL_S = 60
MAX_UPLOAD = "30mb"
MAX_FRAME_PX = 1280
# Endpoints of Gradio that this page does not use and that would write what a visitor shows to disk for good.
CLOSED_ENDPOINTS = ("/gradio_api/deep_link", "/gradio_api/process_recording")

TITLE = """# Live Emotion Detector
What does the *expression* on a face look like?
Each bar estimates how many of a hundred people would pick that word for it."""
NOTICE = """
**What this is, and what it is not.** The program names the look of an expression; it cannot tell what somebody feels,
thinks or intends, and it is often wrong. Do not use it to judge people. Inferring emotions at workplaces and in schools
is prohibited in the European Union (AI Act, Art. 5(1)(f)), and people shown to such a system must be told
(Art. 50(3)): tell everybody in the picture. **What you show is not kept**: frames of the camera are never written to
disk, an uploaded photo is deleted from it within a few minutes, and the last pictures of each are forgotten when you
leave the page. Nobody is recognised.
"""
LIVE_HINT = (
    "Press the camera, allow it, then press **Record**. Light from the front works best. "
    f"A session lasts {LIVE_LIMIT_S // 60} minutes at most; then press Record again."
)
NO_DEVICE_VIEW = "The view that runs on the visitor's own device is not offered: %s."
NO_FACE = "No face in view."
FRAME_TOO_LARGE = f"The camera's picture is too large; at most {MAX_FRAME_PX} pixels a side are taken."
CSS = """
#live-camera video, #live-view img, #photo-upload img, #photo-result img {max-height: 62vh}
.face-card {max-width: 420px}
#live-headline {min-height: 4.5rem}
#live-headline p {font-size: 1.25rem}
"""


def uploaded_path(payload: ImageData | None) -> str | None:
    """What a photo component hands on: the file as it was sent, so that a bad one can be answered in words."""
    return payload.path if payload else None


def picture_in_answer(value: np.ndarray | None) -> ImageData | None:
    """What a picture component shows: RGB uint8 (H, W, 3) as a JPEG inside the answer, never written to disk."""
    if value is None:
        return None
    return ImageData(url="data:image/jpeg;base64," + base64.b64encode(encode_jpeg(value)).decode())


def shown_picture(label: str, elem_id: str, **layout) -> gr.Image:
    """A component that shows what `picture_in_answer` makes of a frame.

    The method is set on the component and not in a subclass, for which Gradio would write an app.pyi beside this file.
    """
    image = gr.Image(label=label, interactive=False, buttons=["fullscreen"], elem_id=elem_id, **layout)
    image.postprocess = picture_in_answer
    return image


def face_bars(face: Face, label_names: tuple[str, ...]) -> dict[str, float]:
    """A face's probabilities as `gr.Label` takes them; it rounds, and nothing here is certain, so 99 % is the most."""
    return {name: min(float(value), 0.99) for name, value in zip(label_names, face.probabilities, strict=True)}


def sweep(folder: Path, age_s: float, keep: set[str]) -> None:
    """Delete what lies in a folder and is older than `age_s`: files, except `keep`, and empty folders.

    Gradio's `delete_cache` knows only complete uploads of the running process; this also takes broken-off uploads and
    those of a process that was killed.
    """
    for path in sorted(folder.rglob("*"), reverse=True):
        # OSError: a folder that is not empty, or a file that Gradio has just deleted itself.
        with contextlib.suppress(OSError):
            if str(path) not in keep and time.time() - path.stat().st_mtime > age_s:
                remove = path.rmdir if path.is_dir() else path.unlink
                remove()


def device_files(pipeline: Pipeline) -> dict[str, Path]:
    """What a browser needs to do what the pipeline does, by the name under which it fetches it.

    Raises:
        FileNotFoundError: if something is missing; the message says what to do.
    """
    if pipeline.files.yunet is None:
        raise FileNotFoundError("it needs YuNet's weights, and another detector is in use")
    files = {
        "ort": ONNX_RUNTIME / "ort.wasm.bundle.min.mjs",
        "wasm": ONNX_RUNTIME / "ort-wasm-simd-threaded.wasm",
        "model": pipeline.files.bundle / "model.onnx",
        "config": pipeline.files.bundle / "config.json",
        "detector": pipeline.files.yunet,
        "demo": EXAMPLES / "astronaut.jpg",
    }
    if missing := [path.name for path in files.values() if not path.is_file()]:
        raise FileNotFoundError(f"{missing[0]} is missing; with npm installed, run `make web`")
    return files


def device_routes(files: dict[str, Path]) -> list[BaseRoute]:
    """Serve the files of `device_files`, and the modules that use them, under /live."""

    def file(request) -> Response:
        path = files.get(request.path_params["name"])
        kinds = {".mjs": "text/javascript", ".wasm": "application/wasm"}
        return (
            FileResponse(path, media_type=kinds.get(path.suffix)) if path else Response("no such file", status_code=404)
        )

    return [Route("/live/files/{name}", file), Mount("/live", StaticFiles(directory=WEB / "live"))]


def build_device_tab(files: dict[str, Path]) -> None:
    """The view whose engine runs in the visitor's browser: the server gives files and sees no picture."""
    places = {name: f"live/files/{name}" for name in files}
    gr.HTML(
        "",
        js_on_load=f"""import(new URL("live/page.js", document.baseURI)).then(
            ({{ mount }}) => mount(element, {json.dumps(places)}),
            (error) => {{ element.textContent = "This view cannot be loaded: " + error.message; }},
        );""",
        elem_id="live-device",
    )


def build_live_tab(pipeline: Pipeline) -> None:
    """The webcam, what the program sees in it, and the bars of the largest face; each visitor has a tracker state."""
    labels = pipeline.label_names

    def on_frame(frame: np.ndarray | None, state: TrackerState | None):
        if frame is None:
            return None, LIVE_HINT, {}, None
        if max(frame.shape[:2]) > MAX_FRAME_PX:
            return None, FRAME_TOO_LARGE, {}, state
        faces, state = pipeline.track(frame, state, time.monotonic())
        drawn = annotate(frame, faces, labels)
        if not faces:
            return drawn, NO_FACE, {}, state
        return drawn, face_summary(faces[0]), face_bars(faces[0], labels), state

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
        view = shown_picture("What the program sees", "live-view", scale=2, min_width=280)
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


def build_photo_tab(pipeline: Pipeline, *, remember_s: int) -> None:
    """A photo, its faces with numbers, and the bars of each; the bars are remembered for `remember_s` at most."""
    labels = pipeline.label_names

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
        told = [(face_summary(face), face_bars(face, labels)) for face in faces]
        return annotate(picture, faces, labels, numbered=True, bars=False), f"**{count}**", told

    found = gr.State([], time_to_live=remember_s)
    with gr.Row():
        photo = gr.Image(
            sources=["upload", "clipboard"], type="filepath", label="Your photo", elem_id="photo-upload", buttons=[]
        )
        photo.preprocess = uploaded_path
        result = shown_picture("Faces found", "photo-result")
    summary = gr.Markdown(elem_id="photo-summary")

    @gr.render(inputs=found, concurrency_limit=LIVE_VISITORS)
    def show_faces(told: list[tuple[str, dict[str, float]]]) -> None:
        with gr.Row():
            for number, (sentence, face_values) in enumerate(told, start=1):
                with gr.Column(min_width=260, elem_classes="face-card"):
                    gr.Markdown(f"**{number}.** {sentence}")
                    gr.Label(face_values, label=f"Face {number}", show_heading=False)

    photo.change(on_photo, photo, [result, summary, found], concurrency_limit=2, api_visibility="private")
    gr.Examples(sorted(str(path) for path in EXAMPLES.glob("*.jpg")), photo, label="Examples")


def build_app(pipeline: Pipeline, *, cleaning_interval_s: int = CLEANING_INTERVAL_S) -> gr.Blocks:
    """Lay out the page and connect it to a pipeline.

    Args:
        pipeline: what judges the pictures; shared by all visitors.
        cleaning_interval_s: how often uploads older than this are deleted.
    """

    def forget(request: gr.Request) -> None:
        """Drop what Gradio remembers of a visitor who leaves: the last values of all components, pictures included."""
        page.app.state_holder.session_data.pop(request.session_hash, None)

    try:
        files = device_files(pipeline)
    except FileNotFoundError as error:
        log.warning(NO_DEVICE_VIEW, error)
        files = {}
    with gr.Blocks(
        title="Live Emotion Detector",
        analytics_enabled=False,
        delete_cache=(cleaning_interval_s, cleaning_interval_s),
    ) as page:
        gr.Markdown(TITLE)
        if files:
            with gr.Tab("Live"):
                build_device_tab(files)
        with gr.Tab("Live (basic)" if files else "Live"):
            build_live_tab(pipeline)
        with gr.Tab("Photo"):
            build_photo_tab(pipeline, remember_s=cleaning_interval_s)
        gr.Markdown(NOTICE)
        gr.Markdown(f"In use: {pipeline.source}.", elem_id="source")
        page.unload(forget)
    page.device_files = files
    return page


def launch(page: gr.Blocks, **options) -> None:
    """Serve a page of `build_app` with this project's settings; `options` go to `gr.Blocks.launch`."""

    @contextlib.asynccontextmanager
    async def sweeping(_) -> AsyncIterator[None]:
        async def sweep_for_ever() -> None:
            interval_s, _ = page.delete_cache
            keep = {path for block in page.blocks.values() for path in getattr(block, "keep_in_cache", ())}
            while True:
                await asyncio.to_thread(sweep, Path(page.GRADIO_CACHE), interval_s, keep)
                await asyncio.sleep(interval_s)

        task = asyncio.create_task(sweep_for_ever())
        yield
        task.cancel()

    def closed(_) -> Response:
        return Response("not offered here", status_code=404)

    page.launch(
        run_history=False,
        # Spaces would have Node render the page, which nobody has tried with the routes below.
        ssr_mode=False,
        max_file_size=MAX_UPLOAD,
        theme=gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        css=CSS + (WEB / "live" / "page.css").read_text(encoding="utf-8"),
        footer_links=["gradio", "settings"],
        app_kwargs={
            "lifespan": sweeping,
            "routes": [
                *(Route(path, closed, methods=["GET", "POST"]) for path in CLOSED_ENDPOINTS),
                *device_routes(page.device_files),
            ],
        },
        **options,
    )


def main() -> None:
    """Load the pipeline and serve the page until it is stopped. HOST and PORT say where."""
    log_to_stderr()
    port = os.environ.get("PORT")
    # A folder of this app's own, since everything old in it is swept away.
    files = Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir()) / "live-emotion-detector"
    os.environ["GRADIO_TEMP_DIR"] = str(files)
    # The network takes about a millisecond; more threads for one visitor's frame would only be in the others' way.
    page = build_app(load_pipeline(threads=1))
    launch(page, server_name=os.environ.get("HOST") or None, server_port=int(port) if port else None)


if __name__ == "__main__":
    main()
