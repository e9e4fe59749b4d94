"""Exported networks on the same faces: accuracy and its spread over several runs, size, and the time for one crop."""

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

from face_expression.errors import required
from face_expression.hub.download import Bundle, open_bundle
from face_expression.model.classifier import Classifier
from face_expression.model.preprocess import to_model_inputs
from train.data.dataset import read_crops, read_targets
from train.export.step import load_checkpoint
from train.finetune import FINAL_FOLDER
from train.model.networks import build_network

ACCURACY = Path(__file__).parent.parent / "metrics" / "expression_accuracy"
TIMED_ROUNDS = 200


@dataclass(frozen=True)
class Run:
    """One training of a model; `training_s` includes validation after each epoch, but no work that was interrupted."""

    seed: int
    accuracy: float
    macro_f1: float
    training_s: float


@dataclass(frozen=True)
class Row:
    """One model of a comparison.

    Accuracy and macro-F1, on the `n` faces that have a majority label, are the mean of its runs, and so are their 95 %
    bootstrap intervals over the faces. `macs` are multiplications with addition for one crop. `p50_ms` and `p95_ms` are
    of the network alone, for one crop on one thread of ONNX Runtime. A bundle that was not trained here has no `runs`,
    and is None in what only its training would tell.
    """

    model: str
    n: int
    accuracy: float
    accuracy_interval_95: tuple[float, float]
    macro_f1: float
    macro_f1_interval_95: tuple[float, float]
    input_px: int
    parameters: int | None
    macs: int | None
    onnx_bytes: int
    p50_ms: float
    p95_ms: float
    trained_on: str | None
    faces_seen: int | None
    runs: tuple[Run, ...]

    @property
    def training_s(self) -> float | None:
        """The mean time of a run."""
        return float(np.mean([run.training_s for run in self.runs])) if self.runs else None

    def spread(self, figure: str) -> float | None:
        """Standard deviation of a figure over the runs; None with fewer than two."""
        values = [getattr(run, figure) for run in self.runs]
        return float(np.std(values, ddof=1)) if len(values) > 1 else None


@dataclass(frozen=True)
class Compared:
    """A network to measure: the runs of a model (by seed, their folders), or a bundle from elsewhere."""

    name: str
    runs: dict[int, Path]
    bundle_folder: Path | None = None

    def bundles(self) -> list[Bundle]:
        """One for each run, or the one from elsewhere."""
        folders = [self.bundle_folder] if self.bundle_folder else [run / "bundle" for run in self.runs.values()]
        return [open_bundle(folder, "compared") for folder in folders]

    def network(self) -> torch.nn.Module | None:
        """As timm builds it; None if a bundle does not say of which architecture it is."""
        if self.runs:
            first = next(iter(self.runs.values()))
            return cast(torch.nn.Module, load_checkpoint(first / "run" / FINAL_FOLDER).network)
        (bundle,) = self.bundles()
        described = json.loads((bundle.folder / "config.json").read_text(encoding="utf-8"))
        if not {"architecture", "model_args"} <= described.keys():
            return None
        arguments = {name: value for name, value in described["model_args"].items() if name != "in_chans"}
        settings = bundle.config.preprocessing.input
        return build_network(described["architecture"], arguments, settings, bundle.config.label_names).timm_model


def measure_models(compared: list[Compared], rows: datasets.Dataset, label_names: tuple[str, ...]) -> list[Row]:
    """Every exported network on the faces of `rows` that have a majority label, cut as its bundle says."""
    majority = read_targets(rows).majority()
    labelled = np.flatnonzero(majority >= 0)
    faces = rows.select(labelled)
    metric = hf_evaluate.load(str(ACCURACY))
    bundles = {one.name: one.bundles() for one in compared}
    figures: dict[str, list[dict]] = {}
    classifiers, crops = {}, {}
    for name, trained in tqdm(bundles.items(), unit="model", desc="measuring accuracy", leave=False):
        preprocessing = trained[0].config.preprocessing
        inputs = to_model_inputs(read_crops(faces, preprocessing), preprocessing.input)
        networks = [Classifier(bundle.model, bundle.config, threads=1) for bundle in trained]
        place = np.array([label_names.index(label) for label in trained[0].config.label_names])
        figures[name] = [
            required(
                metric.compute(
                    predictions=place[network.run(inputs)[0].argmax(1)],
                    references=majority[labelled],
                    label_names=list(label_names),
                )
            )
            for network in networks
        ]
        classifiers[name], crops[name] = networks[0], inputs[:TIMED_ROUNDS].copy()
    times_ms = time_interleaved(classifiers, crops)
    return [row_of(one, bundles[one.name], figures[one.name], times_ms[one.name]) for one in compared]


def row_of(one: Compared, bundles: list[Bundle], figures: list[dict], times_ms: list[float]) -> Row:
    """What was measured of a network, and what its files say of it."""
    timings = [json.loads((run / "timing.json").read_text()) for run in one.runs.values()]
    training, settings = bundles[0].config.training, bundles[0].config.preprocessing.input
    network = one.network()
    p50, p95 = np.percentile(times_ms, (50, 95))

    def mean(figure: str) -> float:
        return float(np.mean([run[figure] for run in figures]))

    def mean_interval(figure: str) -> tuple[float, float]:
        low, high = np.mean([run[f"{figure}_interval_95"] for run in figures], axis=0)
        return float(low), float(high)

    return Row(
        model=one.name,
        n=figures[0]["n"],
        accuracy=mean("accuracy"),
        accuracy_interval_95=mean_interval("accuracy"),
        macro_f1=mean("macro_f1"),
        macro_f1_interval_95=mean_interval("macro_f1"),
        input_px=settings.size_px,
        parameters=None if network is None else count_parameters(network),
        macs=None if network is None else count_macs(network, (settings.channels, settings.size_px, settings.size_px)),
        onnx_bytes=bundles[0].model.stat().st_size,
        p50_ms=round(float(p50), 3),
        p95_ms=round(float(p95), 3),
        trained_on="; ".join(sorted({timing["trained_on"] for timing in timings})) or None,
        faces_seen=round(training["train_rows"] * training["epochs"]) if one.runs else None,
        runs=tuple(
            Run(seed, run["accuracy"], run["macro_f1"], round(timing["training_s"], 1))
            for seed, run, timing in zip(one.runs, figures, timings, strict=False)
        ),
    )


def time_interleaved(classifiers: dict[str, Classifier], inputs: dict[str, np.ndarray]) -> dict[str, list[float]]:
    """Times in ms of one crop; in every round each model has its turn, in an order that changes."""
    times_ms: dict[str, list[float]] = {model: [] for model in classifiers}
    rng = np.random.default_rng(0)
    for number in tqdm(range(-TIMED_ROUNDS // 10, TIMED_ROUNDS), desc="measuring time", leave=False):
        for model in rng.permutation(list(classifiers)):
            crop = inputs[model][number % len(inputs[model])][None]
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
