"""From a search to a clean, documented data set: `python -m data_tools --help`."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from data_tools.settings import (
    FetchSettings,
    FilterSettings,
    PublishSettings,
    SourceSettings,
    SplitSettings,
    mistakes_of,
    read_run_settings,
)
from data_tools.work.manifest import opened
from face_expression.cli.exits import exits_with_message
from face_expression.cli.logging import log_to_stderr
from face_expression.cli.ray_engine import Engine
from face_expression.labels import LABEL_NAMES

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="From a search to a clean, documented data set of faces: collect, filter, review, split, publish; or run, "
    "which does all of it. An interrupted step resumes.",
)

Work = Annotated[Path, typer.Option(help="Folder of the manifest and of all pictures.")]
Engines = Annotated[Engine, typer.Option(help="Processes of this machine, or a Ray cluster that sees the folder.")]
Allowed = Annotated[
    list[str] | None,
    typer.Option("--allow-address", metavar="IP:PORT", help="A private address that may be fetched from, for tests."),
]
Contact = Annotated[
    str | None, typer.Option(help="Where site owners reach you; it is sent with every request. Give one.")
]
Proxy = Annotated[str | None, typer.Option(help="Proxy for searching and fetching.")]
Certificates = Annotated[Path | None, typer.Option(help="PEM file of certificates to trust.")]
DEFAULT_WORK = Path("collected")
_FETCH, _FILTER, _SOURCES = FetchSettings(), FilterSettings(), SourceSettings()
_SPLIT, _PUBLISH = SplitSettings(), PublishSettings()


@app.callback()
def _begin() -> None:
    log_to_stderr()


@app.command()
@exits_with_message
def collect(
    work: Work = DEFAULT_WORK,
    web: Annotated[bool, typer.Option("--web", help="Search the web for the expressions in the query file.")] = False,
    queries: Annotated[
        Path | None, typer.Option(help="YAML file of queries; default: the one of this project.")
    ] = None,
    label: Annotated[list[str] | None, typer.Option(help="Search for this expression only; repeatable.")] = None,
    per_label: Annotated[int, typer.Option(min=1, help="URLs to find for each expression.")] = _SOURCES.per_label,
    license_image: Annotated[
        str | None,
        typer.Option(
            help="DuckDuckGo's licence filter: any, Public, Share, ShareCommercially, Modify, ModifyCommercially."
        ),
    ] = None,
    lists: Annotated[
        list[Path] | None,
        typer.Option("--list", help="CSV, JSONL or Parquet: a `url` column, perhaps a `label` column."),
    ] = None,
    folder: Annotated[list[Path] | None, typer.Option(help="Folder of pictures; class folders give labels.")] = None,
    contact: Contact = None,
    proxy: Proxy = None,
    ca: Certificates = None,
    connections: Annotated[int, typer.Option(min=1, max=512, help="Requests at once, in all.")] = _FETCH.connections,
    again: Annotated[bool, typer.Option("--again", help="Retry transient failures.")] = False,
    engine: Engines = Engine.LOCAL,
    allow_address: Allowed = None,
) -> None:
    """Find pictures and fetch them, with respect for robots.txt and opt-outs.

    Searching the web by program may break the search engine's terms of service, and most pictures it finds are under
    copyright: find out what you may do where you are before you use --web.
    """
    from data_tools.collect.step import collect as run

    sources = SourceSettings(
        web=web,
        queries=queries,
        labels=tuple(label or LABEL_NAMES),
        per_label=per_label,
        license_image=license_image,
        lists=tuple(lists or ()),
        folders=tuple(folder or ()),
    )
    settings = _fetch_settings(contact, proxy, ca, allow_address, connections)
    with opened(work, create=True) as manifest:
        typer.echo(run(manifest, sources, settings, engine=engine, again=again))


def _fetch_settings(
    contact: str | None,
    proxy: str | None,
    ca: Path | None,
    allow_address: list[str] | None,
    connections: int = _FETCH.connections,
) -> FetchSettings:
    try:
        return FetchSettings(
            contact=contact, proxy=proxy, ca=ca, allow_addresses=tuple(allow_address or ()), connections=connections
        )
    except ValidationError as error:
        raise typer.BadParameter(mistakes_of(error)) from error


@app.command("filter")
@exits_with_message
def filter_command(
    work: Work = DEFAULT_WORK,
    min_face_px: Annotated[float, typer.Option(min=1, help="Smallest face, in px.")] = _FILTER.min_face_px,
    detector: Annotated[str | None, typer.Option(help="yunet or haar; default: yunet.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: one for each core.")] = None,
    engine: Engines = Engine.LOCAL,
) -> None:
    """Keep what holds exactly one face that is large, sharp and lit well enough, and each picture once."""
    from data_tools.filter.step import filter_step as run

    if detector not in (None, "yunet", "haar"):
        raise typer.BadParameter("a detector is yunet or haar")
    settings = FilterSettings(min_face_px=min_face_px, detector=detector)
    with opened(work) as manifest:
        typer.echo(run(manifest, settings, engine=engine, workers=workers))


@app.command()
@exits_with_message
def review(
    work: Work = DEFAULT_WORK,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Export suspect labels to CSV instead of serving the page."),
    ] = None,
    apply: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read the decisions from a table that was filled in.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the page; default: a free one from 7860 on.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Show only so many faces, the most suspect first.")] = None,
) -> None:
    """Review faces with suspect labels: keep, relabel or reject them. The next `split` applies the decisions."""
    from data_tools.review.step import review as run

    run(work, table=csv, filled=apply, port=port, limit=limit)


@app.command()
@exits_with_message
def split(
    work: Work = DEFAULT_WORK,
    validation: Annotated[float, typer.Option(min=0, max=1, help="Share of the rows.")] = _SPLIT.validation,
    test: Annotated[float, typer.Option(min=0, max=1, help="Share of the rows.")] = _SPLIT.test,
) -> None:
    """Apply the decisions of reviewers, and assign rows to splits; groups stay together, and no row ever moves."""
    from data_tools.dataset.split import split as run

    with opened(work) as manifest:
        typer.echo(run(manifest, SplitSettings(validation=validation, test=test)))


@app.command()
@exits_with_message
def publish(
    work: Work = DEFAULT_WORK,
    repo: Annotated[str | None, typer.Option(help="Hub data set USER/NAME; created if missing.")] = None,
    to: Annotated[Path | None, typer.Option(help="Folder to write instead of the Hub; overwritten as a whole.")] = None,
    name: Annotated[str, typer.Option(help="The data set's name, as people read it.")] = _PUBLISH.name,
    contact: Annotated[str | None, typer.Option(help="Where people ask for takedowns; shown in the card.")] = None,
    public: Annotated[
        bool, typer.Option("--public", help="Make a new repository public; default: private, asking who wants it.")
    ] = False,
    acknowledge_pixels: Annotated[
        bool, typer.Option("--acknowledge-pixels", help="With --public: I have the right to show these faces.")
    ] = False,
    urls_only: Annotated[
        bool, typer.Option("--urls-only", help="URLs, hashes and labels; `materialize` fetches the pictures.")
    ] = False,
    shard_mb: Annotated[int, typer.Option(min=1, help="Size of a Parquet file.")] = _PUBLISH.shard_bytes // 1_000_000,
) -> None:
    """Write the kept rows as a data set with a card, to the Hub in one commit or to a folder."""
    from huggingface_hub import HfApi

    from data_tools.dataset.publish import describe_publication
    from data_tools.dataset.publish import publish as run

    settings = PublishSettings(
        repo=repo,
        to=to,
        name=name,
        contact=contact,
        public=public,
        urls_only=urls_only,
        acknowledge_pixels=acknowledge_pixels,
        shard_bytes=shard_mb * 1_000_000,
    )
    with opened(work) as manifest:
        typer.echo(describe_publication(run(manifest, settings, api=HfApi())))


@app.command()
@exits_with_message
def materialize(
    data: Annotated[str, typer.Argument(help="What `publish --urls-only` made: a folder, or USER/NAME on the Hub.")],
    work: Annotated[Path, typer.Option(help="New work folder.")],
    revision: Annotated[str | None, typer.Option(help="Commit, tag or branch of a Hub data set.")] = None,
    to: Annotated[Path | None, typer.Option(help="Also write the data set with its pictures to this folder.")] = None,
    contact: Contact = None,
    proxy: Proxy = None,
    ca: Certificates = None,
    allow_address: Allowed = None,
) -> None:
    """Fetch the pictures of a data set of URLs again, and reject those that have changed."""
    from data_tools.dataset.materialize import materialize as run

    settings = _fetch_settings(contact, proxy, ca, allow_address)
    with opened(work, create=True) as manifest:
        typer.echo(run(manifest, data, settings, revision=revision, to=to))


@app.command()
@exits_with_message
def remove(
    work: Work = DEFAULT_WORK,
    sha256: Annotated[list[str] | None, typer.Option(help="Of a fetched or kept file; repeatable.")] = None,
    phash: Annotated[list[str] | None, typer.Option(help="Perceptual hash, 16 digits; repeatable.")] = None,
    url: Annotated[list[str] | None, typer.Option(help="Of a picture or of its page; repeatable.")] = None,
    host: Annotated[list[str] | None, typer.Option(help="With all hosts under it; repeatable.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="CSV with the columns kind and value, or JSON Lines with these keys.")
    ] = None,
    why: Annotated[str, typer.Option(help="Noted on the denylist for ever; no names.")] = "asked",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be removed.")] = False,
    gone: Annotated[
        list[str] | None, typer.Option(help="A repository or folder that was deleted, and need not be cleaned.")
    ] = None,
) -> None:
    """Remove pictures for ever, here and wherever they were published. Without a request: finish what was begun.

    The work folder is published again as it is now, and the Hub's history of the data set is squashed.
    """
    from huggingface_hub import HfApi

    from data_tools.takedown.clean import clean_published
    from data_tools.takedown.requests import checked, read_requests
    from data_tools.takedown.step import describe_removal
    from data_tools.takedown.step import remove as run

    given = {"sha256": sha256, "phash": phash, "url": url, "host": host}
    try:
        requests = [one for kind, values in given.items() for value in values or () for one in checked(kind, value)]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    requests += read_requests(file) if file else []
    with opened(work) as manifest:
        typer.echo(describe_removal(run(manifest, requests, why=why, dry_run=dry_run), dry_run=dry_run))
        if not dry_run:
            for place in clean_published(manifest, api=HfApi(), gone=tuple(gone or ())):
                typer.echo(f"clean: {place}")


@app.command()
@exits_with_message
def report(
    work: Work = DEFAULT_WORK,
    output: Annotated[Path | None, typer.Option(help="The HTML file.", show_default="WORK/report.html")] = None,
) -> None:
    """Write an HTML report about a work folder: what was found, kept and rejected; classes, groups, faces, hosts."""
    from data_tools.report.step import draw_report

    with opened(work) as manifest:
        typer.echo(draw_report(manifest, output))


@app.command("run")
@exits_with_message
def run_command(
    settings: Annotated[Path, typer.Argument(metavar="FILE", help="YAML file; data_tools/run.yaml is one to copy.")],
) -> None:
    """All steps from one file: collect, filter, split, publish, report."""
    from huggingface_hub import HfApi

    from data_tools.run import run

    run(read_run_settings(settings), api=HfApi(), say=typer.echo)


if __name__ == "__main__":
    app()
