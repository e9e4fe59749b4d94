"""Sources -> the manifest, and addresses -> raw files. Interrupted, the same call goes on; nothing is fetched twice."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tqdm import tqdm

from data_tools.collect.fetcher import MAY_PASS, Fetcher
from data_tools.collect.partial_file import remove_drafts
from data_tools.collect.queries import Query, read_queries
from data_tools.collect.ray_fetch import fetched_by_ray
from data_tools.collect.scheduler import fetch_rows
from data_tools.collect.sources import DuckDuckGo, Folder, Hit, SearchBlocked, Source, UrlList
from data_tools.settings import FOLDER_SOURCE, FetchSettings, SourceSettings
from data_tools.work.denylist import read_denylist
from data_tools.work.manifest import Manifest
from data_tools.work.schema import Reason, Row, Status
from data_tools.work.summary import summary
from face_expression.cli.ray_engine import Engine
from face_expression.errors import DataError

_ANYTHING = Query(text="", label="", group="")
_MAX_PAGES = 20
SAME_NAME = "two folders have the same name, which stands for them in the manifest; rename one"
_ONCE_MORE = (Reason.TIMEOUT, Reason.CONNECTION_FAILED, Reason.SHORT_BODY, Reason.UNKNOWN_HOST, Reason.INTERNAL_ERROR)


@dataclass(frozen=True)
class Search:
    """What is searched for on the web: queries in a fair order, until every label has enough addresses."""

    source: DuckDuckGo
    queries: Sequence[Query]
    per_label: int
    license_requested: str | None = None
    pause_s: float = 0.0
    wait: Callable[[float], None] = field(default=time.sleep, repr=False)


def search_web(manifest: Manifest, search: Search) -> None:
    """Ask for pages of results until each label has enough addresses, or nothing new comes.

    Raises:
        SearchBlocked: if the source has stopped answering; what was found is in the manifest.
    """
    source, count = search.source, Counter()
    for (label,), known in manifest.counts("query_label", where="source = ?", values=(source.name,)).items():
        count[label] = known
    labels = sorted({query.label for query in search.queries})
    with tqdm(total=search.per_label * len(labels), unit="address", desc="searching") as shown:
        shown.update(sum(min(count[label], search.per_label) for label in labels))
        for query in search.queries:
            rank = 0
            for page in range(_MAX_PAGES):
                if count[query.label] >= search.per_label:
                    break
                note = f"search {source.name} {search.license_requested or ''} {query.text!r} page {page}"
                if manifest.recall(note) is None:
                    hits = source.search(query, page)
                    new = _add(manifest, source, query, hits, rank, license=search.license_requested, note=note)
                    shown.update(min(new, search.per_label - count[query.label]))
                    count[query.label] += new
                    search.wait(search.pause_s)
                done = manifest.recall(note)
                if not done["new"]:
                    break
                rank += done["rows"]


def require_same_folder(manifest: Manifest, folder: Folder) -> None:
    """Check that a folder is the one that was collected under its name before, or that one moved here.

    Raises:
        DataError: if that is another one, whose pictures would be taken for this one's.
    """
    key = f"path of {folder.name}"
    before = manifest.recall(key)
    if before is not None and Path(before) != folder.path and Path(before).is_dir():
        raise DataError(f"{SAME_NAME}: {before} was collected before, and {folder.path} is another one")
    manifest.remember(key, str(folder.path))


def read_source(manifest: Manifest, source: UrlList | Folder) -> int:
    """Add everything that a list or a folder has; gives how many addresses were new."""
    new, rank, page = 0, 0, 0
    while hits := source.search(_ANYTHING, page):
        new += _add(manifest, source, _ANYTHING, hits, rank)
        rank += len(hits)
        page += 1
    return new


def _add(
    manifest: Manifest,
    source: Source,
    query: Query,
    hits: list[Hit],
    first_rank: int,
    *,
    license: str | None = None,
    note: str | None = None,
) -> int:
    rows: Iterator[Row] = (
        {
            "url": hit.url,
            "page_url": hit.page_url,
            "title": hit.title,
            "source": source.name,
            "query": hit.query or query.text or None,
            "query_label": hit.label or query.label or None,
            "query_group": hit.query_group or query.group or None,
            "rank": rank,
            "license_requested": license,
        }
        for rank, hit in enumerate(hits, first_rank)
    )
    return manifest.add(rows, note=note)


def fetch_found(
    manifest: Manifest,
    settings: FetchSettings,
    *,
    folders: dict[str, Path] | None = None,
    engine: Engine = Engine.LOCAL,
    again: bool = False,
) -> None:
    """Fetch every row that was found, and those deferred whose time has come.

    Args:
        manifest: of the work folder.
        settings: how.
        folders: the local folders by the names that stand for them in the manifest.
        engine: who does the work.
        again: also try what failed for reasons that may have passed.
    """
    remove_drafts(manifest.folder)
    where, values = _due(folders or {}, again)
    rows = manifest.rows(where, values)
    with tqdm(total=manifest.count(where, values), unit="image", desc="fetching") as shown:

        def note(changes: Row) -> None:
            manifest.update([changes])
            shown.update()

        denylist = read_denylist(manifest.folder)
        if engine is Engine.RAY:
            for changes in fetched_by_ray(
                rows, folder=manifest.folder, settings=settings, denylist=denylist, folders=folders or {}
            ):
                note(changes)
            return

        async def fetch_all() -> None:
            async with Fetcher(settings, manifest.folder, denylist, folders or {}) as fetcher:
                async for changes in fetch_rows(rows, fetcher):
                    note(changes)

        asyncio.run(fetch_all())


def _due(folders: dict[str, Path], again: bool) -> tuple[str, list]:
    """The condition, and its values, of the rows that are to be fetched now."""
    now = datetime.now(UTC).isoformat()
    wanted = f"(status = '{Status.FOUND}' OR (status = '{Status.DEFERRED}' AND retry_at <= ?)"
    values: list = [now]
    if again:
        reasons = ", ".join(f"'{reason}'" for reason in _ONCE_MORE)
        wanted += f" OR (status = '{Status.FAILED}' AND (rejection_reason IN ({reasons}) OR http_status IN {MAY_PASS}))"
    names = [FOLDER_SOURCE + name for name in folders]
    places = ", ".join("?" for _ in names)
    wanted += f") AND (source IS NULL OR source NOT LIKE '{FOLDER_SOURCE}%' OR source IN ({places}))"
    return wanted, [*values, *names]


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
    note = ""
    if sources.web:
        try:
            search_web(manifest, _search(sources, settings))
        except SearchBlocked as error:
            note = f"\n{error}; what was found is fetched. Run the same command again in some hours."
    fetch_found(manifest, settings, folders=names, engine=engine, again=again)
    return summary(manifest) + note


def _search(sources: SourceSettings, settings: FetchSettings) -> Search:
    return Search(
        source=DuckDuckGo(license_image=sources.license_image, proxy=settings.proxy, ca=settings.ca),
        queries=read_queries(sources.queries, sources.labels),
        per_label=sources.per_label,
        license_requested=sources.license_image,
        pause_s=sources.search_pause_s,
    )
