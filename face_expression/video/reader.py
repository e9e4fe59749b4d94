"""Video files -> upright RGB pictures, each with the time at which a player shows it. One picture is held at a time."""

import math
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import SideData, Type
from av.stream import Disposition
from av.video.reformatter import Colorspace, VideoReformatter
from av.video.stream import VideoStream

from face_expression.io.tone_mapping import is_hdr, to_sdr

FORMATS = ("MP4", "MOV", "WebM", "MKV", "AVI", "MPEG", "TS", "WMV", "FLV", "OGG", "GIF")
MAX_PIXELS = 8192 * 4320
# Formats that are not lists of other files: a playlist could make this machine open whatever it names.
_OPTIONS = {
    "format_whitelist": "mov,matroska,avi,mpeg,mpegts,asf,flv,ogg,gif,yuv4mpegpipe",
    "protocol_whitelist": "file",
}
# These write their length down; of the others FFmpeg guesses it.
_FORMATS_WITH_LENGTH = ("mov", "matroska", "avi", "flv", "asf")
_TOLERANCE_S = 0.5
_LEAST_STEP_S = 0.001
_USUAL_FRAMES_PER_S = 25.0
_HD_LINES = 720
_COLORS_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED


class VideoError(ValueError):
    """A file that cannot be read as a video, or not to its end; the message is fit to be shown to the sender."""


@dataclass(frozen=True)
class VideoHeader:
    """What a video says of itself, which need not be true: `length_s` and `pictures` are None where it says nothing."""

    length_s: float | None
    pictures: int | None


@dataclass(frozen=True, eq=False)
class VideoPicture:
    """One picture of a video: `time_s` from the start of the file, `duration_s` it is shown, `pixels` RGB uint8."""

    time_s: float
    duration_s: float
    pixels: np.ndarray


def read_header(path: Path) -> VideoHeader:
    """Read what a video says of itself.

    Raises:
        VideoError: if the file is missing, no video of a known format, or holds none.
    """
    with open_media(path) as container:
        return _header(container, _video_stream(container))


def read_video(path: Path, *, max_s: float = math.inf, max_pixels: int = MAX_PIXELS) -> Iterator[VideoPicture]:
    """Read a video to its end, upright and with square pixels: the rotation that phones note down is applied.

    The times are those of the file, so a frame rate that varies is kept; they always rise. What cannot be decoded is
    skipped.

    Args:
        path: the video.
        max_s: longest video that is read.
        max_pixels: largest picture that is read, width times height.

    Raises:
        VideoError: as in `read_header`, or if the video is too long or too large; after the last picture that can be
            read, if the file is damaged, incomplete, or holds no picture at all.
    """
    with open_media(path) as container:
        stream = _video_stream(container)
        announced_s = _header(container, stream).length_s
        _require_within(max_s, max_pixels, announced_s or 0.0, stream.width, stream.height)
        stream.thread_type = "AUTO"
        # Twice, since what is coded is a little larger than what is shown.
        stream.codec_context.options = {"max_pixels": str(2 * max_pixels)}
        converter = _Converter(stream)
        step_s, time_s, end_s, damaged_s, pixels = 1 / _frames_per_s(stream), None, 0.0, None, None
        for frame in _decoded(container, stream):
            if frame is None or (isinstance(frame, _Repeat) and pixels is None):
                damaged_s = end_s if damaged_s is None and time_s is not None else damaged_s
                continue
            stamp_s = None if frame.time is None else frame.time - start_s(container)
            time_s = _next_time(time_s, stamp_s, step_s)
            _require_within(max_s, max_pixels, time_s, stream.width, stream.height)
            if isinstance(frame, _Repeat):
                duration_s = step_s
            else:
                duration_s = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else step_s
                _require_within(max_s, max_pixels, time_s, frame.width, frame.height)
                pixels = converter.upright_rgb(frame)
            end_s = time_s + duration_s
            assert pixels is not None, "a repeat that comes before any picture is left out"
            yield VideoPicture(time_s, duration_s, pixels)
    if time_s is None:
        raise VideoError("the video holds no picture that can be read")
    if announced_s is not None and end_s < announced_s - _TOLERANCE_S:
        raise VideoError(f"the video should last {announced_s:.1f} s, but can be read up to {end_s:.1f} s only")
    if damaged_s is not None:
        raise VideoError(f"the video is damaged from {damaged_s:.1f} s on")


@contextmanager
def open_media(path: Path) -> Generator[InputContainer]:
    """Open a video or sound file, and nothing else that it may name.

    Raises:
        VideoError: if the file is missing, empty, or of no known format.
    """
    if not path.exists():
        raise VideoError("there is no such file")
    if path.is_file() and path.stat().st_size == 0:
        raise VideoError("the file is empty")
    try:
        container = av.open(str(path.resolve()), container_options=_OPTIONS, metadata_errors="replace")
    except OSError as error:
        raise VideoError(f"the file cannot be opened: {error.strerror}") from error
    except av.FFmpegError as error:
        raise VideoError(
            f"this is not a video that can be read, or the file is incomplete; send one of {', '.join(FORMATS)}"
        ) from error
    with container:
        yield container


def start_s(container: InputContainer) -> float:
    """The time that players call 0."""
    return (container.start_time or 0) / av.time_base


def _video_stream(container: InputContainer) -> VideoStream:
    for stream in container.streams.video:
        is_cover_of_a_record = stream.disposition & Disposition.attached_pic
        if not is_cover_of_a_record and stream.codec_context is not None and stream.width and stream.height:
            return stream
    raise VideoError("the file holds no video that can be read, or is incomplete")


def _header(container: InputContainer, stream: VideoStream) -> VideoHeader:
    length_s = None
    if container.format.name.startswith(_FORMATS_WITH_LENGTH):
        if stream.duration and stream.time_base:
            length_s = float(stream.duration * stream.time_base)
        elif container.duration and len(container.streams) == 1:
            length_s = container.duration / av.time_base
    seconds = length_s or (container.duration or 0) / av.time_base
    return VideoHeader(length_s, round(seconds * _frames_per_s(stream)) or stream.frames or None)


def _frames_per_s(stream: VideoStream) -> float:
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    return rate if 0.1 <= rate <= 1000 else _USUAL_FRAMES_PER_S


@dataclass(frozen=True)
class _Repeat:
    """The last picture again, at this time of the file."""

    time: float


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame | _Repeat | None]:
    """The frames as they are shown, and None for each packet that cannot be decoded.

    An empty packet stands for the same picture again, as in Theora and AVI; a decoder would take it for the end.
    """
    packets, repeats = container.demux(stream), deque()
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            yield None
            break
        if packet is None:
            break
        # The last packet, which empties the decoder, has no time.
        if packet.size == 0 and packet.pts is not None:
            repeats.append(packet.pts)
            continue
        try:
            frames = packet.decode()
        except av.FFmpegError:
            frames = [None]
        for frame in frames:
            # A decoder of several threads is some frames behind.
            while repeats and frame is not None and frame.pts is not None and repeats[0] < frame.pts:
                yield _Repeat(float(repeats.popleft() * stream.time_base))
            yield frame
    for pts in repeats:
        yield _Repeat(float(pts * stream.time_base))


def _next_time(last_s: float | None, stamp_s: float | None, step_s: float) -> float:
    """A frame's own time; where that is missing or leaps back, as in files put together, one step after the last."""
    if last_s is None:
        return max(stamp_s or 0.0, 0.0)
    if stamp_s is None or stamp_s < last_s - 1:
        return last_s + step_s
    return max(stamp_s, last_s + _LEAST_STEP_S)


def _require_within(max_s: float, max_pixels: int, time_s: float, width: int, height: int) -> None:
    if time_s > max_s:
        raise VideoError(f"the video lasts longer than {max_s:g} s, which is the limit")
    if width * height > max_pixels:
        raise VideoError(
            f"the video has {width} x {height} pixels; the limit is {max_pixels / 1e6:.1f} million pixels a picture"
        )


class _Converter:
    """Decoded frames -> upright RGB with square pixels, HDR brought to what an ordinary screen shows."""

    def __init__(self, stream: VideoStream):
        self._reformatter = VideoReformatter()
        ratio = float(stream.sample_aspect_ratio or 1)
        self._widening = ratio if 0.25 <= ratio <= 4 else 1.0
        self._matrix: np.ndarray | None = None

    def upright_rgb(self, frame: av.VideoFrame) -> np.ndarray:
        """Convert one frame to uint8 (H, W, 3)."""
        if self._matrix is None:
            self._matrix = _display_matrix(frame)
        # Files that do not say so are meant this way, as players have it.
        is_hd = frame.colorspace == _COLORS_UNSPECIFIED and min(frame.width, frame.height) >= _HD_LINES
        hdr = is_hdr(frame.color_trc)
        rgb = self._reformatter.reformat(
            frame,
            width=max(1, round(frame.width * self._widening)),
            height=frame.height,
            format="rgb48le" if hdr else "rgb24",
            src_colorspace=Colorspace.ITU709 if is_hd else None,
            threads=1,
        )
        pixels = rgb.to_ndarray()
        if hdr:
            pixels = to_sdr(pixels, frame.color_trc, frame.color_primaries)
        return np.ascontiguousarray(_turned(pixels, self._matrix))


def _display_matrix(frame: av.VideoFrame) -> np.ndarray:
    """The nine numbers that say how a video is to be turned; a file has one matrix for all frames.

    It is asked of one frame only: once its side data were read, a frame refers to itself and is not freed at once.
    """
    # The stub says that it gives names.
    for data in cast("Iterator[SideData]", iter(frame.side_data)):
        if data.type == Type.DISPLAYMATRIX:
            return np.frombuffer(bytes(data), np.int32)
    return np.eye(3, dtype=np.int32).ravel()


def _turned(pixels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply a display matrix (ISO/IEC 14496-12) as far as quarter turns and mirroring go."""
    right, down = matrix[0], matrix[4]
    if abs(matrix[1]) > abs(matrix[0]):
        pixels = pixels.transpose(1, 0, 2)
        right, down = matrix[3], matrix[1]
    return pixels[:: -1 if down < 0 else 1, :: -1 if right < 0 else 1]
