"""A model on the Hub, at one commit, checked as the Space will use it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, ModelInfo
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

from face_expression.classifier import Classifier
from face_expression.config import BundleConfig, BundleError, YuNetSettings
from face_expression.hub import BUNDLE_FILES, DamagedError, open_bundle
from face_expression.push import Repository, check_repo_id

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PinnedModel:
    """A model at one commit.

    `datasets` are those on the Hub that its card names; `used` are the repositories whose files the app loads, and
    `preload` those files, as a Space's `preload_from_hub` takes them; `is_open` says whether everybody may read it.
    """

    repo_id: str
    commit: str
    datasets: tuple[str, ...]
    used: tuple[str, ...]
    preload: tuple[str, ...]
    is_open: bool

    @property
    def name(self) -> str:
        """As FACE_EXPRESSION_MODEL names it."""
        return f"{self.repo_id}@{self.commit}"


def pin_model(model: str, folder: Path, *, api: HfApi, pauses_s: tuple[float, ...]) -> PinnedModel:
    """Find a model's commit, and check that this program can use what is there.

    Args:
        model: "user/name", or "user/name@revision" with a branch, tag or commit.
        folder: an empty one, to download into.
        api: the Hub, and who we are there.
        pauses_s: how long to wait before each further attempt while the Hub is busy or the connection breaks.

    Raises:
        SystemExit: if there is no such model or revision, or it is no bundle that this program can use.
    """
    repo_id, _, revision = model.partition("@")
    check_repo_id(repo_id, option="--model")
    hub = Repository(repo_id, api, pauses_s=pauses_s)
    try:
        info = hub.patiently(lambda: api.model_info(repo_id, revision=revision or None))
    except RevisionNotFoundError as error:
        raise SystemExit(f"--model {model}: {repo_id} has no revision {revision}") from error
    except RepositoryNotFoundError as error:
        raise SystemExit(f"--model {model}: there is no such model on {api.endpoint}, or you may not see it") from error

    def download(*, force: bool) -> BundleConfig:
        hub.patiently(
            lambda: api.snapshot_download(
                repo_id,
                revision=info.sha,
                allow_patterns=BUNDLE_FILES,
                local_dir=folder,
                force_download=force,
            )
        )
        bundle = open_bundle(folder, model)
        Classifier(bundle.model, bundle.config)
        return bundle.config

    try:
        config = _again_if_damaged(download)
    except BundleError as error:
        why = str(error).replace(f"{folder}/", "")
        raise SystemExit(f"--model {model}: this program cannot use it: {why}") from error
    weights = _detector_weights(config.preprocessing.yunet, info, hub)
    return PinnedModel(
        repo_id,
        info.sha,
        datasets=_named_datasets(info),
        used=tuple(dict.fromkeys([repo_id, *(used for used, _, _ in weights)])),
        preload=_preload([*((repo_id, name, info.sha) for name in BUNDLE_FILES), *weights]),
        is_open=not info.private and not info.gated,
    )


def _again_if_damaged(download: Callable[..., BundleConfig]) -> BundleConfig:
    try:
        return download(force=False)
    except DamagedError:
        return download(force=True)


def _named_datasets(model: ModelInfo) -> tuple[str, ...]:
    named = (model.card_data.datasets if model.card_data else None) or []
    # A model that was trained on a folder names the folder.
    return tuple(name for name in ([named] if isinstance(named, str) else named) if "/" in name)


def _detector_weights(settings: YuNetSettings, model: ModelInfo, hub: Repository) -> list[tuple[str, str, str]]:
    """Repository, file and commit of YuNet's weights; none if they are not there, which is logged."""
    try:
        info = model if settings.repo_id == hub.repo_id else hub.patiently(lambda: hub.api.model_info(settings.repo_id))
    except RepositoryNotFoundError:
        info = None
    there = {sibling.rfilename for sibling in (info.siblings or [] if info else [])}
    for file in settings.files:
        if file.name in there:
            return [(settings.repo_id, file.name, info.sha)]
    log.warning(
        "%s has no YuNet weights that this model knows; the Space will look for faces without", settings.repo_id
    )
    return []


def _preload(files: list[tuple[str, str, str]]) -> tuple[str, ...]:
    of_repository: dict[tuple[str, str], list[str]] = {}
    for repo_id, name, commit in files:
        of_repository.setdefault((repo_id, commit), []).append(name)
    return tuple(f"{repo_id} {','.join(names)} {commit}" for (repo_id, commit), names in of_repository.items())
