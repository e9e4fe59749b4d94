"""Many viewers, one pipeline: each sends pictures as fast as the line allows, and hears of the newest.

Every viewer has one picture being looked at and one that waits; a newer one takes the waiting one's place, so that
nothing queues and nobody can crowd the others out. No picture is kept.
"""

import asyncio
import io
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from face_expression.picture_file import PictureError, read_picture
from face_expression.pipeline import Face, Pipeline
from face_expression.tracker import TrackerState


class RefusedError(ValueError):
    """A picture that is not looked at; the message is fit to be shown to whoever sent it."""


@dataclass(frozen=True)
class ViewerLimits:
    """What the server takes on.

    `most_viewers` at once; `frames_per_s` of one viewer, beyond which pictures are dropped; `frame_bytes` and
    `frame_side_px` of one picture; a viewer who sends nothing for `idle_s` is forgotten; `threads` look at pictures;
    `name_length` of a viewer's name.
    """

    most_viewers: int = 16
    frames_per_s: float = 40.0
    frame_bytes: int = 200_000
    frame_side_px: int = 640
    idle_s: float = 10.0
    threads: int = 2
    name_length: int = 64


@dataclass(frozen=True)
class _Picture:
    """An encoded picture of a viewer, and where its answer goes."""

    content: bytes
    time_s: float
    scene: int
    answer: asyncio.Future[list[Face] | None]


@dataclass
class _Viewer:
    """`state` is the tracker's, of `scene`; `waiting` is the next picture; `work` looks at one after the other."""

    seen_at: float
    allowed_at: float
    allowance: float
    scene: int = 0
    state: TrackerState | None = None
    waiting: _Picture | None = None
    work: asyncio.Task[None] | None = None


class Viewers:
    """Looks at the pictures of many viewers, each followed on their own. To be called from one event loop."""

    def __init__(
        self, pipeline: Pipeline, limits: ViewerLimits | None = None, *, clock: Callable[[], float] = time.monotonic
    ):
        self._pipeline = pipeline
        self._limits = limits or ViewerLimits()
        self._clock = clock
        self._threads = ThreadPoolExecutor(self._limits.threads, thread_name_prefix="look")
        self._viewers: dict[str, _Viewer] = {}
        self._forgetting: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many viewers are remembered."""
        return len(self._viewers)

    async def look(self, viewer: str, picture: bytes, time_s: float, scene: int) -> list[Face] | None:
        """Find, judge and follow the faces of one picture.

        Args:
            viewer: a name that only this viewer knows.
            picture: an encoded picture, such as JPEG.
            time_s: when it was taken, on the viewer's clock.
            scene: nobody in a scene is known from another one; an older scene than the last is not looked at.

        Returns:
            The faces in pixels of the picture, or None if it was dropped for a newer one or came too soon.

        Raises:
            RefusedError: if there are too many viewers, or the picture cannot be used.
        """
        self._require_small(viewer, picture)
        known = self._enter(viewer)
        if scene < known.scene or not self._allow(known):
            return None
        if known.waiting is not None and not known.waiting.answer.done():
            known.waiting.answer.set_result(None)
        known.waiting = _Picture(picture, time_s, scene, asyncio.get_running_loop().create_future())
        answer = known.waiting.answer
        if known.work is None:
            known.work = asyncio.create_task(self._work(known))
        return await answer

    async def _work(self, known: _Viewer) -> None:
        """Look at what waits until nothing does."""
        loop = asyncio.get_running_loop()
        while (picture := known.waiting) is not None:
            known.waiting = None
            if picture.scene != known.scene:
                known.scene, known.state = picture.scene, None
            try:
                faces, known.state = await loop.run_in_executor(
                    self._threads, self._track, picture.content, known.state, picture.time_s
                )
            except Exception as error:  # It is the answer's, whatever it is; the next picture is still looked at.
                if not picture.answer.done():
                    picture.answer.set_exception(error)
                continue
            if not picture.answer.done():
                picture.answer.set_result(faces)
        known.work = None

    def _require_small(self, viewer: str, picture: bytes) -> None:
        if not 0 < len(viewer) <= self._limits.name_length:
            raise RefusedError(f"a viewer's name has 1 to {self._limits.name_length} letters")
        if len(picture) > self._limits.frame_bytes:
            raise RefusedError(
                f"the picture has {len(picture)} bytes; at most {self._limits.frame_bytes} bytes are taken"
            )

    def _enter(self, viewer: str) -> _Viewer:
        self._forget_idle()
        now = self._clock()
        if viewer not in self._viewers:
            if len(self._viewers) >= self._limits.most_viewers:
                raise RefusedError("too many people use this server now; try again in a minute, or use your own device")
            self._viewers[viewer] = _Viewer(seen_at=now, allowed_at=now, allowance=self._most_at_once())
        if self._forgetting is None:
            self._forget_later()
        known = self._viewers[viewer]
        known.seen_at = now
        return known

    def _forget_idle(self) -> None:
        now = self._clock()
        for name, known in list(self._viewers.items()):
            if known.work is None and now - known.seen_at > self._limits.idle_s:
                del self._viewers[name]

    def _forget_later(self) -> None:
        """See to it that the last viewers are forgotten even if nobody comes after them."""

        def forget() -> None:
            self._forgetting = None
            self._forget_idle()
            if self._viewers:
                self._forget_later()

        self._forgetting = asyncio.get_running_loop().call_later(self._limits.idle_s, forget)

    def _most_at_once(self) -> float:
        """A fifth of a second's worth of pictures."""
        return max(self._limits.frames_per_s / 5, 1.0)

    def _allow(self, known: _Viewer) -> bool:
        now = self._clock()
        earned = (now - known.allowed_at) * self._limits.frames_per_s
        known.allowance = min(self._most_at_once(), known.allowance + earned)
        known.allowed_at = now
        if known.allowance < 1:
            return False
        known.allowance -= 1
        return True

    def _track(self, picture: bytes, state: TrackerState | None, time_s: float) -> tuple[list[Face], TrackerState]:
        try:
            frame = read_picture(io.BytesIO(picture), max_side_px=self._limits.frame_side_px)
            return self._pipeline.track(frame, state, time_s)
        except PictureError as error:
            raise RefusedError(str(error)) from error
        except ValueError as error:
            raise RefusedError(f"the frame cannot be used: {error}") from error
