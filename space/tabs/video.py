"""A video, its annotated copy, and what the expression of each person looked like over time."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd
from gradio.components import Component

from face_expression import COLORS, UNSURE, Pipeline, VideoError, VideoFrame, label_file, read_header, read_video
from face_expression.output.annotate import Translation
from face_expression.output.markdown import plain_words
from space.gradio_internals import replace_methods, session_of
from space.limits import AT_ONCE, MAX_VIDEO_FRAMES, MAX_VIDEO_S, MAX_VIDEO_WH, Kind
from space.paths import EXAMPLES
from space.storage.video_folders import COPY, TABLE, VideoFolder, VideoFolders
from space.tabs.components import uploaded_path
from space.tabs.person_timeline import PeopleSeen, Person, person_summary, seconds, visible_people
from space.tabs.visitor_language import translation_for
from space.traffic.workers import Workers

MOST_PEOPLE = 5
LEAST_IN_VIEW_S = 1.0
MOST_POINTS = 300
TOO_MANY_FRAMES = f"only the first {MAX_VIDEO_FRAMES} frames were processed, which is the limit"
# Grey that is seen on white and on black.
UNSURE_COLOR = "#8b9099"
EXAMPLE = EXAMPLES / "clip.mp4"
HIDDEN = gr.update(value=None, visible=False)
# Browsers without H.264 say so by an error, or play the sound alone. Neither event bubbles.
SAY_WHAT_CANNOT_BE_PLAYED = """
const say = ({ target, type }) => {
    if (target.tagName !== "VIDEO" || (type === "loadedmetadata" && target.videoWidth)) return;
    const lacksH264 = !target.canPlayType('video/mp4; codecs="avc1.42E01E"');
    target.hidden = true;
    target.pause();
    element.querySelector(".cannot-play").textContent = lacksH264
        ? "This browser cannot play the video, which is H.264 in MP4. Download it, and play it in another program."
        : "The video cannot be played here. Download it if it is still there; it is deleted after a while.";
};
for (const event of ["error", "loadedmetadata"]) element.addEventListener(event, say, true);
"""


@dataclass(frozen=True)
class VideoEvents:
    """What happens to a visitor's video; the answers are for the status, the button that cancels, the result, and what
    `shown_people` gives.

    `first_looks`: where first frames are read. The others are as in `build_video_tab`.
    """

    pipeline: Pipeline
    folders: VideoFolders
    videos: Workers
    first_looks: Workers
    is_wanted: Callable[[str], bool]

    def on_upload(self, path: str | None, request: gr.Request):
        """Take what was sent, or nothing any more."""
        self.folders.forget(session_of(request))
        return self._without_result("") if path is None else self._take(Path(path), request)

    def on_example(self, request: gr.Request):
        """Take the example as if it had been sent."""
        return self._take(EXAMPLE, request, is_ours=True)

    def _take(self, path: Path, request: gr.Request, *, is_ours: bool = False):
        """Read the first frame at once: an unusable file is refused before it waits in the queue."""
        try:
            folder = self.folders.begin(session_of(request), path, is_ours=is_ours)
            self.first_looks.run(
                lambda: next(read_video(folder.source, max_s=MAX_VIDEO_S, max_pixels=math.prod(MAX_VIDEO_WH)))
            )
        except (VideoError, OSError) as error:
            self.folders.forget(session_of(request))
            return self._without_result(cannot_be_used(error))
        return self._without_result("The video is here. Its place in the queue, then its progress:", can_cancel=True)

    def on_video(self, name: str | None, request: gr.Request, progress=gr.Progress()):  # noqa: B008
        """Label the video in its turn."""
        session = session_of(request)
        folder = self.folders.of(session)
        if folder is None or not folder.source.exists():
            return gr.skip()
        try:
            people, summary = self.videos.run(
                label_for_visitor,
                self.pipeline,
                folder,
                progress,
                lambda: self.is_wanted(session),
                translation_for(request),
            )
        except (VideoError, OSError) as error:
            return gr.skip() if folder.stop.is_set() else self._without_result(cannot_be_used(error))
        folder.source.unlink(missing_ok=True)
        if folder.stop.is_set():
            # Another video has come meanwhile, or the visitor has cancelled this one.
            return gr.skip()
        shown = gr.update(value=links(folder, Path(name or "video").stem), visible=True)
        return [summary, gr.update(visible=False), shown, *shown_people(people, self.pipeline.label_names)]

    def on_cancel(self, request: gr.Request):
        """Stop, and forget the video."""
        self.folders.forget(session_of(request))
        return self._without_result("Cancelled. The video is deleted.")

    def _without_result(self, status: str, *, can_cancel: bool = False) -> list:
        """A status, and nothing of a video before."""
        return [status, gr.update(visible=can_cancel), HIDDEN, *shown_people([], self.pipeline.label_names)]


def build_video_tab(
    pipeline: Pipeline,
    folders: VideoFolders,
    videos: Workers,
    *,
    max_upload: str,
    keep_s: int,
    is_wanted: Callable[[str], bool],
) -> None:
    """A video to upload, its annotated copy and table to download, and a plot for each person.

    Args:
        pipeline: what classifies the faces.
        folders: where the videos are.
        videos: where they are labelled.
        max_upload: the largest file, as `gr.Blocks.launch` takes it.
        keep_s: how long a video is kept, for the page to say.
        is_wanted: whether somebody waits for the answers of a session; if not, a video is left undone.
    """
    events = VideoEvents(pipeline, folders, videos, Workers(AT_ONCE[Kind.VIDEO], "first-look"), is_wanted)

    gr.Markdown(
        f"One video of at most **{MAX_VIDEO_S} seconds**, **{max_upload.removesuffix('mb')} MB** and "
        f"{' x '.join(map(str, MAX_VIDEO_WH))} pixels: MP4, MOV, WebM, MKV, AVI and others. It is labelled on the "
        f"server, {AT_ONCE[Kind.VIDEO]} videos at once; others wait for their turn. What you send is deleted a minute "
        f"or two after it is labelled, and what was made of it after {keep_s // 60} minutes or as soon as you leave."
    )
    video = gr.File(label="Your video", file_types=["video", ".mkv", ".ts", ".flv", ".wmv"], elem_id="video-upload")
    replace_methods(video, preprocess=uploaded_path)
    example = gr.Button("Try it with an example clip", elem_id="video-example")
    status = gr.Markdown(elem_id="video-status")
    cancel = gr.Button("Cancel", visible=False, elem_id="video-cancel")
    result = gr.HTML(visible=False, js_on_load=SAY_WHAT_CANNOT_BE_PLAYED, elem_id="video-result")
    shown = [status, cancel, result, *build_people()]
    private: dict[str, Any] = {"api_visibility": "private", "show_progress_on": status}
    taken = video.upload(events.on_upload, video, shown, queue=False, **private)
    tried = example.click(events.on_example, None, shown, queue=False, **private)
    labelled = [
        begun.then(
            events.on_video,
            video,
            shown,
            concurrency_id=Kind.VIDEO,
            concurrency_limit=AT_ONCE[Kind.VIDEO],
            **private,
        )
        for begun in (taken, tried)
    ]
    video.clear(events.on_upload, video, shown, queue=False, cancels=labelled, **private)
    cancel.click(events.on_cancel, None, shown, queue=False, cancels=labelled, **private)


def build_people() -> list[Component]:
    """What `shown_people` fills: the legend, a sentence and a plot for each person, and a sentence about the others.

    Not `gr.render`: each time, Gradio would leave an animation running in the page that never ends.
    """
    parts: list[Component] = [gr.HTML(visible=False, elem_id="video-legend")]
    for _ in range(MOST_PEOPLE):
        parts += [gr.Markdown(visible=False, elem_classes="video-person"), gr.LinePlot(visible=False)]
    return [*parts, gr.Markdown(visible=False)]


def shown_people(people: Sequence[Person], labels: tuple[str, ...]) -> list:
    """Who was seen in a video, for what `build_people` gives."""
    visible, others = visible_people(people, most=MOST_PEOPLE, least_s=LEAST_IN_VIEW_S)
    parts: list = [gr.update(value=legend(labels), visible=True) if visible else HIDDEN]
    for person in visible:
        parts += [
            gr.update(value=person_summary(person), visible=True),
            expression_plot(person, labels, end_s=max(other.end_s for other in visible)),
        ]
    parts += [HIDDEN, HIDDEN] * (MOST_PEOPLE - len(visible))
    words = f"And {others} more, in view for less long; the table has them all."
    return [*parts, gr.update(value=words, visible=True) if others else HIDDEN]


def cannot_be_used(error: VideoError | OSError) -> str:
    """A sentence of Markdown about a file; where it lies on the server is nobody's business."""
    reason = error if isinstance(error, VideoError) else "it could not be kept here while it is labelled; send it again"
    return f"⚠️ **This file cannot be used:** {reason}."


def label_for_visitor(
    pipeline: Pipeline,
    folder: VideoFolder,
    progress: gr.Progress,
    is_wanted: Callable[[], bool],
    translated: Translation,
) -> tuple[list[Person], str]:
    """Make the annotated copy and the table, unless the visitor stops it or nobody waits for it.

    Returns:
        Who was seen, and a sentence of Markdown about the whole.

    Raises:
        VideoError: if the video cannot be read.
        OSError: if what is written has been deleted, since the visitor stopped it.
    """
    seen = PeopleSeen()
    length_s = read_header(folder.source).length_s or MAX_VIDEO_S

    def go_on(frame: VideoFrame) -> bool:
        seen.add(frame)
        progress(min(frame.time_s / length_s, 1), desc=f"{frame.time_s:.0f} of {length_s:.0f} s")
        return not folder.stop.is_set() and is_wanted() and frame.index + 1 < MAX_VIDEO_FRAMES

    with folder.file(TABLE).open("w", newline="", encoding="utf-8") as table:
        done = label_file(
            pipeline,
            folder.source,
            output=folder.file(COPY),
            table=table,
            go_on=go_on,
            max_s=MAX_VIDEO_S,
            max_pixels=math.prod(MAX_VIDEO_WH),
            translated=translated,
        )
    people = seen.by_time()
    count = {0: "nobody was seen", 1: "one person"}.get(len(people), f"{len(people)} people")
    summary = f"**{seconds(done.end_s)}, {done.frames} pictures, {count}.**"
    problem = TOO_MANY_FRAMES if done.was_stopped else done.problem
    return people, f"{summary} ⚠️ Not all of it: {plain_words(problem)}." if problem else summary


def links(folder: VideoFolder, name: str) -> str:
    """The annotated copy to play, and both files to download, as HTML."""
    video, table, name = folder.link(COPY), folder.link(TABLE), escape(name)
    return (
        f'<video controls playsinline preload="metadata" src="{video}" aria-label="The labelled video"></video>'
        '<p class="cannot-play" role="status"></p>'
        f'<p><a href="{video}" download="{name}-labelled.mp4">Download the video</a> · '
        f'<a href="{table}" download="{name}-faces.csv">Download the table (CSV)</a></p>'
    )


def line_colors(labels: tuple[str, ...]) -> dict[str, str]:
    """The colour of each line, as in the annotated copy."""
    return {**{name: COLORS[index % len(COLORS)] for index, name in enumerate(labels)}, UNSURE: UNSURE_COLOR}


def legend(labels: tuple[str, ...]) -> str:
    """The names of the lines, as HTML: that of the plots is cut off where the page is narrow."""
    colors = line_colors(labels).items()
    names = (f'<span><b style="background: {color}"></b> {escape(name)}</span>' for name, color in colors)
    return f"<p>{' '.join(names)}</p>"


def expression_plot(person: Person, labels: tuple[str, ...], *, end_s: float) -> gr.LinePlot:
    """A person's probabilities over time; a grey line at the bottom where it is not sure, gaps where nobody was.

    Args:
        person: whose probabilities.
        labels: their names.
        end_s: where the axis of time ends, so that it is the same for everybody.
    """
    rows = []
    for point in person.curve(MOST_POINTS):
        classified = point.probabilities is not None
        values = [round(float(value), 3) for value in point.probabilities] if classified else [None] * len(labels)
        unsure = None if classified or point.absent else 0.0
        rows += [
            (round(point.time_s, 2), value, name)
            for name, value in zip((*labels, UNSURE), (*values, unsure), strict=True)
        ]
    return gr.LinePlot(
        pd.DataFrame(rows, columns=["time", "probability", "expression"]),
        x="time",
        y="probability",
        color="expression",
        x_title="seconds",
        y_title="",
        colors_in_legend=[],
        x_lim=[0, round(end_s, 2)],
        y_lim=[0, 1],
        y_axis_format=".0%",
        color_map=line_colors(labels),
        tooltip="all",
        height=240,
        visible=True,
        elem_classes="expressions",
    )
