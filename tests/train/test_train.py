"""The training loop as people run it: a tiny data set, a few steps, a kill, a resume, a bundle, its figures."""

import json
import signal

import datasets
import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import TimmWrapperForImageClassification

from face_expression import LABEL_NAMES, load_pipeline
from face_expression.errors import DataError
from face_expression.hub.download import EMBEDDED_BUNDLE, open_bundle
from face_expression.model.classifier import Classifier
from face_expression.model.config import read_bundle_config
from tests.support.builders import REPOSITORY
from tests.support.training import KILLED_AT, TINY, band, output_of, require_success, train
from tests.support.warm_programs import TRAIN, run_warm
from train.data.dataset import load_split, read_crops
from train.evaluate.end_to_end import MISSED, analyze_rows
from train.evaluate.protocols import read_truth
from train.evaluate.step import predict

SETTINGS = [*TINY, "--epochs", "4"]


def make_rows(count: int, seed: int) -> dict:
    """Faces that a network can learn in seconds: a bright band, the lower the later the class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 7, count)
    images = [band(label, rng) for label in labels]
    votes = []
    for label in labels:
        row = [0] * 10
        row[label] += 8
        row[(label + 1) % 7] += 1
        row[8] += 1
        votes.append(row)
    votes[0] = [0, 0, 0, 0, 0, 0, 2, 0, 8, 0]
    votes[1] = None
    return {"image": images, "label": labels.tolist(), "votes": votes, "fer2013_row": list(range(count))}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=list(LABEL_NAMES)),
            "votes": datasets.List(datasets.Value("int8")),
            "fer2013_row": datasets.Value("int32"),
        }
    )
    for seed, (split, count) in enumerate({"train": 160, "validation": 30, "test": 60}.items()):
        columns = make_rows(count, seed)
        if split == "train":
            shown = columns["image"]
        if split == "test":
            columns["image"][7] = shown[7]
        rows = datasets.Dataset.from_dict(columns, features=features)
        rows.to_parquet(folder / f"{split}.parquet")
    (folder / "conditions.csv").write_text(
        "fer2013_row,occluded,pose_over_30,pose_over_45,ran_test\n"
        + "".join(f"{row},{row % 2},0,0,1\n" for row in range(50))
    )
    return folder


STEPS_PER_EPOCH = 20


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A run that is killed in its second epoch and then resumed: (folder, output of the resumed part)."""
    folder = tmp_path_factory.mktemp("run") / "run"
    arguments = ["finetune", "--data", data, "--output", folder, *SETTINGS]
    killed = run_warm("-c", KILLED_AT, STEPS_PER_EPOCH + 7, *arguments, modules=TRAIN)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [checkpoint.name for checkpoint in folder.glob("checkpoint-*")] == [f"checkpoint-{STEPS_PER_EPOCH}"]
    assert not (folder / "final").exists()
    return folder, output_of(require_success(train(*arguments, "--resume")))


@pytest.fixture(scope="module")
def bundle(data, run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    require_success(train("export", run[0] / "final", "--data", data, "--bundle", folder))
    return folder


@pytest.fixture(scope="module")
def metrics(bundle, data) -> dict:
    """What `evaluate` writes of the bundle."""
    require_success(train("evaluate", "--data", data, "--bundle", bundle, "--no-robustness", "--no-report"))
    return json.loads((bundle / "metrics.json").read_text())


def test_a_killed_run_ends_as_if_it_had_not_been_killed(run, data, tmp_path):
    folder, output = run
    training = json.loads((folder / "final" / "training.json").read_text())
    assert [round(entry["epoch"]) for entry in training["history"]] == [1, 2, 3, 4]
    assert training["history"][-1]["eval_loss"] < training["history"][0]["eval_loss"]
    assert training["train_rows"] == 160, "the two faces without usable votes still teach the labels' head"
    assert f"checkpoint: {folder / 'final'}" in output
    assert "'epoch': '4'" in output and "'epoch': '1'" not in output, "it started over"
    require_success(train("finetune", "--data", data, "--output", tmp_path / "whole", *SETTINGS))
    weights, expected = (load_file(place / "final" / "model.safetensors") for place in (folder, tmp_path / "whole"))
    for name, value in expected.items():
        torch.testing.assert_close(weights[name], value)


def test_a_run_goes_on_only_with_its_own_settings(run, data):
    changed = train("finetune", "--data", data, "--output", run[0], *SETTINGS, "--learning-rate", "0.5", "--resume")
    assert changed.exit_code == 1 and "learning_rate was 0.1 and is now 0.5" in output_of(changed)


def test_a_finished_run_is_not_overwritten_by_accident(data, run):
    again = train("finetune", "--data", data, "--output", run[0], *SETTINGS)
    assert again.exit_code == 1 and "--resume" in output_of(again)


def test_plain_timm_builds_and_loads_the_network(run):
    config = json.loads((run[0] / "final" / "config.json").read_text())
    network = timm.create_model(config["architecture"], num_classes=config["num_classes"], **config["model_args"])
    weights = load_file(run[0] / "final" / "model.safetensors")
    network.load_state_dict({name.removeprefix("timm_model."): value for name, value in weights.items()})


def test_the_bundle_says_what_pytorch_says(bundle, run):
    opened = open_bundle(bundle, "exported")
    pipeline = load_pipeline(str(bundle), detector="haar")
    crops = list(np.random.default_rng(5).integers(0, 256, (9, 48, 48), np.uint8))
    inputs = pipeline.model_inputs(crops)
    network = TimmWrapperForImageClassification.from_pretrained(run[0] / "final").eval()
    with torch.inference_mode():
        logits = network(torch.from_numpy(inputs)).logits
    expected = (logits / opened.config.temperature).softmax(1).numpy()
    np.testing.assert_allclose(pipeline.classify(crops), expected, atol=1e-4)
    logits, features = pipeline.classifier.run(inputs)
    assert logits.shape == (9, 7) and features.shape == (9, 16)


def test_an_int8_bundle_is_smaller_and_says_nearly_the_same(data, run, bundle, tmp_path):
    require_success(train("export", run[0] / "final", "--data", data, "--bundle", tmp_path / "int8", "--int8"))
    assert (tmp_path / "int8" / "model.onnx").stat().st_size < 0.7 * (bundle / "model.onnx").stat().st_size
    rng = np.random.default_rng(8)
    crops = [band(number % 7, rng) for number in range(28)]
    small, whole = (
        load_pipeline(str(folder), detector="haar").classify(crops) for folder in (tmp_path / "int8", bundle)
    )
    assert 0 < abs(small - whole).mean() < 0.05


def test_a_bundle_tells_nothing_of_the_machine_that_made_it(bundle):
    for folder in (bundle, EMBEDDED_BUNDLE):
        for file in folder.iterdir():
            content = file.read_bytes()
            for trace in (b"site-packages", b".py", b"/home/", str(REPOSITORY).encode()):
                assert trace not in content, (file, trace)


def test_the_app_takes_the_bundle(bundle):
    pipeline = load_pipeline(str(bundle), detector="haar")
    rng = np.random.default_rng(3)
    high, low = pipeline.classify([band(0, rng), band(6, rng)])
    assert high[0] > low[0] and low[6] > high[6]


def test_evaluate_writes_every_protocol_with_n(bundle, metrics):
    protocols = metrics["protocols"]
    assert {name: row["n"] for name, row in protocols.items()} == {
        "fer2013": 60,
        "fer2013/first_head": 60,
        "ferplus-majority-7": 58,
        "ferplus-majority-7/ran_test": 48,
        "ferplus-majority-7/occluded": 24,
        "ferplus-majority-7/not_in_train": 57,
        "full-path": 58,
        "ferplus-votes": 59,
    }
    majority = protocols["ferplus-majority-7"]
    assert majority["accuracy"] == pytest.approx(np.trace(majority["confusion"]) / 58)
    low, high = majority["accuracy_interval_95"]
    assert low <= majority["accuracy"] <= high
    assert 0 <= protocols["ferplus-votes"]["kl_divergence"] < protocols["ferplus-votes"]["cross_entropy"]
    assert metrics["bundle"]["model_sha256"] == read_bundle_config(bundle / "config.json").model_sha256


def test_the_card_is_filled_from_the_metrics(bundle, metrics, tmp_path):
    card = tmp_path / "card.md"
    card.write_text("before\n<!-- figures: begin -->\nold\n<!-- figures: end -->\nafter\n")
    require_success(train("card", "--bundle", bundle, "--path", card))
    text = card.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert f"{metrics['protocols']['fer2013']['accuracy']:.1%}" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["finetune", "--data", "no/such_folder_or_repo"], "cannot load the split 'train'"),
        (["finetune", "--data", "{data}", "--resume"], "nothing to resume"),
        (["finetune", "--data", "{data}", "--model", "resnet17"], "timm has no model 'resnet17'; near: resnet"),
        (["finetune", "--data", "{data}", "--model-args", "{nonsense"], "not JSON"),
        (["finetune", "--data", "{data}", "--model-args", '{"layers": [1]}'], "timm cannot build"),
        (["finetune", "--data", "{data}", "--model-args", '{"in_chans": 3}'], "the preprocessing gives 1 channel"),
        (["export", "{data}", "--data", "{data}"], "holds no checkpoint"),
        (["evaluate", "--data", "{data}", "--split", "exam"], "cannot load the split 'exam'"),
        (["card", "--path", "{data}/no_card.md"], "no such file"),
    ],
)
def test_mistakes_are_reported_in_a_sentence(data, tmp_path, arguments, words):
    output = ["--output", tmp_path / "run"] if arguments[0] == "finetune" else []
    filled = [argument.replace("{data}", str(data)) for argument in arguments]
    result = train(*filled, *output)
    assert result.exit_code != 0 and isinstance(result.exception, SystemExit)
    assert words in output_of(result), output_of(result)


LABELS = datasets.ClassLabel(names=list(LABEL_NAMES))


@pytest.mark.parametrize(
    ("columns", "label_type", "words"),
    [
        ({"age": [1]}, None, "at least one of 'label' and 'votes'"),
        ({"label": [0]}, datasets.ClassLabel(names=["happy"]), "one class only"),
        ({"label": [3]}, datasets.Value("int64"), "must be a ClassLabel"),
        ({"label": ["happy"]}, datasets.Value("string"), "must be a ClassLabel"),
        ({"label": [None]}, LABELS, "no row of the split 'train'"),
        ({"votes": [[0, 0, 0, 0, 0, 0, 0, 0, 9, 1]]}, None, "no row of the split 'train'"),
        ({"votes": [[1, 2, 3, 4, 5, 6]]}, None, "must be 7 counts, of which the first 7"),
    ],
)
def test_data_that_do_not_fit_are_reported_before_training(tmp_path, columns, label_type, words):
    rows = datasets.Dataset.from_dict({"image": [Image.new("L", (8, 8))], **columns})
    rows = rows.cast_column("image", datasets.Image())
    if label_type is not None:
        rows = rows.cast_column("label", label_type)
    rows.to_parquet(tmp_path / "train.parquet")
    with pytest.raises(DataError, match=words):
        load_split(str(tmp_path), "train")


def test_the_embedded_bundle_was_evaluated_and_is_good_enough():
    opened = open_bundle(EMBEDDED_BUNDLE, "embedded")
    assert sum(file.stat().st_size for file in EMBEDDED_BUNDLE.iterdir()) <= 10_000_000
    metrics = json.loads((EMBEDDED_BUNDLE / "metrics.json").read_text())
    assert metrics["bundle"]["model_sha256"] == opened.config.model_sha256
    assert metrics["data"] == {"name": "ferplus", "revision": None, "split": "test", "rows": 3589}
    assert metrics["protocols"]["ferplus-majority-7"]["accuracy"] >= 0.75
    assert metrics["protocols"]["ferplus-majority-7"]["n"] == 3349


def test_the_figures_of_the_embedded_bundle_are_those_of_a_sample(ferplus, yunet_pipeline):
    """`tests/acceptance` measures all of them again."""
    written = json.loads((EMBEDDED_BUNDLE / "metrics.json").read_text())["protocols"]
    opened = open_bundle(EMBEDDED_BUNDLE, "embedded")
    rows = load_split(str(ferplus), "test")
    label = read_truth(rows, LABEL_NAMES).label
    chosen = np.flatnonzero(label >= 0)[::15]
    sample, label, preprocessing = rows.select(chosen), label[chosen], opened.config.preprocessing
    predictions = predict(
        Classifier(opened.model, opened.config), read_crops(sample, preprocessing), preprocessing.input
    )
    named, answered = analyze_rows(yunet_pipeline, sample)
    for share, name, figure in (
        (predictions.probabilities.argmax(1) == label, "ferplus-majority-7", "accuracy"),
        (named != MISSED, "full-path", "share_found"),
        (named == label, "full-path", "accuracy"),
        ((named == label)[answered], "full-path/answered", "accuracy"),
    ):
        # Within three standard errors, and the share of one face more or less.
        expected = written[name][figure]
        margin = 3 * (expected * (1 - expected) / len(share)) ** 0.5 + 1 / len(share)
        assert len(share) > 100 and abs(share.mean() - expected) < margin, (name, figure)


def test_the_model_card_is_true(tmp_path):
    card = tmp_path / "card.md"
    card.write_text((REPOSITORY / "model_card.md").read_text())
    require_success(train("card", "--path", card))
    assert card.read_text() == (REPOSITORY / "model_card.md").read_text()
