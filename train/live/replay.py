"""Video + truth -> stream.json: real-time quality of the live path, through the app's own `Pipeline.track`.

The truth is a CSV file with the columns `start_s,end_s,label`: one row for each stretch of the video in which the
expression of the person in view is known, in order of time, with seconds from the start of the video; `end_s` is the
first moment that no longer belongs to the stretch. There may be gaps. Other columns are ignored.

Every frame is analysed at its own time, however long that takes, so that quality does not depend on the machine.
*Evaluated* frames are those in a stretch of the truth. The *main face* of a frame is its largest. What is *shown* is
the label of the main face, and nothing where there is no face or it is not reliable ("not sure"). `stream.json`:

    schema_version  1
    bundle          {"model_sha256", "model_bytes"}
    detector, machine
    video           {"name", "frames", "duration_s", "width_px", "height_px", "clock"}; clock: see `read_footage`
    truth           {"name", "stretches", "judged_frames", "judged_s"}
    speed           {"n", "frames_per_s", "latency_p50_ms", "latency_p95_ms"}: `track` alone, reading the video excluded
    live            {"n", "dropped", "dropped_share", "frames_per_s"}: see `simulate_live`
    any_face        {"n", "share"}: evaluated frames in which a face was found
    reliable_face   {"n", "share"}: evaluated frames whose main face is reliable
    labels          label -> {"n", "shown", "precision", "recall"}: evaluated frames in which it held and in which it
                    was shown; precision of a label never shown and recall of one that never held are null
    macro           {"labels", "precision", "recall"}: means over the labels that held; one never shown has precision 0
    flips           {"shown_changes", "true_changes", "judged_s", "per_minute"}: changes of the label shown beyond the
                    true ones, a minute; below 0 where more true changes were missed than false ones shown
    lag             {"n", "followed", "median_s", "worst_s"}: from the start of a stretch whose label differs from the
                    one before to the first frame that shows it, in the video's time; median and worst of those followed
    over_time       for each stretch {"start_s", "end_s", "label", "n", "shown", "precision", "recall"}
"""

import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from face_expression.errors import DataError
from face_expression.hub.download import open_bundle
from face_expression.io.files import write_json
from face_expression.pipeline import Pipeline, load_pipeline
from train.live.ground_truth import Stretch, read_truth
from train.live.scores import NOTHING, Viewing, measure_quality

MAX_FRAMES_PER_S = 1000
TOLERANCE_S = 0.5


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
    quality = measure_quality(watch(pipeline, footage), stretches, pipeline.label_names)
    report["truth"] |= quality.pop("truth")
    report |= quality
    write_json(output, report)
    return report


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
