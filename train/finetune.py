"""Data set -> checkpoint: transformers' Trainer around a timm network, on vote distributions.

The network that is kept is an exponential moving average (EMA) of the weights; validation during training judges it
too. It lies beside every checkpoint, so that an interrupted run goes on with it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import timm.optim
import torch
from timm.utils import ModelEmaV3
from transformers import (
    TimmWrapperConfig,
    TimmWrapperForImageClassification,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from face_expression.config import InputSettings, Preprocessing
from face_expression.labels import LABEL_NAMES
from train.augment import Augmentation
from train.data import FaceDataset, data_name, load_split

EMA_FOLDER = "ema"
FINAL_FOLDER = "final"
SETTINGS_FILE = "run.json"
_MOMENTUM = 0.9


def build_network(architecture: str, model_args: dict, settings: InputSettings) -> TimmWrapperForImageClassification:
    """Make an untrained network that plain `timm.create_model(architecture, **model_args)` builds too.

    Raises:
        SystemExit: if timm does not know the architecture or its arguments.
    """
    size, channels = settings.size_px, settings.channels
    if model_args.get("in_chans", channels) != channels:
        raise SystemExit(f"the preprocessing gives {channels} channel(s); model_args asks for {model_args['in_chans']}")
    config = TimmWrapperConfig(
        architecture=architecture,
        model_args={**model_args, "in_chans": channels},
        label_names=list(LABEL_NAMES),
        num_labels=len(LABEL_NAMES),
        id2label=dict(enumerate(LABEL_NAMES)),
        label2id={name: index for index, name in enumerate(LABEL_NAMES)},
        pretrained_cfg={
            "input_size": [channels, size, size],
            "mean": list(settings.mean),
            "std": list(settings.std),
            "interpolation": "bilinear",
            "crop_pct": 1.0,
        },
    )
    try:
        network = TimmWrapperForImageClassification(config)
    except Exception as error:  # each architecture of timm fails in its own way on arguments that do not fit
        raise SystemExit(f"timm cannot build {architecture!r} with {model_args}: {error!r}") from error
    # torch 2.15 on a CPU corrupts its memory in the backward pass of channels_last 1x1 convolutions of few channels.
    narrow = any(isinstance(layer, torch.nn.Conv2d) and 1 < layer.in_channels < 16 for layer in network.modules())
    return network if narrow else network.to(memory_format=torch.channels_last)


def soft_cross_entropy(outputs, labels: torch.Tensor, num_items_in_batch: int | None = None) -> torch.Tensor:
    """Cross-entropy to (N, 7) targets whose row sums are the rows' weights, averaged over the weights."""
    log_probabilities = outputs.logits.float().log_softmax(1)
    return -(labels * log_probabilities).sum() / labels.sum()


def validation_scores(prediction) -> dict[str, float]:
    """Share of rows whose most probable class is the one most voted for, of the rows that have a target."""
    return {"agreement": float(np.mean(prediction.predictions.argmax(1) == prediction.label_ids.argmax(1)))}


class EmaTrainer(Trainer):
    """A Trainer that validates the moving average instead of the weights being trained."""

    def __init__(self, *, ema: ModelEmaV3, **kwargs):
        super().__init__(**kwargs)
        self._ema = ema

    def prediction_step(self, model, *args, **kwargs):
        """As in Trainer, with the averaged network."""
        return super().prediction_step(self._ema.module, *args, **kwargs)


class EmaCallback(TrainerCallback):
    """Updates the moving average after each step and keeps it beside each checkpoint."""

    def __init__(self, ema: ModelEmaV3):
        self._ema = ema

    def on_step_end(self, args, state, control, model, **kwargs):
        """Move the average towards the weights of this step."""
        self._ema.update(model, step=state.global_step)

    def on_save(self, args, state, control, **kwargs):
        """Write the average into the checkpoint that was just written."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        self._ema.module.save_pretrained(folder / EMA_FOLDER)


def has_fast_bf16() -> bool:
    """Whether this machine multiplies bfloat16 natively: a GPU that does, or a CPU with AVX512-BF16."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported()


@dataclass(frozen=True)
class Recipe:
    """What is trained and how; a run goes on with the recipe with which it began."""

    architecture: str
    model_args: dict
    epochs: float
    batch_size: int
    learning_rate: float
    weight_decay: float
    ema_decay: float
    seed: int


def finetune(
    *,
    data: str,
    revision: str | None,
    output: Path,
    preprocessing: Preprocessing,
    recipe: Recipe,
    workers: int,
    resume: bool,
) -> Path:
    """Train, and write the averaged network to `output/final`.

    Returns:
        The folder of the final checkpoint.

    Raises:
        SystemExit: if the data cannot be used, or the run cannot begin or go on in `output`.
    """
    settings = {"data": data_name(data), "revision": revision, **asdict(recipe)}
    last_checkpoint = prepare_run(output, settings, resume=resume)
    set_seed(recipe.seed)
    train_set = FaceDataset(load_split(data, "train", revision=revision), preprocessing, Augmentation())
    validation_set = FaceDataset(load_split(data, "validation", revision=revision), preprocessing, None)
    arguments = training_arguments(output, recipe, workers)
    # On its device before the average and the optimizer are made of it, so that they are there too.
    network = build_network(recipe.architecture, recipe.model_args, preprocessing.input).to(arguments.device)
    ema = ModelEmaV3(network, decay=recipe.ema_decay, use_warmup=True)
    if last_checkpoint is not None:
        averaged = TimmWrapperForImageClassification.from_pretrained(last_checkpoint / EMA_FOLDER)
        ema.module.load_state_dict(averaged.state_dict())
    trainer = EmaTrainer(
        ema=ema,
        model=network,
        args=arguments,
        train_dataset=train_set,
        eval_dataset=validation_set,
        compute_loss_func=soft_cross_entropy,
        compute_metrics=validation_scores,
        callbacks=[EmaCallback(ema)],
        optimizers=(
            timm.optim.create_optimizer_v2(
                network, opt="sgd", lr=recipe.learning_rate, weight_decay=recipe.weight_decay, momentum=_MOMENTUM
            ),
            None,
        ),
    )
    trainer.train(resume_from_checkpoint=str(last_checkpoint) if last_checkpoint else None)
    final = output / FINAL_FOLDER
    ema.module.save_pretrained(final)
    history = [entry for entry in trainer.state.log_history if "eval_agreement" in entry]
    write_json(final / "training.json", {**settings, "train_rows": len(train_set), "history": history})
    write_json(final / "preprocessing.json", {"preprocessing": preprocessing.model_dump(mode="json")})
    return final


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


def prepare_run(output: Path, settings: dict, *, resume: bool) -> Path | None:
    """Make the folder of a run and write its settings down, or find the checkpoint from which it goes on.

    Returns:
        The newest checkpoint that was written completely, or None for a new run.

    Raises:
        SystemExit: if the folder holds another run, there is nothing to resume, or the settings are not those with
            which the run began.
    """
    begun = output / SETTINGS_FILE
    checkpoints = sorted(
        (average.parent.parent for average in output.glob(f"checkpoint-*/{EMA_FOLDER}/model.safetensors")),
        key=lambda checkpoint: int(checkpoint.name.split("-")[1]),
    )
    if not resume:
        if checkpoints or (output / FINAL_FOLDER).exists():
            raise SystemExit(f"{output} holds an earlier run; go on with --resume, or choose another --output")
        output.mkdir(parents=True, exist_ok=True)
        write_json(begun, settings)
        return None
    if not checkpoints or not begun.is_file():
        raise SystemExit(f"nothing to resume in {output}: it holds no checkpoint; run without --resume")
    before = json.loads(begun.read_text())
    if changed := [name for name, value in settings.items() if before.get(name) != value]:
        told = ", ".join(f"{name} was {before.get(name)!r} and is now {settings[name]!r}" for name in changed)
        raise SystemExit(f"a run goes on with the settings with which it began: {told}")
    return checkpoints[-1]


def write_json(path: Path, value: dict) -> None:
    """Write a small file that people can read."""
    path.write_text(json.dumps(value, indent=2) + "\n")
