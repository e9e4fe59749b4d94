"""The steps as the command line and `run` call them: each does its work and gives a table of what came of it."""

from collections.abc import Iterable
from pathlib import Path

from huggingface_hub import HfApi

from data_tools.collect.queries import read_queries
from data_tools.collect.sources import DuckDuckGo, Folder, SearchBlocked, UrlList
from data_tools.collect.step import SAME_NAME, Search, fetch_found, read_source, require_same_folder, search_web
from data_tools.dataset.materialize import reject_changed, rows_to_fetch
from data_tools.dataset.publish import Publication, publish
from data_tools.filter.step import filter_images
from data_tools.report.step import write_report
from data_tools.settings import FOLDER_SOURCE, FetchSettings, FilterSettings, PublishSettings, SourceSettings
from data_tools.takedown.step import Removal
from data_tools.work.engines import Engine
from data_tools.work.manifest import Manifest
from face_expression.errors import DataError


def collect(
    manifest: Manifest, sources: SourceSettings, settings: FetchSettings, *, engine: Engine, again: bool = False
) -> str:
    """Ask all sources, and fetch what they give.

    Raises:
        DataError: if there is no source, or it cannot be read.
    """
    folders = [Folder(path, sources.labels) for path in sources.folders]
    names = {
        folder.name.removeprefix(FOLDER_SOURCE): path for folder, path in zip(folders, sources.folders, strict=True)
    }
    if len(names) < len(folders):
        raise DataError(SAME_NAME)
    if not (sources.web or sources.lists or folders or manifest.count()):
        raise DataError("nothing to collect: name a source with --web, --list or --folder")
    for folder in folders:
        require_same_folder(manifest, folder)
    for source in [*(UrlList(path) for path in sources.lists), *folders]:
        read_source(manifest, source)
    told = ""
    if sources.web:
        try:
            search_web(manifest, _search(sources, settings))
        except SearchBlocked as error:
            told = f"\n{error}; what was found is fetched. Run the same command again in some hours."
    fetch_found(manifest, settings, folders=names, engine=engine, again=again)
    return summary(manifest) + told


def _search(sources: SourceSettings, settings: FetchSettings) -> Search:
    return Search(
        source=DuckDuckGo(license_image=sources.license_image, proxy=settings.proxy, ca=settings.ca),
        queries=read_queries(sources.queries, sources.labels),
        per_label=sources.per_label,
        license_requested=sources.license_image,
        pause_s=sources.search_pause_s,
    )


def filter_step(
    manifest: Manifest, settings: FilterSettings, *, engine: Engine = Engine.LOCAL, workers: int | None = None
) -> str:
    """Look at everything that was fetched."""
    filter_images(manifest, settings, engine=engine, workers=workers)
    return summary(manifest)


def materialize(
    manifest: Manifest, data: str, settings: FetchSettings, *, revision: str | None = None, to: Path | None = None
) -> str:
    """Fetch and filter what a data set of addresses names, and reject what is another picture now.

    Args:
        manifest: of a work folder of its own.
        data: as `rows_to_fetch` takes it.
        settings: how to fetch.
        revision: commit, tag or branch of a Hub data set.
        to: folder to write the data set to, or None.
    """
    manifest.add(rows_to_fetch(data, revision=revision))
    fetch_found(manifest, settings)
    filter_images(manifest, FilterSettings())
    told = [summary(manifest), str(reject_changed(manifest))]
    if to is not None:
        told.append(told_publication(publish(manifest, PublishSettings(to=to), api=HfApi())))
    return "\n\n".join(told)


def draw_report(manifest: Manifest, path: Path | None) -> str:
    """Draw the report, into the work folder where no path is given."""
    report = write_report(manifest, path or manifest.folder / "report.html")
    return f"report: {report} (it shows faces: keep it to yourself)"


def told_publication(publication: Publication) -> str:
    """Where a data set is now, and what it holds."""
    contents = publication.contents
    rows = ", ".join(f"{contents.rows_in(split):,} {split}" for split in contents.splits)
    told = [f"published: {publication.place}", f"rows: {rows}"]
    told += [f"left out: {count:,} ({why})" for why, count in contents.left_out.items()]
    if publication.commit is not None:
        told.append(f"commit: {publication.commit}")
        told.append(
            f"The repository is {'private' if publication.private else 'public'}; its settings say who sees it."
        )
    return "\n".join(told)


def told_removal(removal: Removal, *, dry_run: bool) -> str:
    """Which rows went, or would."""
    told = [f"{'would go' if dry_run else 'gone'}: {len(removal.urls):,} row(s)", *removal.urls]
    denied = "would be denied" if dry_run else "is denied"
    told += [
        f"no row answers to this, which {denied} all the same: {kind} {value}" for kind, value in removal.without_match
    ]
    if dry_run:
        told += [f"would be written again, its history squashed: {place}" for place in removal.places]
    return "\n".join(told)


def summary(manifest: Manifest) -> str:
    """How many rows there are of each status and reason, and of each label."""
    rows = [
        (status, reason or "", count)
        for (status, reason), count in manifest.counts("status", "rejection_reason").items()
    ]
    labels = manifest.counts("query_label", "status")
    by_label = {label for label, _ in labels}
    kept = [
        (
            label or "(none)",
            sum(count for (name, _), count in labels.items() if name == label),
            labels.get((label, "kept"), 0),
        )
        for label in sorted(by_label, key=str)
    ]
    return f"{table(('status', 'reason', 'rows'), rows)}\n\n{table(('found for', 'rows', 'kept'), kept)}"


def table(head: tuple[str, ...], rows: Iterable[tuple]) -> str:
    """Rows under a head, in columns; numbers to the right."""
    lines = [head, *rows]
    widths = [max(len(str(line[column])) for line in lines) for column in range(len(head))]

    def cell(value: object, width: int) -> str:
        return f"{value:>{width},}" if isinstance(value, int) else f"{value!s:<{width}}"

    shown = ["  ".join(cell(value, width + 2) for value, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join(line.rstrip() for line in shown)
