"""The page around `face_expression`, and the same as a service. Run `python app.py`, or `make app`."""

import contextlib
import logging
import os
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import gradio as gr
from gradio.routes import App
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from face_expression import Pipeline, load_pipeline
from face_expression.cli.exits import exits_with_message
from face_expression.cli.logging import log_to_stderr
from face_expression.cli.same_origin import SameOrigin, is_loopback
from face_expression.errors import DataError, required
from face_expression.output.known_gaps import gaps_in_words
from face_expression.output.markdown import plain_words
from space.api import build_api
from space.gradio_internals import (
    DEFAULT_HOST,
    EXCEPTION_HANDLERS,
    forget_session,
    forget_state,
    give_shares,
    keeping_shares,
    queue_of,
    serving_with,
)
from space.limits import AT_ONCE, MAX_UPLOAD_BYTES, Kind, Limits
from space.listen_address import listen_address
from space.live.files import LiveFiles, device_files
from space.live.frames import frames_route
from space.live.sessions import Viewers
from space.paths import WEB
from space.photos import Photos
from space.storage.cleaning import sweeping
from space.storage.memory import return_freed_memory
from space.storage.private_folder import private_folder
from space.storage.sent_file import refuse_addresses
from space.storage.video_folders import VideoFolders
from space.tabs.basic import build_basic_tab
from space.tabs.live import build_live_tab
from space.tabs.photo import build_photo_tab
from space.tabs.video import build_video_tab
from space.traffic.body_limit import FRAMES_ENDPOINT
from space.traffic.connections import ConnectionLimits
from space.traffic.page_head import LANGUAGE_OF_THE_ADDRESS, SLOW_HIDDEN_COUNTERS, PageHead
from space.traffic.request_budget import RequestBudget
from space.traffic.request_limits import MCP, UPLOADS_ENDPOINT, RequestLimits
from space.traffic.response_headers import ResponseHeaders
from space.traffic.sessions import Sessions
from space.traffic.workers import Workers

log = logging.getLogger(__name__)

KEEP_UPLOADS_S = 60
# Long enough to watch and download what was made of a video.
KEEP_VIDEOS_S = 600
# How long a thread that reads a photo may keep Python to itself while the live view waits: a tenth of Python's default.
SWITCH_S = 0.0005
MAX_UPLOAD = f"{MAX_UPLOAD_BYTES // 1_000_000}mb"
# The form of a page that asks for a password.
LOGIN = "/login"
# Endpoints of Gradio that this page does not use; the first two would write what a visitor shows to disk for good.
CLOSED_ENDPOINTS = ("/gradio_api/deep_link", "/gradio_api/process_recording", "/gradio_api/component_server")
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
WORSE_FOR = """
**For whom it is worse.** %s
"""
THEME = gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]).set(
    # White words on the theme's own colour have a contrast of 4.47, and disabled buttons look like the brightest ones.
    button_secondary_background_fill_hover_dark="*neutral_500",
)
CSS = """
/* For browsers in which the live view cannot run. */
body:not(.live-cannot-run) button[role="tab"][aria-controls="basic-tab"] {display: none}
/* What lies below the live view is shown with it, so that nothing moves while it loads. */
body:not(:has(.live)) :is(#notice, #source, footer) {display: none}
#basic-camera video, #basic-view img, #photo-upload img, #photo-result img {max-height: 62vh}
/* Their places are there before their pictures are: a click must not miss because something moved under it. */
#photo-examples .gallery-item {width: 6rem; height: 6rem}
#photo-examples .gallery-item :is(span, .container, img) {display: block; width: 100%; max-width: none; height: 100%}
#video-result video {display: block; margin: auto; max-width: 100%; max-height: 62vh}
#video-result video[hidden], .cannot-play:empty {display: none}
#video-legend span {margin-right: 1rem; white-space: nowrap}
#video-legend b {display: inline-block; width: 1.4rem; height: .3rem; vertical-align: middle}
.face-cards {display: flex; flex-wrap: wrap; gap: 1rem}
.face-card {flex: 1 1 260px; max-width: 420px; padding: .75rem 1rem; border-radius: 12px}
.face-card {border: 1px solid var(--border-color-primary)}
.face-card {background: var(--block-background-fill)}
.face-card p {margin: 0 0 .75rem}
.face-bars {display: grid; grid-template-columns: max-content 1fr; gap: .25rem .75rem; align-items: center; margin: 0}
.face-bars dd {display: flex; gap: .5rem; align-items: center; margin: 0}
.face-bars span {flex: 1; height: .8rem; border-radius: 99px; background: rgb(127 127 127 / 25%); overflow: hidden}
.face-bars i {display: block; height: 100%}
.face-bars b {width: 3em; text-align: right; font-variant-numeric: tabular-nums}
#video-example {max-width: 22rem}
#photo-suggestion a {padding: 0}
#basic-headline {min-height: 4.5rem}
#basic-headline p {font-size: 1.25rem}
/* The first screen of a phone has room for the picture, the headline and all bars. */
@media (max-width: 640px) {
  #title h1 {font-size: 1.35rem; margin: 0}
  #title p {font-size: .85rem; line-height: 1.35}
  #live-view {padding: 0 !important}
}
:is(#live-view, #live-view > *, .tabitem:has(#live-view)) {padding-left: 0 !important; padding-right: 0 !important}
.dark button[role="tab"][aria-selected="true"], .dark :is(#video-result, #notice) a {color: #a5b4fc}
/* A phone on its side, or a page at 200 %. */
@media (max-height: 500px) {
  #title {display: none}
  .main.fillable {padding-top: .25rem !important}
}
"""


class Page(gr.Blocks):
    """The page, and what serves it beside Gradio.

    `keep_uploads_s`: uploads older than this are deleted. `device_files`: those of the engine on the visitor's device
    by their names; empty if it is not offered. `viewers` are those whose pictures are processed here.
    """

    limits: Limits
    keep_uploads_s: int
    sessions: Sessions
    videos: VideoFolders
    live_files: LiveFiles
    viewers: Viewers
    device_files: dict[str, Path]


def build_app(pipeline: Pipeline, *, keep_uploads_s: int = KEEP_UPLOADS_S, limits: Limits | None = None) -> Page:
    """Lay out the page and connect it to a pipeline.

    Args:
        pipeline: classifies the faces; shared by all visitors.
        keep_uploads_s: uploads older than this are deleted.
        limits: what one visitor and all together may ask for.
    """

    def forget(session: str) -> None:
        forget_session(page, session)
        page.videos.forget(session)

    async def on_leave(request: gr.Request) -> None:
        # In the event loop, which everything about sessions belongs to.
        page.sessions.forget(required(request.session_hash))

    def is_wanted(session: str) -> bool:
        return queue_of(page).is_wanted(session)

    photos, videos = Photos(pipeline), Workers(AT_ONCE[Kind.VIDEO], "video")
    try:
        files = device_files(pipeline)
    except FileNotFoundError as error:
        log.warning(NOT_ON_DEVICE, error)
        files = {}
    live_files = LiveFiles(files)
    with Page(title="Live Emotion Detector", analytics_enabled=False) as page:
        page.limits = limits or Limits()
        page.keep_uploads_s = keep_uploads_s
        page.sessions = Sessions(page.limits, forget=forget)
        # Beside Gradio's own folder, in which nothing gets as old as what somebody is watching.
        page.videos = VideoFolders(Path(f"{page.GRADIO_CACHE}-videos"))
        gr.Markdown(TITLE, elem_id="title")
        with gr.Tab("Live"):
            build_live_tab(pipeline, live_files)
        with gr.Tab("Live (basic)", elem_id="basic-tab"):
            build_basic_tab(pipeline)
        with gr.Tab("Photo"):
            build_photo_tab(pipeline, photos)
        with gr.Tab("Video"):
            build_video_tab(
                pipeline, page.videos, videos, max_upload=MAX_UPLOAD, keep_s=KEEP_VIDEOS_S, is_wanted=is_wanted
            )
        build_api(
            pipeline,
            photos,
            videos,
            uploads=Path(page.GRADIO_CACHE),
            scratch=page.videos.root,
            forget=lambda request: forget_state(page, required(request.session_hash)),
            is_wanted=is_wanted,
        )
        gr.Markdown(NOTICE + WORSE_FOR % plain_words(gaps_in_words(pipeline.files.bundle)), elem_id="notice")
        gr.Markdown(f"In use: {pipeline.source}.", elem_id="source")
        page.unload(on_leave)
    page.device_files, page.live_files, page.viewers = files, live_files, Viewers(pipeline)
    return page


def files_in_use(page: Page) -> set[str]:
    """What visitors sent that is in the queue, or is worked on."""
    queue = queue_of(page)
    return queue.files_in_queue(Path(page.GRADIO_CACHE)) | page.videos.sources_of(queue.sessions_in_queue())


def launch(page: Page, **options) -> None:
    """Serve a page of `build_app` with this project's settings; `options` go to `gr.Blocks.launch`."""

    def closed(_) -> Response:
        return Response("not offered here", status_code=404)

    @contextlib.asynccontextmanager
    async def lifespan(app: App) -> AsyncGenerator[None]:
        async with (
            sweeping(
                page,
                page.videos.root,
                keep_uploads_s=page.keep_uploads_s,
                keep_videos_s=KEEP_VIDEOS_S,
                in_use=lambda: files_in_use(page),
            ),
            keeping_shares(app, page, page.limits, page.sessions),
        ):
            yield

    refuse_addresses()
    give_shares(page, page.limits, page.sessions)
    budget = RequestBudget(page.limits)
    with serving_with(page, ConnectionLimits.of_this_process().uvicorn_options(budget)):
        page.launch(
            mcp_server=True,
            # Sessions are dropped by `Sessions`, before there are so many.
            state_session_capacity=2 * page.limits.most_sessions,
            run_history=False,
            enable_monitoring=False,
            # Spaces would have Node render the page, which nobody has tried with the routes below.
            ssr_mode=False,
            max_file_size=MAX_UPLOAD,
            theme=THEME,
            css=CSS + "".join(path.read_text(encoding="utf-8") for path in sorted((WEB / "live").rglob("*.css"))),
            footer_links=["gradio", "settings"],
            app_kwargs={
                "lifespan": lifespan,
                "middleware": [
                    Middleware(ResponseHeaders),
                    Middleware(PageHead, html=LANGUAGE_OF_THE_ADDRESS + SLOW_HIDDEN_COUNTERS + page.live_files.head),
                    same_origin(options.get("server_name")),
                    Middleware(
                        RequestLimits, limits=page.limits, sessions=page.sessions, queue=queue_of(page), budget=budget
                    ),
                ],
                "exception_handlers": EXCEPTION_HANDLERS,
                "routes": [
                    # The first, since most requests are for it.
                    frames_route(page.viewers),
                    *(
                        Route(f"{path}{end}", closed, methods=["GET", "POST"])
                        for path in CLOSED_ENDPOINTS
                        for end in ("", "/")
                    ),
                    *page.live_files.routes(),
                    page.videos.route(),
                ],
            },
            **options,
        )


def same_origin(server_name: str | None) -> Middleware:
    """What keeps pages of other sites from this server; on this computer only, other names of it, too."""
    name = (server_name or DEFAULT_HOST).strip("[]")
    names = frozenset(filter(None, os.environ.get("ALLOWED_HOSTS", "").replace(",", " ").split()))
    local = is_loopback(name)
    return Middleware(
        SameOrigin,
        hosts=names if local else None,
        strict_paths=("/",) if local else (MCP,),
        form_paths=(UPLOADS_ENDPOINT, LOGIN),
        jpeg_paths=(FRAMES_ENDPOINT,),
    )


@contextlib.contextmanager
def ending_with_signals() -> Generator[None]:
    """While it lasts, SIGTERM and SIGHUP end the app as Ctrl-C does, so that nothing is left behind."""

    def interrupt(*_) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@exits_with_message
def main() -> None:
    """Load the pipeline and serve the page until it is stopped. HOST and PORT say where."""
    log_to_stderr()
    return_freed_memory()
    sys.setswitchinterval(SWITCH_S)
    host, port = listen_address()
    if os.environ.get("SPACE_ID"):
        # Visitors come through the Hub's proxies, which note down the address of each; uvicorn then believes them.
        os.environ.setdefault("FORWARDED_ALLOW_IPS", PRIVATE_NETWORKS)
    elif proxies := os.environ.get("FORWARDED_ALLOW_IPS"):
        # MCP's calls come from this app itself, which names whose they are.
        os.environ["FORWARDED_ALLOW_IPS"] = f"{proxies},127.0.0.1" if proxies != "*" else proxies
    parent = Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir())
    with ending_with_signals(), private_folder(parent) as folder:
        os.environ["GRADIO_TEMP_DIR"] = str(folder / "uploads")
        # The network takes about a millisecond; extra threads would only slow other visitors down.
        page = build_app(load_pipeline(threads=1))
        try:
            launch(page, server_name=host, server_port=port)
        except OSError as error:
            raise DataError(
                f"The app cannot serve: {str(error).split('. ')[0]}. Choose a free port with PORT."
            ) from None
        finally:
            page.close(verbose=False)
            page.videos.forget_all()


def leave() -> None:
    """End this process without waiting for threads: a photo that is still being analyzed is for nobody any more."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
    leave()
