"""Pictures -> one record each, by one process, by several, or by a Ray cluster."""

import logging
import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2

from face_expression import __version__
from face_expression.cli.pictures import Picture
from face_expression.cli.ray_engine import Engine, predicted_by_ray
from face_expression.cli.worker_pool import TaskFault, WorkersError, cores, shared_out
from face_expression.hub.download import DETECTOR_VARIABLE, METRICS_FILE
from face_expression.io.files import sha256_of
from face_expression.io.images import PictureError, encode_jpeg, read_picture
from face_expression.io.parquet_images import CellReader
from face_expression.io.piped_file import PipeError, as_file, is_pipe
from face_expression.output.annotate import annotate
from face_expression.output.picture_records import PictureRecord
from face_expression.output.records import face_as_json
from face_expression.pipeline import Pipeline, load_pipeline

# A process takes about a second to start; with fewer pictures each, one process alone is done sooner.
_PICTURES_WORTH_A_PROCESS = 50
_DEADLINE_S = 120.0


def predict_pictures(
    pictures: Sequence[Picture],
    pipeline: Pipeline,
    *,
    numbers: Sequence[int] | None = None,
    engine: Engine = Engine.LOCAL,
    workers: int | None,
    stop: threading.Event,
) -> Generator[tuple[int, PictureRecord]]:
    """Analyse pictures.

    Args:
        pictures: all.
        pipeline: what finds and classifies the faces; other processes load what it was loaded from.
        numbers: which pictures; default: all.
        engine: processes of this machine, or a Ray cluster, which gives the same records.
        workers: processes; default: as many as there are cores, and fewer for few pictures.
        stop: once set, no further picture is begun; what is done is still handed on.

    Yields:
        (number of the picture from 0, its record) as they come: from one machine, at most 64 for each process ahead of
        the first that is missing.

    Raises:
        DataError: if Ray is asked for and not installed.
        WorkersError: if no process can be started; what is done was handed on.
    """
    numbers = range(len(pictures)) if numbers is None else numbers
    if engine is Engine.RAY and numbers:
        done = set()
        make_predictor = partial(_load_predictor, *_where_from(pipeline))
        for number, record in predicted_by_ray(pictures, numbers, make_predictor, workers=workers, stop=stop):
            done.add(number)
            yield number, record
        # What killed its process there is tried here, where that costs one picture and the record says so.
        numbers = [number for number in numbers if number not in done]
    yield from _predicted_here(pictures, pipeline, numbers, workers, stop)


def _predicted_here(
    pictures: Sequence[Picture], pipeline: Pipeline, numbers: Sequence[int], workers: int | None, stop: threading.Event
) -> Iterator[tuple[int, PictureRecord]]:
    if workers is None:
        workers = min(cores(), len(numbers) // _PICTURES_WORTH_A_PROCESS)
    workers = min(workers, len(numbers))
    with ExitStack() as stack:
        ready = (_without_pipe(pictures[number], stack) for number in numbers)
        if workers <= 1:
            predict = predictor_of(pipeline)
            for number, picture in zip(numbers, ready, strict=True):
                if stop.is_set():
                    return
                yield number, predict(picture)
            return
        answers = shared_out(
            ready, partial(_load_predictor, *_where_from(pipeline)), workers=workers, deadline_s=_DEADLINE_S, stop=stop
        )
        for task, answer in answers:
            number = numbers[task]
            yield number, _record_of_fault(pictures[number], answer) if isinstance(answer, TaskFault) else answer


def in_order(answers: Iterable[tuple[int, PictureRecord]]) -> Iterator[PictureRecord]:
    """Records in the order of their pictures, each as soon as all before it are there; at the end, what remains."""
    done: dict[int, PictureRecord] = {}
    following = 0
    try:
        for number, record in answers:
            done[number] = record
            while following in done:
                yield done.pop(following)
                following += 1
    except WorkersError:
        yield from (done[number] for number in sorted(done))
        raise
    yield from (done[number] for number in sorted(done))


def predictor_of(pipeline: Pipeline) -> Callable[[Picture], PictureRecord]:
    """What analyses one picture after the other; whatever is wrong with one is the record's `error`."""
    return partial(_predict_one, pipeline, CellReader())


def settings_of(pipeline: Pipeline, *, with_copies: bool) -> dict:
    """What the records depend on beside the pictures, as JSON: another run with the same gives the same."""
    files = sorted(file for file in pipeline.files.bundle.iterdir() if file.suffix in (".onnx", ".json"))
    used = [*files, *filter(None, (pipeline.files.yunet, pipeline.files.personal))]
    return {
        "version": __version__,
        "detector": pipeline.detector.name,
        "files": [[file.name, sha256_of(file)] for file in used if file.name != METRICS_FILE],
        "copies": with_copies,
    }


def _predict_one(pipeline: Pipeline, cells: CellReader, picture: Picture) -> PictureRecord:
    if picture.error is not None:
        return _record_of_error(picture, picture.error)
    try:
        frame = read_picture(picture.file or picture.path if picture.cell is None else cells.read(picture.cell))
        faces = pipeline.analyze(frame)
        if picture.copy is not None:
            drawn = annotate(frame, faces, pipeline.label_names, numbered=True)
            _write(picture.copy, encode_jpeg(drawn, quality=90))
    except PictureError as error:
        return _record_of_error(picture, str(error))
    except Exception as error:  # one picture never ends the others
        return _record_of_error(picture, f"the picture could not be analysed: {error!r}")
    return {
        "path": str(picture.path),
        "width": frame.shape[1],
        "height": frame.shape[0],
        "faces": [face_as_json(face, pipeline.label_names) for face in faces],
    }


def _write(copy: Path, content: bytes) -> None:
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)
    except OSError as error:
        raise PictureError(f"the annotated copy cannot be written: {error.strerror or error}") from error


def _record_of_error(picture: Picture, error: str) -> PictureRecord:
    return {"path": str(picture.path), "error": error}


def _record_of_fault(picture: Picture, fault: TaskFault) -> PictureRecord:
    return _record_of_error(picture, f"the picture could not be analysed: {fault.message}")


def _without_pipe(picture: Picture, stack: ExitStack) -> Picture:
    """A picture that comes through a pipe, read here: other processes do not have the pipe."""
    if picture.error is not None or picture.cell is not None or not is_pipe(Path(picture.path)):
        return picture
    try:
        return replace(picture, file=stack.enter_context(as_file(Path(picture.path))))
    except PipeError as error:
        return replace(picture, error=str(error))


def _where_from(pipeline: Pipeline) -> tuple[Path, str, Path | None, Path | None]:
    return pipeline.files.bundle, pipeline.detector.name, pipeline.files.yunet, pipeline.files.personal


def _load_predictor(
    bundle: Path, detector: str, weights: Path | None, personal: Path | None
) -> Callable[[Picture], PictureRecord]:
    """In a worker process: one thread for each library, since each core has a process."""
    cv2.setNumThreads(1)
    # The parent has printed all this.
    logging.disable(logging.WARNING)
    if weights is not None:
        os.environ[DETECTOR_VARIABLE] = str(weights)
    return predictor_of(load_pipeline(str(bundle), detector=detector, threads=1, personal=personal))
