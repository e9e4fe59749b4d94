"""Bundles and detector weights, Hub -> cache -> what is embedded; only this core file and push.py touch the network.

No question to the Hub waits longer than `DEADLINE_S`; no network or weights are used before their sha256 is checked.
"""

import hashlib
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import huggingface_hub
from huggingface_hub.errors import EntryNotFoundError
from huggingface_hub.utils import logging as client_logging

from face_expression.config import BundleConfig, BundleError, WeightFile, YuNetSettings, read_bundle_config

log = logging.getLogger(__name__)
Found = TypeVar("Found")

EMBEDDED_BUNDLE = Path(__file__).parent / "bundle"
MODEL_VARIABLE = "FACE_EXPRESSION_MODEL"
DETECTOR_VARIABLE = "FACE_EXPRESSION_DETECTOR"
DEADLINE_S = 5.0
RETRY_PAUSE_S = 0.5
_BUNDLE_FILES = ["config.json", "model.onnx", "metrics.json"]


class DamagedError(BundleError):
    """A file whose bytes are not the ones that were published."""


@dataclass(frozen=True)
class Bundle:
    """A checked bundle on disk; `source` says in plain words where it came from."""

    folder: Path
    config: BundleConfig
    source: str

    @property
    def model(self) -> Path:
        """The network's file."""
        return self.folder / "model.onnx"


def open_bundle(folder: Path, source: str) -> Bundle:
    """Read a bundle and check that its network is the one its configuration was written for.

    Raises:
        BundleError: if a file is missing, does not fit the schema, or the sha256 differs.
    """
    bundle = Bundle(folder, read_bundle_config(folder / "config.json"), source)
    if not bundle.model.is_file():
        raise BundleError(f"{bundle.model}: missing")
    if (found := sha256_of(bundle.model)) != bundle.config.model_sha256:
        raise DamagedError(f"{bundle.model}: sha256 is {found}, config.json says {bundle.config.model_sha256}")
    return bundle


def candidate_bundles(model: str) -> Iterator[Bundle]:
    """Where a bundle may be had, best first: a folder, or the Hub and then the cached copy.

    A candidate that cannot be used is logged and left out.

    Args:
        model: a folder, "user/repo" or "user/repo@revision".
    """
    for source, find in _ways_to_find(model):
        try:
            yield find()
        except BundleError as error:
            log.warning("the model %s cannot be used: %s", source, error)


def _ways_to_find(model: str) -> list[tuple[str, Callable[[], Bundle]]]:
    if Path(model).is_dir():
        source = f"from the folder {model}"
        return [(source, lambda: open_bundle(Path(model), source))]
    repo_id, _, revision = model.partition("@")
    from_hub, from_cache = f"{model} from the Hub", f"{model} from the cache"

    def download(source: str, **options) -> Bundle:
        folder = huggingface_hub.snapshot_download(
            repo_id, revision=revision or None, allow_patterns=_BUNDLE_FILES, **options
        )
        return open_bundle(Path(folder), source)

    def download_undamaged() -> Bundle:
        try:
            return download(from_hub)
        except DamagedError:
            return download(from_hub, force_download=True)

    return [
        (from_hub, lambda: _within_deadline(download_undamaged)),
        (from_cache, lambda: _within_deadline(lambda: download(from_cache, local_files_only=True))),
    ]


def find_yunet_weights(settings: YuNetSettings) -> Path | None:
    """YuNet's weights: the file that FACE_EXPRESSION_DETECTOR names, a cached one, or one from the Hub.

    Returns:
        A file, or None if there is none to be had; why is logged.

    Raises:
        BundleError: if FACE_EXPRESSION_DETECTOR names no file.
    """
    if chosen := os.environ.get(DETECTOR_VARIABLE):
        if not Path(chosen).is_file():
            raise BundleError(f"{DETECTOR_VARIABLE}={chosen}: no such file")
        return Path(chosen)
    for file in settings.files:
        if _is_cached(settings.repo_id, file):
            return Path(huggingface_hub.try_to_load_from_cache(settings.repo_id, file.name))
    try:
        return _within_deadline(lambda: _download_first(settings.repo_id, settings.files))
    except BundleError as error:
        log.warning("YuNet's weights cannot be had from %s: %s", settings.repo_id, error)
        return None


def _is_cached(repo_id: str, file: WeightFile) -> bool:
    cached = huggingface_hub.try_to_load_from_cache(repo_id, file.name)
    return isinstance(cached, str) and sha256_of(Path(cached)) == file.sha256


def _download_first(repo_id: str, files: tuple[WeightFile, ...]) -> Path:
    for file in files:
        try:
            # What is in the cache was looked at before and is missing or damaged.
            damaged = isinstance(huggingface_hub.try_to_load_from_cache(repo_id, file.name), str)
            path = Path(huggingface_hub.hf_hub_download(repo_id, file.name, force_download=damaged))
        except EntryNotFoundError:
            continue
        if sha256_of(path) == file.sha256:
            return path
        log.warning("%s from %s has an unexpected sha256 and is not used", file.name, repo_id)
    raise BundleError(f"none of {[file.name for file in files]} is there with the sha256 we know")


def silence_client() -> None:
    """Keep the Hub's client from logging each of its own attempts."""
    client_logging.set_verbosity_error()


def _within_deadline(find: Callable[[], Found]) -> Found:
    """Run `find` in a thread for at most DEADLINE_S; whatever goes wrong becomes a BundleError.

    While the Hub says that it is busy, `find` is tried again. A download that takes longer than the deadline goes on in
    the background and is in the cache at the next start.
    """
    answers: queue.Queue = queue.Queue()
    deadline = time.monotonic() + DEADLINE_S

    def work() -> None:
        while True:
            try:
                return answers.put(find())
            except BundleError as error:
                return answers.put(error)
            except Exception as error:  # the Hub's client raises many kinds; each means "not to be had", and is told
                if not _may_pass(error) or time.monotonic() + RETRY_PAUSE_S > deadline:
                    return answers.put(BundleError(_in_one_line(error)))
            time.sleep(RETRY_PAUSE_S)

    threading.Thread(target=work, daemon=True).start()
    try:
        answer = answers.get(timeout=DEADLINE_S)
    except queue.Empty:
        raise BundleError(f"no answer within {DEADLINE_S:g} s") from None
    if isinstance(answer, BundleError):
        raise answer
    return answer


def _may_pass(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is the Hub saying that it is busy."""
    while error is not None:
        response = getattr(error, "response", None)
        if response is not None and (response.status_code == 429 or response.status_code >= 500):
            return True
        error = error.__cause__ or error.__context__
    return False


def _in_one_line(error: BaseException) -> str:
    """An error with what lay at its root, as the Hub's client wraps a refused connection many times."""
    root = error
    while cause := root.__cause__ or root.__context__:
        root = cause
    first_line = next(iter(str(root).splitlines()), "")
    return f"{type(error).__name__} ({type(root).__name__}: {first_line})"


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
