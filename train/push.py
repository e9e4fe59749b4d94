"""Files -> a repository on the Hub: one commit, tried again while the Hub is busy, read back afterwards.

Every attempt looks first whether an earlier one arrived although its answer was lost, so that nothing is committed
twice. If the Hub has other bytes than were sent, the earlier state is put back.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi, ModelInfo, constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HTTPError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import get_session

from face_expression.hub import sha256_of

log = logging.getLogger(__name__)
Done = TypeVar("Done")

PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0)
_ANSWER_S = 120.0
_CONFLICT = 412


@dataclass(frozen=True)
class Published:
    """Addresses of the repository and of the commit."""

    repository: str
    commit: str


@dataclass(frozen=True)
class ModelRepository:
    """A model repository that we write to.

    `repo_id` is "user/name"; `api` is the Hub, and who we are there; `pauses_s` says how long to wait before each
    further attempt while the Hub is busy or the connection breaks.
    """

    repo_id: str
    api: HfApi
    pauses_s: tuple[float, ...] = PAUSES_S

    def push(self, files: list[Path], *, message: str, private: bool, outdated: tuple[str, ...]) -> Published:
        """Make the repository if it does not exist, send files in one commit, and check what is there.

        Args:
            files: what to send; each lies at the top of the repository under its own name.
            message: of the commit.
            private: make a new repository private.
            outdated: names to delete in the same commit, where they are there.

        Raises:
            SystemExit: if the repository is public but should be private, or gives other bytes than were sent.
        """
        url = f"{self.api.endpoint}/{self.repo_id}"
        before = self._patiently(lambda: self._find_or_make(private=private))
        if private and not before.private:
            raise SystemExit(f"{url} exists and is public; make it private in its settings, or choose another name")
        commit = self._patiently(lambda: self._commit_once(files, before, message, outdated))
        # Asked twice, as a download may be damaged on its way too.
        damaged = self._differing(files, commit) and self._differing(files, commit)
        if damaged and commit == before.sha:
            raise SystemExit(f"{url} has the right files, but gives other bytes for {', '.join(damaged)}; delete them")
        if damaged:
            self._patiently(lambda: self._put_back(files, before, commit))
            raise SystemExit(
                f"{url} gives other bytes than were sent for {', '.join(damaged)}; what was there before has been put "
                "back. Run the same command again; if this goes on, choose another name"
            )
        return Published(repository=url, commit=f"{url}/commit/{commit}")

    def check_login(self) -> None:
        """Ask the Hub who we are; its client raises if it does not know."""
        self._patiently(self.api.whoami)

    def _find_or_make(self, *, private: bool) -> ModelInfo:
        try:
            return self.api.model_info(self.repo_id)
        except RepositoryNotFoundError:
            self.api.create_repo(self.repo_id, private=private, exist_ok=True)
            return self.api.model_info(self.repo_id)

    def _commit_once(self, files: list[Path], before: ModelInfo, message: str, outdated: tuple[str, ...]) -> str:
        if arrived := self._arrived(files, before):
            return arrived
        operations = [CommitOperationAdd(path_in_repo=file.name, path_or_fileobj=file) for file in files]
        operations += [CommitOperationDelete(path_in_repo=name) for name in _names(before) if name in outdated]
        try:
            commit = self.api.create_commit(self.repo_id, operations, commit_message=message, parent_commit=before.sha)
        except HfHubHTTPError as error:
            if error.response.status_code == _CONFLICT and (arrived := self._arrived(files, before)):
                return arrived
            raise
        return commit.oid

    def _arrived(self, files: list[Path], before: ModelInfo) -> str | None:
        """The newest commit, if it is a newer one than `before` and holds the files."""
        head = self.api.model_info(self.repo_id).sha
        return head if head != before.sha and not self._differing(files, head) else None

    def _differing(self, files: list[Path], commit: str) -> list[str]:
        """Names of the files whose bytes, downloaded again, are not those that were sent."""
        with TemporaryDirectory() as folder:
            return [file.name for file in files if self._download(file.name, commit, folder) != sha256_of(file)]

    def _download(self, name: str, commit: str, folder: str) -> str | None:
        """The sha256 of a file as the Hub gives it, or None if it is not there."""

        def download() -> str:
            return self.api.hf_hub_download(self.repo_id, name, revision=commit, local_dir=folder, force_download=True)

        try:
            return sha256_of(Path(self._patiently(download)))
        except EntryNotFoundError:
            return None

    def _put_back(self, files: list[Path], before: ModelInfo, commit: str) -> None:
        earlier = _names(before)
        operations = [
            CommitOperationCopy(src_path_in_repo=name, path_in_repo=name, src_revision=before.sha) for name in earlier
        ]
        operations += [CommitOperationDelete(path_in_repo=file.name) for file in files if file.name not in earlier]
        self.api.create_commit(
            self.repo_id, operations, commit_message="Put back what was there before", parent_commit=commit
        )

    def _patiently(self, act: Callable[[], Done]) -> Done:
        """Do something on the Hub, again after each pause while the Hub is busy or the connection breaks."""
        for pause_s in self.pauses_s:
            try:
                return act()
            except Exception as error:  # the client wraps some of its errors in RuntimeError
                if not _may_pass(error):
                    raise
                log.warning("the Hub is busy or out of reach (%s); trying again in %g s", _in_one_line(error), pause_s)
            time.sleep(pause_s)
        return act()


@contextmanager
def over_plain_http() -> Iterator[None]:
    """No xet, whose uploads do not fall back to anything else, and no waiting for ever for an answer."""
    with_xet, timeout = constants.HF_HUB_DISABLE_XET, get_session().timeout
    constants.HF_HUB_DISABLE_XET, get_session().timeout = True, _ANSWER_S
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_XET, get_session().timeout = with_xet, timeout


@contextmanager
def told_in_a_sentence(repository: ModelRepository) -> Iterator[None]:
    """Turn what the Hub's client raises into SystemExit with what to do."""
    try:
        yield
    except LocalTokenNotFoundError as error:
        raise SystemExit(
            "not logged in to the Hub: run `hf auth login`, or set HF_TOKEN to a token with the right to write"
        ) from error
    except OfflineModeIsEnabled as error:
        raise SystemExit("HF_HUB_OFFLINE is set; unset it to publish") from error
    except Exception as error:  # what does not come from the Hub is raised as it is
        if _status(error) is None and not _may_pass(error):
            raise
        raise SystemExit(_explanation(error, repository)) from error


def _explanation(error: Exception, repository: ModelRepository) -> str:
    repo_id, endpoint = repository.repo_id, repository.api.endpoint
    reasons = {
        401: "the Hub does not know this token: run `hf auth login` again, or set HF_TOKEN to a valid token",
        403: f"this token has no right to write to {repo_id}: use one that has, or a repository of your own",
        _CONFLICT: f"{repo_id} was changed by somebody else at the same time; run the same command again",
    }
    if _may_pass(error):
        return (
            f"{endpoint} is busy or out of reach ({_in_one_line(error)}). Nothing is half-written in {repo_id}; run "
            "the same command again later"
        )
    return reasons.get(_status(error), _in_one_line(error))


def _names(info: ModelInfo) -> list[str]:
    return [sibling.rfilename for sibling in info.siblings or []]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _status(error: BaseException) -> int | None:
    """The HTTP status that an error, or what caused it, stands for."""
    responses = (getattr(cause, "response", None) for cause in _causes(error))
    return next((response.status_code for response in responses if response is not None), None)


def _may_pass(error: BaseException) -> bool:
    status = _status(error)
    if status is None:
        return any(isinstance(cause, HTTPError) for cause in _causes(error))
    return status in (408, 429) or status >= 500


def _in_one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
