"""Comparing networks as people do it: a kill, a resume, one table and one picture that tell what is on the disk."""

import json
import shutil
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import datasets
import numpy as np
import pytest
import timm
import torch
from matplotlib import color_sequences
from PIL import Image
from typer.testing import CliRunner

from face_expression import LABEL_NAMES, load_pipeline
from face_expression.hub.download import EMBEDDED_BUNDLE, open_bundle
from tests.support.training import KILLED_AT, output_of
from tests.support.warm_programs import TRAIN, run_warm
from train.__main__ import app
from train.compare.measure import count_macs
from train.compare.plot import BUBBLE_ALPHA
from train.compare.step import train_timed

MODELS = ("custom_cnn", "test_resnet")
SEEDS = (3, 4)
BUDGET = ["--limit", "112", "--epochs", "5", "--size", "32", "--batch-size", "8", "--workers", "0", "--seed", "3"]
STEPS_PER_EPOCH = 14


def arguments(
    data: Path, output: Path, *more: str, models: tuple[str, ...] = MODELS, seeds: int = len(SEEDS)
) -> list[str]:
    where = ["--data", str(data), "--output", str(output)]
    return ["compare", "--models", *models, *where, *BUDGET, "--seeds", str(seeds), *more]


def compare(*given, **options):
    return CliRunner().invoke(app, arguments(*given, **options))


def stripes(count: int, rng: np.random.Generator) -> np.ndarray:
    """A picture of so many stripes, somewhere: uint8 (48, 48)."""
    height = np.arange(48)[:, None] / 48
    wave = np.sin(2 * np.pi * (count * height + rng.random()))
    return np.clip(128 + 70 * wave + rng.normal(0, 5, (48, 48)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Pictures that a network can learn in seconds, whatever light and place are changed; labels only."""
    folder = tmp_path_factory.mktemp("data")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(LABEL_NAMES))})
    for seed, (split, count) in enumerate({"train": 140, "validation": 28, "test": 35}.items()):
        rng = np.random.default_rng(seed)
        labels = rng.permutation(np.arange(count) % 7)
        images = [stripes(label + 1, rng) for label in labels]
        rows = datasets.Dataset.from_dict({"image": images, "label": labels.tolist()}, features=features)
        rows.to_parquet(folder / f"{split}.parquet")
    return folder


@pytest.fixture(scope="module")
def comparison(data, tmp_path_factory):
    """A comparison killed in the middle of its first run, resumed with models and seeds more: (folder, when killed)."""
    folder = tmp_path_factory.mktemp("comparison") / "comparison"
    one = arguments(data, folder, models=MODELS[:1], seeds=1)
    program = run_warm("-c", KILLED_AT, STEPS_PER_EPOCH + 3, *one, modules=TRAIN)
    assert program.returncode == -signal.SIGKILL, program.stderr
    killed = time.time()
    assert not (folder / MODELS[0] / "seed-3" / "run" / "final").exists() and not (folder / "comparison.json").exists()
    result = compare(data, folder, "--resume")
    assert result.exit_code == 0, result.output
    return folder, killed


@pytest.fixture(scope="module")
def rows(comparison) -> dict[str, dict]:
    written = json.loads((comparison[0] / "comparison.json").read_text())
    return {row["model"]: row for row in written["models"] if row["runs"]}


def test_a_killed_comparison_goes_on_where_it_was(comparison):
    folder, killed = comparison
    begun, final = (folder / MODELS[0] / "seed-3" / "run" / name for name in ("run.json", "final/model.safetensors"))
    assert begun.stat().st_mtime < killed < final.stat().st_mtime, "it started over"
    timing = folder / MODELS[0] / "seed-3" / "timing.json"
    last_part_s = timing.stat().st_mtime - json.loads(timing.read_text())["began"]
    assert json.loads(timing.read_text())["training_s"] > last_part_s, "the time before the kill is forgotten"


def test_a_clock_that_is_set_back_while_a_network_trains_changes_no_duration(tmp_path, monkeypatch):
    def train(**_) -> None:
        monkeypatch.setattr("train.compare.step.time", SimpleNamespace(time=lambda: 0.0, monotonic=time.monotonic))

    monkeypatch.setattr("train.compare.step.finetune", train)
    train_timed(tmp_path)
    assert json.loads((tmp_path / "timing.json").read_text())["training_s"] >= 0


def test_every_network_has_the_same_budget(comparison):
    runs = [(model, seed) for model in MODELS for seed in SEEDS]
    files = [comparison[0] / model / f"seed-{seed}" / "run/final/training.json" for model, seed in runs]
    trained = [json.loads(file.read_text()) for file in files]
    assert [(training["architecture"], training["seed"]) for training in trained] == runs
    for training in trained:
        assert training["train_rows"] == 112 and training["epochs"] == 5
        assert [round(entry["epoch"]) for entry in training["history"]] == [1, 2, 3, 4, 5]
    alike = [{**training, "architecture": "", "seed": 0, "history": []} for training in trained]
    assert all(training == alike[0] for training in alike)
    bundles = [open_bundle(comparison[0] / model / "seed-4" / "bundle", "compared").config for model in MODELS]
    assert {bundle.preprocessing.input.size_px for bundle in bundles} == {32}


def test_the_figures_are_of_the_networks_that_were_trained(comparison, rows):
    assert list(rows) == list(MODELS)
    for model, row in rows.items():
        network = timm.create_model(model, num_classes=7, in_chans=1)
        assert row["parameters"] == sum(parameter.numel() for parameter in network.parameters())
        assert row["onnx_bytes"] == (comparison[0] / model / "seed-3" / "bundle" / "model.onnx").stat().st_size
        assert row["onnx_bytes"] > 4 * 0.9 * row["parameters"]
        assert row["macs"] == count_macs(network, (1, 32, 32)) > row["parameters"] / 10
        assert row["faces_seen"] == 560 and all(run["training_s"] > 0 for run in row["runs"])
        assert 0 < row["p50_ms"] <= row["p95_ms"]


def test_accuracy_is_that_of_the_bundles_on_validation(comparison, rows, data):
    assert json.loads((comparison[0] / "comparison.json").read_text())["split"] == "validation"
    validation = datasets.load_dataset("parquet", data_dir=str(data), split="validation")
    for model, row in rows.items():
        assert row["n"] == 28 and [run["seed"] for run in row["runs"]] == list(SEEDS)
        for run in row["runs"]:
            pipeline = load_pipeline(str(comparison[0] / model / f"seed-{run['seed']}" / "bundle"), detector="haar")
            predicted = pipeline.classify([np.array(image) for image in validation["image"]]).argmax(1)
            right = np.mean(predicted == np.array(validation["label"]))
            assert right > 0.3 and run["accuracy"] == pytest.approx(right)
        for figure in ("accuracy", "macro_f1"):
            assert row[figure] == pytest.approx(np.mean([run[figure] for run in row["runs"]]))
        for figure in ("accuracy", "macro_f1"):
            low, high = row[f"{figure}_interval_95"]
            assert 0 <= low <= row[figure] <= high <= 1


def test_the_table_shows_the_figures_and_the_command(comparison, rows, data):
    text = (comparison[0] / "comparison.md").read_text()
    assert (
        f"--models {' '.join(MODELS)} --data {data.name} --epochs 5 --size 32 --seed 3 --seeds 2 --split validation "
        "--limit 112`" in text
    )
    assert str(comparison[0]) not in text and "28 faces of the validation split" in text
    best_first = sorted(rows.values(), key=lambda row: -row["accuracy"])
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    for line, row in zip(lines, best_first, strict=True):
        low, high = row["accuracy_interval_95"]
        spread = np.std([run["accuracy"] for run in row["runs"]], ddof=1)
        assert line.startswith(
            f"| `{row['model']}` | {row['accuracy']:.1%} ({low:.1%} to {high:.1%}) | {100 * spread:.1f} points |"
        )
        assert (
            f"| {row['parameters'] / 1e6:.2f} M | {row['macs'] / 1e6:.1f} M | {row['onnx_bytes'] / 1e6:.2f} MB |"
            in line
        )
        assert line.count("|") == text.splitlines()[2].count("|")


def test_the_embedded_network_is_measured_beside_them(comparison, data):
    written = json.loads((comparison[0] / "comparison.json").read_text())["models"]
    (row,) = (row for row in written if not row["runs"])
    pipeline = load_pipeline(detector="haar")
    validation = datasets.load_dataset("parquet", data_dir=str(data), split="validation")
    predicted = pipeline.classify([np.array(image) for image in validation["image"]]).argmax(1)
    assert row["model"] == "the embedded network" and row["n"] == 28 and row["input_px"] == 128
    assert row["accuracy"] == pytest.approx(np.mean(predicted == np.array(validation["label"])))
    assert row["onnx_bytes"] == (EMBEDDED_BUNDLE / "model.onnx").stat().st_size and row["parameters"] > 1e6
    assert row["faces_seen"] is None and "| the embedded network |" in (comparison[0] / "comparison.md").read_text()


def test_a_bundle_of_other_classes_is_left_out(comparison, data, tmp_path):
    folder, other = tmp_path / "copy", tmp_path / "other"
    shutil.copytree(comparison[0], folder)
    shutil.copytree(EMBEDDED_BUNDLE, other)
    config = json.loads((other / "config.json").read_text())
    config["label_names"][0] = "bored"
    (other / "config.json").write_text(json.dumps(config))
    result = compare(data, folder, "--resume", "--beside", str(other))
    assert result.exit_code == 0, result.output
    written = json.loads((folder / "comparison.json").read_text())["models"]
    assert [row["model"] for row in written] == list(MODELS)


def test_the_picture_shows_every_model_where_its_figures_are(comparison, rows):
    picture = np.array(Image.open(comparison[0] / "comparison.png").convert("RGB"))
    assert min(picture.shape[:2]) >= 600
    for color in color_sequences["okabe_ito"][1 : 1 + len(rows)]:
        on_white = 255 * (1 - BUBBLE_ALPHA + BUBBLE_ALPHA * np.array(color))
        assert (np.abs(picture - on_white).max(2) < 4).sum() > 50, color


def test_a_finished_comparison_is_measured_on_test_without_training(comparison, data, rows, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(comparison[0], folder)
    before = {file: file.stat().st_mtime_ns for file in folder.glob("*/*/*/**/*") if file.is_file()}
    result = compare(data, folder, "--resume", "--split", "test", models=MODELS[::-1])
    assert result.exit_code == 0, result.output
    assert {file: file.stat().st_mtime_ns for file in folder.glob("*/*/*/**/*") if file.is_file()} == before
    written = json.loads((folder / "comparison.json").read_text())
    assert written["split"] == "test" and [row["model"] for row in written["models"][:-1]] == list(MODELS[::-1])
    for row in written["models"][:-1]:
        trained = [[run["training_s"] for run in one["runs"]] for one in (row, rows[row["model"]])]
        assert row["n"] == 35 and trained[0] == trained[1]


@pytest.mark.parametrize(
    ("models", "more", "words"),
    [
        (("custom_cnn", "mobilnetv2_100"), [], "timm has no model 'mobilnetv2_100'; near: mobilenetv2_100"),
        (("custom_cnn", "custom_cnn"), [], "custom_cnn: named more than once"),
        (("custom_cnn", "test_maxvit"), [], "test_maxvit cannot take pictures of 1 x 32 x 32"),
        (("custom_cnn", "efficientvit_m0"), [], "efficientvit_m0 cannot be exported"),
        (("custom_cnn", "resnet18"), [], "resnet18 is too large: 44.7 MB"),
        (("custom_cnn",), ["--split", "exam"], "cannot load the split 'exam'"),
        (("custom_cnn",), ["--resume"], "it holds no comparison"),
        (("custom_cnn",), ["--preprocessing", "nowhere.json"], "nowhere.json"),
        (("custom_cnn",), ["--beside", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_are_reported_before_anything_is_trained(data, tmp_path, models, more, words):
    result = compare(data, tmp_path / "comparison", *more, models=models)
    assert result.exit_code == 1 and words in output_of(result)
    assert not (tmp_path / "comparison").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [([], "holds an earlier comparison"), (["--resume", "--epochs", "3"], "differs in epochs")],
)
def test_a_comparison_is_neither_overwritten_nor_mixed(comparison, data, more, words):
    result = compare(data, comparison[0], *more)
    assert result.exit_code == 1 and words in output_of(result)


def test_models_have_to_be_named(data):
    result = CliRunner().invoke(app, ["compare", "--data", str(data), "custom_cnn"])
    assert result.exit_code == 2 and "--models" in result.output


@pytest.mark.parametrize("side", [33, 48, 112])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_custom_cnn_is_a_network_like_those_of_timm(side, channels):
    network = timm.create_model("custom_cnn", num_classes=5, in_chans=channels).eval()
    assert 1e6 < sum(parameter.numel() for parameter in network.parameters()) < 2e6
    assert network.default_cfg["architecture"] == "custom_cnn" and network.num_classes == 5
    pixels = torch.randn(2, channels, side, side)
    with torch.no_grad():
        logits = network(pixels)
        features = network.forward_head(network.forward_features(pixels), pre_logits=True)
        assert features.shape == (2, network.num_features)
        torch.testing.assert_close(network.get_classifier()(features), logits)
        network.reset_classifier(3)
        assert network(pixels).shape == (2, 3) and network.num_classes == 3
        network.reset_classifier(0)
        torch.testing.assert_close(network(pixels), features)
