"""This project, through its public interface: the embedded bundle and YuNet."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

import cv2

from benchmarks.peers.adapters.protocol import serve
from face_expression import load_pipeline

cv2.setNumThreads(1)
pipeline = load_pipeline(threads=1)


def crop(picture):
    return pipeline.classify([picture])[0]


def photo(picture):
    faces = pipeline.analyze(picture)
    return faces[0].probabilities if faces else None


serve(crop, photo)
