"""Several architectures on one budget: trained alike, exported, measured on the same faces; a table and a picture.

The folder of a comparison:

    settings.json       the budget; a comparison goes on only with the one with which it began
    MODEL/run/          the training run of each model
    MODEL/timing.json   how long it trained
    MODEL/bundle/       what the run was exported to; a model that has one is not trained again
    comparison.json     settings, machine, and one `Row` for each model
    comparison.md       the same as a table
    comparison.png      accuracy against time
"""

import json
import time
from dataclasses import asdict, dataclass, replace
from itertools import cycle
from pathlib import Path

import datasets
import evaluate as hf_evaluate
import numpy as np
import torch
from matplotlib import color_sequences
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from face_expression.classifier import Classifier
from face_expression.config import InputSettings, Preprocessing
from face_expression.errors import DataError
from face_expression.hub.download import open_bundle
from face_expression.io.files import write_json
from face_expression.preprocess import to_model_inputs
from train.data.dataset import (
    data_name,
    label_names_of,
    load_split,
    read_crops,
    read_targets,
    require_labels,
    require_readable,
)
from train.data.evenly import evenly
from train.evaluate.speed import machine_name
from train.export.step import MAX_BUNDLE_BYTES, WithFeatures, export, load_checkpoint
from train.finetune import EMA_FOLDER, FINAL_FOLDER, Recipe, finetune
from train.model.networks import build_network, require_architecture

ACCURACY = Path(__file__).parent.parent / "metrics" / "expression_accuracy"
SETTINGS_FILE = "settings.json"
TIMED_ROUNDS = 200
BUBBLE_ALPHA = 0.8
_LABEL_PT = 26


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


def compare(
    *,
    models: list[str],
    data: str,
    revision: str | None,
    output: Path,
    preprocessing: Preprocessing,
    recipe: Recipe,
    limit: int | None,
    split: str,
    workers: int,
    resume: bool,
) -> list[Row]:
    """Train, export and measure each model, and write the comparison into `output`.

    Args:
        models: timm architectures, or "custom_cnn".
        data: as in `load_split`.
        revision: as in `load_split`.
        output: the comparison's folder.
        preprocessing: how crops are cut and normalised; every network takes its input size.
        recipe: how each is trained; its architecture is replaced by each of `models`.
        limit: train on so many faces, evenly spread over the training split, and calibrate on as many of validation,
            which otherwise takes longer than a short training; None takes all. All are measured on all of `split`.
        split: the faces on which the trained models are measured; "test" is for reporting, not for choosing.
        workers: processes that prepare pictures.
        resume: go on with the comparison in `output`; models may be added to it.

    Raises:
        DataError: before anything is trained, if a model, the data or the folder cannot be used.
    """
    train_rows, validation_rows, rows = (
        load_split(data, name, revision=revision) for name in ("train", "validation", split)
    )
    label_names = label_names_of(train_rows)
    require_labels(rows, label_names, data)
    check_models(models, preprocessing.input, label_names)
    require_readable(rows, split)
    settings = {
        "data": data_name(data),
        "revision": revision,
        "limit": limit,
        **{name: value for name, value in asdict(recipe).items() if name != "architecture"},
        "preprocessing": preprocessing.model_dump(mode="json"),
    }
    prepare_comparison(output, settings, resume=resume)
    calibration = {"data": data, "revision": revision}
    if limit is not None and limit < len(validation_rows):
        calibration = {"data": save_evenly(validation_rows, limit, output / "calibration"), "revision": None}
    for number, model in enumerate(models, 1):
        folder = output / model
        if (folder / "bundle" / "config.json").is_file():
            continue
        tqdm.write(f"{model} ({number} of {len(models)})")
        train_timed(
            folder,
            data=data,
            revision=revision,
            preprocessing=preprocessing,
            recipe=replace(recipe, architecture=model),
            workers=workers,
            limit=limit,
        )
        export(checkpoint=folder / "run" / FINAL_FOLDER, **calibration, bundle=folder / "bundle")
    measured = measure_models(models, output, rows, preprocessing)
    write_comparison(output, measured, settings, split)
    return measured


def check_models(models: list[str], settings: InputSettings, label_names: tuple[str, ...]) -> None:
    """Build every network and run it once, as it will be trained and as it will be exported.

    Raises:
        DataError: if a name is unknown or repeats, or a network cannot take the input, be exported or fit a bundle.
    """
    if repeated := sorted({model for model in models if models.count(model) > 1}):
        raise DataError(f"{', '.join(repeated)}: named more than once")
    for model in models:
        require_architecture(model)
        network = build_network(model, {}, settings, label_names).timm_model
        size = 4 * count_parameters(network)
        if size > MAX_BUNDLE_BYTES:
            raise DataError(f"{model} is too large: {size / 1e6:.1f} MB, a bundle may have {MAX_BUNDLE_BYTES / 1e6:g}")
        pixels = torch.rand(2, settings.channels, settings.size_px, settings.size_px)
        try:
            with torch.no_grad():
                network.train()(pixels)
                logits = network.eval()(pixels)
                exported, _ = WithFeatures(network)(pixels)
        except Exception as error:  # each architecture of timm fails in its own way on pictures that do not fit
            shape = f"{settings.channels} x {settings.size_px} x {settings.size_px}"
            raise DataError(f"{model} cannot take pictures of {shape}: {error!r}") from error
        if exported.shape != logits.shape or not torch.allclose(exported, logits, atol=1e-4):
            raise DataError(f"{model} cannot be exported: its last layer does not follow its features directly")


def prepare_comparison(output: Path, settings: dict, *, resume: bool) -> None:
    """Make the folder and write the settings down, or check that they are those with which it began.

    Raises:
        DataError: if the folder holds another comparison, or there is none to go on with.
    """
    file = output / SETTINGS_FILE
    if not resume:
        if file.is_file():
            raise DataError(f"{output} holds an earlier comparison; go on with --resume, or choose another --output")
        output.mkdir(parents=True, exist_ok=True)
        write_json(file, settings)
        return
    if not file.is_file():
        raise DataError(f"nothing to resume in {output}: it holds no comparison; run without --resume")
    before, now = json.loads(file.read_text()), json.loads(json.dumps(settings))
    if changed := sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name)):
        raise DataError(
            f"a comparison goes on with the settings with which it began, for all models alike; {file} differs in "
            + ", ".join(changed)
        )


def save_evenly(rows: datasets.Dataset, limit: int, folder: Path) -> str:
    """Write `limit` of the rows, evenly spread, as the validation split of a data set; returns its folder."""
    folder.mkdir(exist_ok=True)
    chosen = rows.select(evenly(len(rows), limit))
    chosen.cast_column("image", datasets.Image()).to_parquet(folder / "validation.parquet")
    return str(folder)


def train_timed(folder: Path, **arguments) -> None:
    """Train in `folder/run`, or go on from its last checkpoint, and write into `timing.json` how long that took.

    A run that was interrupted is taken to have worked until its last checkpoint; what came after is done again.

    Args:
        folder: the model's folder.
        arguments: those of `finetune` beside `output` and `resume`.
    """
    run, file = folder / "run", folder / "timing.json"
    began, spent = time.time(), 0.0
    saved = [path.stat().st_mtime for path in run.glob(f"checkpoint-*/{EMA_FOLDER}/model.safetensors")]
    if file.is_file():
        before = json.loads(file.read_text())
        if before["finished"]:
            return
        spent = before["training_s"] + max(0.0, max(saved, default=0.0) - before["began"])
    folder.mkdir(exist_ok=True)
    timing = {"trained_on": torch.cuda.get_device_name() if torch.cuda.is_available() else machine_name()}
    write_json(file, {**timing, "began": began, "training_s": spent, "finished": False})
    finetune(output=run, resume=bool(saved), **arguments)
    spent += time.time() - began
    write_json(file, {**timing, "began": began, "training_s": spent, "finished": True})


def measure_models(models: list[str], output: Path, rows: datasets.Dataset, preprocessing: Preprocessing) -> list[Row]:
    """Every exported model on the faces of `rows` that have a majority label."""
    bundles = {model: open_bundle(output / model / "bundle", "compared") for model in models}
    majority = read_targets(rows).majority()
    judged = np.flatnonzero(majority >= 0)
    inputs = to_model_inputs(read_crops(rows.select(judged), preprocessing), preprocessing.input)
    metric = hf_evaluate.load(str(ACCURACY))
    classifiers = {model: Classifier(bundle.model, bundle.config, threads=1) for model, bundle in bundles.items()}
    predictions = {}
    for model, classifier in tqdm(classifiers.items(), unit="model", desc="measuring accuracy", leave=False):
        predictions[model] = classifier.run(inputs)[0].argmax(1)
    times_ms = time_interleaved(classifiers, inputs)
    measured = []
    for model, bundle in bundles.items():
        figures = metric.compute(
            predictions=predictions[model], references=majority[judged], label_names=list(bundle.config.label_names)
        )
        network = load_checkpoint(output / model / "run" / FINAL_FOLDER).network
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


def write_comparison(output: Path, measured: list[Row], settings: dict, split: str) -> None:
    """Write `comparison.json`, `comparison.md` and `comparison.png`."""
    written = {
        "schema_version": 1,
        "settings": settings,
        "split": split,
        "machine": machine_name(),
        "models": [asdict(row) for row in measured],
    }
    write_json(output / "comparison.json", written)
    (output / "comparison.md").write_text(table(measured, settings, split), encoding="utf-8")
    draw(measured, settings, split).savefig(output / "comparison.png", dpi=150)


def table(measured: list[Row], settings: dict, split: str) -> str:
    """The comparison as Markdown, the most accurate model first."""
    size_px, faces = settings["preprocessing"]["input"]["size_px"], measured[0].n
    told = [f"--epochs {settings['epochs']:g}", f"--size {size_px}", f"--seed {settings['seed']}", f"--split {split}"]
    if settings["limit"] is not None:
        told.append(f"--limit {settings['limit']}")
    lines = [
        f"Written by `python -m train compare --models {' '.join(row.model for row in measured)} "
        f"--data {settings['data']} {' '.join(told)}`; all settings: `comparison.json`.",
        "",
        "| model | accuracy (95 %) | macro-F1 (95 %) | parameters | MACs | ONNX | p50 | training | faces seen |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(measured, key=lambda row: -row.accuracy):
        (low, high), (f1_low, f1_high) = row.accuracy_interval_95, row.macro_f1_interval_95
        lines.append(
            f"| `{row.model}` | {row.accuracy:.1%} ({low:.1%} to {high:.1%}) "
            f"| {row.macro_f1:.3f} ({f1_low:.3f} to {f1_high:.3f}) "
            f"| {row.parameters / 1e6:.2f} M | {row.macs / 1e6:.1f} M | {row.onnx_bytes / 1e6:.2f} MB "
            f"| {row.p50_ms:.2f} ms | {row.training_s / 60:.1f} min | {row.faces_seen:,} |"
        )
    lines += [
        "",
        f"Accuracy and macro-F1 on the {faces} faces of the {split} split of `{settings['data']}` that have a majority "
        f"label. The intervals tell how much hangs on the choice of faces, not on the luck of one training run. "
        f"p50: the network alone on one crop of {size_px} px, ONNX Runtime on one thread of {machine_name()}, in turn. "
        f"Trained from scratch on {'; '.join(sorted({row.trained_on for row in measured}))}.",
        "",
        "![Accuracy of each model against the time for one crop](comparison.png)",
    ]
    return "\n".join(lines) + "\n"


def draw(measured: list[Row], settings: dict, split: str) -> Figure:
    """Accuracy with its interval against the time for one crop; the area of a bubble is its number of parameters."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    largest = max(row.parameters for row in measured)
    colors = dict(zip((row.model for row in measured), cycle(color_sequences["okabe_ito"][1:]), strict=False))
    for row in measured:
        low, high = row.accuracy_interval_95
        error = [[100 * (row.accuracy - low)], [100 * (high - row.accuracy)]]
        place, area = (row.p50_ms, 100 * row.accuracy), 900 * row.parameters / largest
        axes.errorbar(*place, yerr=error, color="black", linewidth=1, capsize=4, zorder=4)
        axes.scatter(*place, s=area, color=colors[row.model], alpha=BUBBLE_ALPHA, zorder=3)
    times = [row.p50_ms for row in measured]
    if max(times) > 5 * min(times):
        axes.set_xscale("log", subs=[])
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlim(min(times) / 1.5, max(times) * 1.5)
    else:
        axes.set_xlim(0, max(times) * 1.15)
    axes.margins(y=0.15)
    axes.grid(alpha=0.3)
    axes.set_xlabel(f"time for one crop of {settings['preprocessing']['input']['size_px']} px, one thread, p50 (ms)")
    axes.set_ylabel("accuracy (%), with 95 % interval")
    axes.set_title(f"{settings['data']}, {split} split, n = {measured[0].n}; area of a bubble: parameters", fontsize=11)
    write_labels(axes, measured, colors)
    return figure


def write_labels(axes: Axes, measured: list[Row], colors: dict[str, tuple[float, ...]]) -> None:
    """Write the models' names to the right of the picture, in the order of accuracy and apart from one another."""
    axes.figure.draw_without_rendering()
    apart = _LABEL_PT / 72 * axes.figure.dpi / axes.get_window_extent().height
    low, high = axes.get_ylim()
    by_height = sorted(measured, key=lambda row: row.accuracy)
    heights = [(100 * row.accuracy - low) / (high - low) for row in by_height]
    moved = list(heights)
    for index in range(1, len(moved)):
        moved[index] = max(moved[index], moved[index - 1] + apart)
    shift = float(np.mean(np.subtract(moved, heights)))
    for row, height in zip(by_height, moved, strict=True):
        axes.annotate(
            f"{row.model}\n{row.parameters / 1e6:.2f} M parameters",
            (row.p50_ms, 100 * row.accuracy),
            (1.03, height - shift),
            textcoords="axes fraction",
            va="center",
            fontsize=9,
            arrowprops={"arrowstyle": "-", "color": colors[row.model], "linewidth": 1, "zorder": 2},
        )
