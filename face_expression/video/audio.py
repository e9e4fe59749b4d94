"""The sound of a video, taken over into an MP4 little by little: as it is where browsers play that, else as AAC."""

import logging
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer

from face_expression.video.reader import open_media, start_s

log = logging.getLogger(__name__)

COPIED_CODECS = ("aac", "mp3")
_SAMPLES_PER_S = 48_000
_AAC_SAMPLES = 1024
_DAMAGED = "the sound is damaged; only its beginning is kept"


class SoundTrack:
    """The main sound track of `source`, to be muxed into `target`; nothing where there is none."""

    def __init__(self, source: InputContainer, target: OutputContainer):
        self._source = source
        self._target = target
        self._waiting: av.Packet | None = None
        self._packets: Iterator[av.Packet] = iter(())
        stream = source.streams.best("audio")
        if not isinstance(stream, AudioStream):
            return
        if stream.codec_context is None:
            log.warning("the sound is left out: it was made in a way that is not known here")
        elif stream.codec_context.codec.canonical_name in COPIED_CODECS:
            self._packets = self._copied(stream, target.add_stream_from_template(stream))
        else:
            layout = "mono" if stream.codec_context.channels == 1 else "stereo"
            self._packets = self._encoded(stream, target.add_stream("aac", rate=_SAMPLES_PER_S, layout=layout))

    def write_until(self, time_s: float) -> None:
        """Write the sound that begins before a moment and was not yet written."""
        while True:
            self._waiting = self._waiting or next(self._packets, None)
            if self._waiting is None or (self._waiting.pts or 0) * self._waiting.time_base >= time_s:
                return
            self._mux(self._waiting)
            self._waiting = None

    def _mux(self, packet: av.Packet) -> None:
        try:
            self._target.mux(packet)
        except OSError:
            raise
        except av.FFmpegError:
            self._packets = iter(())
            log.warning(_DAMAGED)

    def _copied(self, stream: AudioStream, copy: AudioStream) -> Iterator[av.Packet]:
        last = None
        for packet in self._read(stream):
            if packet.dts is not None and (last is None or packet.dts > last):
                last = packet.dts
                packet.stream = copy
                yield packet

    def _encoded(self, stream: AudioStream, encoder: AudioStream) -> Iterator[av.Packet]:
        resampler, made_for = None, None
        for frame in self._frames(stream):
            kind = (frame.format.name, frame.layout.name, frame.sample_rate)
            if resampler is None or kind != made_for:
                # With "async", gaps become silence and the coarse clocks of some formats become samples.
                layout = encoder.codec_context.layout
                resampler = av.AudioResampler("fltp", layout, _SAMPLES_PER_S, _AAC_SAMPLES, {"async": "1"})
                made_for = kind
            for even in resampler.resample(frame):
                yield from encoder.encode(even)
        for rest in resampler.resample(None) if resampler else ():
            yield from encoder.encode(rest)
        yield from encoder.encode(None)

    def _frames(self, stream: AudioStream) -> Iterator[av.AudioFrame]:
        """The sound, decoded; what cannot be is skipped, and what has no time follows what came before."""
        end = 0
        for packet in self._read(stream):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue
            for frame in frames:
                frame.time_base = frame.time_base or _clock_of(stream)
                frame.pts = end if frame.pts is None else frame.pts
                end = frame.pts + round(frame.samples / frame.sample_rate / frame.time_base)
                yield frame

    def _read(self, stream: AudioStream) -> Iterator[av.Packet]:
        """The packets from time 0; where their clock leaps back, as in files put together, it goes on instead."""
        clock = _clock_of(stream)
        shift, end = round(start_s(self._source) / clock), None
        try:
            for packet in self._source.demux(stream):
                if packet.dts is not None:
                    if end is not None and packet.dts - shift < end - 1 / clock:
                        shift = packet.dts - end
                    packet.dts -= shift
                    packet.pts = packet.dts if packet.pts is None else packet.pts - shift
                    end = packet.dts + (packet.duration or 0)
                yield packet
        except av.FFmpegError:
            log.warning(_DAMAGED)


def _clock_of(stream: AudioStream) -> Fraction:
    """How many seconds one unit of a stream's times lasts."""
    return stream.time_base or Fraction(1, av.time_base)


@contextmanager
def open_sound(path: Path, target: OutputContainer) -> Generator[SoundTrack]:
    """Open the sound of a video, to be written into `target`, which has no header yet.

    Raises:
        VideoError: if `path` cannot be read.
    """
    with open_media(path) as source:
        yield SoundTrack(source, target)
