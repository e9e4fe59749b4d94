"""A zip of class folders as a data set, and a model that goes on from it though it names some of its labels only."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from face_expression import LABEL_NAMES
from face_expression.errors import DataError
from tests.support.training import SMALL, TINY, band, output_of, train
from train.data.dataset import data_name, decode, label_names_of, load_split
from train.data.zip_dataset import MOST_BYTES


def picture(label: str, seed: int = 0) -> bytes:
    file = io.BytesIO()
    Image.fromarray(band(LABEL_NAMES.index(label), np.random.default_rng(seed))).save(file, "PNG")
    return file.getvalue()


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def corrections(path: Path, labels: tuple[str, ...] = ("sad", "fear"), count: int = 8) -> Path:
    """What the page gives: every fourth face for validation, and files that are no pictures beside them."""
    faces = {
        f"{'train' if number % 4 else 'validation'}/{label}/{number}.png": picture(label, number)
        for label in labels
        for number in range(1, count + 1)
    }
    return write_zip(path, {"README.txt": b"what it is", "corrections.csv": b"file,label\r\n", **faces})


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A network of our seven labels that has learned nothing yet."""
    folder = tmp_path_factory.mktemp("model")
    data = corrections(folder / "all.zip", LABEL_NAMES, 4)
    result = train("finetune", "--data", data, "--output", folder / "run", *TINY, "--epochs", "0")
    assert result.exit_code == 0, output_of(result)
    return folder / "run" / "final"


def test_a_zip_of_class_folders_is_a_data_set(tmp_path):
    path = corrections(tmp_path / "taught.ZIP")
    rows = load_split(str(path), "train")
    assert label_names_of(rows) == ("fear", "sad") and rows["label"] == [1] * 6 + [0] * 6
    expected = band(LABEL_NAMES.index("sad"), np.random.default_rng(2))
    np.testing.assert_array_equal(decode(rows[1]["image"]), expected)
    assert len(load_split(str(path), "validation")) == 4
    assert data_name(str(path)) == "taught.ZIP"


def test_all_our_labels_come_in_our_order(tmp_path):
    rows = load_split(str(corrections(tmp_path / "all.zip", LABEL_NAMES, 4)), "validation")
    assert label_names_of(rows) == LABEL_NAMES and rows["label"] == list(range(7))


def test_a_model_goes_on_from_a_zip_that_names_two_of_its_labels(model, tmp_path):
    path = corrections(tmp_path / "corrections.zip")
    arguments = ["--from", model, "--data", path, "--output", tmp_path / "run", *SMALL, "--epochs", "15"]
    result = train("finetune", *arguments, "--ema-decay", "0.5")
    assert result.exit_code == 0, output_of(result)
    final = tmp_path / "run" / "final"
    assert f"checkpoint: {final}" in result.output
    assert json.loads((final / "config.json").read_text())["label_names"] == list(LABEL_NAMES)
    training = json.loads((final / "training.json").read_text())
    assert training["data"] == "corrections.zip" and training["train_rows"] == 12
    before, after = (load_file(folder / "model.safetensors")["timm_model.fc.bias"] for folder in (model, final))
    most_raised = (after - before).argsort(descending=True)[:2].tolist()
    assert {LABEL_NAMES[index] for index in most_raised} == {"sad", "fear"}


def test_help_names_the_zip():
    assert "zip" in train("finetune", "--help").output


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "no pictures in class folders"),
        ({"train/1.png": b"", "README.txt": b""}, "no pictures in class folders, such as train/happy/1.jpg"),
        ({"train/sad/1.png": b"", "train/fear/1.png": b""}, "needs a validation split"),
        ({"validation/sad/1.png": b"", "validation/fear/1.png": b""}, "no pictures in train/"),
        ({"train/sad/1.png": b"", "validation/sad/1.png": b""}, "has one class only"),
        ({"train/sad/1.png": b"", "train/../../fear/1.png": b""}, "would lie outside of it"),
        ({"train/sad/1.png": b"", "/train/fear/1.png": b""}, "would lie outside of it"),
        ({"train/sad/1.png": b"", "train\\..\\..\\1.png": b""}, "would lie outside of it"),
        ({"train/sad/1.png": b"", "C:/fear/1.png": b""}, "would lie outside of it"),
        ({f"train/{label}/1.png": b"no picture" for label in ("sad", "fear")}, "needs a validation split"),
    ],
)
def test_a_zip_that_cannot_be_used_is_reported_at_once(tmp_path, files, words):
    path = write_zip(tmp_path / "corrections.zip", files)
    result = train("finetune", "--data", path, "--output", tmp_path / "run", *SMALL)
    assert result.exit_code != 0 and isinstance(result.exception, SystemExit)
    assert words in output_of(result), output_of(result)


def test_what_only_looks_like_a_zip_is_reported(tmp_path):
    path = tmp_path / "corrections.zip"
    with pytest.raises(DataError, match="No such file"):
        load_split(str(path), "train")
    path.write_bytes(b"no zip at all")
    with pytest.raises(DataError, match="not a zip"):
        load_split(str(path), "train")
    whole = corrections(tmp_path / "whole.zip").read_bytes()
    start = whole.index(b"IDAT")
    path.write_bytes(whole[:start] + b"????" + whole[start + 4 :])
    with pytest.raises(DataError, match="not a zip that can be read: Bad CRC"):
        load_split(str(path), "train")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"external_attr": 0o120777 << 16}, "is a link"),
        ({"compress_type": zipfile.ZIP_LZMA}, "packed in an unusual way"),
    ],
)
def test_a_zip_with_odd_entries_is_refused(tmp_path, change, words):
    entry = zipfile.ZipInfo("train/sad/1.png")
    for name, value in change.items():
        setattr(entry, name, value)
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as archive:
        archive.writestr(entry, b"/etc/passwd")
    with pytest.raises(DataError, match=words):
        load_split(str(tmp_path / "odd.zip"), "train")


def test_a_zip_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    path = corrections(tmp_path / "corrections.zip")
    monkeypatch.setattr("train.data.zip_dataset.MOST_BYTES", 1000)
    with pytest.raises(DataError, match="unpacked it would be"):
        load_split(str(path), "train")
    monkeypatch.setattr("train.data.zip_dataset.MOST_BYTES", MOST_BYTES)
    monkeypatch.setattr("train.data.zip_dataset.MOST_FILES", 5)
    with pytest.raises(DataError, match="it holds 18 files"):
        load_split(str(path), "train")


def test_a_class_that_the_model_does_not_know_is_reported(model, tmp_path):
    path = corrections(tmp_path / "corrections.zip", ("sad", "fear"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("train/smirk/1.png", picture("happy"))
    result = train("finetune", "--from", model, "--data", path, "--output", tmp_path / "run", *SMALL)
    assert "has the classes ['smirk'], which the model does not know: ['angry', " in output_of(result)


def test_class_folders_that_name_some_labels_keep_the_models_too(model, tmp_path):
    with zipfile.ZipFile(corrections(tmp_path / "corrections.zip")) as archive:
        archive.extractall(tmp_path / "unpacked")
    arguments = ["--from", model, "--data", tmp_path / "unpacked", "--output", tmp_path / "run", *SMALL]
    result = train("finetune", *arguments, "--epochs", "0")
    assert result.exit_code == 0, output_of(result)
    config = json.loads((tmp_path / "run" / "final" / "config.json").read_text())
    assert config["label_names"] == list(LABEL_NAMES)
