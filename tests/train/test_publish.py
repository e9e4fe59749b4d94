"""A bundle is published to a Hub that answers, refuses, breaks off or lies, and read back by those who will use it."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from huggingface_hub import HfApi, ModelCard
from PIL import Image
from safetensors.torch import load, load_file, save_file
from typer.testing import CliRunner

from face_expression import LABEL_NAMES, load_pipeline
from face_expression.errors import ExpectedError
from face_expression.hub.download import DETECTOR_VARIABLE
from face_expression.io.files import sha256_of
from face_expression.model.config import read_preprocessing
from face_expression.model.graphs import GRAPH_NAMES, graph_file
from face_expression.model.preprocess import to_model_inputs
from tests.support.builders import REPOSITORY, happy_face, save
from tests.support.hub_patience import NO_PAUSES, without_waiting
from tests.support.local_hub import OWNER, READER, WRITER, running_hub
from tests.support.warm_programs import TRAIN, run_warm
from train.__main__ import PREPROCESSING, app
from train.data.dataset import load_split, read_crops
from train.export.quantize import quantize
from train.export.step import export
from train.model.networks import build_network
from train.publish.model_card import fill_card
from train.publish.step import publish

REPO = f"{OWNER}/faces"
CARD = REPOSITORY / "model_card.md"
TINY = {"channels": [16, 16, 16, 16], "layers": [1, 1, 1, 1]}
PUBLISHED = {
    ".gitattributes",
    "README.md",
    "config.json",
    "face_detection_yunet_2023mar.onnx",
    "metrics.json",
    "model.onnx",
    "model.safetensors",
    *map(graph_file, GRAPH_NAMES),
}


def make_checkpoint(folder, seed):
    """A network that was not trained but has an opinion."""
    preprocessing = read_preprocessing(PREPROCESSING)
    torch.manual_seed(seed)
    network = build_network("resnet18", TINY, preprocessing.input, LABEL_NAMES)
    for value in network.parameters():
        torch.nn.init.normal_(value, mean=1.0 if value.ndim == 1 else 0.0, std=0.5 * value[0].numel() ** -0.5)
    network.save_pretrained(folder)
    settings = {"preprocessing": preprocessing.model_dump(mode="json")}
    (folder / "preprocessing.json").write_text(json.dumps(settings))
    (folder / "training.json").write_text(json.dumps({"data": "noise", "train_rows": 99, "epochs": 3.0}))
    return folder


def make_metrics(bundle):
    config = json.loads((bundle / "config.json").read_text())
    of_labels = {
        "n": 40,
        "accuracy": 0.8125,
        "accuracy_interval_95": [0.7, 0.9],
        "balanced_accuracy": 0.75,
        "macro_f1": 0.6789,
        "recall": dict.fromkeys(LABEL_NAMES, 0.5),
        "support": dict.fromkeys(LABEL_NAMES, 4),
    }
    metrics = {
        "schema_version": 1,
        "bundle": {"model_sha256": config["face_expression"]["model_sha256"], "model_bytes": 123_456},
        "data": {"name": "noise", "revision": None, "split": "test", "rows": 44},
        "protocols": {
            "ferplus-majority-7": of_labels,
            "ferplus-votes": {"n": 41, "cross_entropy": 0.75, "kl_divergence": 0.2846, "vote_ece": 0.0071},
        },
    }
    (bundle / "metrics.json").write_text(json.dumps(metrics))
    return metrics


def make(folder, seed):
    """(checkpoint, the bundle exported from it)."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 7, 20)
    features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(LABEL_NAMES))}
    columns = {"image": list(rng.integers(0, 256, (20, 48, 48), np.uint8)), "label": labels.tolist()}
    (folder / "data").mkdir()
    rows = datasets.Dataset.from_dict(columns, features=datasets.Features(features))
    rows.to_parquet(folder / "data" / "validation.parquet")
    checkpoint = make_checkpoint(folder / "checkpoint", seed)
    export(checkpoint=checkpoint, data=str(folder / "data"), revision=None, bundle=folder / "bundle")
    make_metrics(folder / "bundle")
    return checkpoint, folder / "bundle"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("made"), seed=1)


@pytest.fixture(scope="module")
def made_later(tmp_path_factory):
    """Another network."""
    return make(tmp_path_factory.mktemp("made_later"), seed=2)


@pytest.fixture
def bundle(made, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(made[1], tmp_path / "bundle")


@pytest.fixture
def hub(monkeypatch, yunet_weights):
    """An empty Hub, with nobody waiting between two attempts."""
    monkeypatch.setenv(DETECTOR_VARIABLE, str(yunet_weights))
    without_waiting(monkeypatch)
    with running_hub({}) as server:
        yield server


def send(hub, made, *, token=WRITER, repo_id=REPO, private=False, **paths):
    checkpoint, bundle = made
    places = {"checkpoint": checkpoint, "bundle": bundle, "card": CARD, **paths}
    api = HfApi(endpoint=hub.endpoint, token=token)
    return publish(repo_id=repo_id, private=private, api=api, pauses_s=NO_PAUSES, **places)


def contents(hub, commit=-1):
    return {name: file.content for name, file in hub.repositories[REPO].commits[commit].files.items()}


def hub_environment(server, home, **more) -> dict[str, str]:
    """The environment of a program that uses a Hub of ours."""
    ours = {"HF_ENDPOINT": server.endpoint, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    return {"PATH": os.environ["PATH"], "HOME": str(home), **ours, **more}


@pytest.fixture(scope="module")
def published(made, yunet_weights, tmp_path_factory):
    """A Hub to which the command published."""
    with running_hub({}) as server:
        options = ["--repo", REPO, "--checkpoint", made[0], "--bundle", made[1]]
        home = hub_environment(server, tmp_path_factory.mktemp("home"), HF_TOKEN=WRITER)
        home |= {DETECTOR_VARIABLE: str(yunet_weights)}
        result = run_warm("-m", "train", "publish", *options, modules=TRAIN, environment=home)
        assert result.returncode == 0, result.stderr
        server.output = result.stdout
        yield server


def test_everything_is_published_in_one_commit(published, made, yunet_weights):
    commits = published.repositories[REPO].commits
    assert [commit.title for commit in commits] == ["initial commit", "Publish a measured bundle"]
    assert f"published: {published.endpoint}/{REPO}\n" in published.output and commits[-1].oid in published.output
    stored = contents(published)
    assert stored.keys() == PUBLISHED
    assert stored["model.onnx"] == (made[1] / "model.onnx").read_bytes()
    assert stored["metrics.json"] == (made[1] / "metrics.json").read_bytes()
    assert stored["face_detection_yunet_2023mar.onnx"] == yunet_weights.read_bytes()
    for name, file in commits[-1].files.items():
        assert file.lfs_sha256 in (None, hashlib.sha256(file.content).hexdigest()), name
    assert not published.repositories[REPO].private


def test_training_goes_on_from_what_was_published(published, made, tmp_path):
    labels = np.arange(28) % 7
    features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(LABEL_NAMES))}
    pictures = list(np.random.default_rng(1).integers(0, 256, (28, 48, 48), np.uint8))
    rows = datasets.Dataset.from_dict({"image": pictures, "label": labels.tolist()}, datasets.Features(features))
    for split in ("train", "validation"):
        rows.to_parquet(tmp_path / "data" / f"{split}.parquet")
    still = ["--learning-rate", "0", "--weight-decay", "0", "--epochs", "1", "--batch-size", "7", "--workers", "0"]
    places = ["--data", tmp_path / "data", "--output", tmp_path / "run", "--from", REPO]
    home = hub_environment(published, tmp_path / "home")
    result = run_warm("-m", "train", "finetune", *places, *still, modules=TRAIN, environment=home)
    assert result.returncode == 0, result.stderr
    before, after = (load_file(folder / "model.safetensors") for folder in (made[0], tmp_path / "run" / "final"))
    for name in ("timm_model.conv1.weight", "timm_model.fc.weight"):
        torch.testing.assert_close(after[name], before[name])
    assert json.loads((tmp_path / "run" / "final" / "training.json").read_text())["start"] == REPO


READ_BACK = """
import json, sys
import numpy as np, timm, torch
from PIL import Image
from transformers import pipeline
from face_expression import load_pipeline

repo_id, picture, crops, weights = sys.argv[1:]
network = timm.create_model(f"hf-hub:{repo_id}", pretrained=True).eval()
transform = timm.data.create_transform(**timm.data.resolve_data_config(network.pretrained_cfg))
with torch.inference_mode():
    by_timm = network(transform(Image.open(picture))[None]).softmax(1)[0].tolist()
grey = timm.create_model(f"hf-hub:{repo_id}", pretrained=True, in_chans=1)
torch.save(grey.state_dict(), weights)
ours = load_pipeline(repo_id)
print(json.dumps({
    "timm": dict(zip(network.pretrained_cfg["label_names"], by_timm)),
    "transformers": {row["label"]: row["score"] for row in
                     pipeline("image-classification", model=repo_id)(picture, top_k=7)},
    "ours": ours.classify(list(np.load(crops))).tolist(),
    "source": ours.source,
}))
"""


def test_timm_transformers_and_the_app_read_it_back(published, made, tmp_path):
    picture = save(happy_face(), tmp_path / "face.png")
    crops = np.random.default_rng(3).integers(0, 256, (5, 48, 48), np.uint8)
    np.save(tmp_path / "crops.npy", crops)
    paths = [picture, tmp_path / "crops.npy", tmp_path / "grey.pt"]
    home = hub_environment(published, tmp_path / "home")
    result = run_warm("-c", READ_BACK, REPO, *paths, modules=TRAIN, environment=home)
    assert result.returncode == 0, result.stderr
    outputs = json.loads(result.stdout.splitlines()[-1])
    here = load_pipeline(str(made[1]), detector="haar")
    np.testing.assert_allclose(outputs["ours"], here.classify(list(crops)), atol=1e-6)
    assert outputs["source"] == f"model {REPO} from the Hub, face detector yunet"
    assert tuple(outputs["timm"]) == LABEL_NAMES
    assert outputs["transformers"] == pytest.approx(outputs["timm"], abs=1e-5)
    assert max(outputs["timm"].values()) - min(outputs["timm"].values()) > 0.01
    # The network's input made by hand of the same picture: what the colour network says is what the grey one says.
    settings = here.config.preprocessing.input
    small = Image.fromarray(happy_face()).resize((settings.size_px,) * 2, Image.Resampling.BILINEAR)
    grey = np.asarray(small, np.float32) @ np.float32(settings.grey_weights) / 255
    logits, _ = here.classifier.run(((grey - settings.mean[0]) / settings.std[0])[None, None].astype(np.float32))
    expected = torch.from_numpy(logits).softmax(1)[0].tolist()
    assert list(outputs["timm"].values()) == pytest.approx(expected, abs=0.005)
    trained = load_file(made[0] / "model.safetensors")
    for name, value in torch.load(tmp_path / "grey.pt").items():
        torch.testing.assert_close(value, trained[f"timm_model.{name}"])


def test_the_card_on_the_hub_tells_the_figures(published, made):
    card = ModelCard(contents(published)["README.md"].decode())
    assert (card.data.license, card.data.library_name) == ("other", "timm")
    assert card.data.pipeline_tag == "image-classification" and card.data.datasets == ["noise"]
    metrics = json.loads((made[1] / "metrics.json").read_text())
    results = {(row.dataset_config, row.metric_name): row.metric_value for row in card.data.eval_results}
    assert results == {
        (protocol, key): value
        for protocol, row in metrics["protocols"].items()
        for key, value in row.items()
        if isinstance(value, float)
    }
    assert card.data.model_name == "faces"
    assert all(f"(n={n})" in str([row.dataset_name for row in card.data.eval_results]) for n in (40, 41))
    for part in (
        "81.2% (70.0% to 90.0%)",
        "| 0.285 | 0.0071 |",
        f"hf-hub:{REPO}",
        "99 rows of `noise`",
        "Forbidden uses",
    ):
        assert part in card.text, part
    assert "USER/NAME" not in card.content


def test_publishing_the_same_again_changes_nothing(hub, made):
    first, second = send(hub, made), send(hub, made)
    assert first == second and len(hub.repositories[REPO].commits) == 2


def test_a_report_is_published_and_goes_with_its_model(hub, made, bundle):
    (bundle / "report.html").write_text("<html>")
    send(hub, made, bundle=bundle)
    assert contents(hub).keys() == PUBLISHED | {"report.html"}
    send(hub, made)
    assert contents(hub).keys() == PUBLISHED


def test_private_is_private(hub, made):
    send(hub, made, private=True)
    assert hub.repositories[REPO].private
    send(hub, made)
    assert hub.repositories[REPO].private


def test_trouble_that_passes_ends_in_one_complete_commit(hub, made):
    """`tests/core/test_hub_upload.py` has all other kinds of trouble."""
    hub.fault, hub.faults_left = "cut upload", 9
    published = send(hub, made)
    assert hub.faults_left == 0
    commits = hub.repositories[REPO].commits
    assert len(commits) == 2 and published.commit.endswith(commits[-1].oid)
    assert contents(hub).keys() == PUBLISHED
    assert contents(hub)["model.onnx"] == (made[1] / "model.onnx").read_bytes()


def test_trouble_that_stays_leaves_the_repository_as_it_was(hub, made, made_later, bundle):
    (bundle / "report.html").write_text("<html>")
    send(hub, made, bundle=bundle)
    before = contents(hub)
    hub.fault = "corrupt"
    with pytest.raises(ExpectedError, match=r"gives other bytes than were sent for model\.onnx"):
        send(hub, made_later)
    assert contents(hub) == before


def test_a_missing_right_to_write_is_reported_and_nothing_is_made(hub, made):
    with pytest.raises(ExpectedError, match=f"no right to write to {REPO}"):
        send(hub, made, token=READER)
    assert hub.repositories == {}


def test_a_missing_token_asks_to_log_in(made, tmp_path, monkeypatch):
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    options = ["--repo", REPO, "--checkpoint", str(made[0]), "--bundle", str(made[1])]
    result = CliRunner().invoke(app, ["publish", *options])
    assert result.exit_code == 1 and "hf auth login" in result.output and "HF_TOKEN" in result.output


def other_weights(checkpoint):
    make_checkpoint(checkpoint, seed=2)


def slightly_other_weights(checkpoint):
    weights = load_file(checkpoint / "model.safetensors")
    weights["timm_model.fc.bias"][0] += 0.01
    save_file(weights, checkpoint / "model.safetensors", metadata={"format": "pt"})


def other_architecture(checkpoint):
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps({**config, "model_args": {"in_chans": 1}}))


def without_weights(checkpoint):
    (checkpoint / "model.safetensors").unlink()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (other_weights, "is not the checkpoint of"),
        (slightly_other_weights, "is not the checkpoint of"),
        (other_architecture, "its model_args is"),
        (without_weights, "holds no checkpoint"),
    ],
)
def test_a_checkpoint_that_is_not_the_bundles_is_not_sent(hub, made, tmp_path, change, words):
    checkpoint = shutil.copytree(made[0], tmp_path / "checkpoint")
    change(checkpoint)
    with pytest.raises(ExpectedError, match=words):
        send(hub, made, checkpoint=checkpoint)
    assert hub.repositories == {}


def claim(bundle: Path) -> None:
    """Say in a bundle's files that its network, another one now, is its own and was measured."""
    config = json.loads((bundle / "config.json").read_text())
    config["face_expression"]["model_sha256"] = sha256_of(bundle / "model.onnx")
    (bundle / "config.json").write_text(json.dumps(config))
    make_metrics(bundle)


def in_int8(made: tuple[Path, Path], folder: Path) -> Path:
    """A bundle as `export` writes it in int8, without the export before it, which takes seconds."""
    checkpoint, bundle = made
    shutil.copytree(bundle, folder)
    preprocessing = read_preprocessing(checkpoint / "preprocessing.json")
    crops = read_crops(load_split(str(checkpoint.parent / "data"), "validation"), preprocessing)
    quantize(folder / "model.onnx", to_model_inputs(crops, preprocessing.input))
    claim(folder)
    return folder


@pytest.mark.parametrize("int8", [False, True])
def test_a_bundle_with_another_network_inside_is_not_sent(hub, made, made_later, bundle, tmp_path, int8):
    # It claims to come from this checkpoint, and all its checksums agree.
    other = in_int8(made_later, tmp_path / "int8") if int8 else made_later[1]
    shutil.copyfile(other / "model.onnx", bundle / "model.onnx")
    claim(bundle)
    with pytest.raises(ExpectedError, match="their logits differ by"):
        send(hub, made, bundle=bundle)
    assert hub.repositories == {}


def test_an_int8_bundle_is_published_with_the_float_weights(hub, made, tmp_path):
    bundle = in_int8(made, tmp_path / "int8")
    send(hub, made, bundle=bundle)
    sent = contents(hub)
    assert sent["model.onnx"] == (bundle / "model.onnx").read_bytes() != (made[1] / "model.onnx").read_bytes()
    bias = load_file(made[0] / "model.safetensors")["timm_model.fc.bias"]
    torch.testing.assert_close(load(sent["model.safetensors"])["fc.bias"], bias)


def other_metrics(bundle):
    metrics = json.loads((bundle / "metrics.json").read_text())
    metrics["bundle"]["model_sha256"] = "0" * 64
    (bundle / "metrics.json").write_text(json.dumps(metrics))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (other_metrics, "measured another network; run `python -m train evaluate` again"),
        (lambda bundle: (bundle / "metrics.json").unlink(), "run `python -m train evaluate` first"),
        (lambda bundle: (bundle / "model.onnx").write_bytes(b"x"), "sha256"),
        (lambda bundle: shutil.rmtree(bundle), "cannot be read"),
    ],
)
def test_a_bundle_that_was_not_measured_is_not_sent(hub, made, bundle, change, words):
    change(bundle)
    with pytest.raises(ExpectedError, match=words):
        send(hub, made, bundle=bundle)
    assert hub.repositories == {}


def test_unknown_detector_weights_are_not_sent(hub, made, tmp_path, monkeypatch):
    (tmp_path / "weights.onnx").write_bytes(b"x")
    monkeypatch.setenv(DETECTOR_VARIABLE, str(tmp_path / "weights.onnx"))
    with pytest.raises(ExpectedError, match="not one of the accepted YuNet weights"):
        send(hub, made)
    assert hub.repositories == {}


def test_the_card_shows_what_else_was_measured(bundle, tmp_path):
    level = {"n": 40, "accuracy": 0.8125, "accuracy_interval_95": [0.7, 0.9]}
    metrics = make_metrics(bundle) | {
        "robustness": {
            "untouched": level,
            "corruptions": {"blur": {"unit": "px", "levels": [level, {**level, "accuracy": 0.4321}]}},
        },
        "groups": {
            "column": "query_group",
            "is_proxy": True,
            "groups": {"old": {**level, "accuracy_interval_95": None}},
            "largest_gap": None,
        },
        "speed": {"n": 300, "p50_ms": 1.234, "p95_ms": 2.5, "threads": 1, "machine": "a CPU"},
    }
    (bundle / "metrics.json").write_text(json.dumps(metrics))
    card = tmp_path / "card.md"
    card.write_text("<!-- figures: begin -->\n<!-- figures: end -->\n")
    fill_card(bundle, card)
    text = card.read_text()
    assert "| blur | 81.2% | 43.2% |" in text and "| old | 40 | 81.2% |" in text and "not what people are" in text
    assert "1 thread(s) of a CPU: p50 1.23 ms, p95 2.50 ms (n = 300)" in text
