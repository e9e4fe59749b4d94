"""Classify facial expressions in pictures, videos and the frames of a camera."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from face_expression.cli.camera_window import DesktopError, camera_frames, require_windows, show_camera
from face_expression.cli.events import write_events
from face_expression.cli.interruption import INTERRUPTED
from face_expression.cli.logging import log_to_stderr
from face_expression.cli.pictures import list_pictures, open_data_set
from face_expression.cli.predict_job import PredictJob
from face_expression.cli.progress import label_with_progress
from face_expression.cli.ray_engine import Engine
from face_expression.cli.worker_pool import WorkersError
from face_expression.errors import BundleError, DataError, HubError
from face_expression.io.image_search import describe_left_out
from face_expression.io.images import SUFFIXES
from face_expression.io.piped_file import PipeError, as_file
from face_expression.output.picture_records import (
    Format,
    MissingPackageError,
    format_of,
    require_packages,
)
from face_expression.personal.personal_file import PersonalError
from face_expression.pipeline import Pipeline, load_pipeline
from face_expression.video.reader import VideoError, read_header, read_video

log = logging.getLogger(__name__)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help=__doc__,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

ModelOption = Annotated[
    str | None, typer.Option(help="A bundle: a folder or USER/NAME[@REVISION] on the Hub; default: embedded.")
]
PersonalOption = Annotated[
    Path | None,
    typer.Option(
        dir_okay=False, metavar="PERSONAL.json", help="What the live view learned about one person, for this model."
    ),
]
DetectorOption = Annotated[str | None, typer.Option(help="yunet or haar; default: yunet.")]
PathsArgument = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[PATH...]", help="Pictures, folders of pictures, or /dev/stdin for a picture in a pipe."),
]
DataOption = Annotated[
    str | None,
    typer.Option(
        metavar="DATA",
        help="A data set instead of PATHs: a Parquet file, a folder of such, or USER/NAME[@REVISION] on the Hub.",
    ),
]
SplitOption = Annotated[str | None, typer.Option(help="Split of the data set; default: all.")]
ColumnOption = Annotated[str, typer.Option(help="Column of the data set that holds the pictures.")]
OutputOption = Annotated[
    Path | None, typer.Option(file_okay=False, help="Folder for annotated copies; created if missing.")
]
ResultsOption = Annotated[
    Path | None,
    typer.Option(
        dir_okay=False,
        metavar="FILE",
        help="Write here instead of standard output; overwritten. The same command resumes a stopped run.",
    ),
]
FormatOption = Annotated[
    Format | None,
    typer.Option("--format", help="Default: that of the ending of --results, or jsonl. parquet needs --results."),
]
EngineOption = Annotated[
    Engine, typer.Option(help="Processes of this machine, or a Ray cluster whose machines all see the pictures.")
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Processes; default: one for each core, fewer for few pictures.")
]


@app.callback()
def main() -> None:
    """Label the expressions of faces."""


@app.command()
def predict(
    paths: PathsArgument = None,
    data: DataOption = None,
    split: SplitOption = None,
    column: ColumnOption = "image",
    output: OutputOption = None,
    results: ResultsOption = None,
    results_format: FormatOption = None,
    engine: EngineOption = Engine.LOCAL,
    workers: WorkersOption = None,
    model: ModelOption = None,
    detector: DetectorOption = None,
    personal: PersonalOption = None,
) -> None:
    """Print one line of JSON for each picture, or a table with a row for each face.

    Folders are searched to the bottom, and links followed; what is left out there is counted by its ending. The lines
    are in the order of the pictures, however many processes there are.

    With --results, what is done is kept in FILE.progress until all of it is. A run that was stopped or killed is
    resumed by the same command; --results then holds all pictures.

    A file that cannot be read gives a line with "error"; the others are still done, and the exit code is then 1. The
    same if no picture is found. Ctrl-C ends at once and keeps what is done (exit code 130). Which model and face
    detector are in use is logged on the error stream.
    """
    log_to_stderr()
    if (data is None) == (not paths):
        raise typer.BadParameter("name pictures and folders, or a data set with --data, and not both")
    sources = [Path(data)] if data is not None else list(paths or ())
    read_from = [path.resolve() for path in sources]
    if output is not None and output.resolve() in read_from:
        raise typer.BadParameter(f"{output} is read from; choose another folder for the annotated copies")
    if results is not None and results.resolve() in read_from:
        raise typer.BadParameter(f"{results} is read from; choose another file for the results")
    records_format = results_format or format_of(results)
    if records_format is Format.PARQUET and results is None:
        raise typer.BadParameter("--format parquet needs a file: --results FACES.parquet")
    try:
        require_packages(records_format)
        listed = list_pictures(sources, output) if data is None else open_data_set(data, split, column, output)
    except (MissingPackageError, DataError, HubError) as error:
        raise typer.BadParameter(str(error)) from error
    if listed.left_out:
        log.info("left out: %s", describe_left_out(listed.left_out))
    if not listed.pictures:
        _fail(f"no picture found in {', '.join(map(str, sources))}; endings taken: {' '.join(SUFFIXES)}")
    job = PredictJob(
        listed.pictures,
        _load_pipeline(model, detector, personal),
        results=results,
        records_format=records_format,
        engine=engine,
        workers=workers,
    )
    _run(job, len(listed.pictures), written_to=str(results or "standard output"))


def _run(job: PredictJob, pictures: int, *, written_to: str) -> None:
    try:
        done = job.run()
    except DataError as error:
        raise typer.BadParameter(str(error)) from error
    except WorkersError as error:
        _fail(str(error))
    except BrokenPipeError:
        raise
    except OSError as error:
        _fail(f"{written_to}: cannot be written: {error.strerror or error}")
    if done.was_stopped:
        log.error("stopped; %d of %d pictures are done", done.pictures, pictures)
        raise typer.Exit(INTERRUPTED)
    if done.errors:
        raise typer.Exit(1)


def _load_pipeline(model: str | None, detector: str | None, personal: Path | None) -> Pipeline:
    try:
        return load_pipeline(model, detector=detector, personal=personal)
    except (BundleError, PersonalError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error


@app.command()
def video(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE|CAMERA",
            help="A video, /dev/stdin for one in a pipe, or a camera's number; 0 is the first camera.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(dir_okay=False, metavar="COPY.mp4", help="Annotated copy; overwritten if it exists."),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(dir_okay=False, metavar="FACES.csv", help="A row for each face; overwritten if it exists."),
    ] = None,
    every: Annotated[int, typer.Option(min=1, metavar="N", help="Process every Nth frame only, which is faster.")] = 1,
    events: Annotated[
        bool, typer.Option("--events", help="Print a line of JSON for each change, for other programs; no window.")
    ] = False,
    model: ModelOption = None,
    detector: DetectorOption = None,
    personal: PersonalOption = None,
) -> None:
    """Label the faces of a video, or of a camera in a window.

    The copy is H.264 in MP4, which browsers play, with the sound and the times of the original, upright, and at most
    1920 pixels on its long side. With --every, the frames between are drawn with the last faces; a face that is not
    detected for a second gets a new track_id.

    The CSV goes to standard output if neither --output nor --csv is given. Each row is one face in one frame that was
    processed: time_s from the start of the file, the frame's number from 0, track_id (one person while in view), the
    box in pixels of the upright video, the probability of each label, the label, its confidence, whether it is
    reliable, and the reasons if it is not.

    A damaged or incomplete video is labelled as far as it can be read; the exit code is then 1. Ctrl-C ends early and
    keeps what there is (exit code 130); pressed twice, nothing is kept.

    With --events, a line of JSON is printed whenever somebody comes, leaves or looks different; it needs no window:
    {"type": "face-expression", "version": 1, "time_s": ..., "faces": [{"track_id": ..., "label": ..., ...}]}.

    A camera's window shows a mirror; q, Esc or closing it quits. It needs an OpenCV with windows: the command says how
    to install it, and how to go back.
    """
    log_to_stderr()
    if events and (output or csv or every != 1):
        raise typer.BadParameter("--events only prints; leave out --output, --csv and --every")
    if events:
        _print_events(source, lambda: _load_pipeline(model, detector, personal))
    elif source.isascii() and source.isdigit():
        if output or csv or every != 1:
            raise typer.BadParameter("a camera is only shown; --output, --csv and --every are for files")
        _watch_camera(int(source), model, detector, personal)
    else:
        _require_apart(Path(source), output, csv)
        _label_file(Path(source), output, csv, every, lambda: _load_pipeline(model, detector, personal))


def _print_events(source: str, load: Callable[[], Pipeline]) -> None:
    pipeline = load()
    try:
        if source.isascii() and source.isdigit():
            write_events(pipeline, camera_frames(int(source)), sys.stdout)
            return
        with as_file(Path(source)) as file:
            frames = ((picture.time_s, picture.pixels) for picture in read_video(file))
            write_events(pipeline, frames, sys.stdout)
    except DesktopError as error:
        _fail(str(error))
    except (VideoError, PipeError) as error:
        _fail(f"{source}: {error}")
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _watch_camera(camera: int, model: str | None, detector: str | None, personal: Path | None) -> None:
    try:
        require_windows()
        show_camera(_load_pipeline(model, detector, personal), camera)
    except DesktopError as error:
        _fail(str(error))


def _require_apart(source: Path, output: Path | None, csv: Path | None) -> None:
    if output and output.suffix.lower() != ".mp4":
        raise typer.BadParameter(f"{output}: the annotated copy is an MP4; its name must end in .mp4")
    for written in (output, csv):
        if written and written.resolve() == source.resolve():
            raise typer.BadParameter(f"{written} is read from; choose another name for what is written")
    if output and csv and output.resolve() == csv.resolve():
        raise typer.BadParameter(f"{output} cannot hold the video and the table; choose two names")


def _label_file(source: Path, output: Path | None, csv: Path | None, every: int, load: Callable[[], Pipeline]) -> None:
    written = " and ".join(str(file) for file in (output, csv) if file) or "the rows above"
    try:
        with as_file(source) as file:
            pictures = read_header(file).pictures
            labelled = label_with_progress(load(), file, output, csv, every, pictures)
    except (VideoError, PipeError) as error:
        _fail(f"{source}: {error}")
    except BrokenPipeError:
        raise
    except OSError as error:
        _fail(f"{written}: cannot be written: {error.strerror or error}")
    log.info("%d frames, %.1f s", labelled.frames, labelled.end_s)
    if labelled.problem:
        log.error("%s: %s; what was done is in %s", source, labelled.problem, written)
        raise typer.Exit(INTERRUPTED if labelled.was_stopped else 1)


def _fail(sentence: str) -> NoReturn:
    log.error("%s", sentence)
    raise typer.Exit(1)


if __name__ == "__main__":
    app()
