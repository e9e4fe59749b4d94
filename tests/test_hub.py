"""Bundles and weights from a Hub that answers, refuses, hangs or lies; each time in a process of its own."""

import json
import shutil

import pytest

from face_expression.hub import DEADLINE_S, DETECTOR_VARIABLE, EMBEDDED_BUNDLE, MODEL_VARIABLE
from tests.builders import EXAMPLES, REPOSITORY
from tests.local_hub import COMMIT, running_hub
from tests.test_command_line import lines, predict
from tests.test_deploy import read, run, started

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


def at_home(hub):
    return {"HF_HOME": str(hub.cache), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}


def ask(hub, model=f"{REPO}@v1", **environment):
    return predict(
        EXAMPLES / "astronaut.jpg",
        **{"HF_ENDPOINT": hub.endpoint, **at_home(hub), **({MODEL_VARIABLE: model} if model else {}), **environment},
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
    assert "is not to be had from the Hub, and is taken from the cache: " in second.stderr
    assert f"using model {REPO}@v1 from the cache, face detector yunet" in second.stderr


@pytest.mark.parametrize("revision", ["", "@v1", f"@{COMMIT}"])
def test_offline_the_cached_bundle_is_used_and_no_other(hub, revision):
    model = REPO + revision
    without = ask(hub, model, HF_HUB_OFFLINE="1")
    assert confidence(without) > 0.8 and hub.requests == []
    assert f"the model {model} cannot be used, and the embedded one is taken: it is not in the cache" in without.stderr
    assert confidence(ask(hub, model)) < 0.3
    hub.requests.clear()
    cached = ask(hub, model, HF_HUB_OFFLINE="1")
    assert confidence(cached) < 0.3 and hub.requests == []
    assert f"using model {model} from the cache, face detector yunet" in cached.stderr


def test_a_commit_in_the_cache_is_taken_without_asking(hub):
    model = f"{REPO}@{COMMIT}"
    assert f"{model} from the Hub" in ask(hub, model).stderr
    hub.requests.clear()
    assert f"{model} from the cache" in ask(hub, model).stderr and hub.requests == []


LOAD = """
import json, time
from face_expression import load_pipeline, log_to_stderr
log_to_stderr()
start = time.monotonic()
pipeline = load_pipeline()
print(json.dumps({"source": pipeline.source, "seconds": time.monotonic() - start}))
"""


@pytest.mark.parametrize(
    ("fault", "words", "weights"),
    [
        ("refused", "refused", True),
        ("unavailable", "503", True),
        ("unavailable", "503", False),
        ("rate limited", "429", True),
        ("hang", "no answer within 5 s", True),
        ("hang", "no answer within 5 s", False),
        ("cut download", "no answer within 5 s", True),
        ("corrupt", "sha256 is", True),
    ],
)
def test_a_bad_hub_gives_the_embedded_bundle_in_time_and_says_so_in_one_line(hub, fault, words, weights, yunet_weights):
    """Also where the detector's weights have to be had from the same Hub."""
    hub.fault = fault
    endpoint = "http://127.0.0.1:9" if fault == "refused" else hub.endpoint
    detector = {DETECTOR_VARIABLE: str(yunet_weights)} if weights else {}
    result = run("-c", LOAD, HF_ENDPOINT=endpoint, **at_home(hub), **{MODEL_VARIABLE: f"{REPO}@v1"}, **detector)
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout)
    assert said["seconds"] < DEADLINE_S + 3
    assert "model embedded in this program" in said["source"]
    (told,) = (line for line in result.stderr.splitlines() if "embedded one" in line)
    assert told.startswith(f"the model {REPO}@v1 cannot be used, and the embedded one is taken: ") and words in told
    if weights:
        assert result.stderr.splitlines() == [
            told,
            "using model embedded in this program, face detector yunet",
        ]


@pytest.mark.parametrize("fault", ["unavailable", "corrupt", "corrupt small", "dropped"])
def test_a_hub_that_recovers_is_asked_again(hub, fault, yunet_weights):
    """One busy answer, one broken connection or one damaged download does not keep the model away."""
    hub.fault, hub.faults_left = fault, 1
    result = ask(hub, **{DETECTOR_VARIABLE: str(yunet_weights)})
    assert confidence(result) < 0.3 and "from the Hub" in result.stderr


def test_a_damaged_copy_in_the_cache_is_replaced(hub, yunet_weights):
    hub.fault = "corrupt"
    assert confidence(ask(hub, **{DETECTOR_VARIABLE: str(yunet_weights)})) > 0.8
    hub.fault = None
    assert confidence(ask(hub, **{DETECTOR_VARIABLE: str(yunet_weights)})) < 0.3


@pytest.mark.parametrize("damage", ["cut", "other number", "brackets"])
def test_a_damaged_configuration_in_the_cache_is_replaced(hub, damage, yunet_weights):
    detector = {DETECTOR_VARIABLE: str(yunet_weights)}
    assert confidence(ask(hub, **detector)) < 0.3
    (cached,) = hub.cache.glob("hub/models--*faces*/snapshots/*/config.json")
    text = cached.read_text()
    damaged = {
        "cut": text[: len(text) // 2],
        "other number": text.replace("50.0", "51.0"),
        "brackets": "[" * 100_000,
    }[damage]
    assert damaged != text
    blob = cached.resolve()
    blob.write_text(damaged)
    assert confidence(ask(hub, **detector)) < 0.3
    assert cached.read_text() == text


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


@pytest.mark.parametrize("fault", ["hang", "corrupt"])
def test_the_app_runs_on_whatever_the_hub_does(hub, fault, tmp_path, yunet_weights):
    hub.fault = fault
    environment = {"HF_ENDPOINT": hub.endpoint, MODEL_VARIABLE: REPO, DETECTOR_VARIABLE: str(yunet_weights)}
    with started(REPOSITORY, tmp_path, **environment) as (address, page, log):
        assert "In use: model embedded in this program, face detector yunet" in page
        assert log.read_text().count(f"the model {REPO} cannot be used, and the embedded one is taken") == 1
        # What goes on in the background may come to an end.
        hub.fault = "unavailable"
        assert read(f"{address}/config")
