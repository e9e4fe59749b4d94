"""Bundle or npm package -> checkpoint folder, as `finetune` writes one, for `finetune --from`."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from face_expression.errors import DataError
from face_expression.hub.download import open_bundle
from face_expression.io.evenly import evenly
from face_expression.io.files import write_json
from face_expression.labels import LABEL_NAMES
from face_expression.model.config import InputSettings, Preprocessing, read_bundle_config
from face_expression.model.preprocess import to_model_inputs
from train.convert import from_bundle, from_face_api, from_human
from train.convert.batch_norms import settle
from train.convert.package import open_package
from train.data.dataset import data_name, load_split, read_crops
from train.model.initial_weights import LABEL_HEAD_FILE
from train.model.networks import build_network

_HEAD = "own_label_head"


def convert(
    *, source: Path, data: str, revision: str | None, output: Path, preprocessing: Preprocessing, faces: int = 512
) -> str:
    """Write the checkpoint.

    Args:
        source: a bundle, or the folder or .tgz of an npm package.
        data: as in `load_split`; faces of its train split settle the batch norms.
        revision: as in `load_split`.
        output: folder to write.
        preprocessing: how faces become input of a package's network; a bundle has its own.
        faces: how many faces, evenly spread over the split.

    Returns:
        What was converted, in words.

    Raises:
        DataError: if the source is neither, or does not fit.
    """
    if output.exists():
        raise DataError(f"{output} exists already; choose another --output")
    rows = load_split(data, "train", revision=revision)
    rows = rows.select(evenly(len(rows), faces))
    is_bundle = (source / "model.onnx").is_file()
    build = _of_bundle if is_bundle else _of_package
    network, second, preprocessing, training = build(source, preprocessing)
    network.eval()
    settle(network.timm_model, to_model_inputs(read_crops(rows, preprocessing), preprocessing.input))
    output.mkdir(parents=True)
    network.save_pretrained(output)
    if second:
        save_file(second, output / LABEL_HEAD_FILE)
    training |= {"settled_on": {"data": data_name(data), "revision": revision, "split": "train", "faces": len(rows)}}
    write_json(output / "training.json", training)
    write_json(output / "preprocessing.json", {"preprocessing": preprocessing.model_dump(mode="json")})
    return training["converted_from"]


def _of_bundle(source: Path, _: Preprocessing):
    opened = open_bundle(source, "being converted")
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    preprocessing = read_bundle_config(source / "config.json").preprocessing
    args = {key: value for key, value in config["model_args"].items() if key != "in_chans"}
    network = build_network(config["architecture"], args, preprocessing.input, tuple(config["label_names"]))
    weights = from_bundle.read_graph_weights(opened.model)
    from_bundle.give_weights(network.timm_model, weights)
    second = {
        part: torch.from_numpy(np.array(weights[f"{_HEAD}.{part}"]))
        for part in ("weight", "bias")
        if f"{_HEAD}.{part}" in weights
    }
    training = {
        "converted_from": f"the bundle with the network of sha256 {opened.config.model_sha256}",
        "begun_with": opened.config.training,
    }
    return network, second, preprocessing, training


def _of_package(source: Path, preprocessing: Preprocessing):
    package = open_package(source)
    if package.read(from_human.FILE) is not None:
        preprocessing = _with_black_at_zero(preprocessing)
        network = build_network(from_human.ARCHITECTURE, from_human.MODEL_ARGS, preprocessing.input, LABEL_NAMES)
        from_human.give_weights(network.timm_model, from_human.read_faceres(package), preprocessing.input)
        file = from_human.FILE
    elif package.read(from_face_api.FILE) is not None:
        network = build_network(from_face_api.ARCHITECTURE, {}, preprocessing.input, LABEL_NAMES)
        weights = from_face_api.read_face_recognition(package)
        from_face_api.give_weights(network.timm_model, weights, preprocessing.input)
        file = from_face_api.FILE
    else:
        raise DataError(f"{package.name} {package.version} has neither {from_human.FILE} nor {from_face_api.FILE}")
    return network, {}, preprocessing, {"converted_from": f"{file} of {package.name} {package.version}"}


def _with_black_at_zero(preprocessing: Preprocessing) -> Preprocessing:
    settings: InputSettings = preprocessing.input
    changed = settings.model_copy(update={"mean": (0.0,) * settings.channels})
    return preprocessing.model_copy(update={"input": changed})
