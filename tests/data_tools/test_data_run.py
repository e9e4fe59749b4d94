"""The whole chain from one file, on a web and a search engine of our own: to a data set that training takes."""

import io

import cv2
import datasets
import numpy as np
import pytest
import yaml
from PIL import Image

from data_tools.settings import read_run_settings
from face_expression import LABEL_NAMES
from face_expression.errors import DataError
from face_expression.hub.download import DETECTOR_VARIABLE
from face_expression.model.config import read_preprocessing
from tests.support.builders import REPOSITORY
from tests.support.local_search import CANARY, found_picture, running_search
from tests.support.local_web import running_web
from tests.support.warm_programs import DATA, run_warm
from train.__main__ import PREPROCESSING
from train.data.dataset import crop_of_row, load_split
from train.finetune import check_data

PER_LABEL = 14
QUERIES = {"phrasings": {name: [f"{name} face"] for name in LABEL_NAMES}}


def photo_of(face: np.ndarray, seed: int) -> bytes:
    """A photo of 300 x 300 px, with a face of 48 x 48 px enlarged somewhere on it."""
    rng = np.random.default_rng(seed)
    photo = np.clip(rng.integers(60, 200, 3) + rng.normal(0, 6, (300, 300, 3)), 0, 255).astype(np.uint8)
    left, top = rng.integers(0, 110, 2)
    photo[top : top + 190, left : left + 190] = cv2.resize(face, (190, 190), interpolation=cv2.INTER_CUBIC)[..., None]
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=90)
    return file.getvalue()


@pytest.fixture
def web_of_faces(ferplus, tmp_path):
    """A web with faces of each expression, and a search that finds them, and other things."""
    rows = datasets.load_dataset("parquet", data_dir=str(ferplus), split="validation")
    with running_web() as web, running_search(tmp_path) as search:
        search.web_port = web.port
        search.pages[CANARY] = [[found_picture("canary")]]
        labels = np.array(rows["label"])
        web.files["/face.jpg"] = photo_of(np.asarray(rows[0]["image"]), 0)
        for label, name in enumerate(LABEL_NAMES):
            found = []
            for number in np.flatnonzero(labels == label)[:PER_LABEL].tolist():
                path = f"/{name}/{number}.jpg"
                web.files[path] = photo_of(np.asarray(rows[number]["image"]), number)
                found.append(hit(f"{name}-{number}", path))
            bad = [hit(f"{name}-{path}", path) for path in ("/html", "/short", "/status/404", "/endless", "/empty")]
            search.pages[f"{name} face"] = [found[:7], [*found[5:], *bad]]
        yield web, search


def hit(name, path):
    """A result whose picture has a host of its own, and whose page is another for each."""
    host = name.replace("/", "-")
    return found_picture(name, page=f"https://pages.example/{name}", image=f"http://{host}.example{path}")


def run(settings, folder, weights):
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(settings))
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "HF_HUB_OFFLINE": "1", DETECTOR_VARIABLE: str(weights)}
    return run_warm("-m", "data_tools", "run", path, modules=DATA, environment=environment)


def test_a_search_becomes_a_data_set_that_training_takes(web_of_faces, yunet_weights, tmp_path):
    web, search = web_of_faces
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump(QUERIES))
    settings = {
        "work": str(tmp_path / "work"),
        "sources": {"web": True, "queries": str(tmp_path / "queries.yaml"), "per_label": 30, "search_pause_s": 0.01},
        "fetch": {
            "proxy": search.proxy,
            "ca": str(search.ca),
            "contact": "mailto:somebody@example.org",
            "deadline_s": 10,
            "max_bytes": 1_000_000,
            "backoff_s": 0.05,
        },
        "split": {"validation": 0.2, "test": 0.2},
        "publish": {"to": str(tmp_path / "faces")},
    }
    done = run(settings, tmp_path, yunet_weights)
    assert done.returncode == 0, done.stderr[-3000:]
    for words in (
        "short_body",
        "http_status",
        "empty",
        "not_an_image",
        "too_large",
        "largest : smallest",
        "report.html",
    ):
        assert words in done.stdout, done.stdout
    assert (tmp_path / "work" / "report.html").stat().st_size > 50_000
    published = datasets.load_dataset(str(tmp_path / "faces"))
    assert set(published) == {"train", "validation", "test"}
    kept = sum(len(rows) for rows in published.values())
    assert kept > 0.9 * 7 * PER_LABEL
    assert published["train"].features["label"].names == list(LABEL_NAMES)
    for name, rows in published.items():
        assert len(rows) >= 7, name
        for row in rows:
            label = LABEL_NAMES[row["label"]]
            assert row["query"] == f"{label} face" and f"/{label}/" in row["url"] and label in row["page_url"]
    # Training reads it, and sees the faces that were put on the photos.
    train_rows, validation_rows = (load_split(str(tmp_path / "faces"), split) for split in ("train", "validation"))
    assert check_data("faces", train_rows, validation_rows, read_images=True) == LABEL_NAMES
    preprocessing = read_preprocessing(PREPROCESSING)
    crops = {row["url"]: crop_of_row(row, preprocessing) for row in train_rows}
    likeness = [np.corrcoef(crop.mean(axis=2).ravel(), original(url, web).ravel())[0, 1] for url, crop in crops.items()]
    assert np.median(likeness) > 0.4
    # Again, nothing is asked for, and nothing changes.
    before = web.asked.total(), len(search.asked)
    again = run(settings, tmp_path, yunet_weights)
    assert again.returncode == 0, again.stderr[-3000:]
    assert (web.asked.total(), len(search.asked)) == before
    assert datasets.load_dataset(str(tmp_path / "faces"))["train"]["url"] == published["train"]["url"]


def original(url, web) -> np.ndarray:
    """The part of a photo that holds the face, as a crop is cut: grey, 48 x 48."""
    path = "/" + url.split("/", 3)[3]
    number = int(path.rsplit("/", 1)[1].removesuffix(".jpg"))
    rng = np.random.default_rng(number)
    rng.integers(60, 200, 3), rng.normal(0, 6, (300, 300, 3))
    left, top = rng.integers(0, 110, 2)
    photo = np.asarray(Image.open(io.BytesIO(web.files[path])).convert("L"))
    return cv2.resize(photo[top : top + 190, left : left + 190], (48, 48), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("sources: [", "is not YAML as it should be"),
        ("sources: {}\nsources: {web: true}", "the key “sources” is given twice"),
        ("", "sources: Field required"),
        ("sources: {wep: true}", "sources.wep: Extra inputs are not permitted"),
        ("sources: {}\nsplit: {test: 3}", "split.test: Input should be less than or equal to 1"),
        ("sources: {}\nfetch: {contact: 5}", "fetch.contact"),
    ],
)
def test_a_mistake_in_a_settings_file_is_an_error(tmp_path, text, words):
    if text is not None:
        (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(DataError, match=words.replace(".", r"\.")):
        read_run_settings(tmp_path / "run.yaml")


def test_the_file_to_copy_is_one_that_is_taken():
    settings = read_run_settings(REPOSITORY / "data_tools" / "run.yaml")
    assert settings.sources.web and settings.publish.to and settings.publish.repo is None
