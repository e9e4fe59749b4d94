"""How many pictures a second does `predict` label, and does its memory grow? `python -m benchmarks.predict_folder`.

A folder of links to a few JPEGs of 350 px, cut out of the examples in many ways, is labelled by the command as people
type it, with `--results`. How many pictures are done is read from the file in which the command keeps its progress, and
memory is that of all its processes (what would be free if they ended: shared pages count once). With
`--pictures 100000` it takes about a quarter of an hour on two cores.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import psutil
import typer
from PIL import Image

from benchmarks.figures import FOLDER, as_markdown, record, table
from face_expression import encode_jpeg, read_picture
from face_expression.cli.predict_progress import progress_file
from face_expression.cli.ray_engine import Engine

SIDE_PX = 350
EXAMPLES = Path(__file__).parent.parent / "examples"
_POLL_S = 0.25


@dataclass(frozen=True)
class Moment:
    """What is done and used at one time of a run."""

    seconds: float
    pictures: int
    memory_mib: float


def write_pictures(folder: Path, count: int, files: int) -> None:
    """Links to crops of different places and sizes around the faces, seeded."""
    rng = np.random.default_rng(0)
    photos = [Image.fromarray(read_picture(path)) for path in sorted(EXAMPLES.glob("*.jpg"))]
    sources = folder.with_name(f"{folder.name}-files")
    for made in (folder, sources):
        made.mkdir()
    for number in range(min(files, count)):
        photo = photos[number % len(photos)]
        side = int(rng.integers(300, min(photo.size) + 1))
        left, top = (int(rng.integers(0, room + 1)) for room in ((photo.width - side) // 2, (photo.height - side) // 4))
        crop = photo.crop((left, top, left + side, top + side)).resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
        (sources / f"{number}.jpg").write_bytes(encode_jpeg(np.asarray(crop), quality=90))
    for number in range(count):
        (folder / f"{number:07d}.jpg").symlink_to(sources / f"{number % files}.jpg")


def memory_mib(program: psutil.Process) -> float:
    """Memory of a program and all that it started."""
    total = 0
    for process in [program, *program.children(recursive=True)]:
        try:
            total += process.memory_full_info().pss if hasattr(process, "memory_maps") else process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 2**20


def run(folder: Path, results: Path, workers: int, engine: Engine) -> Iterator[Moment]:
    """Label the folder; a moment whenever it was looked, the last one when all was written."""
    options = ["--results", str(results), "--workers", str(workers), "--engine", engine]
    command = [sys.executable, "-m", "face_expression", "predict", str(folder), *options]
    done, begun, progress = 0, time.perf_counter(), progress_file(results)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        program, position = psutil.Process(running.pid), 0
        while running.poll() is None:
            time.sleep(_POLL_S)
            if progress.is_file():
                with progress.open("rb") as file:
                    file.seek(position)
                    new = file.read()
                # The first line is no picture's.
                done += new.count(b"\n") - (position == 0 and b"\n" in new)
                position += len(new)
            try:
                yield Moment(time.perf_counter() - begun, done, memory_mib(program))
            except psutil.NoSuchProcess:
                break
    if running.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {running.returncode}")
    yield Moment(time.perf_counter() - begun, results.read_bytes().count(b"\n"), 0.0)


def at_shares(moments: list[Moment], pictures: int, shares: int = 5) -> list[Moment]:
    """The first moments at which a fifth, two fifths, ... of the pictures were done, and the last before all were."""
    running = [moment for moment in moments if moment.memory_mib and moment.pictures < pictures]
    wanted = [pictures * number / shares for number in range(1, shares)]
    found = [next((moment for moment in running if moment.pictures >= count), running[-1]) for count in wanted]
    return [*found, running[-1]]


def pictures_per_s(moments: list[Moment]) -> float:
    """From the first picture that was done to the last: without starting and without writing the results."""
    first = next(moment for moment in moments if moment.pictures)
    last = next(moment for moment in moments if moment.pictures >= moments[-1].pictures)
    return (last.pictures - first.pictures) / max(last.seconds - first.seconds, 1e-9)


def main(
    pictures: Annotated[int, typer.Option(min=100, help="How many are labelled.")] = 3000,
    files: Annotated[int, typer.Option(min=1, help="Different files among them; the others are links.")] = 300,
    workers: Annotated[list[int] | None, typer.Option(min=1, help="Processes; repeatable. Default: 1 and 2.")] = None,
    engine: Annotated[Engine, typer.Option(help="local or ray.")] = Engine.LOCAL,
    output: Annotated[Path, typer.Option(help="JSON to write.")] = FOLDER / "predict.json",
) -> None:
    """Measure the command on a folder."""
    rates, courses, data = [], [], {}
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / "many"
        write_pictures(folder, pictures, files)
        for count in workers or (1, 2):
            moments = list(run(folder, Path(temporary) / f"{count}.jsonl", count, engine))
            if moments[-1].pictures != pictures:
                raise SystemExit(f"{moments[-1].pictures} of {pictures} pictures have a line in the results")
            rates.append((count, f"{moments[-1].seconds:.1f}", f"{pictures_per_s(moments):.0f}"))
            at = at_shares(moments, pictures)
            courses.append((count, *(f"{moment.memory_mib:.0f}" for moment in at)))
            data[str(count)] = [asdict(moment) for moment in [*at, moments[-1]]]
    shares = [f"{share}% done" for share in (20, 40, 60, 80, 100)]
    note = f"{pictures:,} JPEGs of {SIDE_PX} x {SIDE_PX} px, engine {engine}."
    tables = {
        "speed": table(("processes", "whole command s", "pictures/s"), rates, notes=[note]),
        "memory": table(("memory in MiB, processes", *shares), courses, notes=[note]),
    }
    for shown in tables.values():
        print(as_markdown(shown))
    command = f"python -m benchmarks.predict_folder --pictures {pictures}" + f" --engine {engine}" * (engine != "local")
    command += "".join(f" --workers {count}" for count in workers or ())
    values = {f"rate-{count}": rate for count, _, rate in rates}
    record(output, command=command, speaks_of=["face_expression"], tables=tables, values=values, data=data)


if __name__ == "__main__":
    typer.run(main)
