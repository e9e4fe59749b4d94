"""Bundles and weights from a Hub that answers, refuses, hangs or lies; each time in a process of its own."""

import json
import shutil
import time

import pytest

from face_expression.hub import DEADLINE_S, DETECTOR_VARIABLE, EMBEDDED_BUNDLE, MODEL_VARIABLE
from tests.builders import EXAMPLES
from tests.local_hub import running_hub
from tests.test_command_line import lines, predict

REPO = "somebody/faces"


@pytest.fixture
def hub(tmp_path, yunet_weights):
    """A Hub with a bundle of ours, recognisable by its temperature, and with YuNet's weights."""
    bundle = tmp_path / "bundle"
    shutil.copytree(EMBEDDED_BUNDLE, bundle)
    change_config(bundle, lambda config: config["face_expression"].update(temperature=50.0))
    detector = tmp_path / "detector"
    detector.mkdir()
    shutil.copy(yunet_weights, detector / "face_detection_yunet_2026may.onnx")
    with running_hub({REPO: bundle, "opencv/face_detection_yunet": detector}) as server:
        server.bundle, server.detector, server.cache = bundle, detector, tmp_path / "cache"
        yield server


def change_config(bundle, change):
    path = bundle / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def ask(hub, model=f"{REPO}@v1", **environment):
    return predict(
        EXAMPLES / "astronaut.jpg",
        HF_ENDPOINT=hub.endpoint,
        HF_HOME=str(hub.cache),
        HF_HUB_OFFLINE="0",
        HF_HUB_DISABLE_XET="1",
        **({MODEL_VARIABLE: model} if model else {}),
        **environment,
    )


def confidence(result) -> float:
    assert result.returncode == 0, result.stderr
    return lines(result)[0]["faces"][0]["confidence"]


def test_bundle_and_weights_come_from_the_hub_and_stay_in_the_cache(hub):
    first = ask(hub)
    assert confidence(first) < 0.3
    assert f"model {REPO}@v1 from the Hub, face detector yunet" in first.stderr
    assert any("/v1/" in path or path.endswith("/v1") for path in hub.requests)
    hub.fault = "unavailable"
    second = ask(hub)
    assert confidence(second) < 0.3
    assert "face detector yunet" in second.stderr and "embedded" not in second.stderr


@pytest.mark.parametrize("fault", ["unavailable", "hang", "corrupt"])
def test_a_bad_hub_gives_the_embedded_bundle_in_time(hub, fault, yunet_weights):
    hub.fault = fault
    start = time.monotonic()
    result = ask(hub, **{DETECTOR_VARIABLE: str(yunet_weights)})
    assert time.monotonic() - start < 2 * DEADLINE_S + 10
    assert confidence(result) > 0.8
    assert "cannot be used" in result.stderr and "Retrying" not in result.stderr
    assert "model embedded in this program" in result.stderr


@pytest.mark.parametrize("fault", ["unavailable", "corrupt"])
def test_a_hub_that_recovers_is_asked_again(hub, fault, yunet_weights):
    """One busy answer, or one damaged download, does not keep the model away."""
    hub.fault, hub.faults_left = fault, 1
    result = ask(hub, **{DETECTOR_VARIABLE: str(yunet_weights)})
    assert confidence(result) < 0.3 and "from the Hub" in result.stderr


def test_a_damaged_copy_in_the_cache_is_replaced(hub, yunet_weights):
    hub.fault = "corrupt"
    assert confidence(ask(hub, **{DETECTOR_VARIABLE: str(yunet_weights)})) > 0.8
    hub.fault = None
    assert confidence(ask(hub, **{DETECTOR_VARIABLE: str(yunet_weights)})) < 0.3


def test_the_cascade_stands_in_for_a_detector_that_cannot_be_had(hub):
    weights = hub.detector / "face_detection_yunet_2026may.onnx"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    result = ask(hub, model=None)
    assert confidence(result) > 0.8
    assert "unexpected sha256" in result.stderr and "face detector haar" in result.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda config: config["face_expression"].update(schema_version=2), "schema version 2"),
        (lambda config: config["label_names"].pop(), "6 labels"),
        (lambda config: config["face_expression"].pop("temperature"), "temperature"),
        (lambda config: config.pop("face_expression"), "face_expression"),
    ],
)
def test_a_bundle_that_does_not_fit_is_refused_with_the_reason(hub, change, words, yunet_weights):
    change_config(hub.bundle, change)
    result = ask(hub, **{DETECTOR_VARIABLE: str(yunet_weights)})
    assert confidence(result) > 0.8
    assert words in result.stderr and "model embedded in this program" in result.stderr


def test_a_repository_that_is_not_there(hub, yunet_weights):
    result = ask(hub, model="nobody/nothing", **{DETECTOR_VARIABLE: str(yunet_weights)})
    assert confidence(result) > 0.8 and "nobody/nothing" in result.stderr


def test_a_folder_is_a_bundle_too(hub, yunet_weights):
    result = ask(hub, model=str(hub.bundle), **{DETECTOR_VARIABLE: str(yunet_weights)})
    assert confidence(result) < 0.3 and f"from the folder {hub.bundle}" in result.stderr
