"""This repository -> a Space on the Hub, in one commit, with its model pinned: `python -m space.deploy --help`.

A Space runs the app; a static Space (`--static`) holds the live view alone, which runs on the visitor's device.
"""

import logging
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from huggingface_hub import HfApi

from face_expression.cli.exits import exits_with_message
from face_expression.cli.logging import log_to_stderr
from face_expression.errors import DataError, HubError
from face_expression.hub.download import MODEL_VARIABLE
from face_expression.hub.upload import (
    PAUSES_S,
    Published,
    Repository,
    RepositoryInfo,
    check_repo_id,
    over_plain_http,
    raises_hub_error,
)
from space.deploy.pinned_model import PinnedModel, pin_model
from space.deploy.space_files import space_files, static_space_files

log = logging.getLogger(__name__)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
# What a new Space holds; what only ours have; and whose older files go.
_NEW = {".gitattributes", "README.md"}
_OURS, _OURS_STATIC = "face_expression/", "service_worker.js"
_FOLDERS = ("docs/", "examples/", "face_expression/", "space/", "web/")
_STATIC_FOLDERS = ("files/", "modules/")


@dataclass(frozen=True)
class Deployed:
    """A Space, its commit, and the model that its variable names."""

    published: Published
    model: PinnedModel


def deploy(space: str, model: str, *, private: bool, api: HfApi, pauses_s: tuple[float, ...] = PAUSES_S) -> Deployed:
    """Create a Space, or replace what an earlier deployment put there.

    Args:
        space: "user/name".
        model: "user/name", or "user/name@revision"; what is there now is pinned by its commit.
        private: make a new Space private.
        api: the Hub, and who we are there.
        pauses_s: how long to wait before each further attempt while the Hub is busy or the connection breaks.

    Raises:
        HubError: if something is missing, the model cannot be used, the Space is somebody else's work, or the Hub
            does not take it. What was there before is there still, then.
    """
    check_repo_id(space, option="--space")
    repository = Repository(space, api, "space", pauses_s=pauses_s)
    with TemporaryDirectory() as folder, raises_hub_error(repository), over_plain_http():
        repository.check_login()
        pinned, files = _assemble(space, model, Path(folder), api=api, pauses_s=pauses_s)
        before = repository.ready(private=private)
        _require_ours(repository, before, _OURS)
        with _variable_set(repository, pinned.name):
            published = repository.push(
                files,
                before,
                message=f"Deploy with {pinned.name}",
                is_outdated=lambda path: path.startswith(_FOLDERS),
            )
    return Deployed(published, pinned)


def deploy_static(
    space: str, model: str, *, private: bool, api: HfApi, pauses_s: tuple[float, ...] = PAUSES_S
) -> Deployed:
    """As `deploy`, but a static Space: the live view alone, with the model's files in it."""
    check_repo_id(space, option="--space")
    repository = Repository(space, api, "space", pauses_s=pauses_s, space_sdk="static")
    with TemporaryDirectory() as name, raises_hub_error(repository), over_plain_http():
        repository.check_login()
        folder = Path(name)
        for part in ("model", "space"):
            (folder / part).mkdir()
        pinned = pin_model(model, folder / "model", api=api, pauses_s=pauses_s)
        files = static_space_files(pinned, folder / "model", folder / "space", endpoint=api.endpoint)
        before = repository.ready(private=private)
        _require_ours(repository, before, _OURS_STATIC)
        published = repository.push(
            files,
            before,
            message=f"Deploy with {pinned.name}",
            is_outdated=lambda path: path.startswith(_STATIC_FOLDERS),
        )
    return Deployed(published, pinned)


def write(space: str, model: str, folder: Path, *, api: HfApi, pauses_s: tuple[float, ...] = PAUSES_S) -> PinnedModel:
    """Write a Space's files into a folder, for review before deploying.

    Raises:
        HubError: as `deploy`, and if there is something in the folder.
    """
    check_repo_id(space, option="--space")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise HubError(f"--to {folder}: there is something already; name a new folder")
    with TemporaryDirectory() as draft, raises_hub_error(Repository(space, api, "space")):
        pinned, files = _assemble(space, model, Path(draft), api=api, pauses_s=pauses_s)
        for path, file in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / path)
    return pinned


def _assemble(
    space: str, model: str, folder: Path, *, api: HfApi, pauses_s: tuple[float, ...]
) -> tuple[PinnedModel, dict[str, Path]]:
    for name in ("model", "space"):
        (folder / name).mkdir()
    pinned = pin_model(model, folder / "model", api=api, pauses_s=pauses_s)
    return pinned, space_files(space, pinned, folder / "space", endpoint=api.endpoint)


def _require_ours(repository: Repository, before: RepositoryInfo, ours: str) -> None:
    there = {sibling.rfilename for sibling in before.siblings or []}
    if not there <= _NEW and not any(path.startswith(ours) for path in there):
        raise HubError(
            f"{repository.url} exists and is another app ({', '.join(sorted(there - _NEW)[:3])} is in it); choose "
            "another name"
        )


@contextmanager
def _variable_set(repository: Repository, model: str) -> Generator[None]:
    """Have the Space's variable name the model; if what follows fails, it is as before."""
    api, repo_id = repository.api, repository.repo_id
    before = repository.patiently(lambda: api.get_space_variables(repo_id)).get(MODEL_VARIABLE)
    if before is not None and before.value == model:
        # Setting it would restart the Space.
        yield
        return
    repository.patiently(lambda: api.add_space_variable(repo_id, MODEL_VARIABLE, model))
    try:
        yield
    except BaseException:
        try:
            if before is None:
                repository.patiently(lambda: api.delete_space_variable(repo_id, MODEL_VARIABLE))
            else:
                repository.patiently(lambda: api.add_space_variable(repo_id, MODEL_VARIABLE, before.value))
        except Exception as error:  # the first error is raised below; this one is only logged
            log.warning("%s of %s now says %s, and could not be put back: %s", MODEL_VARIABLE, repo_id, model, error)
        raise


@app.command(help=__doc__)
@exits_with_message
def main(
    space: Annotated[str, typer.Option(metavar="USER/NAME", help="The Space; created if missing.")],
    model: Annotated[
        str, typer.Option(metavar="USER/NAME@REVISION", help="What it shall use, pinned at the commit of now.")
    ],
    private: Annotated[bool, typer.Option("--private", help="Make a new Space private.")] = False,
    static: Annotated[bool, typer.Option("--static", help="A static Space: the live view alone, no server.")] = False,
    to: Annotated[Path | None, typer.Option(help="Write the Space's files into this new folder, push nothing.")] = None,
) -> None:
    """Push, or write, and say what came of it."""
    log_to_stderr()
    if to is not None and static:
        raise DataError("--static --to: write a static site with python -m space.static_site --to FOLDER --model MODEL")
    if to is not None:
        pinned = write(space, model, to, api=HfApi())
        typer.echo(f"folder: {to}\nmodel: {pinned.name}")
    else:
        put = deploy_static if static else deploy
        deployed = put(space, model, private=private, api=HfApi())
        pinned = deployed.model
        typer.echo(f"space: {deployed.published.repository}\ncommit: {deployed.published.commit}\nmodel: {pinned.name}")
    if not pinned.is_open and not static:
        typer.echo(f"{pinned.repo_id} is not open to all: give the Space a secret HF_TOKEN that may read it")
