"""A damaged or hostile bundle is refused when it is loaded, and never fails later, at a picture."""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from face_expression import BundleError, load_pipeline
from face_expression.hub.download import EMBEDDED_BUNDLE, MODEL_VARIABLE
from face_expression.io.files import sha256_of
from tests.support.builders import happy_photo


@pytest.fixture
def bundle(tmp_path) -> Path:
    return Path(shutil.copytree(EMBEDDED_BUNDLE, tmp_path / "bundle"))


def change(bundle: Path, path: str, value) -> None:
    """Set one number of config.json; `path` as in `preprocessing.crop.size_px`."""
    config = json.loads((bundle / "config.json").read_text())
    *parts, name = path.split(".")
    place = config["face_expression"]
    for part in parts:
        place = place[part]
    place[name] = value
    (bundle / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("preprocessing.input.size_px", 10**9),
        ("preprocessing.crop.size_px", 10**6),
        ("preprocessing.yunet.scales_px", [320, 10**7]),
        ("preprocessing.yunet.scales_px", [320, 960]),
        ("preprocessing.yunet.turn_step_deg", 1e-9),
        ("preprocessing.yunet.window_px", 5000),
        ("preprocessing.yunet.window_face_px", 97),
        ("preprocessing.yunet.video_tile_wh_px", [96, 288]),
        ("preprocessing.yunet.cell_px", 0),
        ("preprocessing.yunet.crop.scale", 1e6),
        ("preprocessing.yunet.crop.shift_x", float("inf")),
        ("preprocessing.haar.scale_factor", 1.0000001),
        ("preprocessing.input.std", [0.0]),
        ("preprocessing.quality.light_percent", 60),
        ("tracker.tile_interval_s", 1e-12),
        ("tracker.time_constant_s", 0),
        ("temperature", float("nan")),
        ("temperature", float("inf")),
        ("abstain_below", float("nan")),
        ("abstain_below", -0.1),
    ],
)
def test_numbers_out_of_bounds_are_refused(bundle, path, value):
    change(bundle, path, value)
    with pytest.raises(BundleError, match=r"config\.json"):
        load_pipeline(str(bundle))


def test_a_network_that_gives_no_numbers_is_refused(bundle, monkeypatch, caplog):
    network = onnx.load(bundle / "model.onnx")
    classes = len(json.loads((bundle / "config.json").read_text())["label_names"])
    for tensor in network.graph.initializer:
        if tuple(tensor.dims) == (classes,) and tensor.data_type == onnx.TensorProto.FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(np.full(classes, np.nan, np.float32), tensor.name))
    onnx.save(network, bundle / "model.onnx")
    change(bundle, "model_sha256", sha256_of(bundle / "model.onnx"))
    with pytest.raises(BundleError, match="where probabilities are expected"):
        load_pipeline(str(bundle))
    # Where it was not asked for by name, the embedded one is used instead.
    monkeypatch.setenv(MODEL_VARIABLE, str(bundle))
    with caplog.at_level(logging.WARNING):
        (face,) = load_pipeline().analyze(happy_photo())
    assert face.label == "happy" and "falling back to the embedded model" in caplog.text


def test_a_network_for_another_input_is_refused(bundle):
    change(bundle, "preprocessing.input.size_px", 64)
    with pytest.raises(BundleError, match="takes"):
        load_pipeline(str(bundle))
