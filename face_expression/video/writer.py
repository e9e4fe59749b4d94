"""Frames with their faces -> a video that browsers play: H.264 in MP4, with the sound of the original."""

import math
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import Colorspace, VideoReformatter

from face_expression.boxes import Box
from face_expression.io.files import replacing_file
from face_expression.output.annotate import Translation, annotate
from face_expression.pipeline import Face
from face_expression.video.audio import SoundTrack, open_sound
from face_expression.video.labelled_frames import VideoFrame

MAX_SIDE_PX = 1920
_TICKS_PER_S = 90_000
_QUALITY = {"preset": "veryfast", "crf": "23"}
_BT709, _BROADCAST_RANGE = 1, 1


@contextmanager
def annotated_video(
    path: Path, label_names: Sequence[str], *, sound_of: Path | None = None, translated: Translation = str
) -> Generator["AnnotatedVideo"]:
    """Write a video in a `with` block; it appears at `path`, in place of what was there, when the block ends well.

    Args:
        path: the MP4 file.
        label_names: the labels, in the order of the faces' probabilities.
        sound_of: the video whose sound is taken over.
        translated: as in `annotate`.

    Raises:
        VideoError: if `sound_of` cannot be read.
        OSError: if the file cannot be written.
        ValueError: if no frame was written.
    """
    with ExitStack() as stack:
        draft = stack.enter_context(replacing_file(path))
        container = stack.enter_context(av.open(str(draft), "w", format="mp4", options={"movflags": "+faststart"}))
        video = AnnotatedVideo(container, label_names, translated)
        if sound_of is not None:
            video.add_sound(stack.enter_context(open_sound(sound_of, container)))
        yield video
        video.finish()


class AnnotatedVideo:
    """The video in the making that `annotated_video` gives.

    The first frame decides the size: that of its picture, but at most 1920 px on the long side, and even on both, as
    yuv420p wants it. Frames of another shape lie in the middle of black.
    """

    def __init__(self, container: OutputContainer, label_names: Sequence[str], translated: Translation):
        self._container = container
        self._translated = translated
        self._label_names = label_names
        self._reformatter = VideoReformatter()
        self._sound: SoundTrack | None = None
        self._end_s: float | None = None
        self._durations: dict[int, int] = {}
        self._stream = container.add_stream("libx264", rate=30, options=_QUALITY)
        self._stream.pix_fmt = "yuv420p"
        encoder = self._stream.codec_context
        encoder.time_base = Fraction(1, _TICKS_PER_S)
        encoder.colorspace = encoder.color_primaries = encoder.color_trc = _BT709
        encoder.color_range = _BROADCAST_RANGE

    def add_sound(self, sound: SoundTrack) -> None:
        """Write this sound beside the frames that follow."""
        self._sound = sound

    def write(self, frame: VideoFrame) -> None:
        """Draw a frame's faces and add it, with the sound up to its end; times must rise from frame to frame."""
        if self._end_s is None:
            self._stream.width, self._stream.height = _output_size(frame.picture)
        picture, faces = _fitted(frame.picture, frame.faces, self._stream.width, self._stream.height)
        annotated = annotate(picture, faces, self._label_names, numbered=True, translated=self._translated)
        drawn = av.VideoFrame.from_ndarray(annotated, "rgb24")
        encodable = self._reformatter.reformat(drawn, format="yuv420p", dst_colorspace=Colorspace.ITU709, threads=1)
        encodable.pts = round(frame.time_s * _TICKS_PER_S)
        encodable.time_base = Fraction(1, _TICKS_PER_S)
        self._durations[encodable.pts] = round(frame.duration_s * _TICKS_PER_S)
        self._write_packets(self._stream.encode(encodable))
        self._end_s = frame.time_s + frame.duration_s
        if self._sound:
            self._sound.write_until(self._end_s)

    def write_rest_of_sound(self) -> None:
        """Add the sound after the last frame, which the original may have."""
        if self._sound:
            self._sound.write_until(math.inf)

    def finish(self) -> None:
        """Write what the encoder still holds.

        Raises:
            ValueError: if no frame was written.
        """
        if self._end_s is None:
            raise ValueError("a video needs at least one frame")
        self._write_packets(self._stream.encode(None))

    def _write_packets(self, packets: list[av.Packet]) -> None:
        for packet in packets:
            # The encoder takes a constant rate for granted; the last frame would be shown for too short or too long.
            packet.duration = self._durations.pop(packet.pts or 0)
            self._container.mux(packet)


def _output_size(picture: np.ndarray) -> tuple[int, int]:
    height, width = picture.shape[:2]
    scale = min(1.0, MAX_SIDE_PX / max(width, height))
    return _even(width * scale), _even(height * scale)


def _even(side_px: float) -> int:
    return max(2, 2 * round(side_px / 2))


def _fitted(picture: np.ndarray, faces: Sequence[Face], width: int, height: int) -> tuple[np.ndarray, list[Face]]:
    """A picture as large as it can be in the middle of width x height pixels, and its faces moved with it."""
    if picture.shape[:2] == (height, width):
        return picture, list(faces)
    scale = min(width / picture.shape[1], height / picture.shape[0])
    inner_width, inner_height = (
        max(1, min(round(side * scale), most)) for side, most in zip(picture.shape[1::-1], (width, height), strict=True)
    )
    scaled = cv2.resize(picture, (inner_width, inner_height), interpolation=cv2.INTER_AREA)
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    framed = cv2.copyMakeBorder(
        scaled, top, height - inner_height - top, left, width - inner_width - left, cv2.BORDER_CONSTANT
    )
    return framed, [replace(face, box=_moved(face.box, scale, left, top)) for face in faces]


def _moved(box: Box, scale: float, left: int, top: int) -> Box:
    x0, y0, x1, y1 = box
    return (x0 * scale + left, y0 * scale + top, x1 * scale + left, y1 * scale + top)
