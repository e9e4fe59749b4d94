"""The program as a service: two endpoints for gradio_client, curl and MCP."""

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict

import gradio as gr

from face_expression import (
    FaceJson,
    PictureError,
    Pipeline,
    VideoError,
    VideoFrame,
    face_as_json,
    label_file,
)
from face_expression.output.records import Cell, column_names, face_values
from space.gradio_internals import session_of
from space.limits import AT_ONCE, MAX_VIDEO_FRAMES, MAX_VIDEO_S, MAX_VIDEO_WH, Kind, Limits
from space.photos import Photos
from space.storage.sent_file import SentFileError, sent_file
from space.tabs.person_timeline import PeopleSeen, Person, longest_first
from space.tabs.video import TOO_MANY_FRAMES
from space.traffic.workers import BusyError, Workers

MOST_PEOPLE, MOST_ROWS = 50, 5_000


class ImageAnswer(TypedDict):
    """What `/analyze_image` says; the faces come the largest first."""

    width: int
    height: int
    faces: list[FaceJson]


class PersonJson(TypedDict):
    """A person while in view: `expressions` are shares of the classified time, `not_sure` seconds."""

    track_id: int
    first_s: float
    last_s: float
    seen_s: float
    judged_s: float
    expressions: dict[str, float]
    not_sure: dict[str, float]


class VideoAnswer(TypedDict):
    """What `/analyze_video` says; `problem` is a sentence if part of the video was not processed."""

    duration_s: float
    frames: int
    problem: str | None
    people: list[PersonJson]
    people_left_out: int
    rows: list[dict[str, Cell]]
    rows_left_out: int


def build_api(
    pipeline: Pipeline,
    photos: Photos,
    videos: Workers,
    *,
    uploads: Path,
    scratch: Path,
    forget: Callable[[gr.Request], None],
    is_wanted: Callable[[str], bool],
) -> None:
    """Two endpoints, which are also MCP tools; the docstrings of their functions describe them to callers.

    Args:
        pipeline: classifies the faces.
        photos: analyses pictures.
        videos: where videos are labelled.
        uploads: where Gradio puts uploads; nothing else is ever read.
        scratch: a folder for a video while it is read.
        forget: drops what Gradio remembers of a caller, who never leaves a page: the picture itself, if it came inside.
        is_wanted: whether the answers of a session are still awaited; if not, a video is left undone.
    """

    def label_video(video: str, session: str, *, every: int, with_rows: bool) -> VideoAnswer:
        with file_of(video, uploads, scratch) as source:
            return videos.run(
                video_answer,
                pipeline,
                source,
                every=every,
                with_rows=with_rows,
                is_wanted=lambda: is_wanted(session),
            )

    for endpoint, kind in (
        (image_endpoint(pipeline, photos, uploads, forget), Kind.PICTURE),
        (video_endpoint(label_video, forget), Kind.VIDEO),
    ):
        gr.api(endpoint, concurrency_id=kind, concurrency_limit=AT_ONCE[kind])


def image_endpoint(
    pipeline: Pipeline, photos: Photos, uploads: Path, forget: Callable[[gr.Request], None]
) -> Callable[..., ImageAnswer]:
    """What answers `/analyze_image`; the arguments are those of `build_api`."""

    def analyze_image(image: str, request: gr.Request) -> ImageAnswer:
        """Say what the expression on each face of a picture looks like, which is not what somebody feels.

        The picture is sent in base64 (at most 6 MB), or uploaded to /gradio_api/upload first, as gradio_client does
        with handle_file. Addresses are not fetched, and nothing is kept. At most 60 pictures a minute. The answer is
        JSON: each face with its box, label, confidence and the probabilities of all labels.

        Args:
            image: The picture (JPEG, PNG, WebP, AVIF, BMP, GIF): base64, a data: URL, or the path of an upload.

        Returns:
            width, height: of the picture, in pixels
            faces: the largest first, each with box (x0, y0, x1, y1), score of the detector, label, confidence
            probabilities: in each face, of all labels
            reliable, reasons: in each face, whether the image is good enough to classify it, and why not
        """
        forget(request)
        try:
            photo = photos.analyze(sent_file(image, uploads))
        except (SentFileError, PictureError, BusyError) as error:
            raise refusal(error) from None
        faces = [face_as_json(face, pipeline.label_names) for face in photo.faces]
        return {"width": photo.width, "height": photo.height, "faces": faces}

    return analyze_image


def video_endpoint(
    label_video: Callable[..., VideoAnswer], forget: Callable[[gr.Request], None]
) -> Callable[..., VideoAnswer]:
    """What answers `/analyze_video`.

    Args:
        label_video: called with a video as it was sent, the session, and the keywords `every` and `with_rows`.
        forget: that of `build_api`.
    """

    def analyze_video(video: str, request: gr.Request, every: int = 1, rows: bool = False) -> VideoAnswer:
        """Say what the expression of each person in a video looks like over time, which is not what somebody feels.

        At most {seconds} seconds, {frames} frames and {width} x {height} pixels, sent as for analyze_image (upload
        what is over 6 MB). URLs are not fetched, and nothing is kept. At most {a_minute} videos a minute; {at_once}
        are processed at once. The answer is JSON: each person, and which part of the time each label fitted best.

        Args:
            video: The video (MP4, MOV, WebM, MKV, AVI, ...): base64, a data: URL, or the path of an upload.
            every: Process every Nth frame only, which is faster.
            rows: Also give a row for each face in each processed frame, 5000 at most.

        Returns:
            duration_s, frames: what was read; problem: a sentence if not all of it could be
            people: the longest in view first, each with track_id, first_s, last_s, seen_s, judged_s
            expressions: in each person, for which part of the classified time (judged_s) each label fitted best
            not_sure: in each person, the seconds for each reason why it could not be classified
            rows: the columns of the command line's CSV as numbers; reliable is a boolean, reasons is a list
        """
        forget(request)
        if not isinstance(every, int) or every < 1:
            raise refusal("every must be a whole number, at least 1")
        try:
            return label_video(video, session_of(request), every=every, with_rows=bool(rows))
        except (SentFileError, VideoError) as error:
            raise refusal(error) from None

    width, height = MAX_VIDEO_WH
    analyze_video.__doc__ = (analyze_video.__doc__ or "").format(
        seconds=MAX_VIDEO_S,
        frames=MAX_VIDEO_FRAMES,
        width=width,
        height=height,
        a_minute=Limits.videos_a_minute,
        at_once=AT_ONCE[Kind.VIDEO],
    )
    return analyze_video


@contextmanager
def file_of(video: str, uploads: Path, scratch: Path) -> Generator[Path]:
    """A video as a file: an upload, or, while the block runs, one made of what came inside the request.

    Raises:
        SentFileError: if nothing that may be read was sent.
    """
    sent = sent_file(video, uploads)
    if isinstance(sent, Path):
        yield sent
        return
    scratch.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=scratch) as folder:
        source = Path(folder) / "sent"
        source.write_bytes(sent)
        yield source


def refusal(reason: object) -> gr.Error:
    """An error that the caller reads and the log does not."""
    return gr.Error(str(reason), print_exception=False)


def video_answer(
    pipeline: Pipeline, source: Path, *, every: int, with_rows: bool, is_wanted: Callable[[], bool]
) -> VideoAnswer:
    """Label a video, as long as somebody waits for it, and list who was in it.

    Raises:
        VideoError: if it cannot be read.
    """
    seen, rows, names = PeopleSeen(), [], column_names(pipeline.label_names)

    def go_on(frame: VideoFrame) -> bool:
        seen.add(frame)
        if with_rows:
            rows.extend(dict(zip(names, values, strict=True)) for values in face_values(frame))
        return frame.index + 1 < MAX_VIDEO_FRAMES and is_wanted()

    done = label_file(
        pipeline,
        source,
        every=every,
        go_on=go_on,
        max_s=MAX_VIDEO_S,
        max_pixels=math.prod(MAX_VIDEO_WH),
    )
    people = seen.by_time()
    return {
        "duration_s": round(done.end_s, 3),
        "frames": done.frames,
        "problem": TOO_MANY_FRAMES if done.was_stopped else done.problem,
        "people": [person_as_json(person) for person in people[:MOST_PEOPLE]],
        "people_left_out": max(0, len(people) - MOST_PEOPLE),
        "rows": rows[:MOST_ROWS],
        "rows_left_out": max(0, len(rows) - MOST_ROWS),
    }


def person_as_json(person: Person) -> PersonJson:
    """A person as plain JSON types."""
    return {
        "track_id": person.track_id,
        "first_s": round(person.moments[0].time_s, 3),
        "last_s": round(person.end_s, 3),
        "seen_s": round(person.seen_s, 3),
        "judged_s": round(person.classified_s, 3),
        "expressions": {label: round(share, 4) for label, share in person.shares().items()},
        "not_sure": {reason: round(duration_s, 3) for reason, duration_s in longest_first(person.reasons)},
    }
