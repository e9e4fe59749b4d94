"""What a data set's columns mean: crops, weights, majorities, shares."""

import io
from dataclasses import fields

import datasets
import numpy as np
import pytest
from PIL import Image

from face_expression import LABEL_NAMES
from face_expression.errors import DataError
from face_expression.model.config import read_preprocessing
from face_expression.model.preprocess import cut_crop, region_of_detection, to_model_inputs
from tests.support.builders import REPOSITORY, happy_photo
from tests.support.odd_pictures import rotated_phone_photo
from train.data.augment import Augmentation, augment_crop, erase, light_from_side
from train.data.dataset import FaceDataset, crop_of_row, decode, label_names_of, load_split
from train.data.targets import Targets

PREPROCESSING = read_preprocessing(REPOSITORY / "train" / "data" / "preprocessing.json")
# Seven classes, then contempt, unknown and "not a face".
VOTES = np.array(
    [
        [0, 0, 0, 10, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 4, 0, 0, 2, 0, 4, 0],
        [0, 0, 0, 1, 0, 0, 3, 0, 6, 0],
        [5, 0, 0, 0, 5, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 10],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 3, 0, 2, 5, 0, 0],
    ],
    float,
)


def test_targets_are_weighted_by_the_share_of_the_seven_classes():
    soft = Targets(np.zeros(len(VOTES), int), VOTES).soft()
    np.testing.assert_allclose(soft.sum(axis=1), [1, 0.6, 0, 1, 0, 0, 0.5])
    np.testing.assert_allclose(soft[1], [0, 0, 0, 0.4, 0, 0, 0.2])


def test_the_majority_is_single_and_one_of_the_seven():
    assert Targets(np.zeros(len(VOTES), int), VOTES).majority().tolist() == [3, -1, -1, -1, -1, -1, -1]
    assert Targets(np.zeros(1, int), np.array([[0, 0, 0, 0, 5, 0, 4, 1, 0, 0]])).majority().tolist() == [4]


def test_shares_are_renormalised():
    shares, voted = Targets(np.zeros(len(VOTES), int), VOTES).shares()
    assert voted.tolist() == [True, True, True, True, False, False, True]
    np.testing.assert_allclose(shares[2], [0, 0, 0, 0.25, 0, 0, 0.75])


def test_a_row_without_a_label_has_no_target():
    targets = Targets(np.array([2, -1, 6]), None)
    np.testing.assert_array_equal(targets.soft(), np.eye(7)[[2, 2, 6]] * [[1], [0], [1]])
    assert targets.shares()[1].tolist() == [True, False, True] and targets.majority().tolist() == [2, -1, 6]


def test_a_face_box_is_cut_with_the_apps_margin(tmp_path):
    photo = happy_photo()
    rule = PREPROCESSING.yunet.crop
    side = rule.scale * 100
    columns = {"image": [photo, photo], "label": [3, 3], "face_box": [[170.0, 60.0, 270.0, 160.0], None]}
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=list(LABEL_NAMES)),
            "face_box": datasets.List(datasets.Value("float32")),
        }
    )
    datasets.Dataset.from_dict(columns, features=features).to_parquet(tmp_path / "train.parquet")
    rows = load_split(str(tmp_path), "train")
    around_box, whole = (crop_of_row(row, PREPROCESSING).astype(int) for row in rows)
    left, top = round(220 + rule.shift_x * 100 - side / 2), round(110 + rule.shift_y * 100 - side / 2)
    expected = Image.fromarray(photo[top : top + round(side), left : left + round(side)]).resize((48, 48), Image.BOX)
    assert abs(around_box - np.asarray(expected)).mean() < 8
    assert abs(whole - np.asarray(Image.fromarray(photo).resize((48, 48), Image.BOX))).mean() < 8
    item = FaceDataset(rows, PREPROCESSING, None)[0]
    assert item["pixel_values"].shape == (1, 128, 128) and item["labels"].tolist() == [0, 0, 0, 1, 0, 0, 0]


def test_a_collected_face_is_cut_as_the_app_cuts_it(pipeline):
    frame = np.asarray(Image.fromarray(happy_photo()).rotate(-10))
    face = pipeline.detector.detect(frame)[0]
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "PNG")
    row = {
        "image": {"bytes": file.getvalue(), "path": None},
        "face_box": list(face.box),
        "landmarks": face.landmarks and [list(point) for point in face.landmarks],
        "detector": pipeline.detector.name,
    }
    region = region_of_detection(face.box, face.landmarks, pipeline.detector.crop_rule, PREPROCESSING.crop)
    assert abs(region.angle_deg) > 3 or face.landmarks is None
    np.testing.assert_array_equal(crop_of_row(row, PREPROCESSING), cut_crop(frame, region, PREPROCESSING.crop))


def test_images_are_read_as_the_app_reads_them(tmp_path):
    rotated_phone_photo(tmp_path / "phone.jpg")
    assert decode({"bytes": (tmp_path / "phone.jpg").read_bytes(), "path": None}).shape == (400, 512, 3)
    grey = io.BytesIO()
    Image.new("L", (5, 4), 9).save(grey, "PNG")
    assert decode({"bytes": grey.getvalue(), "path": None}).tolist() == [[9] * 5] * 4


def test_augmentation_mirrors_left_and_right_only():
    crop = np.zeros((48, 48), np.uint8)
    crop[:24, :24] = 200
    still = {field.name: 0.0 for field in fields(Augmentation) if field.name.endswith("_probability")}
    still = Augmentation(max_contrast=0, max_brightness=0, **still | {"flip_probability": 0.5})
    seen = {augment_crop(crop, still, np.random.default_rng(seed)).tobytes() for seed in range(20)}
    assert seen == {crop.tobytes(), np.ascontiguousarray(crop[:, ::-1]).tobytes()}


@pytest.mark.parametrize(("probability", "expected"), [(0.0, 0), (1.0, 20)])
def test_erasing_blots_out_one_patch(probability, expected):
    model_input = np.random.default_rng(0).normal(size=(1, 128, 128)).astype(np.float32)
    augmentation = Augmentation(erase_probability=probability)
    erased = [erase(model_input, augmentation, np.random.default_rng(seed)) for seed in range(20)]
    assert sum((picture != model_input).any() for picture in erased) == expected
    assert all((picture != model_input).mean() <= augmentation.max_erased_side**2 for picture in erased)


def test_our_classes_in_another_order_are_brought_into_ours(tmp_path):
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=sorted(LABEL_NAMES))})
    columns = {"image": [np.zeros((8, 8), np.uint8)] * 7, "label": list(range(7))}
    datasets.Dataset.from_dict(columns, features=features).to_parquet(tmp_path / "train.parquet")
    rows = load_split(str(tmp_path), "train")
    assert label_names_of(rows) == LABEL_NAMES
    assert [LABEL_NAMES[label] for label in rows["label"]] == sorted(LABEL_NAMES)


def test_light_from_a_side_darkens_that_side_by_the_stops_asked_for():
    crop = np.full((48, 48), 200, np.uint8)
    for hard in (False, True):
        lit = light_from_side(crop, 2.0, 0.0, hard=hard)
        assert lit[:, 0].mean() == pytest.approx(200, rel=0.02) and lit[:, -1].mean() == pytest.approx(50, rel=0.03)
        np.testing.assert_allclose(light_from_side(crop, 2.0, 90.0, hard=hard), lit.T, rtol=1e-4)


def test_crops_of_any_light_are_levelled():
    settings = PREPROCESSING.input
    rng = np.random.default_rng(1)
    crop = rng.integers(40, 200, (48, 48), np.uint8)
    dim = (crop * 0.3 + 5).astype(np.uint8)
    noise = rng.integers(99, 102, (48, 48), np.uint8)
    even, dark, flat = to_model_inputs([crop, dim, noise], settings)
    assert abs(dark - even).mean() < 0.02
    assert flat.std() < 0.2 * even.std()


@pytest.mark.parametrize("named", ["train.png", "/etc/hostname"])
def test_a_data_set_from_elsewhere_cannot_name_files_of_this_machine(tmp_path, monkeypatch, named):
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "train.png")
    path = str(tmp_path / named)
    features = datasets.Features(
        {"image": datasets.Image(decode=False), "label": datasets.ClassLabel(names=["a", "b"])}
    )
    content = (tmp_path / "train.png").read_bytes()
    images = [{"bytes": content, "path": "0.png"}, {"bytes": None, "path": path}]
    table = datasets.Dataset.from_dict({"image": images, "label": [0, 1]}, features=features)
    monkeypatch.setattr("train.data.dataset.datasets.load_dataset", lambda *_, **__: table)
    with pytest.raises(DataError, match=r"1 row\(s\) with the path of a picture and no picture"):
        load_split("somebody/faces", "train")
