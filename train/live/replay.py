"""Video + truth -> stream.json: real-time quality of the live path, through the app's own `Pipeline.track`.

The truth is a CSV file with the columns `start_s,end_s,label`: one row for each stretch of the video in which the
expression of the person in view is known, in order of time, with seconds from the start of the video; `end_s` is the
first moment that no longer belongs to the stretch. There may be gaps. Other columns are ignored.

Every frame is analysed at its own time, however long that takes, so that quality does not depend on the machine.
*Evaluated* frames are those in a stretch of the truth. The *main face* of a frame is its largest. What is *shown* is
the label of the main face, and nothing where there is no face or it is not reliable ("not sure"). `stream.json`:

    schema_version  2
    bundle          {"model_sha256", "model_bytes"}
    detector, machine
    video           {"name", "frames", "duration_s", "width_px", "height_px"}
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
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from face_expression.errors import DataError
from face_expression.hub.download import open_bundle
from face_expression.io.files import write_json
from face_expression.pipeline import Pipeline, load_pipeline
from face_expression.video.reader import VideoError, read_header, read_video
from train.live.ground_truth import Stretch, read_truth
from train.live.scores import NOTHING, Viewing, measure_quality

TOLERANCE_S = 0.5


@dataclass(frozen=True)
class Replay:
    """A video that was shown to the live path: what was seen, and the size of its last picture in pixels."""

    viewing: Viewing
    width_px: int
    height_px: int


def evaluate_stream(*, video: Path, truth: Path, bundle: Path, output: Path | None = None) -> dict:
    """Measure the live path on one video and write `stream.json`.

    Args:
        video: a file that `face_expression.video.reader` reads.
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
    pipeline = load_pipeline(str(bundle))
    replay = replay_video(pipeline, video)
    viewing = replay.viewing
    _require_fit(stretches, viewing, video, truth)
    report = {
        "schema_version": 2,
        "bundle": {"model_sha256": opened.config.model_sha256, "model_bytes": opened.model.stat().st_size},
        "detector": pipeline.detector.name,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "video": {
            "name": video.name,
            "frames": len(viewing.times_s),
            "duration_s": round(viewing.end_s, 3),
            "width_px": replay.width_px,
            "height_px": replay.height_px,
        },
        "truth": {"name": truth.name},
    }
    quality = measure_quality(viewing, stretches, pipeline.label_names)
    report["truth"] |= quality.pop("truth")
    report |= quality
    write_json(output, report)
    return report


def replay_video(pipeline: Pipeline, path: Path) -> Replay:
    """Show a video to the live path, every frame at its own time; the first frame is analysed once more to warm up.

    Raises:
        DataError: if it is no video, cannot be read to its end, or has fewer than two frames.
    """
    state, times_s, latency_s, has_face, shown = None, [], [], [], []
    end_s, height_px, width_px = 0.0, 0, 0
    try:
        frames = read_header(path).pictures
        for picture in tqdm(read_video(path), total=frames, unit="frame", desc="watching", leave=False):
            if not latency_s:
                pipeline.track(picture.pixels, None, picture.time_s)
            began = time.perf_counter()
            faces, state = pipeline.track(picture.pixels, state, picture.time_s)
            latency_s.append(time.perf_counter() - began)
            times_s.append(picture.time_s)
            has_face.append(bool(faces))
            is_shown = faces and faces[0].reliable
            shown.append(pipeline.label_names.index(faces[0].label) if is_shown else NOTHING)
            end_s, (height_px, width_px) = picture.time_s + picture.duration_s, picture.pixels.shape[:2]
    except VideoError as error:
        raise DataError(f"{path}: {error}") from error
    if len(times_s) < 2:
        raise DataError(f"{path}: a video of at least two frames is needed; the file may be incomplete")
    viewing = Viewing(np.array(times_s), np.array(latency_s), np.array(has_face), np.array(shown), end_s)
    return Replay(viewing, width_px, height_px)


def _require_fit(stretches: list[Stretch], viewing: Viewing, video: Path, truth: Path) -> None:
    for stretch in stretches:
        where = f"{truth}, line {stretch.line}"
        if stretch.end_s > viewing.end_s + TOLERANCE_S:
            raise DataError(
                f"{where}: ends at {stretch.end_s:g} s, but the video {video.name} ends at {viewing.end_s:.2f} s"
            )
        if not stretch.holds(viewing.times_s).any():
            raise DataError(
                f"{where}: no frame of the video {video.name} lies between {stretch.start_s:g} and {stretch.end_s:g} s"
            )
