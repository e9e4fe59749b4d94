"""Exported networks on the same faces: accuracy, size and the time for one crop."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import datasets
import evaluate as hf_evaluate
import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from face_expression.classifier import Classifier
from face_expression.config import Preprocessing
from face_expression.errors import required
from face_expression.hub.download import open_bundle
from face_expression.preprocess import to_model_inputs
from train.data.dataset import read_crops, read_targets
from train.export.step import load_checkpoint
from train.finetune import FINAL_FOLDER

ACCURACY = Path(__file__).parent.parent / "metrics" / "expression_accuracy"
TIMED_ROUNDS = 200


@dataclass(frozen=True)
class Row:
    """One model of a comparison.

    Accuracy and macro-F1, with 95 % bootstrap intervals, are on the `n` faces that have a majority label. `macs` are
    multiplications with addition for one crop. `p50_ms` and `p95_ms` are of the network alone, for one crop on one
    thread of ONNX Runtime. `training_s` holds validation after each epoch, but not work that an interruption lost.
    """

    model: str
    n: int
    accuracy: float
    accuracy_interval_95: tuple[float, float]
    macro_f1: float
    macro_f1_interval_95: tuple[float, float]
    parameters: int
    macs: int
    onnx_bytes: int
    p50_ms: float
    p95_ms: float
    training_s: float
    trained_on: str
    faces_seen: int


def measure_models(models: list[str], output: Path, rows: datasets.Dataset, preprocessing: Preprocessing) -> list[Row]:
    """Every exported model on the faces of `rows` that have a majority label."""
    bundles = {model: open_bundle(output / model / "bundle", "compared") for model in models}
    majority = read_targets(rows).majority()
    labelled = np.flatnonzero(majority >= 0)
    inputs = to_model_inputs(read_crops(rows.select(labelled), preprocessing), preprocessing.input)
    metric = hf_evaluate.load(str(ACCURACY))
    classifiers = {model: Classifier(bundle.model, bundle.config, threads=1) for model, bundle in bundles.items()}
    predictions = {}
    for model, classifier in tqdm(classifiers.items(), unit="model", desc="measuring accuracy", leave=False):
        predictions[model] = classifier.run(inputs)[0].argmax(1)
    times_ms = time_interleaved(classifiers, inputs)
    measured = []
    for model, bundle in bundles.items():
        figures = required(
            metric.compute(
                predictions=predictions[model],
                references=majority[labelled],
                label_names=list(bundle.config.label_names),
            )
        )
        network = cast(torch.nn.Module, load_checkpoint(output / model / "run" / FINAL_FOLDER).network)
        timing = json.loads((output / model / "timing.json").read_text())
        training = bundle.config.training
        p50, p95 = np.percentile(times_ms[model], (50, 95))
        measured.append(
            Row(
                model=model,
                n=figures["n"],
                accuracy=figures["accuracy"],
                accuracy_interval_95=tuple(figures["accuracy_interval_95"]),
                macro_f1=figures["macro_f1"],
                macro_f1_interval_95=tuple(figures["macro_f1_interval_95"]),
                parameters=count_parameters(network),
                macs=count_macs(network, inputs.shape[1:]),
                onnx_bytes=bundle.model.stat().st_size,
                p50_ms=round(float(p50), 3),
                p95_ms=round(float(p95), 3),
                training_s=round(timing["training_s"], 1),
                trained_on=timing["trained_on"],
                faces_seen=round(training["train_rows"] * training["epochs"]),
            )
        )
    return measured


def time_interleaved(classifiers: dict[str, Classifier], inputs: np.ndarray) -> dict[str, list[float]]:
    """Times in ms of one crop; in every round each model has its turn, in an order that changes."""
    times_ms: dict[str, list[float]] = {model: [] for model in classifiers}
    rng = np.random.default_rng(0)
    for number in tqdm(range(-TIMED_ROUNDS // 10, TIMED_ROUNDS), desc="measuring time", leave=False):
        crop = inputs[number % len(inputs)][None]
        for model in rng.permutation(list(classifiers)):
            start = time.perf_counter()
            classifiers[model].run(crop)
            if number >= 0:
                times_ms[model].append((time.perf_counter() - start) * 1000)
    return times_ms


def count_parameters(network: torch.nn.Module) -> int:
    """How many numbers training changes."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_macs(network: torch.nn.Module, shape: tuple[int, ...]) -> int:
    """Multiplications with addition of one forward pass of one (C, P, P) input."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.eval()(torch.zeros(1, *shape))
    return counter.get_total_flops() // 2
