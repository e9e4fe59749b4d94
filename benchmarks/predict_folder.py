"""How many pictures a second does `predict` label? `python -m benchmarks.predict_folder`.

A folder of JPEGs of 350 px, cut out of the examples in many ways, is labelled by the command as people type it, with
one process and with two. The time for a folder of two pictures, nearly all of it start-up, is shown beside it.
"""

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from face_expression import encode_jpeg, read_picture
from face_expression.cli.worker_pool import cores

SIDE_PX = 350
EXAMPLES = Path(__file__).parent.parent / "examples"
FEW = 2


def write_pictures(folder: Path, count: int) -> None:
    """Crops of different places and sizes around the faces, seeded."""
    rng = np.random.default_rng(0)
    photos = [Image.fromarray(read_picture(path)) for path in sorted(EXAMPLES.glob("*.jpg"))]
    folder.mkdir()
    for number in range(count):
        photo = photos[number % len(photos)]
        side = int(rng.integers(300, min(photo.size) + 1))
        left, top = rng.integers(0, (photo.width - side) // 2 + 1), rng.integers(0, (photo.height - side) // 4 + 1)
        crop = photo.crop((left, top, left + side, top + side)).resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
        (folder / f"{number:05d}.jpg").write_bytes(encode_jpeg(np.asarray(crop), quality=90))


def seconds_of(folder: Path, workers: int) -> float:
    """How long the command takes from its start to its end."""
    command = [sys.executable, "-m", "face_expression", "predict", str(folder), "--workers", str(workers)]
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main(
    pictures: Annotated[int, typer.Option(min=100, help="How many are labelled.")] = 1500,
    workers: Annotated[list[int] | None, typer.Option(min=1, help="Processes; repeatable. Default: 1 and 2.")] = None,
) -> None:
    """Measure the command on a folder."""
    print(f"{pictures} JPEGs of {SIDE_PX} x {SIDE_PX} px, {cores()} core(s)\n")
    print("| processes | start-up s | whole command s | pictures/s with start-up | pictures/s without |")
    print("|---|---|---|---|---|")
    with TemporaryDirectory() as temporary:
        many, few = Path(temporary) / "many", Path(temporary) / "few"
        write_pictures(many, pictures)
        write_pictures(few, FEW)
        for count in workers or (1, 2):
            start_s, whole_s = seconds_of(few, count), seconds_of(many, count)
            without = (pictures - FEW) / (whole_s - start_s)
            print(f"| {count} | {start_s:.1f} | {whole_s:.1f} | {pictures / whole_s:.0f} | {without:.0f} |")


if __name__ == "__main__":
    typer.run(main)
