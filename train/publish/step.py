"""Bundle, detector weights, timm weights and model card -> a model repository on the Hub, in one commit.

Plain timm, transformers and this project read the same repository. Pictures come to timm and transformers in colour,
so a network that takes grey ones is published as one that takes RGB: the grey weights are multiplied into its first
convolution, which changes no output (`timm.create_model(..., in_chans=1)` adds them up again).

All or nothing: everything is checked before anything is sent, and the repository is read back afterwards. If what is
there is not what was sent, the earlier state is put back.
"""

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import timm
import torch
from huggingface_hub import HfApi
from safetensors.torch import load_file, save_file

from face_expression.errors import DataError
from face_expression.hub.download import DETECTOR_VARIABLE, METRICS_FILE, Bundle, find_yunet_weights
from face_expression.hub.upload import (
    PAUSES_S,
    Published,
    Repository,
    check_repo_id,
    over_plain_http,
    raises_hub_error,
)
from face_expression.io.files import sha256_of, write_json
from face_expression.model.classifier import Classifier
from face_expression.model.config import InputSettings, YuNetSettings
from face_expression.model.graphs import GRAPH_NAMES, graph_file
from train.export.quantize import is_quantized
from train.model.initial_weights import LABEL_HEAD_FILE
from train.publish.model_card import published_card, read_metrics

REPORT_FILE = "report.html"
_COMPARED_PICTURES = 16
# Of the largest logit. Probabilities would not tell networks apart that are sure of themselves on noise.
_LOGIT_TOLERANCE = 1e-4
# Eight bits were measured to move logits by 0.02 of the largest on the same pictures.
_INT8_LOGIT_TOLERANCE = 0.06


def publish(
    *,
    repo_id: str,
    bundle: Path,
    checkpoint: Path,
    card: Path,
    private: bool,
    api: HfApi,
    pauses_s: tuple[float, ...] = PAUSES_S,
) -> Published:
    """Publish a bundle that was evaluated, with the checkpoint from which it was exported.

    Args:
        repo_id: "user/name"; it is made if it does not exist.
        bundle: the bundle's folder.
        checkpoint: the folder that `finetune` printed.
        card: the model card, whose figures are filled in.
        private: make a new repository private.
        api: the Hub, and who we are there.
        pauses_s: how long to wait before each further attempt while the Hub is busy or the connection breaks.

    Raises:
        DataError: if something is missing or does not belong together, or the Hub does not take it; nothing is
            half-written then.
    """
    check_repo_id(repo_id)
    repository = Repository(repo_id, api, pauses_s=pauses_s)
    with TemporaryDirectory() as folder, raises_hub_error(repository), over_plain_http():
        repository.check_login()
        files = assemble(Path(folder), repo_id=repo_id, bundle=bundle, checkpoint=checkpoint, card=card)
        return repository.push(
            {file.name: file for file in files},
            repository.ready(private=private),
            message="Publish a measured bundle",
            is_outdated=lambda path: path in (REPORT_FILE, LABEL_HEAD_FILE),
        )


def assemble(folder: Path, *, repo_id: str, bundle: Path, checkpoint: Path, card: Path) -> list[Path]:
    """Write everything that is published into `folder`.

    Raises:
        DataError: if something is missing or does not belong together.
    """
    opened, metrics = read_metrics(bundle)
    settings = opened.config.preprocessing
    config = json.loads((bundle / "config.json").read_text(encoding="utf-8"))
    weights, first_layers = picture_weights(opened, config, checkpoint)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    for name in ("model.onnx", METRICS_FILE, *map(graph_file, GRAPH_NAMES)):
        shutil.copyfile(bundle / name, folder / name)
    for file in (bundle / REPORT_FILE, checkpoint / LABEL_HEAD_FILE):
        if file.is_file():
            shutil.copyfile(file, folder / file.name)
    detector_name, detector = detector_weights(settings.yunet)
    shutil.copyfile(detector, folder / detector_name)
    config["model_args"]["in_chans"] = 3
    config["pretrained_cfg"] |= {
        "input_size": [3, settings.input.size_px, settings.input.size_px],
        "mean": _for_rgb(settings.input.mean),
        "std": _for_rgb(settings.input.std),
        "first_conv": first_layers,
    }
    write_json(folder / "config.json", config)
    (folder / "README.md").write_text(published_card(card, opened, metrics, repo_id), encoding="utf-8")
    return sorted(folder.iterdir())


def picture_weights(bundle: Bundle, config: dict, checkpoint: Path) -> tuple[dict[str, torch.Tensor], list[str]]:
    """A checkpoint's weights under timm's names, for colour pictures, and the names of their first layers.

    Args:
        bundle: what was exported from the checkpoint.
        config: the bundle's `config.json`.
        checkpoint: the folder that `finetune` printed.

    Raises:
        DataError: if the folder holds no checkpoint, plain timm cannot build the network, or the bundle was exported
            from another checkpoint.
    """
    if not all((checkpoint / name).is_file() for name in ("config.json", "model.safetensors")):
        raise DataError(f"{checkpoint} holds no checkpoint; give the folder that finetune printed with --checkpoint")
    trained = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    for key in ("architecture", "model_args", "label_names"):
        if trained.get(key) != config[key]:
            mismatch = f"its {key} is {trained.get(key)!r}, the bundle's {config[key]!r}"
            raise DataError(_not_its_checkpoint(checkpoint, bundle, mismatch))
    if config["face_expression"]["training"].get("checkpoint_sha256") != sha256_of(checkpoint / "model.safetensors"):
        raise DataError(_not_its_checkpoint(checkpoint, bundle, "the bundle was exported from other weights"))
    network = _plain_timm_network(config)
    settings = bundle.config.preprocessing.input
    weights = load_file(checkpoint / "model.safetensors")
    weights = {name.removeprefix("timm_model."): value for name, value in weights.items()}
    first = cast(dict, network.pretrained_cfg).get("first_conv") or []
    first_layers = [first] if isinstance(first, str) else list(first)
    if settings.channels == 1:
        grey_weights = torch.tensor(settings.grey_weights).view(1, 3, 1, 1)
        for name in first_layers:
            weights[f"{name}.weight"] = weights[f"{name}.weight"] * grey_weights
    weights = {name: value.contiguous() for name, value in weights.items()}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise DataError(f"plain timm cannot load the weights in {checkpoint}: {error}") from error
    _check_agreement(network.eval(), bundle, settings, checkpoint)
    return weights, first_layers


def detector_weights(settings: YuNetSettings) -> tuple[str, Path]:
    """The published name of YuNet's weights, and where they are.

    Raises:
        DataError: if they are not found or not accepted.
    """
    path = find_yunet_weights(settings)
    names = {file.sha256: file.name for file in settings.files}
    if sha256_of(path) not in names:
        accepted = ", ".join(names.values())
        raise DataError(f"{path} is not one of the accepted YuNet weights ({accepted}); unset {DETECTOR_VARIABLE}")
    return names[sha256_of(path)], path


def _plain_timm_network(config: dict) -> torch.nn.Module:
    architecture = config["architecture"]
    if not timm.is_model(architecture) or not timm.model_entrypoint(architecture).__module__.startswith("timm."):
        raise DataError(f"timm does not know {architecture!r}, so nobody could load it from the Hub by plain timm")
    arguments: dict[str, Any] = {**config["model_args"], "in_chans": 3}
    return timm.create_model(architecture, num_classes=len(config["label_names"]), **arguments)


def _check_agreement(network: torch.nn.Module, bundle: Bundle, settings: InputSettings, checkpoint: Path) -> None:
    shape = (_COMPARED_PICTURES, 3, settings.size_px, settings.size_px)
    pictures = np.random.default_rng(0).standard_normal(shape, np.float32)
    inputs = pictures
    if settings.channels == 1:
        inputs = np.einsum("nchw,c->nhw", pictures, np.asarray(settings.grey_weights, np.float32))[:, None]
    expected, _ = Classifier(bundle.model, bundle.config).run(inputs)
    with torch.inference_mode():
        found = network(torch.from_numpy(pictures)).numpy()
    difference = float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))
    tolerance = _INT8_LOGIT_TOLERANCE if is_quantized(bundle.model) else _LOGIT_TOLERANCE
    if not difference <= tolerance:
        mismatch = f"their logits differ by {difference:.2g} of the largest on the same pictures"
        raise DataError(_not_its_checkpoint(checkpoint, bundle, mismatch))


def _not_its_checkpoint(checkpoint: Path, bundle: Bundle, why: str) -> str:
    return (
        f"{checkpoint} is not the checkpoint of {bundle.folder}: {why}; give the one from which the bundle was "
        "exported, or export it again"
    )


def _for_rgb(values: tuple[float, ...]) -> list[float]:
    return list(values) * (3 // len(values))
