"""Whose expression a headline is about, where several people are in view."""

import json

import numpy as np
import pytest

from face_expression import Face
from space.live.main_face import main_face
from tests.support.builders import REPOSITORY

CASES = json.loads((REPOSITORY / "tests" / "support" / "main_face_cases.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_headline_keeps_to_one_person_as_in_the_browser(case):
    faces = [face_of(**face) for face in case["faces"]]
    face = main_face(faces, case["main_id"])
    assert (face.track_id if face else None) == case["first"]
    assert face is None or face in faces


def face_of(track_id: int | None, box: list[float]) -> Face:
    crop = np.zeros((48, 48, 3), np.uint8)
    return Face(tuple(box), 0.9, None, np.ones(7, np.float32) / 7, "happy", 1 / 7, (), track_id, crop)
