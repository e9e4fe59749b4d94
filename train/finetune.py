"""Data set -> checkpoint: transformers' Trainer around a timm network, on vote distributions.

Where a data set has both votes and labels of its own, the network learns both: a second head beside the first gives
what the data set's labeller would say. It is kept apart, so that the network is one that plain timm builds.

The network that is kept is an exponential moving average (EMA) of the weights; validation during training uses it
too. It lies beside every checkpoint, so that an interrupted run resumes with it.
"""

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

import datasets
import timm.optim
import torch
from accelerate import PartialState
from safetensors.torch import save_file
from timm.utils import ModelEmaV3
from transformers import (
    TimmWrapperForImageClassification,
    TrainingArguments,
    set_seed,
)

from face_expression.errors import DataError, StoppedError
from face_expression.io.evenly import evenly
from face_expression.io.files import write_json
from face_expression.model.config import Preprocessing
from train.data.augment import Augmentation
from train.data.dataset import (
    FaceDataset,
    data_name,
    in_order_of_model,
    label_names_of,
    load_split,
    read_targets,
    require_labels,
    require_readable,
)
from train.data.seeded import SeededItems
from train.data.training_set import Extras
from train.model.callbacks import EMA_FOLDER, EmaCallback, EmaTrainer, EpochCallback, StopCallback
from train.model.initial_weights import LABEL_HEAD_FILE, StartingPoint
from train.model.loss import Imbalance, Loss
from train.model.networks import build_network, names_of_heads

logger = logging.getLogger(__name__)

FINAL_FOLDER = "final"
SETTINGS_FILE = "run.json"
_MOMENTUM = 0.9


def has_fast_bf16() -> bool:
    """Whether this machine multiplies bfloat16 natively: a GPU that does, or a CPU with AVX512-BF16."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported()


@dataclass(frozen=True)
class Recipe:
    """What is trained and how; a run resumes with the recipe with which it began."""

    architecture: str
    model_args: dict
    epochs: float
    batch_size: int
    learning_rate: float
    weight_decay: float
    ema_decay: float
    label_weight: float
    seed: int
    imbalance: Imbalance = "none"
    pretrained: bool = False
    start: str | None = None
    layer_decay: float | None = None


def finetune(
    *,
    data: str,
    revision: str | None,
    output: Path,
    preprocessing: Preprocessing,
    recipe: Recipe,
    start: StartingPoint | None = None,
    extras: Extras | None = None,
    workers: int = 1,
    resume: bool = False,
    limit: int | None = None,
) -> Path:
    """Train, and write the averaged network to `output/final`.

    Args:
        data: as in `load_split`.
        revision: as in `load_split`.
        output: the run's folder.
        preprocessing: how crops are cut and normalised.
        recipe: what is trained and how.
        start: the initial weights, or None for timm's weights or random ones.
        extras: what is learned beside the votes (`train.data.training_set`), or None.
        workers: processes that prepare pictures.
        resume: resume from the last checkpoint in `output`.
        limit: train on so many rows, evenly spread over the split, or on all.

    Returns:
        The folder of the final checkpoint.

    Raises:
        DataError: if the data cannot be used, the run cannot begin or go on in `output`, or (with status 130, after
            saving) if Ctrl-C was pressed.
    """
    process = PartialState(cpu=not torch.cuda.is_available())
    settings = {"data": data_name(data), "revision": revision, "limit": limit, **asdict(recipe)}
    settings |= {} if extras is None else extras.description()
    with process.main_process_first():
        last_checkpoint = prepare_run(output, settings, resume=resume, write=process.is_main_process)
        train_rows, validation_rows = load_rows(data, revision, start)
    label_names = check_data(data, train_rows, validation_rows, read_images=process.is_main_process)
    if limit is not None:
        train_rows = train_rows.select(evenly(len(train_rows), limit))
    set_seed(recipe.seed)
    label_head = recipe.label_weight > 0 and has_votes_and_labels(train_rows)
    if extras is None:
        train_set = FaceDataset(train_rows, preprocessing, Augmentation(), label_head=label_head)
    else:
        train_set = extras.training_set(train_rows, preprocessing, label_head=label_head)
    validation_set = FaceDataset(validation_rows, preprocessing, None, label_head=label_head)
    arguments = training_arguments(output, recipe, workers)
    outputs = names_of_heads(label_names) if label_head else label_names
    network = build_network(
        recipe.architecture, recipe.model_args, preprocessing.input, outputs, pretrained=recipe.pretrained
    )
    if start is not None:
        start.give_weights(network, label_names)
    # On its device before the average and the optimizer are made of it, so that they are there too; convolutions are
    # quicker with the channels last.
    network = network.to(arguments.device, memory_format=torch.channels_last)
    ema = averaged_network(network, recipe, last_checkpoint)
    targets = read_targets(train_rows).soft().sum(0)
    loss = Loss(len(label_names), recipe.label_weight, recipe.imbalance, tuple((targets / targets.sum()).tolist()))
    stop = StopCallback()
    seeded_set = SeededItems(train_set, recipe.seed)
    trainer = EmaTrainer(
        ema=ema,
        model=network,
        args=arguments,
        train_dataset=seeded_set,
        eval_dataset=validation_set,
        compute_loss_func=loss,
        compute_metrics=loss.scores,
        callbacks=[EmaCallback(ema), EpochCallback(seeded_set), stop],
        optimizers=(optimizer_of(network, recipe), None),
    )
    with stop.listening():
        trainer.train(resume_from_checkpoint=str(last_checkpoint) if last_checkpoint else None)
    if stop.stopped:
        raise StoppedError(f"stopped at step {trainer.state.global_step}; resume with the same command and --resume")
    final = output / FINAL_FOLDER
    if trainer.is_world_process_zero():
        save_final(ema.module, final, recipe, preprocessing, label_names)
        history = [entry for entry in trainer.state.log_history if "eval_agreement" in entry]
        before = {} if start is None else {"begun_with": start.training}
        record = {**settings, **before, "train_rows": len(train_set), "history": history}
        write_json(final / "training.json", record)
        write_json(final / "preprocessing.json", {"preprocessing": preprocessing.model_dump(mode="json")})
    process.wait_for_everyone()
    return final


def load_rows(
    data: str, revision: str | None, start: StartingPoint | None
) -> tuple[datasets.Dataset, datasets.Dataset]:
    """The splits for training and validation, their classes in the order of the model that gives the weights."""
    train_rows, validation_rows = (load_split(data, split, revision=revision) for split in ("train", "validation"))
    if start is None:
        return train_rows, validation_rows
    return (
        in_order_of_model(train_rows, start.label_names, data),
        in_order_of_model(validation_rows, start.label_names, data),
    )


def averaged_network(network: torch.nn.Module, recipe: Recipe, last_checkpoint: Path | None) -> ModelEmaV3:
    """The moving average of a network's weights: as it was at the last checkpoint, or else beginning with them."""
    ema = ModelEmaV3(network, decay=recipe.ema_decay, use_warmup=recipe.start is None)
    if last_checkpoint is not None:
        averaged = TimmWrapperForImageClassification.from_pretrained(last_checkpoint / EMA_FOLDER, use_safetensors=True)
        ema.module.load_state_dict(averaged.state_dict())
    return ema


def optimizer_of(network: TimmWrapperForImageClassification, recipe: Recipe) -> torch.optim.Optimizer:
    """Stochastic gradient descent with momentum; with `layer_decay`, earlier layers learn more slowly."""
    # Only timm's own network knows its layers, and only timm's schedules know `lr_scale`.
    optimizer = timm.optim.create_optimizer_v2(
        network.timm_model,
        opt="sgd",
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        momentum=_MOMENTUM,
        layer_decay=recipe.layer_decay,
    )
    for group in optimizer.param_groups:
        group["lr"] *= group.get("lr_scale", 1.0)
    return optimizer


def check_data(
    data: str, train_rows: datasets.Dataset, validation_rows: datasets.Dataset, *, read_images: bool
) -> tuple[str, ...]:
    """Look for everything that would stop or spoil a training, before it begins.

    Returns:
        The classes.

    Raises:
        DataError: if the splits have different classes, only one class has faces, or an image cannot be read.
    """
    label_names = label_names_of(train_rows)
    require_labels(validation_rows, label_names, data)
    weight = read_targets(train_rows).soft().sum(0)
    missing = [name for name, total in zip(label_names, weight, strict=True) if total == 0]
    if len(missing) > len(label_names) - 2:
        raise DataError(f"{data!r}: the split 'train' has faces of one class only, so there is nothing to tell apart")
    if missing:
        logger.warning("%s: no face of %s in the split 'train': not learned, or forgotten", data, ", ".join(missing))
    if read_images:
        require_readable(train_rows, "train")
        require_readable(validation_rows, "validation")
    return label_names


def has_votes_and_labels(rows: datasets.Dataset) -> bool:
    """Whether a data set says both what annotators voted and what it calls a face itself."""
    return {"votes", "label"} <= set(rows.column_names)


def save_final(
    network: TimmWrapperForImageClassification,
    folder: Path,
    recipe: Recipe,
    preprocessing: Preprocessing,
    label_names: tuple[str, ...],
) -> None:
    """Write the averaged network; a second head goes into a file of its own."""
    classes = len(label_names)
    if network.config.num_labels == classes:
        network.save_pretrained(folder)
        return
    alone = build_network(recipe.architecture, recipe.model_args, preprocessing.input, label_names)
    weights = network.state_dict()
    second = {}
    for name, value in alone.state_dict().items():
        if value.shape != weights[name].shape:
            second[name.rsplit(".", 1)[1]] = weights[name][classes:].clone().cpu()
            weights[name] = weights[name][:classes]
    alone.load_state_dict(weights)
    alone.save_pretrained(folder)
    save_file(second, folder / LABEL_HEAD_FILE)


def training_arguments(output: Path, recipe: Recipe, workers: int) -> TrainingArguments:
    """The Trainer's settings for a recipe; a checkpoint and a validation every epoch, the last two kept."""
    return TrainingArguments(
        output_dir=str(output),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=256,
        dataloader_num_workers=workers,
        dataloader_persistent_workers=workers > 0,
        lr_scheduler_type="cosine",
        warmup_steps=0.05,
        max_grad_norm=5.0,
        use_cpu=not torch.cuda.is_available(),
        bf16=has_fast_bf16(),
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,
        logging_steps=50,
        report_to="none",
        remove_unused_columns=False,
        seed=recipe.seed,
    )


def prepare_run(output: Path, settings: dict, *, resume: bool, write: bool = True) -> Path | None:
    """Make the folder of a run and write its settings down, or find the checkpoint from which it goes on.

    Returns:
        The newest checkpoint that was written completely, or None for a new run.

    Raises:
        DataError: if the folder holds another run, there is nothing to resume, or the settings are not those with
            which the run began.
    """
    begun = output / SETTINGS_FILE
    checkpoints = sorted(
        (average.parent.parent for average in output.glob(f"checkpoint-*/{EMA_FOLDER}/model.safetensors")),
        key=lambda checkpoint: int(checkpoint.name.split("-")[1]),
    )
    if not resume:
        if checkpoints or (output / FINAL_FOLDER).exists():
            raise DataError(f"{output} holds an earlier run; resume it with --resume, or choose another --output")
        if write:
            output.mkdir(parents=True, exist_ok=True)
            write_json(begun, settings)
        return None
    if not checkpoints or not begun.is_file():
        raise DataError(f"nothing to resume in {output}: it holds no checkpoint; run without --resume")
    before = json.loads(begun.read_text())
    if changed := [name for name in {**before, **settings} if before.get(name) != settings.get(name)]:
        changes = ", ".join(f"{name} was {before.get(name)!r} and is now {settings.get(name)!r}" for name in changed)
        raise DataError(f"a run resumes only with the settings with which it began: {changes}")
    return checkpoints[-1]
