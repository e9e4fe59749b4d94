"""What the adapters in Python share: reading the work, timing, and printing answers. Needs numpy only."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Answer = Callable[[np.ndarray], list[float] | None]


def serve(crop: Answer, photo: Answer) -> None:
    """Answer the pictures of the work file that the command line names.

    Args:
        crop: RGB uint8 (H, W, 3) of one face -> seven probabilities.
        photo: RGB uint8 (H, W, 3) -> those of the largest face, or None.
    """
    work = Path(sys.argv[1])
    answers, printed = [], sys.stdout
    # Whatever the tools print goes elsewhere.
    sys.stdout = sys.stderr
    for part in json.loads(work.read_text())["sets"]:
        pixels = np.fromfile(work.parent / part["pixels"], np.uint8)
        ends = np.cumsum([width * height * 3 for width, height in part["sizes"]])[:-1]
        shapes = [(height, width, 3) for width, height in part["sizes"]]
        pictures = [piece.reshape(shape) for piece, shape in zip(np.split(pixels, ends), shapes, strict=True)]
        answer = crop if part["mode"] == "crop" else photo
        answer(pictures[0])
        answers.append((answer, pictures))
    print("ready", file=printed, flush=True)
    for answer, pictures in answers:
        for picture in pictures:
            begun = time.process_time()
            found = answer(picture)
            ms = (time.process_time() - begun) * 1000
            values = None if found is None else [float(value) for value in found]
            print(json.dumps({"ms": ms, "probabilities": values}), file=printed, flush=True)
