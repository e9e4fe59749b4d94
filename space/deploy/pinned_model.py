"""A model on the Hub, at one commit, checked as the Space will use it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, ModelInfo
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

from face_expression.errors import BundleError, DataError
from face_expression.hub.download import BUNDLE_FILES, DamagedError, open_bundle
from face_expression.hub.upload import Repository, check_repo_id
from face_expression.model.classifier import Classifier
from face_expression.model.config import BundleConfig


@dataclass(frozen=True)
class PinnedModel:
    """A model at one commit.

    `datasets` are those on the Hub that its card names; `preload` the files that the app loads, as a Space's
    `preload_from_hub` takes them; `is_open` says whether everybody may read it.
    """

    repo_id: str
    commit: str
    datasets: tuple[str, ...]
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
        DataError: if there is no such model or revision, or it is no bundle that this program can use.
    """
    repo_id, _, revision = model.partition("@")
    check_repo_id(repo_id, option="--model")
    hub = Repository(repo_id, api, pauses_s=pauses_s)
    try:
        info = hub.patiently(lambda: api.model_info(repo_id, revision=revision or None))
    except RevisionNotFoundError as error:
        raise DataError(f"--model {model}: {repo_id} has no revision {revision}") from error
    except RepositoryNotFoundError as error:
        raise DataError(f"--model {model}: there is no such model on {api.endpoint}, or you may not see it") from error

    def download(*, force: bool) -> BundleConfig:
        hub.patiently(
            lambda: api.snapshot_download(
                repo_id,
                revision=info.sha,
                allow_patterns=list(BUNDLE_FILES),
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
        raise DataError(f"--model {model}: this program cannot use it: {why}") from error
    names = {sibling.rfilename for sibling in info.siblings or []}
    weights = [file.name for file in config.preprocessing.yunet.files if file.name in names]
    loaded = [name for name in BUNDLE_FILES if name in names] + weights
    return PinnedModel(
        repo_id,
        str(info.sha),
        datasets=_named_datasets(info),
        preload=(f"{repo_id} {','.join(loaded)} {info.sha}",),
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
