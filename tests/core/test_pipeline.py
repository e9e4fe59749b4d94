import subprocess
import sys

import cv2
import numpy as np
import pytest

from face_expression import LABEL_NAMES, BundleError, load_pipeline
from face_expression.boxes import iou_matrix
from face_expression.quality import BLURRED, TOO_DARK, TOO_SMALL
from tests.support.builders import EXAMPLES, calm_face, calm_photo, happy_face, happy_photo, moving, scene

# Where the astronaut's face is, drawn by hand, xyxy.
ASTRONAUT_FACE = (175.0, 65.0, 272.0, 175.0)


def test_the_astronaut_smiles(pipeline):
    (face,) = pipeline.analyze(happy_photo())
    assert iou_matrix([face.box], [ASTRONAUT_FACE])[0, 0] > 0.6
    assert face.label == "happy" and face.confidence > 0.8
    assert face.reliable and face.reasons == () and face.track_id is None
    assert face.probabilities.shape == (7,) and face.probabilities.dtype == np.float32
    assert face.probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert face.label == LABEL_NAMES[int(face.probabilities.argmax())]


def test_the_admiral_does_not(pipeline):
    face = pipeline.analyze(calm_photo())[0]
    assert face.probabilities[LABEL_NAMES.index("happy")] < 0.3


def test_the_detector_sees_red_as_red(yunet_pipeline, yunet_weights):
    """What OpenCV finds in the same picture in its own order of colours."""
    small = cv2.resize(happy_photo(), (320, 320), interpolation=cv2.INTER_AREA)
    net = cv2.FaceDetectorYN.create(str(yunet_weights), "", (320, 320), 0.6, 0.3)
    (expected,) = net.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1]
    assert yunet_pipeline.analyze(small)[0].score == pytest.approx(float(expected[14]), abs=1e-6)


def test_the_mirror_image_says_the_same(pipeline):
    face, mirrored = (pipeline.analyze(frame)[0] for frame in (happy_photo(), happy_photo()[:, ::-1].copy()))
    assert mirrored.label == face.label
    assert 512 - mirrored.box[2] == pytest.approx(face.box[0], abs=12)


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (2, 3), (3000, 4000), (37, 1999)])
def test_any_size_of_an_empty_picture_has_no_face(pipeline, size):
    assert pipeline.analyze(np.full((*size, 3), 127, np.uint8)) == []


def test_thin_pictures_give_no_invented_faces(yunet_pipeline):
    """OpenCV's YuNet gives boxes out of uninitialised memory for frames thinner than 33 px; changing sizes shows it."""
    for size in [(640, 640), (2, 640), (640, 480), (30, 640), (320, 1), (19, 258), (640, 640), (640, 2)] * 3:
        assert yunet_pipeline.detector.detect(np.full((*size, 3), 127, np.uint8)) == []


@pytest.mark.parametrize("scale", [0.4, 3, 6])
def test_a_face_is_found_at_any_resolution(yunet_pipeline, scale):
    photo = cv2.resize(happy_photo(), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    (face,) = yunet_pipeline.analyze(photo)
    assert iou_matrix([np.array(face.box) / scale], [ASTRONAUT_FACE])[0, 0] > 0.6
    assert face.label == "happy"


def test_a_panorama_is_no_trouble(yunet_pipeline):
    """OpenCV's warpAffine takes no picture with a side of 32,767 px or more."""
    panorama = np.full((2400, 33000, 3), 110, np.uint8)
    panorama[:, 200:2600] = cv2.resize(happy_face(), (2400, 2400))
    (face,) = yunet_pipeline.analyze(panorama)
    assert face.label == "happy" and face.box[2] < 2600
    assert yunet_pipeline.classify([np.zeros((3, 40000), np.uint8)]).shape == (1, 7)


@pytest.mark.parametrize("noise", [np.zeros, np.ones, np.random.default_rng(0).random])
def test_no_face_is_an_empty_list(yunet_pipeline, noise):
    assert yunet_pipeline.analyze((noise((480, 640, 3)) * 255).astype(np.uint8)) == []


def test_forty_faces_are_forty_faces(yunet_pipeline):
    places = [(80 * column, 96 * row, 78) for row in range(5) for column in range(8)]
    crowd = scene([(happy_face(), left, top, side) for left, top, side in places])
    faces = yunet_pipeline.analyze(crowd)
    assert len(faces) == 40
    centers = {(int((f.box[0] + f.box[2]) // 160), int((f.box[1] + f.box[3]) // 192)) for f in faces}
    assert len(centers) == 40
    assert sum(face.probabilities[LABEL_NAMES.index("happy")] > 0.5 for face in faces) >= 36


def test_a_face_cut_by_the_border_is_found(yunet_pipeline):
    half_out = scene([(calm_face(), -110, 60, 360)])
    (face,) = yunet_pipeline.analyze(half_out)
    assert face.box[0] < 40
    assert face.probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_the_largest_face_comes_first(yunet_pipeline):
    faces = yunet_pipeline.analyze(scene([(happy_face(), 20, 150, 130), (calm_face(), 250, 40, 360)]))
    assert [face.box[0] > 200 for face in faces] == [True, False]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda frame: (frame * 0.1).astype(np.uint8), TOO_DARK),
        (lambda frame: cv2.GaussianBlur(frame, (0, 0), 14), BLURRED),
        (lambda frame: scene([(frame, 300, 200, 40)], width=400, height=300), TOO_SMALL),
    ],
)
def test_a_bad_picture_is_not_judged(yunet_pipeline, spoil, reason):
    fine = cv2.resize(happy_face(), (480, 480), interpolation=cv2.INTER_CUBIC)
    assert yunet_pipeline.analyze(fine)[0].reliable
    (face,) = yunet_pipeline.analyze(spoil(fine))
    assert not face.reliable
    assert reason in face.reasons


def test_a_washed_out_face_is_read_and_a_whiter_one_not_found(yunet_pipeline):
    fine = cv2.resize(happy_face(), (480, 480), interpolation=cv2.INTER_CUBIC)
    (face,) = yunet_pipeline.analyze((215 + fine * 0.15).astype(np.uint8))
    assert face.label == "happy" and face.reliable
    assert yunet_pipeline.analyze((236 + fine * 0.07).astype(np.uint8)) == []


@pytest.mark.parametrize("frame", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9, 3))])
def test_other_arrays_are_refused_with_what_was_got(haar_pipeline, frame):
    for judge in (haar_pipeline.analyze, lambda frame: haar_pipeline.track(frame, None, 0.0)):
        with pytest.raises(ValueError) as error:
            judge(frame)
        assert f"{frame.dtype} {frame.shape}" in str(error.value)


def test_frames_are_not_changed(pipeline):
    frame = happy_photo()
    before = frame.copy()
    pipeline.analyze(frame)
    np.testing.assert_array_equal(frame, before)


def test_a_tracked_face_keeps_its_number_and_changes_smoothly(yunet_pipeline):
    state, shown, happy = None, [], []
    views = [scene([(happy_face(), 140, 60, 360)])] * 4 + [scene([(calm_face(), 140, 60, 360)])] * 12
    for index, frame in enumerate(views):
        (face,), state = yunet_pipeline.track(frame, state, index * 0.1)
        assert face.track_id == 1
        shown.append(face.label)
        happy.append(float(face.probabilities[LABEL_NAMES.index("happy")]))
    assert shown[:4] == ["happy"] * 4 and shown[-1] != "happy"
    assert 0.3 < happy[4] < happy[3] and happy[-1] < 0.3


def test_a_still_face_is_classified_as_it_is_and_mirrored_in_turn(yunet_pipeline):
    """Its crop, logits and features stay those of the face as it is; its bars come to the mean of both and rest."""
    lit_from_one_side = cv2.resize(calm_face(), (360, 360)) * np.linspace(0.1, 1.3, 360)[None, :, None]
    frame = scene([(np.clip(lit_from_one_side, 0, 255).astype(np.uint8), 140, 60, 360)])
    state, seen = None, []
    for index in range(30):
        (face,), state = yunet_pipeline.track(frame, state, index * 0.1)
        seen.append(face)
    (alone,) = yunet_pipeline.analyze(frame)
    np.testing.assert_array_equal(seen[0].probabilities, alone.probabilities)
    # The first frame is searched in another way, which moves the box a little; from the second on it stands still.
    np.testing.assert_array_equal(seen[1].features, seen[0].features)
    crop = seen[2].crop
    plain, mirrored = yunet_pipeline.classify([crop, crop[:, ::-1]])
    assert np.abs(plain - mirrored).max() > 0.05
    first = yunet_pipeline.classify([seen[0].crop])[0]
    np.testing.assert_allclose(seen[1].probabilities, first + (mirrored - first) * (1 - np.exp(-0.8)) / 2, atol=1e-4)
    for face in seen[20:]:
        np.testing.assert_allclose(face.probabilities, (plain + mirrored) / 2, atol=1e-3)
    answer, features = yunet_pipeline.classifier.calibrated(yunet_pipeline.model_inputs([crop]))
    for face in seen[2:]:
        np.testing.assert_array_equal(face.crop, crop)
        np.testing.assert_allclose(face.features, features[0], atol=1e-4)
        np.testing.assert_allclose(face.logits, answer[0], atol=1e-4)
        assert face.reasons == seen[2].reasons


def test_crop_logits_and_features_are_of_one_moment(yunet_pipeline):
    state = None
    for index, frame in enumerate(moving(happy_face(), 12)):
        (face,), state = yunet_pipeline.track(frame, state, index / 15)
        logits, features = yunet_pipeline.classifier.calibrated(yunet_pipeline.model_inputs([face.crop]))
        np.testing.assert_allclose(face.logits, logits[0], atol=1e-4)
        np.testing.assert_allclose(face.features, features[0], atol=1e-4)


def test_crops_are_judged_without_a_detector(haar_pipeline):
    assert haar_pipeline.classify([]).shape == (0, 7)
    grey = happy_photo()[65:175, 170:280].mean(axis=2).astype(np.uint8)
    color = happy_photo()[65:175, 170:280]
    rows = haar_pipeline.classify([grey, color, grey[::4, ::4]])
    assert rows.shape == (3, 7)
    assert set(rows.argmax(axis=1)) == {LABEL_NAMES.index("happy")}
    with pytest.raises(ValueError, match="RGB uint8"):
        haar_pipeline.classify([np.zeros((5, 5, 4), np.uint8)])


@pytest.mark.parametrize("model", ["/no/such/folder", "not a repository", str(EXAMPLES)])
def test_a_model_that_was_asked_for_is_never_replaced_by_another(model):
    with pytest.raises(BundleError, match="cannot be used"):
        load_pipeline(model, detector="haar")


def test_an_unknown_detector_is_refused():
    with pytest.raises(ValueError, match="'mtcnn'"):
        load_pipeline(detector="mtcnn")


MEMORY_OF_A_LARGE_PHOTO = """
import ctypes
import numpy as np, psutil
from face_expression import load_pipeline

def held():
    # What is freed goes back to the system sooner or later: how soon, the load of the machine decides.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    return psutil.Process().memory_info().rss

pipeline = load_pipeline(threads=1)
pipeline.analyze(np.zeros((480, 640, 3), np.uint8))
before = held()
pipeline.analyze(np.zeros((3000, 4000, 3), np.uint8))
print((held() - before) / 2**20)
"""


def test_the_detector_keeps_no_memory_for_large_photos():
    """ONNX Runtime would keep about 100 MiB, in a process that may see no such photo for days."""
    ended = subprocess.run([sys.executable, "-c", MEMORY_OF_A_LARGE_PHOTO], capture_output=True, text=True, check=True)
    assert float(ended.stdout) < 60
