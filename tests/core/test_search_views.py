"""Where faces are searched for, and which are one: the table that the browser's engine is held to as well."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from face_expression.detection.search import (
    Detection,
    View,
    finest_views,
    is_same_face,
    lies_in,
    merge,
    photo_views,
    to_frame,
    video_views,
)
from face_expression.model.config import EMBEDDED_CONFIG, read_bundle_config
from tests.support.builders import SUPPORT

TABLE = json.loads((SUPPORT / "search_cases.json").read_text())
SETTINGS = SimpleNamespace(**TABLE["settings"])


def listed(views: list[View]) -> list[list[int]]:
    return [[*view.box, *view.wh, view.turn_deg] for view in views]


def test_the_table_is_written_for_the_settings_in_use():
    yunet = read_bundle_config(EMBEDDED_CONFIG).preprocessing.yunet.model_dump(mode="json")
    assert {name: yunet[name] for name in TABLE["settings"]} == TABLE["settings"]


@pytest.mark.parametrize("case", TABLE["views"], ids=lambda case: str(case["size"]))
def test_views(case):
    levels = photo_views(*case["size"], SETTINGS)
    assert [listed(views) for views in levels] == case["photo"]
    assert listed(finest_views(*case["size"], levels[-1], SETTINGS)) == case["finest"]
    assert listed(video_views(*case["size"], SETTINGS)) == case["video"]


@pytest.mark.parametrize(
    "width, height", [(640, 480), (480, 640), (1280, 720), (1920, 1080), (4000, 3000), (5000, 500)]
)
def test_tiles_cover_the_frame_and_overlap(width, height):
    """Every face of up to `window_px` lies whole in some tile, at every scale."""
    rng = np.random.default_rng(0)
    levels = photo_views(width, height, SETTINGS)
    for views in [*levels[1:], finest_views(width, height, levels[-1], SETTINGS)]:
        for _ in range(200 if views else 0):
            side = SETTINGS.window_px / views[0].scale * 0.95
            x, y = rng.uniform(0, max(width - side, 1)), rng.uniform(0, max(height - side, 1))
            face = Detection((x, y, min(x + side, width), min(y + side, height)), 0.9, None)
            assert any(lies_in(face, view, width, height) and contains(view, face) for view in views)


def contains(view: View, face: Detection) -> bool:
    x0, y0, x1, y1 = view.box
    return x0 <= face.box[0] and y0 <= face.box[1] and face.box[2] <= x1 and face.box[3] <= y1


@pytest.mark.parametrize("case", TABLE["detections"], ids=lambda case: str(case["view"]))
def test_detections_come_back_to_the_frame(case):
    x0, y0, x1, y1, width, height, turn_deg = case["view"]
    view = View((x0, y0, x1, y1), (width, height), turn_deg)
    inside = Detection(tuple(case["detection"]["box"]), 0.9, (tuple(case["detection"]["landmark"]),))
    found = to_frame(inside, view)
    assert [list(found.box), list(found.landmarks[0]), found.turn_deg] == [case["box"], case["landmark"], turn_deg]
    assert lies_in(found, view, *case["frame"]) == case["whole"]


@pytest.mark.parametrize("case", TABLE["same_face"], ids=str)
def test_the_more_certain_of_two_that_are_one_face_is_kept(case):
    first, second = Detection(case["first"], 0.7, None), Detection(case["second"], 0.8, None)
    assert (
        is_same_face(first.box, second.box, SETTINGS) == is_same_face(second.box, first.box, SETTINGS) == case["same"]
    )
    assert [face.score for face in merge([first, second], SETTINGS)] == ([0.8] if case["same"] else [0.8, 0.7])
