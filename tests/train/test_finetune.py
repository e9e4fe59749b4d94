"""Any model, any data: other classes, class folders, two heads, interruptions, two processes, data that do not fit."""

import json
import os
import signal

import datasets
import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from benchmarks.support.processes import free_port
from face_expression import LABEL_NAMES, load_pipeline
from face_expression.hub.download import open_bundle
from face_expression.model.classifier import Classifier
from tests.support.builders import REPOSITORY
from tests.support.training import (
    SHADES,
    SMALL,
    TINY,
    band,
    class_folders,
    flat,
    output_of,
    parquet,
    require_success,
    train,
)
from tests.support.warm_programs import TRAIN, run_warm, start_warm
from train.data.dataset import load_split
from train.model.callbacks import EmaCallback
from train.model.loss import Loss


@pytest.fixture(scope="module")
def shades(tmp_path_factory):
    return class_folders(tmp_path_factory.mktemp("shades"))


@pytest.fixture(scope="module")
def shades_run(shades, tmp_path_factory):
    """A network of three classes of our own choice, in colour, with the preprocessing that knows brightness."""
    output = tmp_path_factory.mktemp("run") / "run"
    preprocessing = tmp_path_factory.mktemp("preprocessing") / "preprocessing.json"
    settings = json.loads((REPOSITORY / "train" / "data" / "preprocessing.json").read_text())
    settings["preprocessing"]["input"]["contrast"] = None
    preprocessing.write_text(json.dumps(settings))
    options = ["--channels", "3", "--epochs", "6", "--preprocessing", preprocessing]
    result = train("finetune", "--data", shades, "--output", output, *TINY, *options)
    assert result.exit_code == 0, output_of(result)
    return output / "final"


def test_other_classes_work_from_class_folders_to_the_app(shades, shades_run, tmp_path):
    bundle = tmp_path / "bundle"
    result = train("export", shades_run, "--data", shades, "--bundle", bundle)
    assert result.exit_code == 0, output_of(result)
    pipeline = load_pipeline(str(bundle), detector="haar")
    assert pipeline.label_names == ("bright", "dark", "middle")
    rng = np.random.default_rng(9)
    rows = pipeline.classify([flat(SHADES[name], rng, color=True) for name in pipeline.label_names])
    assert rows.argmax(1).tolist() == [0, 1, 2]


def test_a_run_goes_on_from_another_run_and_says_so(shades, shades_run, tmp_path):
    frozen = ["--learning-rate", "0", "--weight-decay", "0", "--epochs", "1"]
    output = tmp_path / "run"
    result = train("finetune", "--data", shades, "--output", output, "--from", shades_run, *SMALL, *frozen)
    assert result.exit_code == 0, output_of(result)
    before, after = (load_file(folder / "model.safetensors") for folder in (shades_run, output / "final"))
    trained = [name for name in before if "running" not in name and "num_batches" not in name]
    assert all(torch.equal(before[name], after[name]) for name in trained)
    training = json.loads((output / "final" / "training.json").read_text())
    assert training["start"] == "run/final"
    assert training["begun_with"] == json.loads((shades_run / "training.json").read_text())


def test_lower_layers_learn_more_slowly_if_asked(shades, shades_run, tmp_path):
    output = tmp_path / "run"
    options = ["--from", shades_run, "--layer-decay", "0.01", "--epochs", "1", "--ema-decay", "0"]
    require_success(train("finetune", "--data", shades, "--output", output, *SMALL, *options))
    before, after = (load_file(folder / "model.safetensors") for folder in (shades_run, output / "final"))
    moved = [
        ((after[name] - before[name]).norm() / before[name].norm()).item()
        for name in ("timm_model.conv1.weight", "timm_model.fc.weight")
    ]
    assert moved[0] < 1e-6 < 1e-3 < moved[1]


def test_other_classes_than_before_get_a_new_last_layer(shades_run, tmp_path):
    data = class_folders(tmp_path / "data", shades={"left": 50, "middle": 120, "right": 200}, count=8)
    frozen = ["--learning-rate", "0", "--weight-decay", "0", "--epochs", "1"]
    result = train("finetune", "--data", data, "--output", tmp_path / "run", "--from", shades_run, *SMALL, *frozen)
    assert result.exit_code == 0, output_of(result)
    before, after = (load_file(folder / "model.safetensors") for folder in (shades_run, tmp_path / "run" / "final"))
    assert torch.equal(before["timm_model.conv1.weight"], after["timm_model.conv1.weight"])
    assert not torch.equal(before["timm_model.fc.weight"], after["timm_model.fc.weight"])


def test_votes_and_labels_are_learned_by_a_head_each(tmp_path):
    def all_classes(columns):
        labels = (np.arange(len(columns["label"])) % 7).tolist()
        rng = np.random.default_rng(len(labels))
        return {
            "image": [band(label, rng) for label in labels],
            "label": labels,
            "votes": [np.eye(10, dtype=int)[(label + 1) % 7] * int(rng.integers(5, 10)) for label in labels],
        }

    data = parquet(tmp_path / "data", count=112, change=all_classes)
    run, bundle = tmp_path / "run", tmp_path / "bundle"
    options = ["--epochs", "20", "--label-weight", "1", "--learning-rate", "0.05"]
    result = train("finetune", "--data", data, "--output", run, *TINY, *options)
    assert result.exit_code == 0, output_of(result)
    assert train("export", run / "final", "--data", data, "--bundle", bundle).exit_code == 0
    opened = open_bundle(bundle, "tested")
    classifier = Classifier(opened.model, opened.config)
    pipeline = load_pipeline(str(bundle), detector="haar")
    columns = all_classes({"label": range(7)})
    inputs = pipeline.model_inputs(columns["image"])
    logits, own = classifier.run_heads(inputs)
    voted = classifier.probabilities_of(logits)
    np.testing.assert_allclose(voted, classifier.probabilities(inputs), atol=1e-6)
    assert own.shape == voted.shape == (7, 7)
    # By chance, one of seven.
    assert (own.argmax(1) == np.arange(7)).sum() >= 4 and (voted.argmax(1) == (np.arange(7) + 1) % 7).sum() >= 4


def test_two_processes_train_one_network(shades, tmp_path):
    """As `accelerate launch` starts them, each with its number in its environment."""
    arguments = ["finetune", "--data", shades, "--output", tmp_path / "run", *TINY, "--epochs", "2"]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    started = [
        start_warm(
            *("-m", "train", *arguments),
            modules=TRAIN,
            environment={**os.environ, **shared, "RANK": rank, "LOCAL_RANK": rank, "ACCELERATE_USE_CPU": "true"},
        )
        for rank in ("0", "1")
    ]
    with started[0], started[1]:
        for process in started:
            _, error = process.communicate()
            assert process.returncode == 0, error
    # 72 faces in two processes by 8 are 5 steps an epoch; one process would take 9.
    assert sorted(folder.name for folder in tmp_path.glob("run/checkpoint-*")) == ["checkpoint-10", "checkpoint-5"]
    training = json.loads((tmp_path / "run" / "final" / "training.json").read_text())
    assert len(training["history"]) == 2 and training["train_rows"] == 72


@pytest.mark.parametrize("model", ["test_efficientnet", "custom_cnn"])
def test_other_networks_of_timm_are_trained_and_exported(shades, tmp_path, model):
    run, bundle = tmp_path / "run", tmp_path / "bundle"
    options = [*SMALL, "--limit", "24", "--epochs", "1"]
    require_success(train("finetune", "--data", shades, "--output", run, "--model", model, *options))
    # In a process of its own, in which our network is not registered yet.
    exported = run_warm("-m", "train", "export", run / "final", "--data", shades, "--bundle", bundle, modules=TRAIN)
    assert exported.returncode == 0, exported.stderr
    assert load_pipeline(str(bundle), detector="haar").classify([np.zeros((40, 40), np.uint8)]).shape == (1, 3)


def test_a_network_takes_the_size_it_was_made_for(shades, tmp_path):
    result = train("finetune", "--data", shades, "--output", tmp_path, "--model", "mobilenetv2_050", "--epochs", "0")
    assert result.exit_code == 0, output_of(result)
    settings = json.loads((tmp_path / "final" / "preprocessing.json").read_text())["preprocessing"]
    assert settings["input"]["size_px"] == 224


def test_rare_classes_count_more_if_asked():
    logits = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    outputs = type("Outputs", (), {"logits": logits})
    shares = (0.9, 0.1)
    plain = -logits.log_softmax(1)
    assert Loss(2, 0)(outputs, targets).item() == pytest.approx(((plain[0, 0] + plain[1, 1]) / 2).item())
    weighted = (plain[0, 0] / 1.8 + plain[1, 1] / 0.2) / (1 / 1.8 + 1 / 0.2)
    assert Loss(2, 0, "class-weights", shares)(outputs, targets).item() == pytest.approx(weighted.item())
    adjusted = -(logits + torch.tensor(shares).log()).log_softmax(1)
    expected = (adjusted[0, 0] + adjusted[1, 1]) / 2
    assert Loss(2, 0, "logit-adjustment", shares)(outputs, targets).item() == pytest.approx(expected.item())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "{one}"], "one class only"),
        (["--data", "{alike}"], "faces of one class only"),
        (["--data", "{no_validation}"], "needs a validation split"),
        (["--data", "{broken}"], "1 image(s) of the split 'train' cannot be read"),
        (["--data", "{shades}", "--from", "{shades}"], "holds no model.safetensors"),
        (["--data", "{shades}", "--from", "nobody/nothing"], "neither a folder nor a model on the Hub"),
        (["--data", "{shades}", "--model", "mobilenetv2_050", "--pretrained"], "cannot get timm's weights"),
        (["--data", "{shades}", "--model", "mobilnet"], "timm has no model 'mobilnet'"),
        (["--data", "{shades}", "--channels", "2"], "1 (grey) or 3 (colour)"),
    ],
)
def test_what_cannot_be_trained_is_reported_at_once(shades, tmp_path, monkeypatch, arguments, words):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    one = class_folders(tmp_path / "one", shades={"same": 100}, count=2)
    no_validation = class_folders(tmp_path / "no_validation", splits=("train",), count=2)
    broken = class_folders(tmp_path / "broken", count=2)
    (broken / "train" / "dark" / "0.png").write_bytes(b"no picture")
    alike = parquet(tmp_path / "alike", change=lambda columns: columns | {"votes": [[0, 9] + [0] * 8] * 48})
    places = {"one": one, "no_validation": no_validation, "broken": broken, "alike": alike, "shades": shades}
    filled = [argument.format(**places) for argument in arguments]
    result = train("finetune", "--output", tmp_path / "run", *SMALL, "--epochs", "1", *filled)
    assert result.exit_code != 0 and words in output_of(result), output_of(result)
    assert isinstance(result.exception, SystemExit)
    assert not list(tmp_path.glob("run/checkpoint-*"))


@pytest.mark.parametrize("rows", [17, 9])
def test_a_last_batch_of_one_never_happens(tmp_path, rows):
    for number in range(rows):
        shade = ("dark", "bright")[number % 2]
        for split in ("train", "validation"):
            (tmp_path / "data" / split / shade).mkdir(parents=True, exist_ok=True)
            picture = np.full((32, 32), SHADES[shade] + number, np.uint8)
            Image.fromarray(picture).save(tmp_path / "data" / split / shade / f"{split}{number}.png")
    arguments = ["--data", tmp_path / "data", "--output", tmp_path / "run", *TINY, "--epochs", "2"]
    result = train("finetune", *arguments, "--batch-size", "8")
    assert result.exit_code == 0, output_of(result)
    training = json.loads((tmp_path / "run" / "final" / "training.json").read_text())
    assert training["train_rows"] == rows and len(training["history"]) == 2


@pytest.mark.parametrize("stop_at", [4, 9], ids=["within an epoch", "between two"])
def test_ctrl_c_saves_and_a_resumed_run_is_an_unbroken_one_bit_for_bit(shades, tmp_path, monkeypatch, stop_at):
    """72 faces by 8 are 9 steps an epoch."""
    whole, broken = (
        ["finetune", "--data", shades, "--output", tmp_path / name, *TINY, "--epochs", "2"] for name in ("a", "b")
    )
    assert train(*whole).exit_code == 0
    update = EmaCallback.on_step_end

    def press_ctrl_c(self, args, state, *others, **more):
        update(self, args, state, *others, **more)
        if state.global_step == stop_at:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(EmaCallback, "on_step_end", press_ctrl_c)
        stopped = train(*broken)
    assert stopped.exit_code == 130
    assert f"stopped at step {stop_at};" in output_of(stopped) and "--resume" in output_of(stopped)
    assert (tmp_path / "b" / f"checkpoint-{stop_at}" / "ema" / "model.safetensors").is_file()
    assert not (tmp_path / "b" / "final").exists()
    require_success(train(*broken, "--resume"))
    history = json.loads((tmp_path / "b" / "final" / "training.json").read_text())["history"]
    assert [round(entry["epoch"]) for entry in history] == [1, 2]
    one, other = (tmp_path / name / "final" / "model.safetensors" for name in ("a", "b"))
    assert one.read_bytes() == other.read_bytes()


def test_a_data_set_stays_on_the_disk(tmp_path):
    """What is read of 64 MB of pictures before the first is decoded is their labels."""
    megabyte = os.urandom(1_000_000)
    label = datasets.ClassLabel(names=list(LABEL_NAMES))
    image = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    features = datasets.Features({"image": image, "label": label})
    rows = ({"image": {"bytes": bytes([number]) + megabyte, "path": None}, "label": number % 7} for number in range(64))
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "train.parquet"
    datasets.Dataset.from_list(list(rows), features=features).to_parquet(file, batch_size=8)
    before = pa.total_allocated_bytes()
    split = load_split(str(tmp_path / "data"), "train")
    assert split.data.nbytes > 64_000_000 and len(split) == 64
    assert pa.total_allocated_bytes() - before < 8_000_000
