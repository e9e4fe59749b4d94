"""Command line: what do the faces in these pictures, in this video, before this camera look like?"""

import json
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from tqdm import tqdm

from face_expression.annotate import annotate
from face_expression.config import BundleError
from face_expression.console_log import log_to_stderr
from face_expression.desktop import DesktopError, require_windows, show_camera
from face_expression.face_json import face_as_json
from face_expression.picture_file import SUFFIXES, PictureError, encode_jpeg, read_picture
from face_expression.pipeline import Pipeline, load_pipeline
from face_expression.video_file import VideoError, read_header
from face_expression.video_progress import label_with_progress

log = logging.getLogger(__name__)

INTERRUPTED = 130

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
DetectorOption = Annotated[str | None, typer.Option(help="yunet or haar; default: yunet.")]


@app.callback()
def main() -> None:
    """Label the expressions of faces."""


@app.command()
def predict(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Pictures, or folders of pictures.")],
    output: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder for annotated copies; it is made if need be.")
    ] = None,
    model: ModelOption = None,
    detector: DetectorOption = None,
) -> None:
    """Print one line of JSON for each picture.

    A file that is no picture gives a line with "error"; the others are still done, and the exit code is then 1. Which
    model and face detector are in use is said on the error stream.
    """
    log_to_stderr()
    if output is not None and output.resolve() in [path.resolve() for path in paths]:
        raise typer.BadParameter(f"{output} is read from; choose another folder for the annotated copies")
    pipeline = _load_pipeline(model, detector)
    failed = False
    pictures = list(_pictures(paths, output))
    for path, name in tqdm(pictures, unit="picture", disable=None if len(pictures) > 1 else True):
        try:
            line = _predict_one(pipeline, path, output / name if output else None)
        except PictureError as error:
            line = {"path": str(path), "error": str(error)}
            failed = True
        tqdm.write(json.dumps(line))
    if failed:
        raise typer.Exit(1)


def _load_pipeline(model: str | None, detector: str | None) -> Pipeline:
    try:
        return load_pipeline(model, detector=detector)
    except (BundleError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error


def _pictures(paths: list[Path], output: Path | None) -> Iterator[tuple[Path, Path]]:
    """Each picture with the name of its annotated copy below `output`; no name is used twice.

    Folders are searched to the bottom, except for `output`, which may hold the copies of an earlier run.
    """
    used: Counter[Path] = Counter()
    for path, copy in _listed(paths, output.resolve() if output else None):
        used[copy] += 1
        number = f"-{used[copy]}" if used[copy] > 1 else ""
        yield path, copy.with_name(f"{copy.name}{number}.jpg")


def _listed(paths: list[Path], output: Path | None) -> Iterator[tuple[Path, Path]]:
    for path in paths:
        if not path.is_dir():
            yield path, Path(path.name)
            continue
        for found in sorted(path.rglob("*")):
            is_old_copy = output is not None and found.resolve().is_relative_to(output)
            if found.is_file() and found.suffix.lower() in SUFFIXES and not is_old_copy:
                yield found, found.relative_to(path)


def _predict_one(pipeline: Pipeline, path: Path, copy: Path | None) -> dict:
    frame = read_picture(path)
    faces = pipeline.analyze(frame)
    if copy is not None:
        copy.parent.mkdir(parents=True, exist_ok=True)
        drawn = annotate(frame, faces, pipeline.label_names, numbered=True)
        copy.write_bytes(encode_jpeg(drawn, quality=90))
    return {
        "path": str(path),
        "width": frame.shape[1],
        "height": frame.shape[0],
        "faces": [face_as_json(face, pipeline.label_names) for face in faces],
    }


@app.command()
def video(
    source: Annotated[
        str, typer.Argument(metavar="FILE|CAMERA", help="A video, or a camera's number; 0 is the first camera.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(dir_okay=False, metavar="COPY.mp4", help="Annotated copy; what is there is replaced."),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(dir_okay=False, metavar="FACES.csv", help="A row for each face; what is there is replaced."),
    ] = None,
    every: Annotated[int, typer.Option(min=1, metavar="N", help="Look at every Nth frame only, which is faster.")] = 1,
    model: ModelOption = None,
    detector: DetectorOption = None,
) -> None:
    """Label the faces of a video, or of a camera in a window.

    The copy is H.264 in MP4, which browsers play, with the sound and the times of the original, upright, and at most
    1920 pixels on its long side. With --every, the frames between are drawn with the last faces; a face that is not
    looked at for a second gets a new track_id.

    The CSV goes to standard output if neither --output nor --csv is given. Each row is one face in one frame that was
    looked at: time_s from the start of the file, the frame's number from 0, track_id (one person while in view), the
    box in pixels of the upright video, the probability of each label, the label, its confidence, whether it is
    reliable, and the reasons if it is not.

    A damaged or incomplete video is labelled as far as it can be read; the exit code is then 1. Ctrl-C ends early and
    keeps what there is (exit code 130); pressed twice, nothing is kept.

    A camera's window shows a mirror; q, Esc or closing it quits. It needs an OpenCV with windows: the command says how
    to install it, and how to go back.
    """
    log_to_stderr()
    if source.isascii() and source.isdigit():
        if output or csv or every != 1:
            raise typer.BadParameter("a camera is only shown; --output, --csv and --every are for files")
        _watch_camera(int(source), model, detector)
    else:
        _require_apart(Path(source), output, csv)
        _label_file(Path(source), output, csv, every, model, detector)


def _watch_camera(camera: int, model: str | None, detector: str | None) -> None:
    try:
        require_windows()
        show_camera(_load_pipeline(model, detector), camera)
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


def _label_file(
    source: Path, output: Path | None, csv: Path | None, every: int, model: str | None, detector: str | None
) -> None:
    written = " and ".join(str(file) for file in (output, csv) if file) or "the rows above"
    try:
        pictures = read_header(source).pictures
        labelled = label_with_progress(_load_pipeline(model, detector), source, output, csv, every, pictures)
    except VideoError as error:
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
