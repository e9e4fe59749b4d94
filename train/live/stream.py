"""Video + truth -> stream.json: real-time quality of the live path, through the app's own `Pipeline.track`.

The truth is a CSV file with the columns `start_s,end_s,label`: one row for each stretch of the video in which the
expression of the person in view is known, in order of time, with seconds from the start of the video; `end_s` is the
first moment that no longer belongs to the stretch. There may be gaps. Other columns are ignored.

Every frame is analysed at its own time, however long that takes, so that quality does not depend on the machine.
*Judged* frames are those in a stretch of the truth. The *main face* of a frame is its largest. What is *shown* is the
label of the main face, and nothing where there is no face or it is not reliable ("not sure"). `stream.json`:

    schema_version  1
    bundle          {"model_sha256", "model_bytes"}
    detector, machine
    video           {"name", "frames", "duration_s", "width_px", "height_px", "clock"}; clock: see `read_footage`
    truth           {"name", "stretches", "judged_frames", "judged_s"}
    speed           {"n", "frames_per_s", "latency_p50_ms", "latency_p95_ms"}: `track` alone, reading the video excluded
    live            {"n", "dropped", "dropped_share", "frames_per_s"}: see `simulate_live`
    any_face        {"n", "share"}: judged frames in which a face was found
    reliable_face   {"n", "share"}: judged frames whose main face is reliable
    labels          label -> {"n", "shown", "precision", "recall"}: judged frames in which it held and in which it was
                    shown; precision of a label never shown and recall of one that never held are null
    macro           {"labels", "precision", "recall"}: means over the labels that held; one never shown has precision 0
    flips           {"shown_changes", "true_changes", "judged_s", "per_minute"}: changes of the label shown beyond the
                    true ones, a minute; below 0 where more true changes were missed than false ones shown
    lag             {"n", "followed", "median_s", "worst_s"}: from the start of a stretch whose label differs from the
                    one before to the first frame that shows it, in the video's time; median and worst of those followed
    over_time       for each stretch {"start_s", "end_s", "label", "n", "shown", "precision", "recall"}
"""

import csv
import math
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from face_expression.errors import DataError
from face_expression.hub.download import open_bundle
from face_expression.io.files import write_json
from face_expression.pipeline import Pipeline, load_pipeline

TRUTH_COLUMNS = ("start_s", "end_s", "label")
MAX_FRAMES_PER_S = 1000
TOLERANCE_S = 0.5
NOTHING = -1


@dataclass(frozen=True)
class Stretch:
    """A time [start_s, end_s) of a video in which `label` holds; `line` is where the truth file says so."""

    start_s: float
    end_s: float
    label: str
    line: int

    def holds(self, times_s: np.ndarray) -> np.ndarray:
        """(N,) bool: which of (N,) times lie in it."""
        return (self.start_s <= times_s) & (times_s < self.end_s)


@dataclass(frozen=True, eq=False)
class Footage:
    """A video that can be read to its end: `times_s` (N,) float64, never falling; `clock` says where they come from."""

    path: Path
    times_s: np.ndarray
    clock: str
    width_px: int
    height_px: int

    @property
    def end_s(self) -> float:
        """When the last frame is over, if it lasts as long as the median frame."""
        return float(self.times_s[-1] + np.median(np.diff(self.times_s)))


@dataclass(frozen=True, eq=False)
class Viewing:
    """What the live path made of N frames.

    `times_s`, `latency_s` (N,) float64; `has_face` (N,) bool; `shown` (N,) int64, the index of the label shown or
    NOTHING; `end_s` when the last frame is over.
    """

    times_s: np.ndarray
    latency_s: np.ndarray
    has_face: np.ndarray
    shown: np.ndarray
    end_s: float


def evaluate_stream(*, video: Path, truth: Path, bundle: Path, output: Path | None = None) -> dict:
    """Measure the live path on one video and write `stream.json`.

    Args:
        video: a file that OpenCV can read.
        truth: a CSV file as described above.
        bundle: a bundle's folder.
        output: file to write; by default `NAME.stream.json` beside the video NAME.

    Raises:
        DataError: if a file cannot be used, with the line of the truth where that is at fault.
    """
    output = output or video.with_suffix(".stream.json")
    if not output.parent.is_dir():
        raise DataError(f"{output.parent}: no such folder; make it, or choose another --output")
    opened = open_bundle(bundle, "being evaluated")
    stretches = read_truth(truth, opened.config.label_names)
    footage = read_footage(video)
    _require_fit(stretches, footage, truth)
    pipeline = load_pipeline(str(bundle))
    report = {
        "schema_version": 1,
        "bundle": {"model_sha256": opened.config.model_sha256, "model_bytes": opened.model.stat().st_size},
        "detector": pipeline.detector.name,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "video": {
            "name": video.name,
            "frames": len(footage.times_s),
            "duration_s": round(footage.end_s, 3),
            "width_px": footage.width_px,
            "height_px": footage.height_px,
            "clock": footage.clock,
        },
        "truth": {"name": truth.name},
    }
    judged = judge(watch(pipeline, footage), stretches, pipeline.label_names)
    report["truth"] |= judged.pop("truth")
    report |= judged
    write_json(output, report)
    return report


def read_truth(path: Path, label_names: tuple[str, ...]) -> list[Stretch]:
    """Read a truth file, described at the top of this module.

    Raises:
        DataError: naming the line, if a row is not understood, a label is unknown, or stretches overlap.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in TRUTH_COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(f"{path}: line 1 must name the columns {','.join(TRUTH_COLUMNS)}; missing: {missing}")
            stretches = [_read_stretch(path, reader.line_num, row, label_names) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a CSV file in UTF-8: {error}") from error
    if not stretches:
        raise DataError(f"{path}: there is no row below the column names; the truth needs at least one stretch")
    for before, after in pairwise(stretches):
        if after.start_s < before.end_s:
            raise DataError(
                f"{path}, line {after.line}: starts at {after.start_s:g} s, before line {before.line} ends at "
                f"{before.end_s:g} s; stretches must be in order of time and must not overlap"
            )
    return stretches


def _read_stretch(path: Path, line: int, row: dict, label_names: tuple[str, ...]) -> Stretch:
    where = f"{path}, line {line}"
    if None in row or None in row.values():
        raise DataError(f"{where}: must have as many fields as line 1 has columns")
    try:
        start_s, end_s = float(row["start_s"]), float(row["end_s"])
    except ValueError as error:
        raise DataError(f"{where}: start_s and end_s must be seconds, such as 2.5: {error}") from error
    if not 0 <= start_s < end_s < math.inf:
        raise DataError(f"{where}: needs 0 <= start_s < end_s; it has {row['start_s']} and {row['end_s']}")
    label = row["label"].strip()
    if label not in label_names:
        raise DataError(f"{where}: unknown label {label!r}; the bundle knows {', '.join(label_names)}")
    return Stretch(start_s, end_s, label, line)


def read_footage(path: Path) -> Footage:
    """Read a video to its end once, for the time of each frame.

    The times are the file's own timestamps ("timestamps"), so a frame rate that varies is no harm. Where those are
    missing, all zero, or fall, frames are taken to be 1 / frame rate apart ("frame rate").

    Raises:
        DataError: if it is no video, has fewer than two frames, neither clock works, or it ends before the time that
            its header announces.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such video file")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        frames_per_s, announced = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
        width_px, height_px = (
            round(capture.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        )
        stamps_s = np.array([capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 for _ in _while_grabbed(capture)])
    finally:
        capture.release()
    if len(stamps_s) < 2:
        raise DataError(f"{path}: cannot be read as a video of at least two frames; the file may be incomplete")
    rate_is_known = 0 < frames_per_s <= MAX_FRAMES_PER_S
    if np.isfinite(stamps_s).all() and (np.diff(stamps_s) >= 0).all() and stamps_s[-1] > stamps_s[0] >= 0:
        footage = Footage(path, stamps_s, "timestamps", width_px, height_px)
    elif rate_is_known:
        footage = Footage(path, np.arange(len(stamps_s)) / frames_per_s, "frame rate", width_px, height_px)
    else:
        raise DataError(f"{path}: has neither timestamps nor a frame rate; write it anew with a fixed frame rate")
    if rate_is_known and len(stamps_s) < announced and announced / frames_per_s > footage.end_s + TOLERANCE_S:
        raise DataError(
            f"{path}: announces {announced / frames_per_s:.1f} s but can be read for {footage.end_s:.1f} s only; "
            "the file is truncated or damaged"
        )
    return footage


def _while_grabbed(capture: cv2.VideoCapture) -> Iterator[None]:
    with tqdm(desc="reading the video", unit="frame", leave=False) as progress:
        while capture.grab():
            progress.update()
            yield


def _require_fit(stretches: list[Stretch], footage: Footage, truth: Path) -> None:
    for stretch in stretches:
        if stretch.end_s > footage.end_s + TOLERANCE_S:
            raise DataError(
                f"{truth}, line {stretch.line}: ends at {stretch.end_s:g} s, but the video {footage.path.name} ends at "
                f"{footage.end_s:.2f} s"
            )
        if not stretch.holds(footage.times_s).any():
            raise DataError(
                f"{truth}, line {stretch.line}: no frame of the video {footage.path.name} lies between "
                f"{stretch.start_s:g} and {stretch.end_s:g} s"
            )


def watch(pipeline: Pipeline, footage: Footage) -> Viewing:
    """Show a video to the live path, every frame at its own time; the first frame is analysed once more to warm up.

    Raises:
        DataError: if a frame that could be read before cannot be read now.
    """
    state, latency_s, has_face, shown = None, [], [], []
    for frame, time_s in _frames(footage):
        if not latency_s:
            pipeline.track(frame, None, time_s)
        began = time.perf_counter()
        faces, state = pipeline.track(frame, state, time_s)
        latency_s.append(time.perf_counter() - began)
        has_face.append(bool(faces))
        is_shown = faces and faces[0].reliable
        shown.append(pipeline.label_names.index(faces[0].label) if is_shown else NOTHING)
    return Viewing(footage.times_s, np.array(latency_s), np.array(has_face), np.array(shown), footage.end_s)


def _frames(footage: Footage) -> Iterator[tuple[np.ndarray, float]]:
    capture = cv2.VideoCapture(str(footage.path), cv2.CAP_FFMPEG)
    try:
        for time_s in tqdm(footage.times_s.tolist(), unit="frame", desc="watching", leave=False):
            could_read, bgr = capture.read()
            if not could_read:
                raise DataError(f"{footage.path}: the frame at {time_s:.2f} s cannot be read; the file is damaged")
            yield cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), time_s
    finally:
        capture.release()


def judge(viewing: Viewing, stretches: list[Stretch], label_names: tuple[str, ...]) -> dict:
    """Hold what was shown against the truth.

    Args:
        viewing: what the live path showed.
        stretches: the truth, in order of time; each holds at some frame.
        label_names: the labels, in the order of the indices in `viewing`.

    Returns:
        The figures of `stream.json` from "truth" on, without the truth's name.
    """
    held = np.full(len(viewing.times_s), NOTHING)
    for stretch in stretches:
        held[stretch.holds(viewing.times_s)] = label_names.index(stretch.label)
    judged = held != NOTHING
    held, shown, n = held[judged], viewing.shown[judged], int(judged.sum())
    judged_s = sum(min(stretch.end_s, viewing.end_s) - stretch.start_s for stretch in stretches)
    labels = {name: _precision_recall(held == index, shown == index) for index, name in enumerate(label_names)}
    true_changes = len(_changes(stretches))
    shown_changes = int(np.count_nonzero(np.diff(shown[shown != NOTHING])))
    return {
        "truth": {"stretches": len(stretches), "judged_frames": n, "judged_s": round(judged_s, 3)},
        "speed": _speed(viewing.latency_s),
        "live": simulate_live(viewing),
        "any_face": {"n": n, "share": float(viewing.has_face[judged].mean())},
        "reliable_face": {"n": n, "share": float((shown != NOTHING).mean())},
        "labels": labels,
        "macro": _macro(labels),
        "flips": {
            "shown_changes": shown_changes,
            "true_changes": true_changes,
            "judged_s": round(judged_s, 3),
            "per_minute": (shown_changes - true_changes) / judged_s * 60,
        },
        "lag": _lag(viewing, _changes(stretches), label_names),
        "over_time": [_over_time(viewing, stretch, label_names) for stretch in stretches],
    }


def simulate_live(viewing: Viewing) -> dict:
    """What a camera would see of the same frames at the measured latency.

    As in the app, one frame is analysed at a time and nothing waits in a queue: a frame that is taken while another is
    being analysed is dropped.
    """
    free_at_s, taken = -math.inf, 0
    for time_s, latency_s in zip(viewing.times_s, viewing.latency_s, strict=True):
        if time_s >= free_at_s:
            free_at_s, taken = time_s + latency_s, taken + 1
    frames = len(viewing.times_s)
    return {
        "n": frames,
        "dropped": frames - taken,
        "dropped_share": 1 - taken / frames,
        "frames_per_s": taken / (viewing.end_s - float(viewing.times_s[0])),
    }


def _speed(latency_s: np.ndarray) -> dict:
    p50_s, p95_s = np.percentile(latency_s, (50, 95))
    return {
        "n": len(latency_s),
        "frames_per_s": float(1 / latency_s.mean()),
        "latency_p50_ms": float(p50_s * 1000),
        "latency_p95_ms": float(p95_s * 1000),
    }


def _precision_recall(held: np.ndarray, shown: np.ndarray) -> dict:
    """Of one label in (N,) frames: where it held, and where it was shown."""
    right, n, times_shown = int((held & shown).sum()), int(held.sum()), int(shown.sum())
    return {
        "n": n,
        "shown": times_shown,
        "precision": right / times_shown if times_shown else None,
        "recall": right / n if n else None,
    }


def _macro(labels: dict[str, dict]) -> dict:
    rows = [row for row in labels.values() if row["n"]]
    return {
        "labels": len(rows),
        "precision": float(np.mean([row["precision"] or 0.0 for row in rows])),
        "recall": float(np.mean([row["recall"] for row in rows])),
    }


def _changes(stretches: list[Stretch]) -> list[Stretch]:
    """The stretches whose label differs from the one before."""
    return [after for before, after in pairwise(stretches) if after.label != before.label]


def _lag(viewing: Viewing, changes: list[Stretch], label_names: tuple[str, ...]) -> dict:
    lags_s = []
    for change in changes:
        times_s = viewing.times_s[change.holds(viewing.times_s) & (viewing.shown == label_names.index(change.label))]
        if len(times_s):
            lags_s.append(float(times_s[0]) - change.start_s)
    return {
        "n": len(changes),
        "followed": len(lags_s),
        "median_s": float(np.median(lags_s)) if lags_s else None,
        "worst_s": max(lags_s) if lags_s else None,
    }


def _over_time(viewing: Viewing, stretch: Stretch, label_names: tuple[str, ...]) -> dict:
    """Of one stretch: `precision` is the share of right frames among those with a label shown, `recall` among all."""
    shown = viewing.shown[stretch.holds(viewing.times_s)]
    right, times_shown = int((shown == label_names.index(stretch.label)).sum()), int((shown != NOTHING).sum())
    return {
        "start_s": stretch.start_s,
        "end_s": stretch.end_s,
        "label": stretch.label,
        "n": len(shown),
        "shown": times_shown,
        "precision": right / times_shown if times_shown else None,
        "recall": right / len(shown),
    }


def summary(report: dict) -> str:
    """The figures of `stream.json` as a short table in plain text."""
    video, speed, live, lag, flips = (report[key] for key in ("video", "speed", "live", "lag", "flips"))
    lines = [
        f"{video['name']}: {video['frames']} frames, {video['duration_s']:.1f} s; {report['detector']}, "
        f"{report['machine']}",
        "",
        f"{'label':<10} {'precision':>9} {'recall':>7} {'n':>6}",
        *(
            f"{name:<10} {_percent(row['precision']):>9} {_percent(row['recall']):>7} {row['n']:>6}"
            for name, row in report["labels"].items()
            if row["n"] or row["shown"]
        ),
        f"{'macro':<10} {_percent(report['macro']['precision']):>9} {_percent(report['macro']['recall']):>7}",
        "",
        *(
            f"{words:<14} {_percent(report[key]['share'])} of {report[key]['n']} judged frames"
            for words, key in (("any face", "any_face"), ("reliable face", "reliable_face"))
        ),
        f"{'speed':<14} {speed['frames_per_s']:.1f} frames/s, latency p50 {speed['latency_p50_ms']:.1f} ms, "
        f"p95 {speed['latency_p95_ms']:.1f} ms (n={speed['n']})",
        f"{'live':<14} {_percent(live['dropped_share'])} of {live['n']} frames dropped, "
        f"{live['frames_per_s']:.1f} frames/s left",
        f"{'label flips':<14} {flips['per_minute']:.1f} a minute beyond the true changes "
        f"({flips['shown_changes']} shown, {flips['true_changes']} true)",
    ]
    delay = f"median {lag['median_s']:.2f} s, worst {lag['worst_s']:.2f} s; " if lag["followed"] else ""
    lines.append(f"{'lag':<14} {delay}{lag['followed']} of {lag['n']} changes followed")
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
