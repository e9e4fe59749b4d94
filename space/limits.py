"""What the app takes on, from one client and from all of them together; every number of it."""

from dataclasses import dataclass
from enum import StrEnum

# A minute of video from a phone; one request holds one file.
MAX_UPLOAD_BYTES = 100_000_000
MAX_VIDEO_S = 60
MAX_VIDEO_WH = (1920, 1200)
MAX_VIDEO_FRAMES = 60 * MAX_VIDEO_S
# Of photos that are decoded at the same time. A pixel takes about seven bytes meanwhile.
MOST_PIXELS = 60_000_000


class Kind(StrEnum):
    """Kinds of events; the value is Gradio's `concurrency_id`, so that all events of a kind share their slots."""

    PICTURE = "pictures"
    VIDEO = "videos"
    CAMERA = "camera"
    OTHER = "other"


# How many events of a kind run at once. Events of other kinds have one slot a function, as Gradio has it.
AT_ONCE = {Kind.PICTURE: 2, Kind.VIDEO: 2, Kind.CAMERA: 8}
# How many of these may be one client's, so that another client's turn comes while a long one runs.
AT_ONCE_OF_ONE = {Kind.PICTURE: 1, Kind.VIDEO: 1, Kind.CAMERA: 3, Kind.OTHER: 1}


@dataclass(frozen=True)
class Limits:
    """Limits of one client, named `*_a_minute`, `*_a_second` or `*_of_one`, and of all together, named `most_*`.

    A client is an address, or a /64 block of IPv6. Where all together want more than there is, the client that has
    most gives way to those who have less.
    """

    pictures_a_minute: int = 60
    videos_a_minute: int = 4
    page_videos_a_minute: int = 12
    events_a_minute: int = 300
    uploads_a_minute: int = 60
    upload_bytes_a_minute: int = 4 * MAX_UPLOAD_BYTES
    frames_a_second: int = 35
    most_frames_a_second: int = 120
    requests_a_second: int = 100
    # What goes on after it was refused soon spends its requests. Then nothing is read of it, and refusals are late, so
    # that who sends one after the other is held up. Of those behind a proxy, so many at a time are refused late.
    requests_of_a_refusal: int = 50
    late_refusals_of_one: int = 16
    late_s: float = 1.0
    new_sessions_a_minute: int = 120
    # Events that wait, and the bytes they hold meanwhile.
    most_waiting: int = 100
    most_waiting_videos: int = 20
    most_waiting_bytes: int = 64_000_000
    # Refusals are answered in words where the answer is read; beyond so many, with status 429 at once.
    refusals_in_words_a_minute: int = 30
    # Answers that nobody reads, and sessions that nobody has open, are dropped after this.
    unread_s: float = 60.0
    most_unread_bytes: int = 64_000_000
    # At its turn, an event is dropped if nobody has been waiting for its answer for so long.
    unwanted_s: float = 10.0
    # A stream of the basic camera tab ends if no frame comes for so long.
    frameless_s: float = 15.0
    most_sessions: int = 500
    sessions_of_one: int = 100
    streams_of_one: int = 64
    tools_of_one: int = 10
