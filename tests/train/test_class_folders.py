"""Folders as data sets: the first folder is the split, the second the class, and what lies wrong is named."""

import os
import shutil
import zipfile
from pathlib import Path

import datasets
import numpy as np
import pytest

from face_expression.errors import DataError
from face_expression.hub.download import EMBEDDED_BUNDLE
from face_expression.labels import LABEL_NAMES
from tests.support.builders import happy_face, save
from tests.support.training import SMALL, output_of, train
from train.__main__ import PREPROCESSING
from train.data.dataset import label_names_of, load_split

SPLITS = {"train": 3, "validation": 1, "test": 1}


def write(folder: Path, *names: str) -> Path:
    """Pictures that differ, so that none is taken for another."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        save(np.full((16, 16, 3), number + 1, np.uint8), folder / name)
    return folder


def class_folders(folder: Path, *classes: str) -> Path:
    """Three, one and one pictures of each class."""
    names = [f"{split}/{name}/{i}.png" for split, count in SPLITS.items() for name in classes for i in range(count)]
    return write(folder, *names)


def counts(data: Path) -> dict[str, int]:
    return {split: len(load_split(str(data), split)) for split in SPLITS}


@pytest.mark.parametrize(
    "classes", [("valid", "invalid"), ("train", "test"), ("test-bed", "training day"), ("happy", "val")]
)
def test_no_name_of_a_class_decides_a_split(tmp_path, classes):
    data = class_folders(tmp_path / "test validation train", *classes)
    assert counts(data) == {"train": 6, "validation": 2, "test": 2}
    assert label_names_of(load_split(str(data), "train")) == tuple(sorted(classes))
    paths = [row["image"]["path"] for split in SPLITS for row in load_split(str(data), split)]
    assert len(set(paths)) == 10


@pytest.mark.parametrize("name", ["a [1]", "b*", "c?", "[a-z]", "d[!x]", "{e}", "ü 悲", "**"])
def test_any_name_of_the_data_will_do(tmp_path, name):
    assert counts(class_folders(tmp_path / name, "happy", "sad")) == {"train": 6, "validation": 2, "test": 2}
    parquet = tmp_path / "other" / name
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(LABEL_NAMES))})
    rows = datasets.Dataset.from_dict({"image": [happy_face()] * 2, "label": [0, 1]}, features=features)
    (parquet / "data").mkdir(parents=True)
    for split in SPLITS:
        rows.to_parquet(parquet / "data" / f"{split}-00000-of-00001.parquet")
    assert counts(parquet) == dict.fromkeys(SPLITS, 2)


def test_parquet_files_are_of_the_split_that_their_name_begins_with(tmp_path):
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(LABEL_NAMES))})
    names = ("train-of-test.parquet", "validation_train.parquet", "test/train.parquet", "contest.parquet")
    for count, name in enumerate(names, 1):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        columns = {"image": [happy_face()] * count, "label": list(range(count))}
        datasets.Dataset.from_dict(columns, features=features).to_parquet(tmp_path / name)
    assert counts(tmp_path) == {"train": 1, "validation": 2, "test": 3}


def test_links_to_class_folders_are_followed(tmp_path):
    data, elsewhere = class_folders(tmp_path / "data", "angry", "happy", "sad"), tmp_path / "elsewhere"
    shutil.move(data / "train" / "happy", elsewhere)
    (data / "train" / "happy").symlink_to(elsewhere)
    (data / "train" / "happy" / "round").symlink_to(data)
    assert counts(data) == {"train": 9, "validation": 3, "test": 3}
    assert label_names_of(load_split(str(data), "train")) == ("angry", "happy", "sad")


def test_one_file_cannot_be_in_two_splits(tmp_path):
    data = class_folders(tmp_path, "happy", "sad")
    shutil.rmtree(data / "validation" / "happy")
    (data / "validation" / "happy").symlink_to(data / "train" / "happy")
    with pytest.raises(DataError, match=r"train/happy/0\.png and .*validation/happy/0\.png are one file"):
        load_split(str(data), "train")
    (data / "validation" / "happy").unlink()
    (data / "validation" / "happy").mkdir()
    os.link(data / "train" / "happy" / "0.png", data / "validation" / "happy" / "other.png")
    with pytest.raises(DataError, match="are one file"):
        load_split(str(data), "validation")


@pytest.mark.parametrize("around", ["", "faces/", "train set/"])
@pytest.mark.parametrize("train_folder", ["train", "Train", "training"])
def test_capitals_spaces_and_a_folder_around_are_taken_as_they_are_meant(tmp_path, around, train_folder):
    names = (f"{train_folder}/Happy/1.PNG", f"{train_folder}/sad/1.jfif", "VALIDATION/HAPPY /2.png", "valid/sad/2.png")
    for place, name in enumerate(names):
        path = tmp_path / "data" / around / name
        path.parent.mkdir(parents=True, exist_ok=True)
        save(np.full((16, 16, 3), place, np.uint8), path, format="PNG")
    (tmp_path / "data" / "._1.png").write_bytes(b"\0\5\26\7")
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for name in names:
            archive.write(tmp_path / "data" / around / name, around + name)
        archive.writestr("__MACOSX/" + around + names[0].replace("1", "._1"), b"\0\5\26\7")
    for data in (tmp_path / "data", tmp_path / "data.zip"):
        for split in ("train", "validation"):
            rows = load_split(str(data), split)
            assert label_names_of(rows) == ("happy", "sad") and sorted(rows["label"]) == [0, 1]


@pytest.mark.parametrize(
    ("stray", "words"),
    [
        ("train/stray.png", r"class folders.*train/stray\.png"),
        ("validation/happy/deeper/1.png", r"class folders.*validation/happy/deeper/1\.png"),
        ("validation/hapy/1.png", r"validation/hapy is no class of train/; is it 'happy'"),
        ("test/sadd/1.png", r"test/sadd is no class of train/; is it 'sad'"),
    ],
)
def test_what_lies_wrong_is_named(tmp_path, stray, words):
    data = write(class_folders(tmp_path / "data", "happy", "sad"), stray)
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for file in data.rglob("*.png"):
            archive.write(file, file.relative_to(data))
    for named in (data, tmp_path / "data.zip"):
        with pytest.raises(DataError, match=words):
            load_split(str(named), "train")


def test_what_is_no_picture_is_left_out_and_counted(tmp_path, caplog):
    data = class_folders(tmp_path / "data", "happy", "hapy")
    (data / "train" / "metadata.csv").write_text("file_name,label\n1.png,sad\n")
    (data / "train" / "happy" / "1.HEIC").write_bytes(b"?")
    (data / "train" / "happy" / "2.heic").write_bytes(b"?")
    write(data, "drawings/happy/1.png")
    assert counts(data) == {"train": 6, "validation": 2, "test": 2}
    assert "2 .heic, 1 .csv" in caplog.text and "train/metadata.csv" in caplog.text
    assert "1 in or at 'drawings'" in caplog.text and "if it is 'happy', rename" in caplog.text


@pytest.mark.parametrize("names", [(), ("happy/1.png", "sad/1.png"), ("1.png",)])
def test_a_folder_without_class_folders_is_a_sentence(tmp_path, names):
    with pytest.raises(DataError, match=r"no pictures in class folders, such as train/happy/1\.jpg"):
        load_split(str(write(tmp_path, *names)), "train")


def test_a_broken_picture_is_named_by_its_path(tmp_path):
    data = class_folders(tmp_path / "data", "happy", "sad")
    (data / "train" / "happy" / "zero.png").write_bytes(b"")
    result = train("finetune", "--data", data, "--output", tmp_path / "run", *SMALL)
    assert f"{data}/train/happy/zero.png (row 3): the file is empty" in output_of(result)
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for file in data.rglob("*.png"):
            archive.write(file, file.relative_to(data))
    result = train("finetune", "--data", tmp_path / "data.zip", "--output", tmp_path / "run", *SMALL)
    assert "train/happy/zero.png (row " in output_of(result) and "the file is empty" in output_of(result)


def test_a_broken_picture_ends_no_command_in_a_traceback(tmp_path):
    data, bundle = class_folders(tmp_path / "data", *LABEL_NAMES), tmp_path / "bundle"
    shutil.copytree(EMBEDDED_BUNDLE, bundle)
    for split in ("train", "validation"):
        (data / split / "happy" / "zero.png").write_bytes(b"")
    result = train("calibrate", "--data", data, "--bundle", bundle)
    assert result.exit_code == 1
    assert f"{data}/validation/happy/zero.png (row 4): the file is empty; remove or replace" in output_of(result)
    shutil.copy(PREPROCESSING, tmp_path / "preprocessing.json")
    result = train("measure", "--data", data, "--preprocessing", tmp_path / "preprocessing.json")
    assert result.exit_code == 1
    assert "a picture of the data set cannot be read: the file is empty" in output_of(result)
