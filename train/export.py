"""Checkpoint -> bundle: ONNX with parity to PyTorch, temperature and abstention threshold from validation.

The temperature minimises cross-entropy to the validation votes, because the bars say what ten people would say. The
abstention threshold is the confidence below which validation faces were labelled wrongly more often than not. The
quality limits are those at which the validation faces begin to be judged worse (`train.limits`).
"""

import json
import shutil
from pathlib import Path

import datasets
import numpy as np
import onnx
import torch
from scipy.optimize import minimize_scalar
from transformers import TimmWrapperForImageClassification

from face_expression.classifier import OUTPUT_NAMES, Classifier, softmax
from face_expression.config import (
    SCHEMA_VERSION,
    BundleConfig,
    BundleError,
    Preprocessing,
    read_bundle_config,
    read_preprocessing,
)
from face_expression.hub import sha256_of
from train.data import load_split, read_crops, read_targets, stack_inputs
from train.limits import fit_limits

PARITY_TOLERANCE = 1e-4
MAX_BUNDLE_BYTES = 10_000_000
_PARITY_ROWS = 256


class WithFeatures(torch.nn.Module):
    """A timm network that gives its features (the layer before the last) beside its logits."""

    def __init__(self, network: torch.nn.Module):
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, C, P, P) -> (N, labels) logits and (N, F) features."""
        features = self.network.forward_head(self.network.forward_features(pixels), pre_logits=True)
        return self.network.get_classifier()(features), features


def export(*, checkpoint: Path, data: str, revision: str | None, bundle: Path) -> BundleConfig:
    """Write `model.onnx` and `config.json` into the folder `bundle`.

    The folder is only touched once everything is checked; an old `metrics.json` in it is removed, since it measured
    another network.

    Raises:
        SystemExit: if the checkpoint is missing, the network is too large, or ONNX and PyTorch differ.
    """
    if not (checkpoint / "model.safetensors").is_file():
        raise SystemExit(f"{checkpoint} holds no checkpoint; give the folder that finetune printed")
    try:
        preprocessing = read_preprocessing(checkpoint / "preprocessing.json")
    except BundleError as error:
        raise SystemExit(str(error)) from error
    wrapper = TimmWrapperForImageClassification.from_pretrained(checkpoint)
    network = WithFeatures(wrapper.timm_model).eval()
    rows = load_split(data, "validation", revision=revision)
    crops = read_crops(rows, preprocessing)
    inputs = stack_inputs(crops, preprocessing.input)
    draft = bundle.with_name(bundle.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    write_onnx(network, draft / "model.onnx", preprocessing)
    settings = {
        "schema_version": SCHEMA_VERSION,
        "preprocessing": preprocessing.model_dump(mode="json"),
        "temperature": 1.0,
        "abstain_below": 0.0,
        "model_sha256": sha256_of(draft / "model.onnx"),
    }
    timm_config = json.loads((checkpoint / "config.json").read_text())
    _write_config(draft, timm_config, settings)
    classifier = Classifier(draft / "model.onnx", read_bundle_config(draft / "config.json"))
    check_parity(network, classifier, inputs[:_PARITY_ROWS])
    logits, _ = classifier.run(inputs)
    settings["temperature"] = round(fit_temperature(logits, rows), 4)
    majority = read_targets(rows).majority()
    judged = np.flatnonzero(majority >= 0)
    judged_crops = [crops[index] for index in judged]
    settings["preprocessing"]["quality"] |= fit_limits(classifier, judged_crops, majority[judged], preprocessing)
    settings["abstain_below"] = round(fit_abstention(softmax(logits / settings["temperature"]), majority), 4)
    training = json.loads((checkpoint / "training.json").read_text())
    _write_config(draft, timm_config, settings | {"training": training})
    if (size := sum(file.stat().st_size for file in draft.iterdir())) > MAX_BUNDLE_BYTES:
        raise SystemExit(f"the bundle has {size} bytes; a bundle may have {MAX_BUNDLE_BYTES} at most")
    bundle.mkdir(parents=True, exist_ok=True)
    (bundle / "metrics.json").unlink(missing_ok=True)
    for file in draft.iterdir():
        file.replace(bundle / file.name)
    draft.rmdir()
    return read_bundle_config(bundle / "config.json")


def write_onnx(network: WithFeatures, path: Path, preprocessing: Preprocessing) -> None:
    """Export to one ONNX file that takes any number of faces and holds nothing of the machine that made it."""
    settings = preprocessing.input
    example = torch.zeros(2, settings.channels, settings.size_px, settings.size_px)
    program = torch.onnx.export(
        network,
        (example,),
        input_names=["pixels"],
        output_names=list(OUTPUT_NAMES),
        dynamic_shapes={"pixels": {0: torch.export.Dim("faces")}},
        dynamo=True,
        verbose=False,
    )
    model = program.model_proto
    # The exporter notes for each node which lines of which files it came from.
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    onnx.save(model, path)


def check_parity(network: WithFeatures, classifier: Classifier, inputs: np.ndarray) -> float:
    """The largest difference in probability between PyTorch and ONNX Runtime on the same inputs.

    Raises:
        SystemExit: if it exceeds PARITY_TOLERANCE.
    """
    with torch.inference_mode():
        expected = network(torch.from_numpy(inputs))[0].softmax(1).numpy()
    difference = float(np.abs(softmax(classifier.run(inputs)[0]) - expected).max())
    if not difference <= PARITY_TOLERANCE:
        raise SystemExit(f"ONNX and PyTorch differ by {difference:.2g} in probability; {PARITY_TOLERANCE:g} is allowed")
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
    judged = majority >= 0
    confidence = probabilities[judged].max(1)
    right = probabilities[judged].argmax(1) == majority[judged]
    order = np.argsort(confidence)
    share_right = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    below_half = np.flatnonzero(share_right < 0.5)
    return float(confidence[order][below_half[-1]]) if len(below_half) else 0.0


def _write_config(folder: Path, timm_config: dict, settings: dict) -> None:
    for key in ("transformers_version", "dtype", "problem_type"):
        timm_config.pop(key, None)
    text = json.dumps({**timm_config, "face_expression": settings}, indent=2)
    (folder / "config.json").write_text(text + "\n")
