"""Everyone in a picture is found, and what cannot be classified is called "not sure": real faces, drawn scenes."""

from itertools import product

import cv2
import numpy as np
import pytest
import skimage.data

from face_expression.quality import MAYBE_NO_FACE
from tests.support.builders import calm_photo, happy_photo, scene

HEAD = happy_photo()[20:210, 130:320]
CALM_HEAD = calm_photo()[40:420, 80:460]


def heads(count: int, columns: int, side: int, step: tuple[int, int], first=(40, 40)) -> list[tuple]:
    """`count` heads in rows: (picture, left, top, side)."""
    return [
        (HEAD, first[0] + index % columns * step[0], first[1] + index // columns * step[1], side)
        for index in range(count)
    ]


def gallery(count: int, columns: int, *, width: int, height: int) -> np.ndarray:
    """A video call: tiles of equal size with a head in each."""
    rows = -(-count // columns)
    tile = (width // columns, height // rows)
    side = int(min(tile) * 0.6)
    middle = ((tile[0] - side) // 2, (tile[1] - side) // 2)
    return scene(heads(count, columns, side, tile, middle), width=width, height=height)


def places(faces, size: int = 40) -> set[tuple[int, int]]:
    return {
        (round((face.box[0] + face.box[2]) / 2 / size), round((face.box[1] + face.box[3]) / 2 / size)) for face in faces
    }


def test_a_large_face_hides_no_small_ones(yunet_pipeline):
    small = heads(12, 6, 80, (120, 112))
    alone = yunet_pipeline.analyze(scene(small, width=1600, height=1200))
    together = yunet_pipeline.analyze(scene([*small, (HEAD, 1080, 680, 500)], width=1600, height=1200))
    assert len(alone) == 12 and len(together) == 13
    assert places(alone) <= places(together)


@pytest.mark.parametrize(
    "width, height", [(640, 360), (960, 540), (1280, 720), (1920, 1080), (2560, 1440), (3840, 2160)]
)
def test_everyone_in_a_gallery_is_found(yunet_pipeline, width, height):
    assert len(yunet_pipeline.analyze(gallery(25, 5, width=width, height=height))) == 25


@pytest.mark.parametrize("count", range(1, 9))
def test_each_face_that_is_added_is_one_more(yunet_pipeline, count):
    sides = [230, 44, 120, 60, 90, 40, 150, 52]
    lefts = [20, 560, 260, 400, 300, 480, 440, 250]
    tops = [20, 20, 20, 40, 340, 140, 300, 200]
    faces = [(HEAD, left, top, side) for left, top, side in zip(lefts, tops, sides, strict=True)][:count]
    assert len(yunet_pipeline.analyze(scene(faces))) == count


def test_a_gallery_recording_of_sixteen_has_sixteen_tracks(yunet_pipeline):
    """With the first frame empty, so that they are found while the video runs."""
    empty = np.full((1080, 1920, 3), 110, np.uint8)
    _, state = yunet_pipeline.track(empty, None, 0.0)
    frame = gallery(16, 4, width=1920, height=1080)
    seen = []
    for number in range(1, 76):
        faces, state = yunet_pipeline.track(frame, state, number / 25)
        seen.append({face.track_id for face in faces})
    assert seen[-1] == set(range(1, 17))
    assert all(len(ids) == 16 for ids in seen[-25:])


def test_a_small_face_that_moves_is_kept(yunet_pipeline):
    state, counts, ids = None, [], set()
    for number in range(45):
        faces, state = yunet_pipeline.track(scene([(HEAD, 60 + 4 * number, 200, 44)]), state, number / 30)
        counts.append(len(faces))
        ids |= {face.track_id for face in faces}
    assert counts == [1] * 45 and ids == {1}


def test_somebody_small_who_comes_in_is_found_within_a_second(yunet_pipeline):
    empty, state, found = scene([]), None, []
    for number in range(60):
        frame = empty if number < 20 else scene([(HEAD, 420, 330, 44)])
        faces, state = yunet_pipeline.track(frame, state, number / 30)
        found.append(len(faces))
    assert found[:20] == [0] * 20 and found[50:] == [1] * 10


def test_a_new_face_is_found_beside_one_that_is_followed(yunet_pipeline):
    """Within a tenth of a second at 30 frames a second; the face that stays keeps its track, its place and its word."""
    one, two = scene([(HEAD, 60, 120, 200)]), scene([(HEAD, 60, 120, 200), (CALM_HEAD, 380, 140, 180)])
    state, seen = None, []
    for number in range(30):
        faces, state = yunet_pipeline.track(one if number < 14 else two, state, number / 30)
        seen.append(faces)
    first = [next(face for face in faces if face.box[0] < 250) for faces in seen]
    assert {len(faces) for faces in seen[:14]} == {1} and {len(faces) for faces in seen[17:]} == {2}
    assert {(face.track_id, face.label) for face in first} == {(1, "happy")}
    assert np.ptp([face.box for face in first[1:]], axis=0).max() < 4


def test_where_newcomers_are_searched_for_less_often_known_faces_are_followed_as_before(yunet_pipeline):
    one, two = scene([(HEAD, 60, 120, 200)]), scene([(HEAD, 60, 120, 200), (CALM_HEAD, 380, 140, 180)])

    def numbers_of_faces(factor: float) -> list[int]:
        state, numbers = None, []
        for number in range(30):
            picture = one if number < 14 else two
            faces, state = yunet_pipeline.track(picture, state, number / 30, search_interval_factor=factor)
            assert [face.label for face in faces if face.track_id == 1] == ["happy"]
            numbers.append(len(faces))
        return numbers

    often, rarely = numbers_of_faces(1.0), numbers_of_faces(4.0)
    assert often.index(2) < rarely.index(2) <= 26 and rarely[26:] == [2] * 4


@pytest.mark.parametrize("factor", [0, 0.5, float("nan")])
def test_newcomers_cannot_be_searched_for_more_often_than_the_bundle_says(yunet_pipeline, factor):
    with pytest.raises(ValueError, match="1 or more"):
        yunet_pipeline.track(scene([]), None, 0.0, search_interval_factor=factor)


@pytest.mark.parametrize(
    "picture", [skimage.data.astronaut(), scene([(HEAD, 60, 120, 200), (CALM_HEAD, 380, 140, 80)])]
)
@pytest.mark.parametrize("step_s", [1 / 60, 1 / 30, 0.2])
def test_the_boxes_of_faces_that_stand_still_do_too(yunet_pipeline, picture, step_s):
    state, boxes = None, []
    for number in range(20):
        faces, state = yunet_pipeline.track(picture, state, number * step_s)
        boxes.append([face.box for face in faces])
    # The first frame is searched as a photo is.
    assert boxes[1] and all(later == boxes[1] for later in boxes[2:])


def test_a_face_that_leaves_is_gone_from_the_next_frame(yunet_pipeline):
    state = None
    for number in range(8):
        faces, state = yunet_pipeline.track(scene([(HEAD, 60, 120, 200)]), state, number / 30)
    assert len(faces) == 1
    for number in range(8, 16):
        faces, state = yunet_pipeline.track(scene([]), state, number / 30)
        assert faces == []


def test_a_face_that_jumps_is_found_in_the_same_frame(yunet_pipeline):
    state = None
    for number in range(12):
        frame = scene([(HEAD, 60 if number % 2 else 400, 120, 200)])
        faces, state = yunet_pipeline.track(frame, state, number / 30)
        assert len(faces) == 1


def turned(picture: np.ndarray, degrees: int) -> np.ndarray:
    """A picture turned clockwise about its middle, in a grey square that holds all of it."""
    side = int(np.hypot(*picture.shape[:2])) + 2
    square = np.full((side, side, 3), 110, np.uint8)
    top, left = (side - picture.shape[0]) // 2, (side - picture.shape[1]) // 2
    square[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), -degrees, 1)
    return cv2.warpAffine(square, matrix, (side, side), borderValue=(110, 110, 110))


@pytest.mark.parametrize("degrees", [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 330])
def test_a_turned_photo_says_what_the_upright_one_says(yunet_pipeline, degrees):
    faces = [face for face in yunet_pipeline.analyze(turned(happy_photo(), degrees)) if face.reliable]
    assert [face.label for face in faces] == ["happy"] and faces[0].confidence > 0.8


@pytest.mark.parametrize("degrees, side", product([90, 180, 270], [100, 160]))
@pytest.mark.parametrize("picture", [HEAD, CALM_HEAD], ids=["happy", "calm"])
def test_a_small_face_in_a_turned_photo_is_found(yunet_pipeline, picture, degrees, side):
    """Though nothing in the photo as it is looks like a face."""
    upright, photo = (scene([(picture, 200, 60, side)]), turned(scene([(picture, 200, 60, side)]), degrees))
    (expected,), (face,) = yunet_pipeline.analyze(upright), yunet_pipeline.analyze(photo)
    assert face.label == expected.label


@pytest.mark.parametrize("degrees", [90, 120, 150, 180, 210, 270])
def test_a_turned_video_says_what_the_upright_one_says(yunet_pipeline, degrees):
    frame = cv2.resize(turned(happy_photo(), degrees), (480, 480), interpolation=cv2.INTER_AREA)
    state = None
    for number in range(30):
        faces, state = yunet_pipeline.track(frame, state, number / 30)
        reliable = [face for face in faces if face.reliable]
        assert [face.label for face in reliable] == ["happy"]
    assert reliable[0].track_id == 1


@pytest.mark.parametrize("degrees, picture", product([45, 135, 180, 225, 315], [HEAD, CALM_HEAD]))
def test_a_turned_face_is_never_a_confident_other_word(yunet_pipeline, degrees, picture):
    (upright,) = yunet_pipeline.analyze(scene([(picture, 140, 60, 360)]))
    for face in yunet_pipeline.analyze(turned(scene([(picture, 140, 60, 360)]), degrees)):
        assert not face.reliable or face.label == upright.label


def test_a_headlight_is_perhaps_no_face(yunet_pipeline):
    for face in yunet_pipeline.analyze(skimage.data.stereo_motorcycle()[0]):
        assert MAYBE_NO_FACE in face.reasons and not face.reliable


@pytest.mark.parametrize(
    "name", ["coffee", "chelsea", "rocket", "grass", "brick", "gravel", "coins", "page", "clock", "moon"]
)
def test_pictures_of_nobody_show_nobody(yunet_pipeline, name):
    picture = getattr(skimage.data, name)()
    faces = yunet_pipeline.analyze(picture if picture.ndim == 3 else np.dstack([picture] * 3))
    assert [face for face in faces if face.reliable] == []


def test_boxes_end_where_the_picture_ends(yunet_pipeline):
    frame = scene([(HEAD, -60, 100, 300), (HEAD, 500, -40, 260), (CALM_HEAD, 240, 330, 260)])
    faces = yunet_pipeline.analyze(frame)
    tracked, _ = yunet_pipeline.track(frame, None, 0.0)
    assert len(faces) == len(tracked) == 3
    for face in (*faces, *tracked):
        x0, y0, x1, y1 = face.box
        assert 0 <= x0 < x1 <= 640 and 0 <= y0 < y1 <= 480
