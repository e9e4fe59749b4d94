"""The options of `finetune`, and those that other commands of the training loop share with it."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

HOUSE_MODEL, HOUSE_MODEL_ARGS = "resnet18", '{"channels": [32, 64, 128, 192]}'


class Imbalance(StrEnum):
    """What is done for rare classes."""

    NONE = "none"
    CLASS_WEIGHTS = "class-weights"
    LOGIT_ADJUSTMENT = "logit-adjustment"


Data = Annotated[
    str, typer.Option(help="Folder of Parquet files, folder or zip of class folders, or a Hub data set USER/NAME.")
]
Revision = Annotated[str | None, typer.Option(help="Commit, tag or branch of a Hub data set.")]

Architecture = Annotated[
    str | None, typer.Option(help=f"A timm architecture, or custom_cnn. Default: a narrow {HOUSE_MODEL}.")
]
ModelArgs = Annotated[
    str | None, typer.Option(help=f"Its arguments, as JSON. Default for {HOUSE_MODEL}: {HOUSE_MODEL_ARGS}")
]
Pretrained = Annotated[bool, typer.Option("--pretrained", help="Start from timm's pretrained weights.")]
Start = Annotated[
    str | None,
    typer.Option("--from", metavar="PATH|USER/NAME", help="Initial weights: a checkpoint or bundle of this project."),
]
OwnPreprocessing = Annotated[
    Path | None, typer.Option(help="How faces become model input. Default: that of --from, or the project's.")
]
Size = Annotated[int | None, typer.Option(min=16, help="Side of the input in pixels. Default: the model's own.")]
Channels = Annotated[int | None, typer.Option(help="1 for grey, 3 for colour. Default: 3 with --pretrained, else 1.")]
CropSize = Annotated[
    int | None, typer.Option(min=16, help="Side at which faces are cut out. Default: 48, as FER2013's.")
]
ImbalanceOption = Annotated[
    Imbalance, typer.Option(help="Handle class imbalance; probabilities are then no longer calibrated.")
]
RunFolder = Annotated[
    Path, typer.Option(help="Folder of checkpoints and of the result.", show_default="runs/default in your cache")
]
Resume = Annotated[bool, typer.Option("--resume", help="Resume from the last checkpoint in --output.")]
TrainLimit = Annotated[int | None, typer.Option(min=2, help="Train on so many faces only, evenly spread.")]
Epochs = Annotated[float, typer.Option(min=0)]
BatchSize = Annotated[int, typer.Option(min=2)]
LearningRate = Annotated[float, typer.Option(min=0)]
WeightDecay = Annotated[float, typer.Option(min=0)]
EmaDecay = Annotated[float, typer.Option(min=0, max=1, help="Of the moving average that is kept.")]
LabelWeight = Annotated[
    float, typer.Option(min=0, help="Of the second head, on the labels of a data set that has votes too.")
]
LayerDecay = Annotated[
    float | None, typer.Option(min=0, max=1, help="Learning rate of each block of layers, relative to the next.")
]
TeacherFile = Annotated[
    Path | None, typer.Option(dir_okay=False, help="Predictions that `train teach` wrote, mixed into the targets.")
]
TeacherWeight = Annotated[float, typer.Option(min=0, max=1, help="Their part of each target.")]
Photos = Annotated[
    list[Path] | None,
    typer.Option(dir_okay=False, help="Parquet file of photographs in --teacher; may be repeated."),
]
PhotoShare = Annotated[float, typer.Option(min=0, max=0.9, help="Share of photographs in each epoch.")]
RareRepeats = Annotated[int, typer.Option(min=1, help="Oversample faces with two votes or more for a rare class.")]
Workers = Annotated[int, typer.Option(min=0, help="Processes that prepare pictures.")]
