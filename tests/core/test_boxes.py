import numpy as np
import pytest

from face_expression.boxes import box_area, iou_matrix, scale_box, xywh_to_xyxy


@pytest.mark.parametrize(
    ("box", "area"), [((0, 0, 0, 0), 0), ((1, 2, 4, 6), 12), ((4, 6, 1, 2), 0), ((-2, -2, 2, 2), 16)]
)
def test_area(box, area):
    assert box_area(box) == area


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([], [], np.zeros((0, 0))),
        ([], [(0, 0, 1, 1)], np.zeros((0, 1))),
        ([(0, 0, 2, 2)], [(0, 0, 2, 2), (1, 0, 3, 2), (2, 2, 3, 3)], [[1, 1 / 3, 0]]),
        ([(1, 1, 1, 1)], [(1, 1, 1, 1)], [[0]]),
        ([(3, 3, 1, 1)], [(0, 0, 4, 4)], [[0]]),
    ],
)
def test_iou(first, second, expected):
    np.testing.assert_allclose(iou_matrix(np.array(first), np.array(second)), expected)


def test_a_box_is_carried_between_resolutions():
    assert scale_box(xywh_to_xyxy(1, 2, 3, 4), 2, 10) == (2, 20, 8, 60)
