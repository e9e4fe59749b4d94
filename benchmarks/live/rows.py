"""The rows of the live view's table: figures, each with what it has to reach."""

import math
from dataclasses import asdict, dataclass
from enum import StrEnum

from benchmarks.live.camera import label_of_frame
from benchmarks.live.figures import Recording, percentile


class Engine(StrEnum):
    """Where images are processed."""

    SERVER = "server"
    DEVICE = "device"


@dataclass(frozen=True)
class Row:
    """One figure; `target` is what it has to reach, from below if `at_least`; without one it is there to explain."""

    engine: Engine
    measure: str
    value: float
    unit: str = ""
    target: float | None = None
    at_least: bool = False
    digits: int = 0

    def met(self) -> bool | None:
        """Whether the unrounded figure reaches its target; None without one."""
        if self.target is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target

    def as_json(self) -> dict[str, object]:
        """All there is to say; a figure that there was nothing to take from is null."""
        return asdict(self) | {"value": self.value if math.isfinite(self.value) else None, "met": self.met()}

    def shown(self) -> str:
        """The figure, never rounded in our favour."""
        if not math.isfinite(self.value):
            return "none"
        scale = 10**self.digits
        rounded = (math.floor if self.at_least else math.ceil)(round(self.value * scale, 6)) / scale
        return f"{rounded:.{self.digits}f} {self.unit}".strip()

    def cells(self) -> tuple[str, ...]:
        """As a row of the table."""
        sign = "at least" if self.at_least else "at most"
        target = "" if self.target is None else f"{sign} {self.target:g} {self.unit}".strip()
        verdict = {None: "", True: "yes", False: "**no**"}[self.met()]
        return self.engine, self.measure, target, self.shown(), verdict


@dataclass(frozen=True)
class Limits:
    """What the live view has to reach with an engine; of a slow line only what differs."""

    frames_per_s: float
    p50_ms: float
    p95_ms: float
    slow_frames_per_s: float
    slow_p50_ms: float


LIMITS = {Engine.SERVER: Limits(20, 60, 120, 12, 200), Engine.DEVICE: Limits(15, 80, 160, 15, 80)}


def per_s(engine: Engine, measure: str, value: float, target: float | None) -> Row:
    return Row(engine, measure, value, "frames/s", target, at_least=True, digits=1)


def rows_of_recording(engine: Engine, recording: Recording) -> list[Row]:
    """Speed on this machine, and how soon a true change is shown."""
    limits, latencies = LIMITS[engine], recording.latencies_ms()
    lags = recording.lags_ms(label_of_frame)
    missed = max(0.0, 1 - recording.rate() / recording.camera_rate()) if recording.frames else math.nan
    return [
        per_s(engine, "frames processed", recording.rate(), limits.frames_per_s),
        Row(engine, "latency, p50", percentile(latencies, 50), "ms", limits.p50_ms),
        Row(engine, "latency, p95", percentile(latencies, 95), "ms", limits.p95_ms),
        Row(engine, "of it in the engine, p50", percentile([a.took_ms for a in recording.answers], 50), "ms"),
        Row(engine, "before it in the camera, p50", percentile(recording.camera_delays_ms(), 50), "ms"),
        per_s(engine, "frames of the camera shown", recording.camera_rate(), None),
        Row(engine, "of them not processed", 100 * missed, "%"),
        Row(engine, "changes of face", len(lags)),
        Row(engine, "lag of the label after them, median", percentile(lags, 50), "ms"),
        Row(engine, "lag of the label after them, worst", percentile(lags, 100), "ms", 600),
    ]


def rows_of_slow_link(engine: Engine, recording: Recording) -> list[Row]:
    """Speed behind 80 ms of round trip and 8 Mbit/s up."""
    limits, latencies, where = LIMITS[engine], recording.latencies_ms(), "behind a slow line"
    p95_target = limits.p95_ms if engine is Engine.DEVICE else None
    return [
        per_s(engine, f"frames processed {where}", recording.rate(), limits.slow_frames_per_s),
        Row(engine, f"latency {where}, p50", percentile(latencies, 50), "ms", limits.slow_p50_ms),
        Row(engine, f"latency {where}, p95", percentile(latencies, 95), "ms", p95_target),
    ]


def row_of_flips(engine: Engine, label: str, recording: Recording) -> Row:
    """How restless the label of a still face is."""
    flips = recording.flips() * 60 / recording.seconds if recording.answers else math.nan
    return Row(engine, f"flips on a still {label} face", flips, "a minute", 1, digits=1)
