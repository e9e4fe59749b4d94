"""The card of a data set: front matter for the Hub, and what people must know, filled in from the manifest."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from huggingface_hub import DatasetCard, DatasetCardData

from data_tools.dataset.parquet import DESCRIPTIONS, Contents
from data_tools.settings import PublishSettings
from data_tools.work.manifest import Manifest
from data_tools.work.schema import explanation
from face_expression.errors import required
from face_expression.output.markdown import plain_words

MARKER = "<!-- written by `python -m data_tools publish` -->"
_TEMPLATE = "card.md.jinja"
_HOSTS, _GROUP_WORDS = 20, 30
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_LARGEST = "1M<n<10M"
_GATE = (
    "These are pictures of people who did not ask to be here. Say who you are and what you want to do; a person reads "
    "it and decides."
)
_PROMISES = (
    "I use it for research only, and do not pass it on",
    "I do not identify, track or watch anybody with it",
    "I do not infer emotions of people at work or in education with it (EU AI Act, Article 5(1)(f))",
    "I delete rows that were taken down when I am told or when I see that they are gone",
)


@dataclass(frozen=True)
class Outcome:
    """How many addresses ended so, and why."""

    status: str
    reason: str
    count: int
    meaning: str


def dataset_card(manifest: Manifest, contents: Contents, settings: PublishSettings) -> str:
    """Write the card of a data set; the same rows and settings give the same card.

    Args:
        manifest: where the rows are from.
        contents: what was written.
        settings: as published.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": "{:,}".format, "plain": plain_words}
    body = environment.get_template(_TEMPLATE).render(
        marker=MARKER,
        name=settings.name,
        place=settings.repo or required(settings.to).name,
        contact=settings.contact,
        pixels=not settings.urls_only,
        contents=contents,
        descriptions=DESCRIPTIONS,
        rows=contents.rows.total(),
        per_label={name: sum(contents.rows[split, name] for split in contents.splits) for name in contents.label_names},
        sources=_with_counts(contents.sources),
        detectors=_with_counts(contents.detectors),
        licenses=_with_counts(contents.licenses),
        outcomes=_outcomes(manifest),
        hosts=_most(contents.hosts, _HOSTS),
        group_words=_most(contents.group_words, _GROUP_WORDS),
    )
    return str(DatasetCard(f"---\n{_front_matter(contents, settings).to_yaml()}\n---\n\n{body}"))


def _front_matter(contents: Contents, settings: PublishSettings) -> DatasetCardData:
    files = [{"split": split, "path": f"data/{split}-*.parquet"} for split in contents.splits]
    gate: dict[str, Any] = (
        {}
        if settings.public
        else {
            "extra_gated_prompt": _GATE,
            "extra_gated_fields": {"What I want to do": "text"} | dict.fromkeys(_PROMISES, "checkbox"),
        }
    )
    configs = [{"config_name": "default", "data_files": files}]
    data: dict[str, Any] = {"configs": configs, "dataset_info": _sizes(contents)} if files else {}
    return DatasetCardData(
        license="other",
        license_name="rights-stay-with-their-owners",
        pretty_name=settings.name,
        task_categories=["image-classification"],
        size_categories=[next((size for limit, size in _SIZES if contents.rows.total() < limit), _LARGEST)],
        tags=["facial-expression-recognition", "faces", "web-collected"],
        **data,
        **gate,
    )


def _sizes(contents: Contents) -> dict[str, object]:
    """What the Hub shows; `datasets` also knows by it that a folder of the same name holds something else now."""
    total = contents.file_bytes.total()
    splits = [
        {"name": split, "num_bytes": contents.file_bytes[split], "num_examples": contents.rows_in(split)}
        for split in contents.splits
    ]
    return {"splits": splits, "download_size": total, "dataset_size": total}


def _with_counts(counts: Counter[str]) -> list[str]:
    return [f"{plain_words(name)} ({count:,})" for name, count in _most(counts, _HOSTS)]


def _most(counts: Counter, limit: int) -> list[tuple]:
    """The most frequent ones, in an order that does not depend on when they were counted."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]


def _outcomes(manifest: Manifest) -> list[Outcome]:
    counts = manifest.counts("status", "rejection_reason")
    return [
        Outcome(status, reason or "", count, explanation(status, reason))
        for (status, reason), count in sorted(counts.items(), key=lambda item: -item[1])
    ]
