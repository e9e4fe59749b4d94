"""Pictures and folders of pictures -> one record each, in their order, by one process or by several."""

import logging
import os
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import cv2

from face_expression.cli.worker_pool import TaskFault, cores, shared_out
from face_expression.hub.download import DETECTOR_VARIABLE
from face_expression.io.image_search import find_images
from face_expression.io.images import PictureError, encode_jpeg, read_picture
from face_expression.io.piped_file import PipeError, as_file, is_pipe
from face_expression.output.annotate import annotate
from face_expression.output.picture_records import PictureRecord
from face_expression.output.records import face_as_json
from face_expression.pipeline import Pipeline, load_pipeline

# A process takes about a second to start; with fewer pictures each, one process alone is done sooner.
_PICTURES_WORTH_A_PROCESS = 50
_DEADLINE_S = 120.0


@dataclass(frozen=True)
class Picture:
    """A picture to be analysed: its name as given, where its annotated copy goes, and the file if that is another.

    `error` is set where it is known already that there is nothing to read.
    """

    path: Path
    copy: Path | None = None
    file: Path | None = None
    error: str | None = None


@dataclass
class PictureList:
    """The pictures of some files and folders, in order, and how many other files of each ending the folders hold."""

    pictures: list[Picture] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def list_pictures(paths: list[Path], output: Path | None) -> PictureList:
    """List files, and what folders hold, searched to the bottom.

    Args:
        paths: files are taken as they are, whatever they are called.
        output: folder of annotated copies, or None. Copies of an earlier run are passed over; no name is used twice.
    """
    listed, used = PictureList(), Counter()

    def add(path: Path, copy: Path, error: str | None = None) -> None:
        used[copy] += 1
        number = f"-{used[copy]}" if used[copy] > 1 else ""
        named = output / copy.with_name(f"{copy.name}{number}.jpg") if output is not None else None
        listed.pictures.append(Picture(path, named, error=error))

    for path in paths:
        if not path.is_dir():
            add(path, Path(path.name))
            continue
        found = find_images(path, skip=output)
        listed.left_out += found.left_out
        for unreadable, error in found.unreadable.items():
            add(unreadable, Path(unreadable.name), error)
        for file in found.files:
            add(file, file.relative_to(path))
    return listed


def predict_pictures(
    pictures: list[Picture],
    pipeline: Pipeline,
    *,
    workers: int | None,
    emit: Callable[[PictureRecord], None],
    stop: threading.Event,
) -> None:
    """Analyse pictures and hand on their records in the order of the pictures.

    Args:
        pictures: which.
        pipeline: what finds and classifies the faces; other processes load what it was loaded from.
        workers: processes; default: as many as there are cores, and fewer for few pictures.
        emit: takes each record.
        stop: once set, no further picture is begun; what is done is still handed on.

    Raises:
        WorkersError: if no process can be started; what is done was handed on.
    """
    if workers is None:
        workers = min(cores(), len(pictures) // _PICTURES_WORTH_A_PROCESS)
    workers = min(workers, len(pictures))
    with ExitStack() as stack:
        ready = (_without_pipe(picture, stack) for picture in pictures)
        if workers <= 1:
            predict = partial(predict_one, pipeline)
            answers = ((number, predict(picture)) for number, picture in enumerate(ready) if not stop.is_set())
        else:
            answers = shared_out(
                ready,
                partial(_load_predictor, *_where_from(pipeline)),
                workers=workers,
                deadline_s=_DEADLINE_S,
                stop=stop,
            )
        done: dict[int, PictureRecord] = {}
        following = 0
        try:
            for number, answer in answers:
                done[number] = _record_of_fault(pictures[number], answer) if isinstance(answer, TaskFault) else answer
                while following in done:
                    emit(done.pop(following))
                    following += 1
        finally:
            for number in sorted(done):
                emit(done[number])


def predict_one(pipeline: Pipeline, picture: Picture) -> PictureRecord:
    """Analyse one picture; whatever is wrong with it is the record's `error`."""
    if picture.error is not None:
        return _record_of_error(picture, picture.error)
    try:
        frame = read_picture(picture.file or picture.path)
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
    if picture.error is not None or not is_pipe(picture.path):
        return picture
    try:
        return replace(picture, file=stack.enter_context(as_file(picture.path)))
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
    return partial(predict_one, load_pipeline(str(bundle), detector=detector, threads=1, personal=personal))
