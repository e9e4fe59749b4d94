"""Rows -> a data set on the Hub, in one commit, or in a folder that is replaced as a whole.

Where it was published is noted in the work folder, so that `remove` knows what to clean.
"""

from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi

from data_tools.dataset.card import MARKER, dataset_card
from data_tools.dataset.parquet import SHARD, Contents, write_dataset
from data_tools.dataset.published import note_published
from data_tools.settings import PublishSettings
from data_tools.work.manifest import Manifest
from face_expression.errors import DataError, required
from face_expression.hub.upload import (
    PAUSES_S,
    Repository,
    RepositoryInfo,
    check_repo_id,
    over_plain_http,
    raises_hub_error,
)
from face_expression.io.files import bring_back, fresh_draft, replacing_folder

CARD_FILE = "README.md"


@dataclass(frozen=True)
class Publication:
    """Where a data set is and what it holds; of one on the Hub, its commit's address, and whether it is private."""

    place: str
    contents: Contents
    commit: str | None = None
    private: bool = True


def publish(
    manifest: Manifest, settings: PublishSettings, *, api: HfApi, pauses_s: tuple[float, ...] = PAUSES_S
) -> Publication:
    """Publish all rows that are kept and have a label and a split; what was published before is replaced.

    A repository is made private, and asks who wants to download, unless `settings.public` says otherwise; one that
    exists keeps its settings, but is given that question if it has none.

    Args:
        manifest: of a work folder whose rows have splits.
        settings: exactly one of `repo` and `to` is set.
        api: the Hub, and who we are there; not asked if the data set goes into a folder.
        pauses_s: how long to wait before each further attempt while the Hub is busy or the connection breaks.

    Raises:
        DataError: if there is nothing to publish, pixels would become public without an acknowledgement, the
            repository is public but should not be, the folder holds anything else than an earlier publication, or
            the Hub does not take it. What was there before is there still, then.
    """
    repo, folder = settings.repo, settings.to
    if (repo is None) == (folder is None):
        raise DataError("say where to publish: either --repo USER/NAME or --to FOLDER")
    if settings.public and not settings.urls_only and not settings.acknowledge_pixels:
        raise DataError(
            "this would show people's faces to everybody: most pictures on the web are under somebody's copyright, and "
            "the people shown have a right to their privacy. Publish addresses only with --urls-only, leave out "
            "--public, or, if you have the right to do this, add --acknowledge-pixels"
        )
    if folder is not None:
        folder = folder.resolve()
        settings = settings.model_copy(update={"to": folder})
        return Publication(str(folder), _write_into_folder(manifest, folder, settings))
    repo = required(repo)
    check_repo_id(repo)
    repository = Repository(repo, api, "dataset", pauses_s)
    with raises_hub_error(repository), over_plain_http(), fresh_draft(manifest.files.publication_draft) as draft:
        repository.check_login()
        contents = _write(manifest, draft, settings)
        before = repository.ready(private=not settings.public, gated=not settings.public)
        note_published(manifest, settings)
        commit = send(repository, before, draft, message=f"Publish {contents.rows.total():,} rows")
    return Publication(repository.url, contents, commit, bool(before.private))


def _write_into_folder(manifest: Manifest, folder: Path, settings: PublishSettings) -> Contents:
    bring_back(folder)
    require_ours(folder)
    with replacing_folder(folder) as draft:
        contents = _write(manifest, draft, settings)
        note_published(manifest, settings)
    return contents


def write_all(manifest: Manifest, folder: Path, settings: PublishSettings) -> Contents:
    """Write shards and card into an empty folder; there may be no rows."""
    contents = write_dataset(manifest, folder, pixels=not settings.urls_only, shard_bytes=settings.shard_bytes)
    (folder / CARD_FILE).write_text(dataset_card(manifest, contents, settings), encoding="utf-8")
    return contents


def send(repository: Repository, before: RepositoryInfo, folder: Path, *, message: str) -> str:
    """Push a written data set in place of an earlier one, and return the commit's address."""
    files = {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()}
    return repository.push(
        files, before, message=message, is_outdated=lambda path: SHARD.fullmatch(path) is not None
    ).commit


def require_ours(folder: Path) -> None:
    """Check that a folder may be replaced: it is not there, is empty, or holds an earlier publication and nothing else.

    Raises:
        DataError: if not.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise DataError(f"{folder} is a file; name a folder with --to")
    files = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if not file.is_dir()}
    others = sorted(name for name in files if name != CARD_FILE and not SHARD.fullmatch(name))
    if others or (files and MARKER not in _text_of(folder / CARD_FILE)):
        raise DataError(
            f"{folder} is not an earlier publication ({', '.join(others[:3]) or CARD_FILE} is in it), and would be "
            "replaced; name another folder with --to"
        )


def _text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _write(manifest: Manifest, folder: Path, settings: PublishSettings) -> Contents:
    contents = write_all(manifest, folder, settings)
    if not contents.rows:
        why = "".join(f"; {count:,} are ready, but {reason}" for reason, count in contents.left_out.items())
        raise DataError(
            f"{manifest.folder}: nothing to publish{why}. Rows need to be kept, and to have a label and a split: run "
            "`filter`, then `split`"
        )
    return contents


def describe_publication(publication: Publication) -> str:
    """Where a data set is now, and what it holds."""
    contents = publication.contents
    rows = ", ".join(f"{contents.rows_in(split):,} {split}" for split in contents.splits)
    lines = [f"published: {publication.place}", f"rows: {rows}"]
    lines += [f"left out: {count:,} ({why})" for why, count in contents.left_out.items()]
    if publication.commit is not None:
        lines.append(f"commit: {publication.commit}")
        lines.append(
            f"The repository is {'private' if publication.private else 'public'}; its settings say who sees it."
        )
    return "\n".join(lines)
