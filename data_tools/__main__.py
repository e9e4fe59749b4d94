"""From a search to a clean, documented data set: `python -m data_tools --help`."""

from pathlib import Path
from typing import Annotated

import typer

from data_tools.engines import Engine
from data_tools.manifest import opened
from data_tools.settings import FetchSettings, FilterSettings, SourceSettings, read_run_settings
from face_expression.console_log import log_to_stderr
from face_expression.labels import LABEL_NAMES

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="From a search to a clean, documented data set of faces: collect, filter, review, split, publish; or run, "
    "which does all of it. Every step goes on where it was stopped.",
)

Work = Annotated[Path, typer.Option(help="Folder of the manifest and of all pictures.")]
Engines = Annotated[Engine, typer.Option(help="Processes of this machine, or a Ray cluster that sees the folder.")]
Allowed = Annotated[
    list[str] | None,
    typer.Option("--allow-address", metavar="IP:PORT", help="A private address that may be fetched from, for tests."),
]
DEFAULT_WORK = Path("collected")
_FETCH, _FILTER, _SOURCES = FetchSettings(), FilterSettings(), SourceSettings()


@app.callback()
def _begin() -> None:
    log_to_stderr()


@app.command()
def collect(
    work: Work = DEFAULT_WORK,
    web: Annotated[bool, typer.Option("--web", help="Search the web for the expressions in the query file.")] = False,
    queries: Annotated[
        Path | None, typer.Option(help="YAML file of queries; default: the one that comes along.")
    ] = None,
    label: Annotated[list[str] | None, typer.Option(help="Search for this expression only; repeatable.")] = None,
    per_label: Annotated[int, typer.Option(min=1, help="Addresses to find for each expression.")] = _SOURCES.per_label,
    license_image: Annotated[
        str | None,
        typer.Option(
            help="DuckDuckGo's licence filter: any, Public, Share, ShareCommercially, Modify, ModifyCommercially."
        ),
    ] = None,
    lists: Annotated[
        list[Path] | None, typer.Option("--list", help="CSV, JSONL or Parquet with the column url, and label or not.")
    ] = None,
    folder: Annotated[list[Path] | None, typer.Option(help="Folder of pictures; class folders give labels.")] = None,
    contact: Annotated[
        str | None, typer.Option(help="Where site owners reach you; it is sent with every request. Give one.")
    ] = None,
    proxy: Annotated[str | None, typer.Option(help="Proxy for searching and fetching.")] = None,
    ca: Annotated[Path | None, typer.Option(help="PEM file of certificates to trust.")] = None,
    connections: Annotated[int, typer.Option(min=1, max=512, help="Requests at once, in all.")] = _FETCH.connections,
    again: Annotated[
        bool, typer.Option("--again", help="Also try what failed for reasons that may have passed.")
    ] = False,
    engine: Engines = Engine.LOCAL,
    allow_address: Allowed = None,
) -> None:
    """Find addresses of pictures and fetch them, with respect for robots.txt and opt-outs.

    Searching the web by program may break the search engine's terms of service, and most pictures it finds are under
    copyright: find out what you may do where you are before you use --web.
    """
    from data_tools.steps import collect as run

    sources = SourceSettings(
        web=web,
        queries=queries,
        labels=tuple(label or LABEL_NAMES),
        per_label=per_label,
        license_image=license_image,
        lists=tuple(lists or ()),
        folders=tuple(folder or ()),
    )
    settings = FetchSettings(
        contact=contact, proxy=proxy, ca=ca, connections=connections, allow_addresses=tuple(allow_address or ())
    )
    with opened(work, create=True) as manifest:
        typer.echo(run(manifest, sources, settings, engine=engine, again=again))


@app.command("filter")
def filter_command(
    work: Work = DEFAULT_WORK,
    min_face_px: Annotated[float, typer.Option(min=1, help="Smallest face, px of its picture.")] = _FILTER.min_face_px,
    detector: Annotated[str | None, typer.Option(help="yunet or haar; default: yunet where it can be had.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: one for each core.")] = None,
    engine: Engines = Engine.LOCAL,
) -> None:
    """Keep what holds exactly one face that is large, sharp and lit well enough, and each picture once."""
    from data_tools.steps import filter_step as run

    if detector not in (None, "yunet", "haar"):
        raise typer.BadParameter("a detector is yunet or haar")
    settings = FilterSettings(min_face_px=min_face_px, detector=detector)
    with opened(work) as manifest:
        typer.echo(run(manifest, settings, engine=engine, workers=workers))


@app.command()
def report(
    work: Work = DEFAULT_WORK,
    output: Annotated[Path | None, typer.Option(help="The HTML file.", show_default="WORK/report.html")] = None,
) -> None:
    """Draw a work folder as one HTML page: what was found and kept, why not, classes, groups, faces, hosts."""
    from data_tools.report import write_report

    with opened(work) as manifest:
        typer.echo(
            f"report: {write_report(manifest, output or work / 'report.html')} (it shows faces: keep it to yourself)"
        )


@app.command("run")
def run_command(
    settings: Annotated[Path, typer.Argument(metavar="FILE", help="YAML file; data_tools/run.yaml is one to copy.")],
) -> None:
    """All steps from one file: collect, filter, split, publish, report."""
    from huggingface_hub import HfApi

    from data_tools.run import run

    run(read_run_settings(settings), api=HfApi(), say=typer.echo)


if __name__ == "__main__":
    app()
