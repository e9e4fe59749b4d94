"""timm's networks, and our own, as the trainings use them."""

import difflib
from typing import Any

import timm
import torch
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from transformers import TimmWrapperConfig, TimmWrapperForImageClassification

from face_expression.errors import DataError, required
from face_expression.model.config import InputSettings, Preprocessing
from train.model import custom_cnn, dlib_resnet  # noqa: F401 - makes them known to timm


def require_architecture(name: str) -> None:
    """Check that timm knows an architecture.

    Raises:
        DataError: with those of similar names.
    """
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), 3)
        raise DataError(f"timm has no model {name!r}" + (f"; near: {', '.join(near)}" if near else ""))


def build_network(
    architecture: str,
    model_args: dict,
    settings: InputSettings,
    label_names: tuple[str, ...],
    *,
    pretrained: bool = False,
) -> TimmWrapperForImageClassification:
    """Make a network that plain `timm.create_model(architecture, **model_args)` builds too.

    Args:
        architecture: timm's name of it.
        model_args: its arguments for timm.
        settings: size and channels of its input.
        label_names: what its outputs stand for.
        pretrained: take timm's weights from the Hub; the last layer, and a first layer of other channels, are adapted.

    Raises:
        DataError: if timm does not know the architecture or its arguments, or its weights are unavailable.
    """
    require_architecture(architecture)
    size, channels = settings.size_px, settings.channels
    if model_args.get("in_chans", channels) != channels:
        raise DataError(f"the preprocessing gives {channels} channel(s); model_args asks for {model_args['in_chans']}")
    attributes: dict[str, Any] = {
        "architecture": architecture,
        "model_args": {**model_args, "in_chans": channels},
        "label_names": list(label_names),
        "num_labels": len(label_names),
        "id2label": dict(enumerate(label_names)),
        "label2id": {name: index for index, name in enumerate(label_names)},
        "pretrained_cfg": {
            "input_size": [channels, size, size],
            "mean": list(settings.mean),
            "std": list(settings.std),
            "interpolation": "bilinear",
            "crop_pct": 1.0,
        },
    }
    try:
        network = TimmWrapperForImageClassification(TimmWrapperConfig(**attributes))
    except Exception as error:  # each architecture of timm fails in its own way on arguments that do not fit
        raise DataError(f"timm cannot build {architecture!r} with {model_args}: {error!r}") from error
    if pretrained:
        _take_pretrained(network, architecture, {**model_args, "in_chans": channels})
    # torch 2.15 on a CPU corrupts its memory in the backward pass of channels_last 1x1 convolutions of few channels.
    narrow = any(isinstance(layer, torch.nn.Conv2d) and 1 < layer.in_channels < 16 for layer in network.modules())
    return network if narrow else network.to(memory_format=torch.channels_last)


def _take_pretrained(network: TimmWrapperForImageClassification, architecture: str, model_args: dict) -> None:
    try:
        source = timm.create_model(architecture, pretrained=True, num_classes=network.config.num_labels, **model_args)
    except (
        Exception
    ) as error:  # no such weights, no connection, a broken file: timm and the Hub's client raise their own
        raise DataError(f"cannot get timm's weights of {architecture!r} from the Hub: {error}") from error
    network.timm_model.load_state_dict(source.state_dict())


def fit_input(
    preprocessing: Preprocessing,
    architecture: str | None,
    *,
    size_px: int | None = None,
    channels: int | None = None,
    crop_px: int | None = None,
) -> Preprocessing:
    """The preprocessing of a data set, fitted to a network.

    Args:
        preprocessing: what is used where nothing else is asked for.
        architecture: take the input size for which timm made this one; None keeps that of `preprocessing`.
        size_px: take this input size instead.
        channels: 1 for grey, 3 for colour, which is normalised by ImageNet's mean and deviation as for timm's weights.
        crop_px: cut faces at this size.

    Raises:
        DataError: if timm does not know the architecture, or the channels are neither 1 nor 3.
    """
    changes: dict[str, object] = {}
    if channels not in (None, 1, 3):
        raise DataError(f"--channels can be 1 (grey) or 3 (colour), not {channels}")
    if channels is not None and channels != preprocessing.input.channels:
        grey = {"mean": (0.5,), "std": (0.25,)}
        changes |= {"mean": IMAGENET_DEFAULT_MEAN, "std": IMAGENET_DEFAULT_STD} if channels == 3 else grey
        changes["channels"] = channels
    if size_px is None and architecture is not None:
        require_architecture(architecture)
        size_px = required(timm.get_pretrained_cfg(architecture)).input_size[-1]
    if size_px is not None:
        changes["size_px"] = size_px
    crop = preprocessing.crop if crop_px is None else preprocessing.crop.model_copy(update={"size_px": crop_px})
    return preprocessing.model_copy(update={"input": preprocessing.input.model_copy(update=changes), "crop": crop})


def names_of_heads(label_names: tuple[str, ...]) -> tuple[str, ...]:
    """The names of a network's outputs while it has both heads."""
    return (*label_names, *(f"own label: {name}" for name in label_names))
