"""One way to run a network, whether it is a checkpoint or a bundle."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from face_expression.errors import BundleError, DataError
from face_expression.hub.download import open_bundle
from face_expression.model.classifier import Classifier, softmax
from face_expression.model.config import Preprocessing, read_preprocessing
from train.export.step import load_checkpoint

_BATCH = 256


@dataclass(frozen=True)
class Predictor:
    """A network with what it needs; `name` is where it was found, without the way there."""

    name: str
    label_names: tuple[str, ...]
    preprocessing: Preprocessing
    network: Classifier | torch.nn.Module

    def probabilities(self, inputs: np.ndarray) -> np.ndarray:
        """(N, C) float32 for (N, channels, P, P) float32 model inputs; a bundle's are calibrated."""
        if isinstance(self.network, Classifier):
            return self.network.probabilities(inputs)
        with torch.inference_mode():
            batches = [
                self.network(torch.from_numpy(inputs[start : start + _BATCH]))[0].numpy()
                for start in range(0, len(inputs), _BATCH)
            ]
        return softmax(np.concatenate(batches))


def open_predictor(place: Path) -> Predictor:
    """Open a bundle, a checkpoint, or a run of `finetune`, whose final checkpoint is taken.

    Raises:
        DataError: if the folder is none of them.
    """
    if (place / "final" / "model.safetensors").is_file():
        place = place / "final"
    name = "/".join(place.resolve().parts[-2:])
    if (place / "model.onnx").is_file():
        bundle = open_bundle(place, "run")
        return Predictor(
            name, bundle.config.label_names, bundle.config.preprocessing, Classifier(bundle.model, bundle.config)
        )
    if not (place / "model.safetensors").is_file():
        raise DataError(f"{place} holds neither a bundle nor a checkpoint")
    try:
        preprocessing = read_preprocessing(place / "preprocessing.json")
        label_names = tuple(json.loads((place / "config.json").read_text())["label_names"])
        return Predictor(name, label_names, preprocessing, load_checkpoint(place))
    except (OSError, ValueError, KeyError, BundleError) as error:
        raise DataError(f"{place} is no checkpoint that finetune wrote: {error!r}") from error
