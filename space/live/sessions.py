"""Many viewers, one pipeline: each sends pictures as fast as the line allows, and hears of the newest.

Every viewer has one picture being processed and one that waits; a newer one takes the waiting one's place, so that
nothing queues and nobody can crowd the others out. No picture is kept.
"""

import asyncio
import io
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from face_expression.io.images import PictureError, read_picture
from face_expression.pipeline import Face, Pipeline
from face_expression.tracker import TrackerState
from space.traffic.body_limit import MAX_FRAME_BYTES
from space.traffic.token_bucket import TokenBuckets
from space.traffic.turns import Turns
from space.traffic.work_load import WorkLoad

BUSY = "the server is busy, too many people use it now; try it on your own device, or again in a minute"


class RefusedError(ValueError):
    """A picture that is not processed; the message can be shown to the client."""


class BusyServerError(RefusedError):
    """A picture that is not processed because of those of others."""


@dataclass(frozen=True)
class ViewerLimits:
    """What the server takes on.

    `most_viewers` at once, and a new one only if all can then have `least_frames_per_s` in `busy_share` of the threads'
    time, going by how long pictures take now. `frames_per_s` of one viewer, beyond which pictures are dropped;
    `frame_bytes`, `frame_side_px` and `frame_scans` (of a JPEG) of one picture, and `frame_deadline_s` to decode it. A
    viewer whose last usable picture is older than `active_s` takes no time of others, and is forgotten after `idle_s`;
    a new one already after `unproven_s`. `threads` analyse pictures. With more than `eager_viewers_a_thread`, frames
    are searched for newcomers less often, in proportion, down to a time in `most_search_factor`; that carries more
    viewers at the same rate. `name_length` is that of a viewer's name.
    """

    most_viewers: int = 64
    least_frames_per_s: float = 8.0
    busy_share: float = 0.9
    frames_per_s: float = 40.0
    frame_bytes: int = MAX_FRAME_BYTES
    frame_side_px: int = 640
    frame_scans: int = 20
    frame_deadline_s: float = 5.0
    active_s: float = 2.0
    idle_s: float = 10.0
    unproven_s: float = 2.0
    threads: int = 2
    eager_viewers_a_thread: int = 1
    most_search_factor: float = 8.0
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
    """A viewer of one client.

    `seen_at` is when its last usable picture was there, or when it came; `state` is the tracker's, of `scene`;
    `waiting` is the next picture; `work` analyses one after the other.
    """

    client: str
    seen_at: float
    is_proven: bool = False
    scene: int = 0
    state: TrackerState | None = None
    waiting: _Picture | None = None
    work: asyncio.Task[None] | None = None


class Viewers:
    """Processes the pictures of many viewers, each tracked separately. To be called from one event loop."""

    def __init__(
        self, pipeline: Pipeline, limits: ViewerLimits | None = None, *, clock: Callable[[], float] = time.monotonic
    ):
        self._pipeline = pipeline
        self._limits = limits or ViewerLimits()
        self._clock = clock
        self._frames = TokenBuckets(self._limits.frames_per_s, max(self._limits.frames_per_s / 5, 1.0), clock_s=clock)
        self._turns = Turns(self._limits.threads, clock_s=clock)
        self._load = WorkLoad(self._limits.threads, self._limits.busy_share)
        self._threads = ThreadPoolExecutor(self._limits.threads, thread_name_prefix="look")
        self._viewers: dict[str, _Viewer] = {}
        self._forgetting: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many viewers are remembered."""
        return len(self._viewers)

    async def look(
        self, viewer: str, picture: bytes, time_s: float, scene: int, *, client: str = ""
    ) -> list[Face] | None:
        """Detect, classify and track the faces of one picture.

        Args:
            viewer: a name that only this viewer knows.
            picture: an encoded picture, such as JPEG.
            time_s: when it was taken, on the viewer's clock.
            scene: nobody in a scene is known from another one; a scene older than the last is not processed.
            client: whose viewer it is, such as an address; clients have equal shares of places and time.

        Returns:
            The faces in pixels of the picture, or None if it was dropped for a newer one or came too soon.

        Raises:
            RefusedError: if the server is busy with other viewers, or the picture cannot be used.
        """
        self._require_small(viewer, picture)
        known = self._enter(viewer, client)
        if scene < known.scene or self._frames.take(viewer):
            return None
        if known.waiting is not None and not known.waiting.answer.done():
            known.waiting.answer.set_result(None)
        known.waiting = _Picture(picture, time_s, scene, asyncio.get_running_loop().create_future())
        answer = known.waiting.answer
        if known.work is None:
            known.work = asyncio.create_task(self._work(known))
        return await answer

    async def _work(self, known: _Viewer) -> None:
        """Process waiting pictures until there are none."""
        loop = asyncio.get_running_loop()
        while (picture := known.waiting) is not None:
            known.waiting = None
            if picture.scene != known.scene:
                known.scene, known.state = picture.scene, None
            try:
                async with self._turns.slot(known.client):
                    faces, known.state, taken_s = await loop.run_in_executor(
                        self._threads,
                        self._track,
                        picture.content,
                        known.state,
                        picture.time_s,
                        self._search_interval_factor(),
                    )
            except Exception as error:  # Report any error to the caller and keep serving.
                if not picture.answer.done():
                    picture.answer.set_exception(error)
                continue
            known.seen_at, known.is_proven = self._clock(), True
            self._load.add(taken_s)
            if not picture.answer.done():
                picture.answer.set_result(faces)
        known.work = None

    def _search_interval_factor(self) -> float:
        limits = self._limits
        crowd = len(self._viewers) / (limits.threads * limits.eager_viewers_a_thread)
        return min(max(crowd, 1.0), limits.most_search_factor)

    def _require_small(self, viewer: str, picture: bytes) -> None:
        if not 0 < len(viewer) <= self._limits.name_length:
            raise RefusedError(f"a viewer's name has 1 to {self._limits.name_length} letters")
        if len(picture) > self._limits.frame_bytes:
            raise RefusedError(
                f"the picture has {len(picture)} bytes; at most {self._limits.frame_bytes} bytes are taken"
            )

    def _enter(self, viewer: str, client: str) -> _Viewer:
        self._forget_idle()
        if viewer not in self._viewers:
            if not self._has_room() and not self._make_room(client):
                raise BusyServerError(BUSY)
            self._viewers[viewer] = _Viewer(client, self._clock())
        if self._forgetting is None:
            self._forget_later()
        return self._viewers[viewer]

    def _has_room(self) -> bool:
        costly = 1 + sum(map(self._is_active, self._viewers.values()))
        # One viewer is always taken: what was measured before may be of another time.
        return len(self._viewers) < self._limits.most_viewers and (
            costly == 1 or self._load.carries(costly * self._limits.least_frames_per_s)
        )

    def _is_active(self, known: _Viewer) -> bool:
        """Whether a viewer takes time: not one who has gone, or has sent nothing but unusable pictures."""
        is_recent = known.is_proven and self._clock() - known.seen_at < self._limits.active_s
        return known.work is not None or is_recent

    def _make_room(self, client: str) -> bool:
        """Take a place from the client with most, if that still has as many as the new one afterwards."""
        places = Counter(known.client for known in self._viewers.values())
        largest = max(places, key=lambda name: places[name])
        if places[largest] < places[client] + 2:
            return False
        its = [name for name, known in self._viewers.items() if known.client == largest]
        del self._viewers[min(its, key=lambda name: (self._viewers[name].is_proven, self._viewers[name].seen_at))]
        return True

    def _forget_idle(self) -> None:
        now = self._clock()
        for name, known in list(self._viewers.items()):
            patience_s = self._limits.idle_s if known.is_proven else self._limits.unproven_s
            if known.work is None and now - known.seen_at > patience_s:
                del self._viewers[name]

    def _forget_later(self) -> None:
        """See to it that the last viewers are forgotten even if nobody comes after them."""

        def forget() -> None:
            self._forgetting = None
            self._forget_idle()
            if self._viewers:
                self._forget_later()

        self._forgetting = asyncio.get_running_loop().call_later(self._limits.idle_s, forget)

    def _track(
        self, picture: bytes, state: TrackerState | None, time_s: float, search_interval_factor: float
    ) -> tuple[list[Face], TrackerState, float]:
        """Faces, the new state, and how many seconds it took."""
        begun = self._clock()
        try:
            frame = read_picture(
                io.BytesIO(picture),
                max_side_px=self._limits.frame_side_px,
                max_scans=self._limits.frame_scans,
                deadline_s=self._limits.frame_deadline_s,
            )
            faces, new_state = self._pipeline.track(frame, state, time_s, search_interval_factor=search_interval_factor)
            return faces, new_state, self._clock() - begun
        except PictureError as error:
            raise RefusedError(str(error)) from error
        except ValueError as error:
            raise RefusedError(f"the frame cannot be used: {error}") from error
