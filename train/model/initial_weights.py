"""Initial weights: a checkpoint of this project, or a bundle with weights, from a folder or from the Hub."""

import json
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from safetensors.torch import load_file
from transformers import TimmWrapperForImageClassification

from face_expression.errors import BundleError, DataError
from face_expression.model.config import Preprocessing, read_bundle_config, read_preprocessing

LABEL_HEAD_FILE = "label_head.safetensors"
_FILES = ("config.json", "model.safetensors", "preprocessing.json", "training.json", LABEL_HEAD_FILE)


@dataclass(frozen=True)
class StartingPoint:
    """Initial weights, with what belongs to them; `name` is where they were found, without the way there."""

    name: str
    folder: Path
    architecture: str
    model_args: dict
    label_names: tuple[str, ...]
    preprocessing: Preprocessing
    training: dict

    def give_weights(self, network: TimmWrapperForImageClassification, label_names: tuple[str, ...]) -> None:
        """Load them into a network; where its classes are others, its last layer stays as it is.

        Args:
            network: of the same architecture, with one output for each class, or two (see `train.finetune`).
            label_names: its classes.

        Raises:
            DataError: if the weights do not fit.
        """
        weights = load_file(self.folder / "model.safetensors")
        weights = {f"timm_model.{name.removeprefix('timm_model.')}": value for name, value in weights.items()}
        own = network.state_dict()
        for name, value in weights.items():
            # `publish` spreads the weights of a grey network over three channels.
            if name in own and value.ndim == 4 and own[name].shape[1] == 1 and value.shape[1] == 3:
                weights[name] = value.sum(1, keepdim=True)
        second_file = self.folder / LABEL_HEAD_FILE
        second = load_file(second_file) if second_file.is_file() else {}
        for name in _names_of_last_layer(network):
            filled = own[name].clone()
            if self.label_names == tuple(label_names):
                filled[: len(label_names)] = weights[name]
                if len(filled) > len(label_names) and second:
                    filled[len(label_names) :] = second[name.rsplit(".", 1)[1]]
            weights[name] = filled
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            raise DataError(f"the weights in {self.folder} are not of this architecture: {error}") from error


def _names_of_last_layer(network: TimmWrapperForImageClassification) -> list[str]:
    last = {id(parameter) for parameter in network.timm_model.get_classifier().parameters()}
    return [name for name, parameter in network.named_parameters() if id(parameter) in last]


def open_starting_point(place: str) -> StartingPoint:
    """Find initial weights.

    Args:
        place: a folder (`final` of a run, or a bundle with `model.safetensors`), or a Hub repository "user/name".

    Raises:
        DataError: if there is no such place, or it holds no weights to initialise from.
    """
    folder = Path(place) if Path(place).is_dir() else _download(place)
    if not (folder / "model.safetensors").is_file():
        raise DataError(
            f"{place} holds no model.safetensors, so it cannot be used as initial weights; give the folder "
            "that finetune printed, or a model repository that `publish` wrote"
        )
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if (folder / "preprocessing.json").is_file():
            preprocessing = read_preprocessing(folder / "preprocessing.json")
            training = json.loads((folder / "training.json").read_text(encoding="utf-8"))
        else:
            bundle = read_bundle_config(folder / "config.json")
            preprocessing, training = bundle.preprocessing, bundle.training
        model_args = {key: value for key, value in config["model_args"].items() if key != "in_chans"}
        return StartingPoint(
            name=place if folder != Path(place) else "/".join(folder.resolve().parts[-2:]),
            folder=folder,
            architecture=config["architecture"],
            model_args=model_args,
            label_names=tuple(config["label_names"]),
            preprocessing=preprocessing,
            training=training,
        )
    except (OSError, ValueError, KeyError, BundleError) as error:
        raise DataError(f"{place} cannot be used as initial weights: {error!r}") from error


def _download(place: str) -> Path:
    try:
        return Path(huggingface_hub.snapshot_download(place, allow_patterns=list(_FILES)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise DataError(f"{place!r} is neither a folder nor a model on the Hub that is available: {error}") from error
