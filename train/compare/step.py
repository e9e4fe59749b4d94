"""Several architectures on one budget: trained alike, exported, measured on the same faces; a table and a picture.

The folder of a comparison:

    settings.json              the budget; a comparison goes on only with the one with which it began
    MODEL/seed-N/run/          each training run of a model
    MODEL/seed-N/timing.json   how long it trained
    MODEL/seed-N/bundle/       what the run was exported to; a run that has one is not trained again
    comparison.json            settings, machine, and one `Row` for each model
    comparison.md              the same as a table
    comparison.png             accuracy against time
"""

import json
import time
from dataclasses import asdict, replace
from pathlib import Path

import datasets
import torch
from tqdm import tqdm

from face_expression.errors import DataError
from face_expression.hub.download import EMBEDDED_BUNDLE, open_bundle
from face_expression.io.evenly import evenly
from face_expression.io.files import write_json
from face_expression.model.config import InputSettings, Preprocessing
from train.compare.measure import Compared, Row, count_parameters, measure_models
from train.compare.plot import draw
from train.compare.table import table
from train.data.dataset import (
    data_name,
    label_names_of,
    load_split,
    require_labels,
    require_readable,
)
from train.evaluate.speed import machine_name
from train.export.step import MAX_BUNDLE_BYTES, WithFeatures, export
from train.finetune import FINAL_FOLDER, Recipe, finetune
from train.model.callbacks import EMA_FOLDER
from train.model.networks import build_network, require_architecture

SETTINGS_FILE = "settings.json"
NAME_OF_EMBEDDED = "the embedded network"


def compare(
    *,
    models: list[str],
    seeds: int,
    beside: Path | None,
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
        seeds: how often each is trained, with the recipe's seed and those that follow it.
        beside: a bundle from elsewhere that is measured, too, if it has the classes of the data; or None.
        data: as in `load_split`.
        revision: as in `load_split`.
        output: the comparison's folder.
        preprocessing: how crops are cut and normalised; every network takes its input size.
        recipe: how each is trained; its architecture is replaced by each of `models`, its seed by each of the seeds.
        limit: train on so many faces, evenly spread over the training split, and calibrate on as many of validation,
            which otherwise takes longer than a short training; None takes all. All are measured on all of `split`.
        split: the faces on which the trained models are measured; "test" is for reporting, not for choosing.
        workers: processes that prepare pictures.
        resume: resume the comparison in `output`; models and seeds may be added to it.

    Raises:
        DataError: before anything is trained, if a model, the data or the folder cannot be used.
        BundleError: before that, too, if `beside` cannot be used.
    """
    train_rows, validation_rows, rows = (
        load_split(data, name, revision=revision) for name in ("train", "validation", split)
    )
    label_names = label_names_of(train_rows)
    require_labels(rows, label_names, data)
    check_models(models, preprocessing.input, label_names)
    require_readable(rows, split)
    others = [] if beside is None else bundle_beside(beside, label_names, data)
    settings = {
        "data": data_name(data),
        "revision": revision,
        "limit": limit,
        **{name: value for name, value in asdict(recipe).items() if name != "architecture"},
        "preprocessing": preprocessing.model_dump(mode="json"),
    }
    prepare_comparison(output, settings, resume=resume)
    calibration_data, calibration_revision = data, revision
    if limit is not None and limit < len(validation_rows):
        calibration_data, calibration_revision = save_evenly(validation_rows, limit, output / "calibration"), None
    runs = {
        (model, seed): output / model / f"seed-{seed}"
        for model in models
        for seed in range(recipe.seed, recipe.seed + seeds)
    }
    for number, ((model, seed), folder) in enumerate(runs.items(), 1):
        if (folder / "bundle" / "config.json").is_file():
            continue
        tqdm.write(f"{model} with seed {seed} ({number} of {len(runs)})")
        train_timed(
            folder,
            data=data,
            revision=revision,
            preprocessing=preprocessing,
            recipe=replace(recipe, architecture=model, seed=seed),
            workers=workers,
            limit=limit,
        )
        export(
            checkpoint=folder / "run" / FINAL_FOLDER,
            data=calibration_data,
            revision=calibration_revision,
            bundle=folder / "bundle",
        )
    compared = [
        Compared(model, {seed: folder for (other, seed), folder in runs.items() if other == model}) for model in models
    ]
    measured = measure_models([*compared, *others], rows, label_names)
    write_comparison(output, measured, settings, split)
    return measured


def bundle_beside(folder: Path, label_names: tuple[str, ...], data: str) -> list[Compared]:
    """A bundle from elsewhere as it is compared; none if its classes are not those of the data.

    Raises:
        BundleError: if it cannot be used.
    """
    if set(open_bundle(folder, "compared").config.label_names) != set(label_names):
        tqdm.write(f"{folder} has other classes than {data_name(data)} and is left out")
        return []
    return [Compared(NAME_OF_EMBEDDED if folder == EMBEDDED_BUNDLE else folder.name, {}, folder)]


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
        DataError: if the folder holds another comparison, or there is none to resume.
    """
    file = output / SETTINGS_FILE
    if not resume:
        if file.is_file():
            raise DataError(
                f"{output} holds an earlier comparison; resume it with --resume, or choose another --output"
            )
        output.mkdir(parents=True, exist_ok=True)
        write_json(file, settings)
        return
    if not file.is_file():
        raise DataError(f"nothing to resume in {output}: it holds no comparison; run without --resume")
    before, now = json.loads(file.read_text()), json.loads(json.dumps(settings))
    if changed := sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name)):
        raise DataError(
            f"a comparison resumes only with the settings with which it began, for all models alike; {file} differs in "
            + ", ".join(changed)
        )


def save_evenly(rows: datasets.Dataset, limit: int, folder: Path) -> str:
    """Write `limit` of the rows, evenly spread, as the validation split of a data set; returns its folder."""
    folder.mkdir(exist_ok=True)
    chosen = rows.select(evenly(len(rows), limit))
    chosen.cast_column("image", datasets.Image()).to_parquet(folder / "validation.parquet")
    return str(folder)


def train_timed(folder: Path, **arguments) -> None:
    """Train in `folder/run`, or resume from its last checkpoint, and write into `timing.json` how long that took.

    A run that was interrupted is taken to have worked until its last checkpoint; what came after is done again.

    Args:
        folder: the run's folder.
        arguments: those of `finetune` beside `output` and `resume`.
    """
    run, file = folder / "run", folder / "timing.json"
    # `began` is compared with the times of files; the duration must not depend on a clock that is set meanwhile.
    began, began_s, spent = time.time(), time.monotonic(), 0.0
    saved = [path.stat().st_mtime for path in run.glob(f"checkpoint-*/{EMA_FOLDER}/model.safetensors")]
    if file.is_file():
        before = json.loads(file.read_text())
        if before["finished"]:
            return
        spent = before["training_s"] + max(0.0, max(saved, default=0.0) - before["began"])
    folder.mkdir(parents=True, exist_ok=True)
    timing = {"trained_on": torch.cuda.get_device_name() if torch.cuda.is_available() else machine_name()}
    write_json(file, {**timing, "began": began, "training_s": spent, "finished": False})
    finetune(output=run, resume=bool(saved), **arguments)
    spent += time.monotonic() - began_s
    write_json(file, {**timing, "began": began, "training_s": spent, "finished": True})


def write_comparison(output: Path, measured: list[Row], settings: dict, split: str) -> None:
    """Write `comparison.json`, `comparison.md` and `comparison.png`."""
    written = {
        "schema_version": 2,
        "settings": settings,
        "split": split,
        "machine": machine_name(),
        "models": [asdict(row) for row in measured],
    }
    write_json(output / "comparison.json", written)
    (output / "comparison.md").write_text(table(measured, settings, split), encoding="utf-8")
    draw(measured, settings, split).savefig(output / "comparison.png", dpi=150)
