"""Learning from other networks, from photographs without labels, and from rare faces more often."""

import json
import shutil

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from face_expression import LABEL_NAMES
from face_expression.hub.download import EMBEDDED_BUNDLE
from face_expression.model.config import read_preprocessing
from face_expression.model.preprocess import to_model_inputs
from tests.support.builders import calm_photo, happy_photo
from tests.support.training import TINY, band, bands, output_of, parquet, photographs, png, train
from train.data.targets import Targets
from train.data.teacher import key_of
from train.data.training_set import TrainingSet, chances_of_drawing, repeats_of_rare, with_smiles
from train.export.step import load_checkpoint

HAPPY = LABEL_NAMES.index("happy")


def teacher_file(file, opinions: dict[bytes, int], names=LABEL_NAMES):
    """What `train teach` would write if the teachers were nearly sure of one class for each picture."""
    rows = [
        {
            "image_sha256": key_of({"bytes": image, "path": None}),
            "probabilities": (np.eye(len(names))[chosen] * 0.93 + 0.01).tolist(),
            "face_box": None,
            "landmarks": None,
            "detector": None,
        }
        for image, chosen in opinions.items()
    ]
    metadata = json.dumps({"teachers": ["drawn"], "label_names": list(names)})
    pq.write_table(pa.Table.from_pylist(rows).replace_schema_metadata({"teachers": metadata}), file)
    return file


def images_of(data, split):
    rows = datasets.load_dataset("parquet", data_files=str(data / f"{split}.parquet"), split="train")
    return [image["bytes"] for image in rows.cast_column("image", datasets.Image(decode=False))["image"]]


def chosen_by(final, pictures):
    settings = read_preprocessing(final / "preprocessing.json")
    with torch.inference_mode():
        logits = load_checkpoint(final)(torch.from_numpy(to_model_inputs(pictures, settings.input)))[0]
    return logits.argmax(1).numpy()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return parquet(tmp_path_factory.mktemp("data") / "data", change=bands)


@pytest.fixture(scope="module")
def untrained(data, tmp_path_factory):
    """Two networks that know next to nothing and differ."""
    folder = tmp_path_factory.mktemp("runs")
    for seed in (1, 2):
        options = ["--epochs", "2", "--seed", seed, "--output", folder / str(seed)]
        assert train("finetune", "--data", data, *TINY, *options).exit_code == 0
    return [folder / "1", folder / "2"]


def opinions_in(file) -> dict[str, np.ndarray]:
    return {row["image_sha256"]: np.array(row["probabilities"]) for row in pq.read_table(file).to_pylist()}


def test_teach_averages_networks_and_mirror_images(untrained, tmp_path):
    rng = np.random.default_rng(4)
    pictures = [rng.integers(0, 256, (48, 48), np.uint8) for _ in range(4)]
    shown = pictures + [np.ascontiguousarray(picture[:, ::-1]) for picture in pictures]

    def change(columns):
        return {"image": shown, "label": [0, 3] * 4, "votes": [[1] * 10] * 8}

    data = parquet(tmp_path / "data", change=change)
    files = []
    for number, places in enumerate((untrained[:1], untrained[1:], untrained)):
        files.append(tmp_path / f"{number}.parquet")
        result = train("teach", *places, "--data", data, "--output", files[-1])
        assert result.exit_code == 0 and "8 pictures" in output_of(result), output_of(result)
    first, second, both = map(opinions_in, files)
    keys = [key_of({"bytes": image, "path": None}) for image in images_of(data, "train")]
    for key, mirrored in zip(keys[:4], keys[4:], strict=True):
        np.testing.assert_allclose(both[key], (first[key] + second[key]) / 2, atol=1e-6)
        np.testing.assert_allclose(both[key], both[mirrored], atol=1e-5)
    assert np.ptp([both[key] for key in keys[:4]], axis=0).max() > 1e-4
    assert json.loads(pq.read_schema(files[2]).metadata[b"teachers"])["teachers"] == ["1/final", "2/final"]


def test_teach_finds_the_face_that_a_photograph_is_about(data, yunet_weights, monkeypatch, tmp_path):
    from face_expression.hub.download import DETECTOR_VARIABLE

    monkeypatch.setenv(DETECTOR_VARIABLE, str(yunet_weights))
    both = np.full((512, 1500, 3), 110, np.uint8)
    both[:, 494:1006] = happy_photo()
    both[150:450, :300] = calm_photo()[20:320, 100:400]
    file = photographs(tmp_path / "people.parquet", [both, np.zeros((50, 40, 3), np.uint8)])
    output = tmp_path / "teacher.parquet"
    result = train("teach", EMBEDDED_BUNDLE, "--data", data, "--photos", file, "--output", output)
    assert result.exit_code == 0, output_of(result)
    rows = {row["image_sha256"]: row for row in pq.read_table(output).to_pylist()}
    smiling, black = (rows[key_of({"bytes": image, "path": None})] for image in (png(both), png(both[:50, :40] * 0)))
    x0, _, x1, _ = smiling["face_box"]
    assert 494 < x0 < x1 < 1006 and np.argmax(smiling["probabilities"]) == HAPPY
    assert black["face_box"] is None


def test_a_network_learns_what_its_teacher_says(data, tmp_path):
    # Votes are for classes 1 and 4; the teacher says 2 and 5.
    opinions = {image: 2 + number % 2 * 3 for number, image in enumerate(images_of(data, "train"))}
    teacher = teacher_file(tmp_path / "teacher.parquet", opinions)
    run = tmp_path / "run"
    options = ["--teacher", teacher, "--teacher-weight", "1", "--label-weight", "0", "--epochs", "15"]
    result = train("finetune", "--data", data, "--output", run, *TINY, *options)
    assert result.exit_code == 0, output_of(result)
    rng = np.random.default_rng(9)
    assert chosen_by(run / "final", [band(0, rng), band(3, rng)] * 3).tolist() == [2, 5] * 3
    written = json.loads((run / "final" / "training.json").read_text())
    assert written["teacher"]["teachers"] == ["drawn"] and written["teacher_weight"] == 1
    again = train(
        "finetune", "--data", data, "--output", run, *TINY, "--label-weight", "0", "--epochs", "15", "--resume"
    )
    assert again.exit_code == 1 and "teacher_weight was 1.0 and is now None" in output_of(again)


def test_photographs_teach_what_the_data_do_not_show(data, tmp_path):
    # The data show bands 0 and 3; only photographs show band 6, and the teacher calls it neutral.
    rng = np.random.default_rng(5)
    pictures = [np.repeat(band(6, rng)[..., None], 3, 2) for _ in range(12)]
    splits = ["train"] * 11 + ["development"]
    file = photographs(tmp_path / "photos.parquet", pictures, split=splits)
    opinions = {image: 1 + number % 2 * 3 for number, image in enumerate(images_of(data, "train"))}
    # The teacher has not even seen the picture that is not for training.
    opinions |= {png(picture): 6 for picture in pictures[:11]}
    teacher = teacher_file(tmp_path / "teacher.parquet", opinions)
    options = ["--teacher", teacher, "--photos", file, "--photo-share", "0.4", "--epochs", "15"]
    result = train("finetune", "--data", data, "--output", tmp_path / "run", *TINY, *options)
    assert result.exit_code == 0, output_of(result)
    assert chosen_by(tmp_path / "run" / "final", [band(0, rng), band(3, rng), band(6, rng)]).tolist() == [1, 4, 6]
    written = json.loads((tmp_path / "run" / "final" / "training.json").read_text())
    assert written["train_rows"] == 80 and written["photos"] == ["photos"] and written["photo_share"] == 0.4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--photos", "{photos}"], "give --teacher"),
        (["--teacher", "{photos}"], "is no file that `train teach` wrote"),
        (["--teacher", "{empty}"], "lacks 48 of 48 images"),
        (["--teacher", "{others}"], "has other classes than the teacher"),
        (["--teacher", "{faces}", "--photos", "{photos}"], "lacks 1 of 1 images of the photographs"),
        (["--teacher", "{faces}", "--photos", "{faces}"], "it needs 'image'"),
    ],
)
def test_what_does_not_fit_together_is_refused(data, tmp_path, options, words):
    faces = dict.fromkeys(images_of(data, "train"), 0)
    places = {
        "photos": photographs(tmp_path / "photos.parquet", [np.zeros((40, 40), np.uint8)]),
        "empty": teacher_file(tmp_path / "empty.parquet", {b"another": 0}),
        "others": teacher_file(tmp_path / "others.parquet", faces, names=("yes", "no")),
        "faces": teacher_file(tmp_path / "faces.parquet", faces),
    }
    filled = [option.format(**places) for option in options]
    result = train("finetune", "--data", data, "--output", tmp_path / "run", *TINY, *filled, "--epochs", "1")
    assert result.exit_code == 1 and words in output_of(result), output_of(result)


def test_rare_faces_are_those_with_two_votes_for_a_rare_class():
    votes = np.array([[9, 0, 0], [8, 1, 0], [7, 2, 0], [0, 0, 10], *[[10, 0, 0]] * 60, *[[0, 0, 10]] * 60])
    targets = Targets(np.full(len(votes), -1), votes.astype(float), 3)
    assert repeats_of_rare(targets, 3).tolist() == [1, 1, 3, 1] + [1] * 120
    labels = np.array([0] * 50 + [1] * 2 + [2] * 48)
    assert repeats_of_rare(Targets(labels, None, 3), 2).tolist() == [1] * 50 + [2] * 2 + [1] * 48


@pytest.mark.parametrize(
    ("smile", "expected"),
    [(None, [0.5, 0.25, 0.25]), (1, [0.25, 0.625, 0.125]), (0, [0.5 + 1 / 12, 0.125, 0.125 + 1 / 6])],
)
def test_a_smile_is_a_partial_label(smile, expected):
    targets = with_smiles(np.array([[0.5, 0.25, 0.25]]), [smile], ("sad", "happy", "neutral"))
    np.testing.assert_allclose(targets, [expected], atol=1e-6)


def test_no_class_of_photographs_dominates():
    targets = np.eye(2)[[0] * 81 + [1]]
    chances = chances_of_drawing(targets)
    # By number 81 to 1; drawn 9 to 1.
    assert chances[:81].sum() == pytest.approx(0.9) and chances.sum() == pytest.approx(1)


def test_photographs_are_drawn_by_chance_and_faces_in_turn():
    class Named:
        """Stands for a data set whose items say which it is."""

        def __init__(self, name, count):
            self.name, self.count = name, count

        def __len__(self):
            return self.count

        def __getitem__(self, index):
            return self.name, index

    drawn = TrainingSet(Named("face", 3), np.array([1, 2, 1]), Named("photo", 2), np.array([0.0, 1.0]), 0.5)
    assert [drawn[number] for number in range(len(drawn))] == [
        *[("face", 0), ("face", 1), ("face", 1), ("face", 2)],
        *[("photo", 1)] * 4,
    ]


def test_the_card_says_what_was_learned_from_whom(tmp_path):
    bundle, card = tmp_path / "bundle", tmp_path / "card.md"
    shutil.copytree(EMBEDDED_BUNDLE, bundle)
    config = json.loads((bundle / "config.json").read_text())
    begun = {"converted_from": "models/faceres.json of @vladmandic/human 3.3.6"}
    taught = {"teacher": {"sha256": "0" * 64, "teachers": ["a/final", "b/final"]}, "teacher_weight": 0.5}
    config["face_expression"]["training"] |= {"begun_with": begun, "photos": ["utkface", "genki"], **taught}
    (bundle / "config.json").write_text(json.dumps(config))
    card.write_text("<!-- model: begin -->\n<!-- model: end -->\n<!-- figures: begin -->\n<!-- figures: end -->\n")
    result = train("card", "--bundle", bundle, "--path", card)
    assert result.exit_code == 0, output_of(result)
    text = card.read_text()
    assert "teacher the average of a/final and b/final, teacher_weight 0.5" in text.replace("&#95;", "_")
    assert "photos utkface and genki" in text and "0" * 64 not in text
    assert "Before that, trained elsewhere: weights from models/faceres.json" in text
