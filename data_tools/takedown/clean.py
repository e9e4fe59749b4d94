"""After a takedown: published data sets are written again without the rows, and the Hub forgets that it had them.

On the Hub that takes three steps: one commit with the rows that are left; all of history squashed into it; and the
large files that are in no commit any more deleted, since the Hub would keep serving them to anyone with their sha256.
"""

from pathlib import Path

from huggingface_hub import HfApi, RepoFile
from huggingface_hub.errors import RepositoryNotFoundError

from data_tools.dataset.publish import require_ours, send, write_all
from data_tools.dataset.published import forget_published, published
from data_tools.settings import PublishSettings
from data_tools.takedown.step import note_clean, places_to_clean
from data_tools.work.manifest import Manifest
from face_expression.errors import DataError, ExpectedError
from face_expression.hub.upload import PAUSES_S, Repository, over_plain_http, raises_hub_error
from face_expression.io.files import bring_back, fresh_draft, replacing_folder


def clean_published(
    manifest: Manifest, *, api: HfApi, gone: tuple[str, ...] = (), pauses_s: tuple[float, ...] = PAUSES_S
) -> list[str]:
    """Write every published data set that must be cleaned again, as the work folder is now.

    Args:
        manifest: of a work folder, after `remove`.
        api: the Hub, and who we are there.
        gone: folders and repositories that somebody deleted, so that nothing is to be cleaned there.
        pauses_s: how long to wait before each further attempt while the Hub is busy or the connection breaks.

    Returns:
        The folders and repositories that are clean now.

    Raises:
        DataError: naming those that are not, when all others are; the same again does the rest.
    """
    for place in gone:
        if place not in published(manifest):
            raise DataError(f"--gone {place}: nothing was published there; known are {', '.join(published(manifest))}")
        note_clean(manifest, place)
        forget_published(manifest, place)
    clean, troubles = [], []
    settings = published(manifest)
    for place in places_to_clean(manifest):
        try:
            if (folder := settings[place].to) is not None:
                _clean_folder(manifest, folder, settings[place])
            else:
                _clean_repository(manifest, settings[place], Repository(place, api, "dataset", pauses_s))
        except ExpectedError as error:
            troubles.append(f"{place} still has what was taken down, or may: {error}")
        else:
            note_clean(manifest, place)
            clean.append(place)
    if troubles:
        raise DataError(
            "\n".join(
                [
                    "The rows are gone from this work folder and denied for ever, but NOT from everywhere:",
                    *troubles,
                    "Run `python -m data_tools remove` again until it says that all is clean.",
                ]
            )
        )
    return clean


def _clean_folder(manifest: Manifest, folder: Path, settings: PublishSettings) -> None:
    bring_back(folder)
    if not folder.is_dir():
        raise DataError(_is_missing(str(folder), "it is not there"))
    require_ours(folder)
    with replacing_folder(folder) as draft:
        write_all(manifest, draft, settings)


def _clean_repository(manifest: Manifest, settings: PublishSettings, repository: Repository) -> None:
    with raises_hub_error(repository), over_plain_http(), fresh_draft(manifest.files.publication_draft) as draft:
        repository.check_login()
        try:
            before = repository.patiently(repository.info)
        except RepositoryNotFoundError as error:
            raise DataError(_is_missing(repository.repo_id, "the Hub has no such data set for this token")) from error
        write_all(manifest, draft, settings)
        send(repository, before, draft, message="Publish again without what was taken down")
        _squash(repository)
        _delete_unused_large_files(repository)


def _squash(repository: Repository) -> None:
    api, repo_id = repository.api, repository.repo_id
    message = "All rows that were not taken down"
    repository.patiently(lambda: api.super_squash_history(repo_id, repo_type="dataset", commit_message=message))
    if len(repository.patiently(lambda: api.list_repo_commits(repo_id, repo_type="dataset"))) != 1:
        raise DataError("its history was to be squashed into one commit, but has more")


def _delete_unused_large_files(repository: Repository) -> None:
    api, repo_id = repository.api, repository.repo_id

    def in_use() -> set[str]:
        tree = api.list_repo_tree(repo_id, recursive=True, repo_type="dataset")
        return {file.lfs.sha256 for file in tree if isinstance(file, RepoFile) and file.lfs is not None}

    used = repository.patiently(in_use)
    stored = repository.patiently(lambda: list(api.list_lfs_files(repo_id, repo_type="dataset")))
    # The client tells two ids of each file, and one of them is the sha256.
    unused = [file for file in stored if not {file.oid, file.file_oid} & used]
    if len(stored) - len(unused) < len(used):
        raise DataError("the Hub does not list all large files that are in use, so none was deleted")
    if unused:
        repository.patiently(lambda: api.permanently_delete_lfs_files(repo_id, unused, repo_type="dataset"))


def _is_missing(place: str, what: str) -> str:
    return f"{what}. If it was moved, bring it back; once you are sure that it was deleted, add --gone {place}"
