"""Files -> a repository on the Hub: one commit, tried again while the Hub is busy, read back afterwards.

Every attempt looks first whether an earlier one arrived although its answer was lost, so that nothing is committed
twice. If the Hub has other bytes than were sent, the earlier state is put back; what a download gives is only taken if
it has the hash that the Hub made of it.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypeVar, cast

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    DatasetInfo,
    HfApi,
    ModelInfo,
    RepoFile,
    SpaceInfo,
    constants,
)
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import get_session, validate_repo_id
from huggingface_hub.utils.sha import git_hash

from face_expression.errors import ExpectedError, HubError
from face_expression.hub.errors import http_status, in_one_line, may_pass
from face_expression.io.files import sha256_of

log = logging.getLogger(__name__)
Done = TypeVar("Done")
RepositoryInfo = ModelInfo | DatasetInfo | SpaceInfo

PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0)
_ANSWER_S = 120.0
_CONFLICT = 412
# A download may be damaged on its way; so often it is tried.
_READS = 3


@dataclass(frozen=True)
class Published:
    """Addresses of the repository and of the commit."""

    repository: str
    commit: str


@dataclass(frozen=True)
class Repository:
    """A repository that we write to.

    `repo_id` is "user/name"; `api` is the Hub, and who we are there; `pauses_s` says how long to wait before each
    further attempt while the Hub is busy or the connection breaks. Files of more than `read_back_bytes` are not
    downloaded to be checked: there the Hub's own word on their sha256 is taken. `space_sdk` is that of a new Space.
    """

    repo_id: str
    api: HfApi
    repo_type: Literal["model", "dataset", "space"] = "model"
    pauses_s: tuple[float, ...] = PAUSES_S
    read_back_bytes: int = 100_000_000
    space_sdk: Literal["gradio", "static"] = "gradio"

    @property
    def url(self) -> str:
        """Its page on the Hub."""
        return f"{self.api.endpoint}/{constants.REPO_TYPES_URL_PREFIXES.get(self.repo_type, '')}{self.repo_id}"

    def check_login(self) -> None:
        """Ask the Hub who we are; its client raises if it does not know."""
        self.patiently(self.api.whoami)

    def ready(self, *, private: bool, gated: bool = False) -> RepositoryInfo:
        """Find the repository, or make it if it does not exist.

        Args:
            private: make a new repository private.
            gated: have a person decide who may download, unless the repository asks for something already.

        Returns:
            What is there, for `push`.

        Raises:
            HubError: if the repository is public but should be private.
        """
        found = self.patiently(lambda: self._find_or_make(private=private))
        if private and not found.private:
            raise HubError(f"{self.url} exists and is public; make it private in its settings, or choose another name")
        if gated and not found.gated:
            self.patiently(
                lambda: self.api.update_repo_settings(self.repo_id, gated="manual", repo_type=self.repo_type)
            )
        return found

    def push(
        self, files: dict[str, Path], before: RepositoryInfo, *, message: str, is_outdated: Callable[[str], bool]
    ) -> Published:
        """Send files in one commit, and check what is there.

        Args:
            files: what to send, by the path in the repository.
            before: as `ready` found the repository.
            message: of the commit.
            is_outdated: says of a path whether it is deleted in the same commit; what is sent never is.

        Raises:
            HubError: if the repository gives other bytes than were sent.
        """
        commit = self.patiently(lambda: self._commit_once(files, before, message, is_outdated))
        # Asked twice, as a download may be damaged on its way too.
        damaged = self._differing(files, commit) and self._differing(files, commit)
        if damaged and commit == before.sha:
            raise HubError(
                f"{self.url} has the right files, but gives other bytes for {', '.join(damaged)}; delete them"
            )
        if damaged:
            raise HubError(
                f"{self.url} gives other bytes than were sent for {', '.join(damaged)}; "
                f"{self._put_back(files, before, commit)}. Run the same command again; if this goes on, choose another "
                "name"
            )
        return Published(repository=self.url, commit=f"{self.url}/commit/{commit}")

    def info(self) -> RepositoryInfo:
        """What the Hub tells about the newest state."""
        return cast("RepositoryInfo", self.api.repo_info(self.repo_id, repo_type=self.repo_type))

    def patiently(self, act: Callable[[], Done]) -> Done:
        """Do something on the Hub, again after each pause while the Hub is busy or the connection breaks."""
        for pause_s in self.pauses_s:
            try:
                return act()
            except ExpectedError:
                raise
            except Exception as error:  # the client wraps some of its errors in RuntimeError
                if not may_pass(error):
                    raise
                log.warning("the Hub is busy or out of reach (%s); trying again in %g s", in_one_line(error), pause_s)
            time.sleep(pause_s)
        return act()

    def _find_or_make(self, *, private: bool) -> RepositoryInfo:
        try:
            return self.info()
        except RepositoryNotFoundError:
            self.api.create_repo(
                self.repo_id,
                private=private,
                exist_ok=True,
                repo_type=self.repo_type,
                space_sdk=self.space_sdk if self.repo_type == "space" else None,
            )
            return self.info()

    def _commit_once(
        self, files: dict[str, Path], before: RepositoryInfo, message: str, is_outdated: Callable[[str], bool]
    ) -> str:
        if arrived := self._arrived(files, before):
            return arrived
        outdated = [path for path in _paths(before) if path not in files and is_outdated(path)]
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            CommitOperationAdd(path_in_repo=path, path_or_fileobj=file) for path, file in files.items()
        ]
        operations += [CommitOperationDelete(path_in_repo=path) for path in outdated]
        try:
            commit = self.api.create_commit(
                self.repo_id, operations, commit_message=message, parent_commit=before.sha, repo_type=self.repo_type
            )
        except HfHubHTTPError as error:
            if error.response.status_code == _CONFLICT and (arrived := self._arrived(files, before)):
                return arrived
            raise
        return commit.oid

    def _arrived(self, files: dict[str, Path], before: RepositoryInfo) -> str | None:
        """The newest commit, if it is a newer one than `before` and holds the files."""
        head = self.info().sha
        return head if head and head != before.sha and not self._differing(files, head) else None

    def _differing(self, files: dict[str, Path], commit: str) -> list[str]:
        """Paths of the files that the Hub has not, or has with other bytes than were sent."""

        there = self._hashes(list(files), commit)
        return [path for path, file in files.items() if path not in there or not self._is(there[path], file, commit)]

    def _is(self, there: RepoFile, file: Path, commit: str) -> bool:
        """Whether the Hub has a file: by the hash that it makes of a small one, and by the bytes of a large one."""
        if there.lfs is None:
            if same := there.blob_id == git_hash(file.read_bytes()):
                self._try_to_read(there, commit)
            return same
        sha256 = sha256_of(file)
        if there.lfs.sha256 != sha256:
            return False
        return there.size > self.read_back_bytes or hashlib.sha256(self._read(there.path, commit)).hexdigest() == sha256

    def _hashes(self, paths: list[str], commit: str) -> dict[str, RepoFile]:
        def ask() -> list[RepoFile]:
            there = self.api.get_paths_info(self.repo_id, paths, revision=commit, repo_type=self.repo_type)
            return [found for found in there if isinstance(found, RepoFile)]

        return {found.path: found for found in self.patiently(ask)}

    def _read(self, path: str, commit: str) -> bytes:
        with TemporaryDirectory() as folder:

            def download() -> str:
                return self.api.hf_hub_download(
                    self.repo_id, path, revision=commit, local_dir=folder, force_download=True, repo_type=self.repo_type
                )

            return Path(self.patiently(download)).read_bytes()

    def _put_back(self, files: dict[str, Path], before: RepositoryInfo, commit: str) -> str:
        """Put back what was there before a commit, as far as it is certain what that was.

        Returns:
            What is there now.
        """
        try:
            # The Hub names the commit of every state.
            earlier, now = self._hashes(_paths(before), str(before.sha)), self._hashes(list(files), commit)
            operations: list[CommitOperationAdd | CommitOperationCopy | CommitOperationDelete] = [
                self._earlier(found, str(before.sha))
                for path, found in earlier.items()
                if path not in now or _hash(now[path]) != _hash(found)
            ]
            operations += [CommitOperationDelete(path_in_repo=path) for path in now if path not in earlier]
            done = self.patiently(
                lambda: self.api.create_commit(
                    self.repo_id,
                    operations,
                    commit_message="Put back what was there before",
                    parent_commit=commit,
                    repo_type=self.repo_type,
                )
            )
            there = self._hashes(_paths(before), done.oid)
        except Exception as error:  # whatever it is, the state that was sent is what is there
            log.warning("what was there before could not be put back (%s)", in_one_line(error))
            return f"the new state is there, with these bytes; what was there before is commit {before.sha}"
        other = [path for path, found in earlier.items() if path not in there or _hash(there[path]) != _hash(found)]
        if other:
            return f"{', '.join(other)} could not be put back; what was there before is commit {before.sha}"
        return "what was there before has been put back"

    def _earlier(self, file: RepoFile, commit: str) -> CommitOperationAdd | CommitOperationCopy:
        """A file as it was: the Hub copies a large one itself; a small one has to be read, and may be damaged then."""
        if file.lfs is not None:
            return CommitOperationCopy(src_path_in_repo=file.path, path_in_repo=file.path, src_revision=commit)
        content = self._try_to_read(file, commit)
        if content is None:
            raise OSError(f"{file.path} arrives damaged")
        return CommitOperationAdd(path_in_repo=file.path, path_or_fileobj=content)

    def _try_to_read(self, file: RepoFile, commit: str) -> bytes | None:
        """A small file with the hash that the Hub made of it; None if every download is damaged."""
        for _ in range(_READS):
            content = self._read(file.path, commit)
            if git_hash(content) == file.blob_id:
                return content
        log.warning("%s has the right %s, but each download of it arrives damaged", self.url, file.path)
        return None


def check_repo_id(repo_id: str, *, option: str = "--repo") -> None:
    """Check that a name, given by an option of the command line, is one of a repository with its owner.

    Raises:
        HubError: with what is wrong.
    """
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise HubError(f"{option} {repo_id}: {error}") from error
    if "/" not in repo_id:
        raise HubError(f"{option} {repo_id}: say whose it is, as USER/NAME")


@contextmanager
def over_plain_http() -> Generator[None]:
    """No xet, whose uploads do not fall back to anything else, and no waiting for ever for an answer."""
    with_xet, timeout = constants.HF_HUB_DISABLE_XET, get_session().timeout
    constants.HF_HUB_DISABLE_XET, get_session().timeout = True, _ANSWER_S
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_XET, get_session().timeout = with_xet, timeout


@contextmanager
def raises_hub_error(repository: Repository) -> Generator[None]:
    """Turn what the Hub's client raises into HubError with what to do."""
    try:
        yield
    except ExpectedError:
        raise
    except LocalTokenNotFoundError as error:
        raise HubError(
            "not logged in to the Hub: run `hf auth login`, or set HF_TOKEN to a token with the right to write"
        ) from error
    except OfflineModeIsEnabled as error:
        raise HubError("HF_HUB_OFFLINE is set; unset it to publish") from error
    except Exception as error:  # what does not come from the Hub is raised as it is
        if http_status(error) is None and not may_pass(error):
            raise
        raise HubError(_explanation(error, repository)) from error


def _explanation(error: Exception, repository: Repository) -> str:
    repo_id, endpoint = repository.repo_id, repository.api.endpoint
    reasons = {
        401: "the Hub does not know this token: run `hf auth login` again, or set HF_TOKEN to a valid token",
        403: f"this token has no right to write to {repo_id}: use one that has, or a repository of your own",
        _CONFLICT: f"{repo_id} was changed by somebody else at the same time; run the same command again",
    }
    if may_pass(error):
        return (
            f"{endpoint} is busy or out of reach ({in_one_line(error)}). {repo_id} has either its old state or the "
            "whole new one; run the same command again later"
        )
    return reasons.get(http_status(error), in_one_line(error))


def _hash(file: RepoFile) -> str:
    """What the Hub says of a file's bytes."""
    return file.lfs.sha256 if file.lfs is not None else file.blob_id


def _paths(info: RepositoryInfo) -> list[str]:
    return [sibling.rfilename for sibling in info.siblings or []]
