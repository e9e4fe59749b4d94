"""Latency of each step of the pipeline, in ms: `python -m benchmarks.latency`.

Each figure is the p50 and p95 over repeated calls on one 640x480 frame with 0, 1 or 5 faces, with OpenCV and ONNX
Runtime held to the same number of threads. The frames are made of portraits that lie in this repository.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from benchmarks.figures import FOLDER, as_markdown, machine_name, record, table
from face_expression import BundleError, Pipeline, load_pipeline, read_picture
from face_expression.model.preprocess import cut_crop, region_of_detection, to_model_inputs

FRAMES_PER_S = 30
SPEAKS_OF = [
    "face_expression/bundle",
    "face_expression/detection",
    "face_expression/model",
    "face_expression/pipeline.py",
    "face_expression/quality.py",
    "face_expression/tracker.py",
]
EXAMPLES = Path(__file__).parent.parent / "examples"
# Left, top and side of the squares that hold a face, for each number of faces.
PLACES = {
    0: [],
    1: [(140, 60, 360)],
    5: [(0, 0, 210), (215, 0, 210), (430, 0, 210), (80, 240, 230), (340, 240, 230)],
}


def make_frame(places: list[tuple[int, int, int]]) -> np.ndarray:
    """A grey 640x480 frame with the same portrait at each place."""
    portrait = read_picture(EXAMPLES / "astronaut.jpg")[20:220, 125:325]
    frame = np.full((480, 640, 3), 110, np.uint8)
    for left, top, side in places:
        frame[top : top + side, left : left + side] = cv2.resize(portrait, (side, side))
    return frame


def time_calls(call: Callable[[], object], repeats: int) -> dict[str, float]:
    """p50 and p95 of a call in ms, after a warm-up of a tenth of the repeats."""
    for _ in range(max(3, repeats // 10)):
        call()
    times_ms = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times_ms.append((time.perf_counter() - start) * 1000)
    return figures(times_ms)


def figures(times_ms: list[float]) -> dict[str, float]:
    """Mean, p50 and p95 of times."""
    p50, p95 = np.percentile(times_ms, (50, 95))
    return {
        "p50_ms": round(float(p50), 2),
        "p95_ms": round(float(p95), 2),
        "mean_ms": round(float(np.mean(times_ms)), 2),
    }


def measure_frame(pipeline: Pipeline, frame: np.ndarray, repeats: int) -> dict[str, dict[str, float]]:
    """Every step on one frame."""
    settings = pipeline.config.preprocessing
    detections = pipeline.detector.detect(frame)
    regions = [
        region_of_detection(detection.box, detection.landmarks, pipeline.detector.crop_rule, settings.crop)
        for detection in detections
    ]

    def crop() -> np.ndarray:
        crops = [cut_crop(frame, region, settings.crop, pipeline.graphs) for region in regions]
        return to_model_inputs(crops, settings.input, pipeline.graphs)

    inputs = crop()
    return {
        "detect": time_calls(lambda: pipeline.detector.detect(frame), repeats),
        "crop": time_calls(crop, repeats),
        "classify": time_calls(lambda: pipeline.classifier.probabilities(inputs), repeats),
        "analyze": time_calls(lambda: pipeline.analyze(frame), repeats),
        "track": time_track(pipeline, frame, repeats),
    }


def time_track(pipeline: Pipeline, frame: np.ndarray, repeats: int) -> dict[str, float]:
    """Mean, p50 and p95 of a frame of a video of FRAMES_PER_S; some frames are searched in more places than others."""
    state, number, times_ms = None, 0, []
    for number in range(repeats + 10):
        start = time.perf_counter()
        _, state = pipeline.track(frame, state, number / FRAMES_PER_S)
        times_ms.append((time.perf_counter() - start) * 1000)
    return figures(times_ms[10:])


def main(
    repeats: Annotated[int, typer.Option(min=10, help="Calls for each figure.")] = 200,
    output: Annotated[Path, typer.Option(help="JSON to write.")] = FOLDER / "latency.json",
    detector: Annotated[str | None, typer.Option(help="yunet or haar; default: yunet.")] = None,
) -> None:
    """Measure, print a table, write JSON."""
    measured: list[tuple[int, int, dict[str, dict[str, float]]]] = []
    for threads in (1, 2):
        cv2.setNumThreads(threads)
        try:
            pipeline = load_pipeline(detector=detector, threads=threads)
        except (BundleError, ValueError) as error:
            raise SystemExit(str(error)) from error
        for faces, places in PLACES.items():
            frame = make_frame(places)
            found = len(pipeline.analyze(frame))
            if found != faces:
                raise SystemExit(f"the {pipeline.detector.name} detector found {found} faces in the frame of {faces}")
            measured.append((threads, faces, measure_frame(pipeline, frame, repeats)))
    machine = machine_name()
    typer.echo(f"{machine}; {pipeline.source}; 640x480; p50 / p95 (track: / mean) in ms of {repeats} calls\n")
    steps = ("detect", "crop", "classify", "analyze", "track")
    lines = []
    for threads, faces, of_step in measured:
        cells = [f"{of_step[step]['p50_ms']:.1f} / {of_step[step]['p95_ms']:.1f}" for step in steps]
        cells[-1] += f" / {of_step['track']['mean_ms']:.1f}"
        lines.append((threads, faces, *cells))
    rows = [{"threads": threads, "faces": faces, **of_step} for threads, faces, of_step in measured]
    shown = table(("threads", "faces", *steps), lines)
    typer.echo(as_markdown(shown))
    record(
        output,
        command=f"python -m benchmarks.latency --repeats {repeats}",
        speaks_of=SPEAKS_OF,
        tables={"python": shown},
        data={"source": pipeline.source, "rows": rows},
    )


if __name__ == "__main__":
    typer.run(main)
