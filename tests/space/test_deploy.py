"""The app is put on a Hub that answers, refuses or breaks off, and started from what lies there."""

import gzip
import hashlib
import json
import os
import re

import pytest
import yaml
from huggingface_hub import HfApi
from typer.testing import CliRunner

from face_expression.errors import ExpectedError
from face_expression.hub.download import EMBEDDED_BUNDLE, MODEL_VARIABLE
from face_expression.model.graphs import GRAPH_NAMES, graph_file
from space.deploy.step import app, deploy, deploy_static, write
from tests.support.builders import EXAMPLES, REPOSITORY
from tests.support.hub_patience import WITH_PATIENCE, without_waiting
from tests.support.local_hub import OWNER, READER, WRITER, Repository, StoredFile, running_hub
from tests.support.programs import lines
from tests.support.served_apps import read, started
from tests.support.warm_programs import APP, run_warm

SPACE, MODEL = f"{OWNER}/live-emotion-detector", f"{OWNER}/faces"
KEY = f"spaces/{SPACE}"
WEIGHTS = "face_detection_yunet_2023mar.onnx"
DOCUMENTED_KEYS = {
    *(
        "title",
        "emoji",
        "colorFrom",
        "colorTo",
        "sdk",
        "python_version",
        "sdk_version",
        "app_file",
        "short_description",
    ),
    *("models", "datasets", "thumbnail", "preload_from_hub", "license"),
}

pytestmark = pytest.mark.usefixtures("installed_web")


def stored(path, content):
    large = path.endswith(".onnx")
    return StoredFile(content, hashlib.sha256(content).hexdigest() if large else None)


def model_repository(weights, *, temperature=50.0, card="datasets: [somebody/expressions, ferplus]", **changes):
    """A model whose first commit is one of ours, recognisable by its temperature, and whose second is none."""
    config = json.loads((EMBEDDED_BUNDLE / "config.json").read_text())
    config["face_expression"] |= {"temperature": temperature, **changes}
    names = ("model.onnx", "metrics.json", *map(graph_file, GRAPH_NAMES))
    files = {name: (EMBEDDED_BUNDLE / name).read_bytes() for name in names}
    files |= {"config.json": json.dumps(config).encode(), WEIGHTS: weights.read_bytes()}
    files |= {"README.md": f"---\n{card}\n---\n".encode(), "model.safetensors": b"weights of timm"}
    repository = Repository()
    repository.add("a bundle", {path: stored(path, content) for path, content in files.items()})
    return repository


@pytest.fixture
def hub(hub, yunet_weights, monkeypatch):
    """A Hub with a model, for deployments in this process of fewer files, with nobody waiting."""
    without_waiting(monkeypatch)
    parts = ("app.py", "requirements.txt", "face_expression/__init__.py", "space/live/files.py", "web/vendor/*.wasm")
    monkeypatch.setattr("space.deploy.space_files._PARTS", parts)
    hub.repositories[MODEL] = model_repository(yunet_weights)
    return hub


def put(hub, model=MODEL, *, space=SPACE, token=WRITER, private=False):
    return deploy(space, model, private=private, api=HfApi(endpoint=hub.endpoint, token=token))


def state(hub):
    """Everything that a deployment may change."""
    space = hub.repositories.get(KEY)
    return space and (dict(space.commits[-1].files), dict(space.variables))


def run(*arguments, cwd=REPOSITORY, **environment):
    """Run Python in a folder, with the packages that it needs imported already, but no module of ours."""
    home = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "HF_HUB_DISABLE_XET": "1"}
    return run_warm(*arguments, modules=APP, cwd=cwd, environment={**home, **environment})


@pytest.fixture(scope="module")
def deployed(yunet_weights, tmp_path_factory):
    """A Hub to which the command deployed; the model has changed since."""
    home = tmp_path_factory.mktemp("home")
    with running_hub({MODEL: model_repository(yunet_weights)}) as server:
        environment = {"HF_ENDPOINT": server.endpoint, "HF_TOKEN": WRITER, "HF_HOME": str(home)}
        result = run("-m", "space.deploy", "--space", SPACE, "--model", f"{MODEL}@main", **environment)
        assert result.returncode == 0, result.stderr
        server.output = result.stdout
        model = server.repositories[MODEL]
        server.commit = model.commits[-1].oid
        model.add("something else", {"README.md": StoredFile(b"gone")})
        yield server


@pytest.fixture(scope="module")
def snapshot(deployed, tmp_path_factory):
    """The Space's files, as the Hub gives them."""
    folder = tmp_path_factory.mktemp("snapshot") / "space"
    code = f"import huggingface_hub as hub; hub.snapshot_download('{SPACE}', repo_type='space', local_dir='{folder}')"
    result = run("-c", code, HF_ENDPOINT=deployed.endpoint)
    assert result.returncode == 0, result.stderr
    return folder


def front_matter(folder):
    return yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---\n")[1])


def test_everything_goes_up_in_one_commit_and_the_address_is_printed(deployed):
    space = deployed.repositories[KEY]
    pinned = f"{MODEL}@{deployed.commit}"
    assert [commit.title for commit in space.commits] == ["initial commit", f"Deploy with {pinned}"]
    assert (space.sdk, space.private, space.variables) == ("gradio", False, {MODEL_VARIABLE: pinned})
    assert deployed.output.splitlines() == [
        f"space: {deployed.endpoint}/{KEY}",
        f"commit: {deployed.endpoint}/{KEY}/commit/{space.commits[-1].oid}",
        f"model: {pinned}",
    ]
    files = space.commits[-1].files
    assert files["web/vendor/ort-wasm-simd-threaded.wasm"].lfs_sha256
    assert {path.split("/")[0] for path in files} == {
        *(".gitattributes", "README.md", "LICENSE", "app.py", "requirements.txt", "requirements.lock"),
        *("docs", "examples", "face_expression", "space", "web"),
    }
    assert {path for path in files if "LICENSE" in path or "Notices" in path} == {
        "LICENSE",
        "web/vendor/fflate.LICENSE",
        "web/vendor/onnxruntime-web.LICENSE",
        "web/vendor/onnxruntime-web.ThirdPartyNotices.txt",
    }
    assert not [path for path in files if "test" in path or "__pycache__" in path or path.endswith(".html")]


def test_the_app_starts_from_what_was_pushed(deployed, snapshot, tmp_path):
    (variable,) = deployed.repositories[KEY].variables.items()
    environment = dict([variable]) | {"HF_ENDPOINT": deployed.endpoint}
    with started(snapshot, tmp_path, ("-c", WITH_PATIENCE), **environment) as (address, page, log):
        in_use = f"model {MODEL}@{deployed.commit} from the Hub, face detector yunet"
        assert in_use in page, log.read_text()
        assert read(f"{address}/live/page.js") == (REPOSITORY / "web" / "live" / "page.js").read_bytes()
        assert read(f"{address}/live/files/wasm").startswith(b"\0asm")
        for name in ("ort", "fflate", "config", "detector", "demo", *GRAPH_NAMES):
            assert len(read(f"{address}/live/files/{name}")) > 500


def test_the_configuration_is_what_the_hub_takes(deployed, snapshot):
    settings = front_matter(snapshot)
    assert settings.keys() <= DOCUMENTED_KEYS and len(settings["short_description"]) <= 60
    requirements = (snapshot / "requirements.txt").read_text().splitlines()
    assert f"gradio=={settings['sdk_version']}" in requirements
    assert settings["sdk"] == "gradio" and settings["license"] == "apache-2.0"
    assert isinstance(settings["python_version"], str) and (snapshot / settings["app_file"]).is_file()
    # A data set that is no repository on the Hub is left out.
    assert (settings["models"], settings["datasets"]) == ([MODEL], ["somebody/expressions"])
    loaded = ["config.json", "model.onnx", "metrics.json", *map(graph_file, GRAPH_NAMES), WEIGHTS]
    assert settings["preload_from_hub"] == [f"{MODEL} {','.join(loaded)} {deployed.commit}"]
    assert settings["thumbnail"] == f"{deployed.endpoint}/{KEY}/resolve/main/docs/live.png"
    assert read(settings["thumbnail"]).startswith(b"\x89PNG")


def test_links_of_its_readme_lead_somewhere(snapshot):
    for target in re.findall(r"\]\(([^)#]+)\)", (snapshot / "README.md").read_text(encoding="utf-8")):
        assert target.startswith("http") or (snapshot / target).exists(), target


PRELOAD = """
import sys
from huggingface_hub import hf_hub_download
for entry in sys.argv[1:]:
    repo_id, names, commit = entry.split()
    for name in names.split(","):
        hf_hub_download(repo_id, name, revision=commit)
"""


def test_what_is_preloaded_is_enough_without_a_network(deployed, snapshot, tmp_path):
    entries = front_matter(snapshot)["preload_from_hub"]
    home = {"HF_HOME": str(tmp_path), "HF_ENDPOINT": deployed.endpoint}
    result = run("-c", PRELOAD, *entries, **home)
    assert result.returncode == 0, result.stderr
    count = len(deployed.requests)
    predict = ["-m", "face_expression", "predict", EXAMPLES / "astronaut.jpg"]
    for offline in ("0", "1"):
        variables = deployed.repositories[KEY].variables
        result = run(*predict, cwd=snapshot, HF_HUB_OFFLINE=offline, **home, **variables)
        assert lines(result)[0]["faces"][0]["confidence"] < 0.3, result.stderr
        assert f"using model {MODEL}@{deployed.commit} from the cache, face detector yunet" in result.stderr
    assert len(deployed.requests) == count


def test_the_same_again_changes_nothing(hub):
    first = put(hub)
    before = state(hub)
    second = put(hub)
    assert first == second and state(hub) == before and len(hub.repositories[KEY].commits) == 2


def test_a_new_model_replaces_files_and_variable_in_one_commit(hub, yunet_weights, monkeypatch):
    put(hub)
    space = hub.repositories[KEY]
    own = space.commits[-1].files | {"space/old.py": StoredFile(b"old"), "packages.txt": StoredFile(b"mine")}
    space.add("by hand", own)
    commit = hub.repositories[MODEL].commits[-1].oid
    hub.repositories[MODEL].add("a better one", model_repository(yunet_weights, temperature=2.0).commits[-1].files)
    newest = put(hub)
    assert newest.model.commit == hub.repositories[MODEL].commits[-1].oid != commit
    assert space.variables == {MODEL_VARIABLE: newest.model.name}
    assert len(space.commits) == 4
    assert space.commits[-1].files.keys() == own.keys() - {"space/old.py"}
    # Back to the older one.
    assert put(hub, f"{MODEL}@{commit}").model.commit == commit
    assert space.variables == {MODEL_VARIABLE: f"{MODEL}@{commit}"}


def test_what_the_app_loads_is_preloaded_and_nothing_else(hub):
    model = put(hub).model
    graphs = ",".join(map(graph_file, GRAPH_NAMES))
    assert model.preload == (f"{MODEL} config.json,model.onnx,metrics.json,{graphs},{WEIGHTS} {model.commit}",)
    files = hub.repositories[MODEL].commits[-1].files
    hub.repositories[MODEL].add("without", {name: file for name, file in files.items() if name != WEIGHTS})
    model = put(hub).model
    assert model.preload == (f"{MODEL} config.json,model.onnx,metrics.json,{graphs} {model.commit}",)


def test_a_private_model_is_not_preloaded(hub, tmp_path):
    hub.repositories[MODEL].private = True
    model = write(SPACE, MODEL, tmp_path / "space", api=HfApi(endpoint=hub.endpoint, token=WRITER))
    assert not model.is_open and "preload_from_hub" not in front_matter(tmp_path / "space")


def test_private_is_private(hub):
    put(hub, private=True)
    assert hub.repositories[KEY].private
    hub.repositories[KEY].private = False
    before = state(hub)
    with pytest.raises(ExpectedError, match="is public"):
        put(hub, private=True)
    assert state(hub) == before


def test_a_folder_instead_holds_the_same(hub, tmp_path):
    folder = tmp_path / "space"
    write(SPACE, MODEL, folder, api=HfApi(endpoint=hub.endpoint))
    assert KEY not in hub.repositories
    put(hub)
    written = {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    pushed = {path: file.content for path, file in hub.repositories[KEY].commits[-1].files.items()}
    assert written == {path: content for path, content in pushed.items() if path != ".gitattributes"}
    with pytest.raises(ExpectedError, match="there is something already"):
        write(SPACE, MODEL, folder, api=HfApi(endpoint=hub.endpoint))


def damaged(hub):
    hub.fault = "corrupt"


def of_another_schema(hub):
    hub.repositories[MODEL] = model_repository(hub.weights, schema_version=3)


def with_labels_that_do_not_fit(hub):
    files = hub.repositories[MODEL].commits[-1].files
    config = json.loads(files["config.json"].content)
    config["label_names"].pop()
    hub.repositories[MODEL].add("other labels", files | {"config.json": StoredFile(json.dumps(config).encode())})


def no_bundle(hub):
    hub.repositories[MODEL].add("something else", {"README.md": StoredFile(b"# A model")})


def another_app(hub):
    api = HfApi(endpoint=hub.endpoint, token=WRITER)
    api.create_repo(SPACE, repo_type="space", space_sdk="gradio")
    hub.repositories[KEY].add("mine", {"app.py": StoredFile(b"print()"), "README.md": StoredFile(b"# Mine")})


def nothing(_):
    pass


@pytest.mark.parametrize(
    ("prepare", "options", "words"),
    [
        (nothing, {"model": f"{OWNER}/nothing"}, f"--model {OWNER}/nothing: there is no such model"),
        (nothing, {"model": f"{MODEL}@v9"}, "has no revision v9"),
        (nothing, {"model": "faces"}, "--model faces: say whose it is"),
        (nothing, {"space": "detector"}, "--space detector: say whose it is"),
        (nothing, {"space": "another/detector"}, "no right to write to another/detector"),
        (nothing, {"token": READER}, "no right to write"),
        (nothing, {"token": "hf_unknown"}, "does not know this token"),
        (no_bundle, {}, "cannot use it: config.json: cannot be read"),
        (with_labels_that_do_not_fit, {}, "cannot use it: model.onnx: gives 7 classes, but there are 6 labels"),
        (of_another_schema, {}, "cannot use it: config.json: schema version 3"),
        (damaged, {}, "cannot use it: model.onnx: sha256 is"),
        (another_app, {}, "exists and is another app.*app.py is in it"),
    ],
)
def test_what_cannot_be_deployed_is_reported_and_changes_nothing(hub, yunet_weights, prepare, options, words):
    hub.weights = yunet_weights
    prepare(hub)
    before = state(hub)
    with pytest.raises(ExpectedError, match=words) as error:
        put(hub, **options)
    assert state(hub) == before and "/tmp" not in str(error.value)


def put_static(hub, model=MODEL):
    return deploy_static(SPACE, model, private=False, api=HfApi(endpoint=hub.endpoint, token=WRITER))


def test_a_static_space_holds_the_live_view_and_the_model(hub, yunet_weights):
    deployed = put_static(hub)
    space = hub.repositories[KEY]
    files = space.commits[-1].files
    assert (space.sdk, space.variables, len(space.commits)) == ("static", {}, 2)
    assert {"index.html", "service_worker.js", "manifest.webmanifest", "engine.js", "licences.txt"} <= files.keys()
    assert not [path for path in files if path.endswith((".py", ".md")) and path != "README.md"]
    settings = yaml.safe_load(files["README.md"].content.decode().split("---\n")[1])
    assert settings.keys() <= DOCUMENTED_KEYS and (settings["sdk"], settings["app_file"]) == ("static", "index.html")
    assert settings["models"] == [MODEL] and deployed.model.name in files["index.html"].content.decode()
    (config,) = (content for path, content in files.items() if path.endswith("/config.json.gz"))
    assert json.loads(gzip.decompress(config.content))["face_expression"]["temperature"] == 50.0
    # What an older page was made of goes with the next deployment.
    hub.repositories[MODEL].add("a better one", model_repository(yunet_weights, temperature=2.0).commits[-1].files)
    put_static(hub)
    newer = hub.repositories[KEY].commits[-1].files
    assert len(newer) == len(files) and len([path for path in newer if path.endswith("/config.json.gz")]) == 1


def test_neither_kind_of_space_replaces_the_other(hub):
    put_static(hub)
    with pytest.raises(ExpectedError, match="exists and is another app"):
        put(hub)
    del hub.repositories[KEY]
    put(hub)
    with pytest.raises(ExpectedError, match="exists and is another app"):
        put_static(hub)


def test_a_missing_token_asks_to_log_in(hub, tmp_path, monkeypatch):
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    result = CliRunner().invoke(app, ["--space", SPACE, "--model", MODEL])
    assert result.exit_code == 1 and "hf auth login" in str(result.output)


def test_missing_web_files_are_reported(hub, tmp_path, monkeypatch):
    folder = tmp_path / "house"
    write(SPACE, MODEL, folder, api=HfApi(endpoint=hub.endpoint))
    (folder / "web" / "vendor" / "ort-wasm-simd-threaded.wasm").unlink()
    monkeypatch.setattr("space.deploy.space_files.HOUSE", folder)
    with pytest.raises(ExpectedError, match="run `make web`"):
        put(hub)
    assert KEY not in hub.repositories


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        ("unavailable", 4),
        ("rate limited", 2),
        ("commit unavailable", 3),
        ("cut upload", 1),
        ("cut download", 1),
        ("cut commit", 1),
        ("corrupt", 1),
    ],
)
def test_trouble_that_passes_ends_in_one_complete_commit(hub, fault, times):
    hub.fault, hub.faults_left = fault, times
    deployed = put(hub)
    space = hub.repositories[KEY]
    assert hub.faults_left == 0 and len(space.commits) == 2
    assert deployed.published.commit.endswith(space.commits[-1].oid)
    assert space.variables == {MODEL_VARIABLE: deployed.model.name}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("commit unavailable", "busy or out of reach"),
        ("cut upload", "busy or out of reach"),
        ("corrupt upload", "gives other bytes than were sent for"),
        ("overtaken", "changed by somebody else"),
    ],
)
@pytest.mark.parametrize("new", [True, False])
def test_trouble_that_stays_leaves_the_space_as_it_was(hub, yunet_weights, monkeypatch, fault, words, new):
    before = ({".gitattributes": StoredFile(b"*.onnx filter=lfs\n")}, {})
    if not new:
        put(hub)
        before = state(hub)
        hub.repositories[MODEL].add("a better one", model_repository(yunet_weights, temperature=2.0).commits[-1].files)
        monkeypatch.setattr("space.deploy.space_files._PARTS", ("face_expression/bundle/model.onnx",))
    hub.fault = fault
    with pytest.raises(ExpectedError, match=words):
        put(hub)
    files, variables = state(hub)
    files.pop("notes.txt", None)
    assert (files, variables) == before
    if fault in ("commit unavailable", "cut upload"):
        hub.fault = None
        assert put(hub).model.name in hub.repositories[KEY].variables.values()
