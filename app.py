"""The page around `face_expression`, and the same as a service. Run `python app.py`, or `make app`."""

import logging
import os
import tempfile
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from face_expression import Pipeline, load_pipeline, log_to_stderr
from space.api import build_api
from space.basic_tab import build_basic_tab
from space.body_limit import BodyLimit
from space.cleaning import sweeping
from space.live_files import device_files, live_routes
from space.live_tab import build_live_tab
from space.photo_tab import build_photo_tab
from space.places import WEB
from space.sent_file import refuse_addresses
from space.video_folders import VideoFolders
from space.video_tab import build_video_tab

log = logging.getLogger(__name__)

CLEANING_INTERVAL_S = 60
# Long enough to watch and download what was made of a video.
KEEP_VIDEOS_S = 600
# A minute of video from a phone.
MAX_UPLOAD = "100mb"
# Each may hold a picture in memory while it waits.
MOST_WAITING = 100
# Of whom Gradio remembers something; a program makes a new session with each request, and never ends it.
MOST_SESSIONS = 200
# Endpoints of Gradio that this page does not use and that would write what a visitor shows to disk for good.
CLOSED_ENDPOINTS = ("/gradio_api/deep_link", "/gradio_api/process_recording")
PRIVATE_NETWORKS = "127.0.0.0/8,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10"
NOT_ON_DEVICE = "The live view runs on the server only, and not on the visitor's own device: %s."

TITLE = """# Live Emotion Detector
What does the *expression* on a face look like?
Each bar estimates how many of a hundred people would pick that word for it."""
NOTICE = """
**What this is, and what it is not.** The program names the look of an expression; it cannot tell what somebody feels,
thinks or intends, and it is often wrong. Do not use it to judge people. Inferring emotions at workplaces and in schools
is prohibited in the European Union (AI Act, Art. 5(1)(f)), and people shown to such a system must be told
(Art. 50(3)): tell everybody in the picture. **What you show is not kept**: frames of the camera are never written to
disk, an uploaded photo is deleted from it within a few minutes, an uploaded video and what was made of it within a
quarter of an hour or when you leave, and the last pictures of each are forgotten when you leave the page. Nobody is
recognised.
"""
CSS = """
#basic-camera video, #basic-view img, #photo-upload img, #photo-result img {max-height: 62vh}
#video-result video {display: block; margin: auto; max-width: 100%; max-height: 62vh}
#video-legend span {margin-right: 1rem; white-space: nowrap}
#video-legend b {display: inline-block; width: 1.4rem; height: .3rem; vertical-align: middle}
.face-card {max-width: 420px}
#photo-suggestion a {padding: 0}
#basic-headline {min-height: 4.5rem}
#basic-headline p {font-size: 1.25rem}
"""


def build_app(pipeline: Pipeline, *, cleaning_interval_s: int = CLEANING_INTERVAL_S) -> gr.Blocks:
    """Lay out the page and connect it to a pipeline.

    Args:
        pipeline: what judges the pictures; shared by all visitors.
        cleaning_interval_s: how often uploads older than this are deleted.
    """

    def forget(request: gr.Request) -> None:
        """Drop what Gradio remembers of a visitor who leaves: the last values of all components, pictures included."""
        page.app.state_holder.session_data.pop(request.session_hash, None)
        page.app.state_holder.time_last_used.pop(request.session_hash, None)
        page.videos.forget(request.session_hash)

    try:
        files = device_files(pipeline)
    except FileNotFoundError as error:
        log.warning(NOT_ON_DEVICE, error)
        files = {}
    with gr.Blocks(
        title="Live Emotion Detector",
        analytics_enabled=False,
        delete_cache=(cleaning_interval_s, cleaning_interval_s),
    ) as page:
        # Beside Gradio's own folder, in which nothing gets as old as what somebody is watching.
        page.videos = VideoFolders(Path(f"{page.GRADIO_CACHE}-videos"))
        gr.Markdown(TITLE)
        with gr.Tab("Live"):
            build_live_tab(pipeline, files)
        with gr.Tab("Live (basic)"):
            build_basic_tab(pipeline)
        with gr.Tab("Photo"):
            build_photo_tab(pipeline, remember_s=cleaning_interval_s)
        with gr.Tab("Video"):
            build_video_tab(pipeline, page.videos, max_upload=MAX_UPLOAD, keep_s=KEEP_VIDEOS_S)
        build_api(pipeline, uploads=Path(page.GRADIO_CACHE), scratch=page.videos.root, forget=forget)
        gr.Markdown(NOTICE)
        gr.Markdown(f"In use: {pipeline.source}.", elem_id="source")
        page.unload(forget)
    page.device_files = files
    return page


def launch(page: gr.Blocks, **options) -> None:
    """Serve a page of `build_app` with this project's settings; `options` go to `gr.Blocks.launch`."""

    def closed(_) -> Response:
        return Response("not offered here", status_code=404)

    refuse_addresses()
    page.queue(max_size=MOST_WAITING)
    page.launch(
        mcp_server=True,
        state_session_capacity=MOST_SESSIONS,
        run_history=False,
        # Spaces would have Node render the page, which nobody has tried with the routes below.
        ssr_mode=False,
        max_file_size=MAX_UPLOAD,
        theme=gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        css=CSS + "".join(path.read_text(encoding="utf-8") for path in sorted((WEB / "live").rglob("*.css"))),
        footer_links=["gradio", "settings"],
        app_kwargs={
            "lifespan": lambda _: sweeping(page, page.videos.root, keep_videos_s=KEEP_VIDEOS_S),
            "middleware": [Middleware(BodyLimit)],
            # Somebody hung up in the middle of an upload; nobody reads this answer, and it is no error.
            "exception_handlers": {ClientDisconnect: lambda *_: Response(status_code=400)},
            "routes": [
                *(Route(path, closed, methods=["GET", "POST"]) for path in CLOSED_ENDPOINTS),
                *live_routes(page.device_files),
                page.videos.route(),
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
    if os.environ.get("SPACE_ID"):
        # Visitors come through the Hub's proxies, which note down the address of each; uvicorn then believes them.
        os.environ.setdefault("FORWARDED_ALLOW_IPS", PRIVATE_NETWORKS)
    # The network takes about a millisecond; more threads for one visitor's frame would only be in the others' way.
    page = build_app(load_pipeline(threads=1))
    launch(page, server_name=os.environ.get("HOST") or None, server_port=int(port) if port else None)


if __name__ == "__main__":
    main()
