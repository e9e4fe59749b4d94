"""A run of `predict` from its pictures to its results, shown by a progress bar."""

import logging
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tqdm import tqdm

from face_expression.cli.interruption import interruption
from face_expression.cli.pictures import Picture
from face_expression.cli.predict import in_order, predict_pictures, settings_of
from face_expression.cli.predict_progress import Progress, open_progress, remove_progress
from face_expression.cli.ray_engine import Engine
from face_expression.cli.worker_pool import WorkersError
from face_expression.output.picture_records import Format, PictureRecord, record_writer
from face_expression.pipeline import Pipeline

log = logging.getLogger(__name__)


@dataclass
class Done:
    """How many pictures are done, how many of them are errors, and whether Ctrl-C ended the run."""

    pictures: int = 0
    errors: int = 0
    was_stopped: bool = False

    def add(self, record: PictureRecord) -> None:
        """Count a record."""
        self.pictures += 1
        self.errors += "error" in record


@dataclass(frozen=True)
class PredictJob:
    """What is to be done: `results` is None for standard output, in which case nothing can be resumed."""

    pictures: Sequence[Picture]
    pipeline: Pipeline
    results: Path | None = None
    records_format: Format = Format.JSONL
    engine: Engine = Engine.LOCAL
    workers: int | None = None
    _done: Done = field(default_factory=Done, init=False)

    def run(self) -> Done:
        """Analyse the pictures, beside those that an earlier run has done, and write the records.

        Raises:
            DataError: if Ray is not installed, or the progress beside the results is of another run.
            WorkersError: if no process can be started; what is done is written.
            OSError: if the results cannot be written.
        """
        with (
            tqdm(total=len(self.pictures), unit="picture", disable=None if len(self.pictures) > 1 else True) as bar,
            interruption() as stop,
        ):
            if self.results is None:
                self._to_standard_output(bar, stop)
            else:
                self._to_file(self.results, bar, stop)
        self._done.was_stopped = stop.is_set()
        return self._done

    def _answers(self, stop: threading.Event, numbers: Sequence[int] | None = None) -> closing:
        predict = partial(predict_pictures, self.pictures, self.pipeline, engine=self.engine, workers=self.workers)
        return closing(predict(numbers=numbers, stop=stop))

    def _to_standard_output(self, bar: tqdm, stop: threading.Event) -> None:
        names = self.pipeline.label_names, self.pipeline.own_names
        with record_writer(self.records_format, None, *names) as write, self._answers(stop) as answers:
            for record in in_order(answers):
                write(record)
                self._done.add(record)
                bar.update()

    def _to_file(self, results: Path, bar: tqdm, stop: threading.Event) -> None:
        with_copies = len(self.pictures) > 0 and self.pictures[0].copy is not None
        settings = settings_of(self.pipeline, with_copies=with_copies)
        with open_progress(results, settings, self.pictures) as progress:
            self._take_over(progress, bar)
            try:
                with self._answers(stop, progress.missing()) as answers:
                    for number, record in answers:
                        progress.add(number, record)
                        self._done.add(record)
                        bar.update()
            except WorkersError:
                self._write(results, progress)
                raise
            self._write(results, progress)
            if not stop.is_set():
                remove_progress(results)

    def _write(self, results: Path, progress: Progress) -> None:
        names = self.pipeline.label_names, self.pipeline.own_names
        with record_writer(self.records_format, results, *names) as write:
            for record in progress.records():
                write(record)

    def _take_over(self, progress: Progress, bar: tqdm) -> None:
        for record in progress.records():
            self._done.add(record)
        if self._done.pictures:
            log.info("resuming: %d of %d pictures are done already", self._done.pictures, len(self.pictures))
            bar.update(self._done.pictures)
