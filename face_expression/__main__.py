"""Command line: what do the faces in these pictures look like?"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from face_expression.annotate import annotate
from face_expression.config import BundleError
from face_expression.console_log import log_to_stderr
from face_expression.picture_file import SUFFIXES, PictureError, encode_jpeg, read_picture
from face_expression.pipeline import Face, Pipeline, load_pipeline

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Label the expressions of faces."""


@app.command()
def predict(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Pictures, or folders of pictures.")],
    output: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder for annotated copies; it is made if need be.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A bundle: a folder or USER/NAME[@REVISION] on the Hub; default: embedded.")
    ] = None,
    detector: Annotated[str | None, typer.Option(help="yunet or haar; default: yunet where it can be had.")] = None,
) -> None:
    """Print one line of JSON for each picture.

    A file that is no picture gives a line with "error"; the others are still done, and the exit code is then 1. Which
    model and face detector are in use is said on the error stream.
    """
    log_to_stderr()
    if output is not None and output.resolve() in [path.resolve() for path in paths]:
        raise typer.BadParameter(f"{output} is read from; choose another folder for the annotated copies")
    try:
        pipeline = load_pipeline(model, detector=detector)
    except (BundleError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error
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


def face_as_json(face: Face, label_names: tuple[str, ...]) -> dict:
    """A face as plain JSON types."""
    return {
        "box": [round(value, 1) for value in face.box],
        "score": round(face.score, 4),
        "label": face.label,
        "confidence": round(face.confidence, 4),
        "probabilities": {
            name: round(float(value), 4) for name, value in zip(label_names, face.probabilities, strict=True)
        },
        "reliable": face.reliable,
        "reasons": list(face.reasons),
    }


if __name__ == "__main__":
    app()
