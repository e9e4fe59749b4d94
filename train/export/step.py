"""Checkpoint -> bundle: ONNX with parity to PyTorch, temperature and abstention threshold from validation.

The temperature minimises cross-entropy to the validation votes, because the bars say what ten people would say. The
abstention threshold is the confidence below which validation faces were labelled wrongly more often than not. The
quality limits are those at which the validation faces begin to be classified worse (`train.export.quality_limits`).
"""

import json
import shutil
from pathlib import Path
from typing import Protocol, cast

import datasets
import numpy as np
import onnx
import torch
from safetensors.torch import load_file
from scipy.optimize import minimize_scalar
from transformers import TimmWrapperForImageClassification

from face_expression.errors import DataError, required
from face_expression.hub.download import METRICS_FILE, open_bundle
from face_expression.io.files import sha256_of
from face_expression.model.classifier import OUTPUT_NAMES, OWN_LABEL_OUTPUT, Classifier, softmax
from face_expression.model.config import (
    EMBEDDED_CONFIG,
    SCHEMA_VERSION,
    BundleConfig,
    Preprocessing,
    read_bundle_config,
    read_preprocessing,
)
from face_expression.model.graphs import GRAPH_NAMES, graph_file
from face_expression.model.preprocess import to_model_inputs
from train.data.dataset import load_split, read_crops, read_targets, require_labels
from train.export.class_bias import adjust_last_layer
from train.export.graphs import write_graphs
from train.export.quality_limits import fit_limits
from train.export.quantize import is_quantized, make_sums_exact, quantize
from train.model import custom_cnn, dlib_resnet  # noqa: F401 - a checkpoint may be of them
from train.model.initial_weights import LABEL_HEAD_FILE

PARITY_TOLERANCE = 1e-4
MAX_BUNDLE_BYTES = 10_000_000
_PARITY_ROWS = 256


class TimmNetwork(Protocol):
    """What all networks of timm have."""

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, P, P) -> what comes before pooling."""
        ...

    def forward_head(self, x: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        """What comes after, up to the last layer or before it."""
        ...

    def get_classifier(self) -> torch.nn.Linear:
        """The last layer."""
        ...


class WithFeatures(torch.nn.Module):
    """A timm network that gives its features (the layer before the last) beside its logits.

    Args:
        network: a timm network.
        own_label_head: the second head's linear layer, if there is one.
    """

    def __init__(self, network: TimmNetwork, own_label_head: torch.nn.Linear | None = None):
        super().__init__()
        self.network = network
        self.own_label_head = own_label_head

    @property
    def output_names(self) -> tuple[str, ...]:
        """What `forward` gives, in its order."""
        return OUTPUT_NAMES if self.own_label_head is None else (*OUTPUT_NAMES, OWN_LABEL_OUTPUT)

    @property
    def last_layer(self) -> torch.nn.Linear:
        """The one that gives the logits."""
        return self.network.get_classifier()

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(N, C, P, P) -> (N, labels) logits, (N, F) features and, of a second head, (N, labels) logits."""
        features = self.network.forward_head(self.network.forward_features(pixels), pre_logits=True)
        logits = self.last_layer(features)
        return (logits, features) if self.own_label_head is None else (logits, features, self.own_label_head(features))


def load_checkpoint(checkpoint: Path) -> WithFeatures:
    """The network of a checkpoint as `finetune` writes it, with its second head if it has one."""
    network = TimmWrapperForImageClassification.from_pretrained(checkpoint, use_safetensors=True).timm_model
    second = None
    if (checkpoint / LABEL_HEAD_FILE).is_file():
        weights = load_file(checkpoint / LABEL_HEAD_FILE)
        outputs, inputs = weights["weight"].shape
        second = torch.nn.Linear(inputs, outputs)
        second.load_state_dict(weights)
    return WithFeatures(cast(TimmNetwork, network), second).eval()


def export(
    *,
    checkpoint: Path,
    data: str,
    revision: str | None,
    bundle: Path,
    int8: bool = False,
    class_bias: bool = False,
    prior_shift: float = 0.0,
) -> BundleConfig:
    """Write `model.onnx`, the graphs and `config.json` into the folder `bundle`.

    The folder is only touched once everything is checked; an old `metrics.json` in it is removed, since it measured
    another network.

    Args:
        checkpoint: the folder that `finetune` printed.
        data: as in `load_split`; its validation split is used.
        revision: as in `load_split`.
        bundle: the folder to write.
        int8: write the network in int8 (`train.export.quantize`), after the float one was found to agree with PyTorch.
        class_bias: fit a bias for each class to the validation votes (`train.export.class_bias`).
        prior_shift: how far rare classes are preferred (`train.export.class_bias`).

    Raises:
        DataError: if the checkpoint is missing, the network is too large, or ONNX and PyTorch differ.
    """
    if not (checkpoint / "model.safetensors").is_file():
        raise DataError(f"{checkpoint} holds no checkpoint; give the folder that finetune printed")
    preprocessing = read_preprocessing(checkpoint / "preprocessing.json")
    network = load_checkpoint(checkpoint)
    timm_config = json.loads((checkpoint / "config.json").read_text())
    rows = load_split(data, "validation", revision=revision)
    require_labels(rows, tuple(timm_config["label_names"]), data)
    crops = read_crops(rows, preprocessing)
    inputs = to_model_inputs(crops, preprocessing.input)
    adjusted = adjust_last_layer(
        network, network.last_layer, inputs, rows, class_bias=class_bias, prior_shift=prior_shift
    )
    draft = _new_draft(bundle)
    model = draft / "model.onnx"
    write_onnx(network, model, preprocessing)
    write_graphs(draft)
    settings = _settings(draft, preprocessing)
    _write_config(draft, timm_config, settings)
    classifier = Classifier(model, read_bundle_config(draft / "config.json"))
    check_parity(network, classifier, inputs[:_PARITY_ROWS])
    if int8:
        quantize(model, inputs)
        settings = _settings(draft, preprocessing)
        classifier = Classifier(model, read_bundle_config(draft / "config.json"))
    training = json.loads((checkpoint / "training.json").read_text()) | adjusted
    training["checkpoint_sha256"] = sha256_of(checkpoint / "model.safetensors")
    settings |= calibrated(classifier, rows, crops, preprocessing) | {"training": training}
    _write_config(draft, timm_config, settings)
    if (size := sum(file.stat().st_size for file in draft.iterdir())) > MAX_BUNDLE_BYTES:
        raise DataError(f"the bundle has {size} bytes; a bundle may have {MAX_BUNDLE_BYTES} at most")
    _move_files(draft, bundle)
    return read_bundle_config(bundle / "config.json")


def calibrate(*, bundle: Path, data: str, revision: str | None) -> BundleConfig:
    """Fit what a bundle's `config.json` has from validation anew, and write its graphs anew.

    An old `metrics.json` is removed, as in `export`.

    Args:
        bundle: the bundle's folder.
        data: as in `load_split`; its validation split is used.
        revision: as in `load_split`.

    Raises:
        DataError: if the folder holds no bundle, or the data set has other classes.
    """
    opened = open_bundle(bundle, str(bundle))
    draft = _new_draft(bundle)
    write_graphs(draft)
    network = onnx.load(opened.model)
    if is_quantized(opened.model):
        make_sums_exact(network)
    onnx.save(network, draft / "model.onnx")
    preprocessing = opened.config.preprocessing
    rows = load_split(data, "validation", revision=revision)
    require_labels(rows, opened.config.label_names, data)
    written = json.loads((bundle / "config.json").read_text(encoding="utf-8"))
    training = written.pop("face_expression")["training"]
    classifier = Classifier(draft / "model.onnx", opened.config)
    settings = _settings(draft, preprocessing) | calibrated(
        classifier, rows, read_crops(rows, preprocessing), preprocessing
    )
    _write_config(draft, written, settings | {"training": training})
    _move_files(draft, bundle)
    return read_bundle_config(bundle / "config.json")


def calibrated(
    classifier: Classifier, rows: datasets.Dataset, crops: list[np.ndarray], preprocessing: Preprocessing
) -> dict[str, object]:
    """What is fitted on validation rows: `temperature`, `abstain_below`, and `preprocessing` with its quality limits.

    Args:
        classifier: the bundle's network.
        rows: N rows of the validation split.
        crops: the crop of each row.
        preprocessing: how crops become model input.
    """
    logits, _ = classifier.run(to_model_inputs(crops, preprocessing.input))
    temperature = round(fit_temperature(logits, rows), 4)
    majority = read_targets(rows).majority()
    labelled = np.flatnonzero(majority >= 0)
    limits = fit_limits(classifier, [crops[index] for index in labelled], majority[labelled], preprocessing)
    written = preprocessing.model_dump(mode="json")
    return {
        "preprocessing": written | {"quality": written["quality"] | limits},
        "temperature": temperature,
        "abstain_below": round(fit_abstention(softmax(logits / temperature), majority), 4),
    }


def _settings(folder: Path, preprocessing: Preprocessing) -> dict[str, object]:
    """What `config.json` says of the files in a bundle's folder, before anything is fitted."""
    return {
        "schema_version": SCHEMA_VERSION,
        "preprocessing": preprocessing.model_dump(mode="json"),
        "tracker": read_bundle_config(EMBEDDED_CONFIG).tracker.model_dump(mode="json"),
        "temperature": 1.0,
        "abstain_below": 0.0,
        "model_sha256": sha256_of(folder / "model.onnx"),
        "graphs": {name: sha256_of(folder / graph_file(name)) for name in GRAPH_NAMES},
    }


def _new_draft(bundle: Path) -> Path:
    draft = bundle.with_name(bundle.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    return draft


def _move_files(draft: Path, bundle: Path) -> None:
    """Put the files of a finished draft into a bundle's folder; what was measured on its last network is gone."""
    bundle.mkdir(parents=True, exist_ok=True)
    (bundle / METRICS_FILE).unlink(missing_ok=True)
    for file in draft.iterdir():
        file.replace(bundle / file.name)
    draft.rmdir()


def write_onnx(network: WithFeatures, path: Path, preprocessing: Preprocessing) -> None:
    """Export to one ONNX file that takes any number of faces and holds nothing of the machine that made it."""
    settings = preprocessing.input
    example = torch.zeros(2, settings.channels, settings.size_px, settings.size_px)
    program = torch.onnx.export(
        network,
        (example,),
        input_names=["pixels"],
        output_names=list(network.output_names),
        dynamic_shapes={"pixels": {0: torch.export.Dim("faces")}},
        dynamo=True,
        verbose=False,
    )
    model = required(program).model_proto
    # The exporter notes for each node which lines of which files it came from.
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    onnx.save(model, path)


def check_parity(network: WithFeatures, classifier: Classifier, inputs: np.ndarray) -> float:
    """The largest difference in probability between PyTorch and ONNX Runtime on the same inputs.

    Raises:
        DataError: if it exceeds PARITY_TOLERANCE.
    """
    with torch.inference_mode():
        expected = network(torch.from_numpy(inputs))[0].softmax(1).numpy()
    difference = float(np.abs(softmax(classifier.run(inputs)[0]) - expected).max())
    if not difference <= PARITY_TOLERANCE:
        raise DataError(f"ONNX and PyTorch differ by {difference:.2g} in probability; {PARITY_TOLERANCE:g} is allowed")
    return difference


def fit_temperature(logits: np.ndarray, rows: datasets.Dataset) -> float:
    """The temperature that minimises cross-entropy to the votes (or labels) of the rows that have any."""
    shares, voted = read_targets(rows).shares()

    def cross_entropy(log_temperature: float) -> float:
        probabilities = softmax(logits[voted].astype(np.float64) / np.exp(log_temperature))
        return -(shares[voted] * np.log(np.maximum(probabilities, 1e-12))).sum(1).mean()

    return float(np.exp(minimize_scalar(cross_entropy, bounds=(-2, 2), method="bounded").x))


def fit_abstention(probabilities: np.ndarray, majority: np.ndarray) -> float:
    """The largest confidence below which fewer than half of the rows with a majority label were right; 0 if none is."""
    labelled = majority >= 0
    confidence = probabilities[labelled].max(1)
    right = probabilities[labelled].argmax(1) == majority[labelled]
    order = np.argsort(confidence)
    share_right = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    below_half = np.flatnonzero(share_right < 0.5)
    return float(confidence[order][below_half[-1]]) if len(below_half) else 0.0


def _write_config(folder: Path, timm_config: dict, settings: dict) -> None:
    for key in ("transformers_version", "dtype", "problem_type"):
        timm_config.pop(key, None)
    text = json.dumps({**timm_config, "face_expression": settings}, indent=2)
    (folder / "config.json").write_text(text + "\n")
