"""Figures on the record: `python -m benchmarks.figures insert` puts what was measured into the documents.

Each command that measures writes `docs/figures/NAME.json`: the command, machine, commit, sha256 of the bundle's
network, the files that the figures speak of and a hash of them, and then tables and single values as they are shown. In
the documents they stand between markers, which only `insert` fills:

    <!-- figures: NAME/TABLE -->           a table, and a line that says where it comes from
    <!-- end of figures -->

    <!-- figure: NAME/VALUE -->85.9%<!-- end -->      one value in a sentence

`python -m benchmarks.figures check` lists the figures that are older than what they speak of.
"""

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from face_expression.hub.download import EMBEDDED_BUNDLE, METRICS_FILE
from face_expression.io.files import sha256_of, write_json

REPOSITORY = Path(__file__).parent.parent
FOLDER = REPOSITORY / "docs" / "figures"
SPEAKING = (".py", ".js", ".onnx", ".json")
_BLOCK = re.compile(r"(<!-- figures: ([\w-]+)/([\w-]+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)
_VALUE = re.compile(r"(<!-- figure: ([\w-]+)/([\w-]+) -->).*?(<!-- end -->)", re.DOTALL)

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, notes: Sequence[str] = ()) -> dict:
    """A table as it is kept; `notes` are sentences below it."""
    return {"columns": list(columns), "rows": [[str(cell) for cell in row] for row in rows], "notes": list(notes)}


def as_markdown(shown: Mapping) -> str:
    """A table in Markdown."""
    lines = [shown["columns"], ["---"] * len(shown["columns"]), *shown["rows"]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def record(
    file: Path,
    *,
    command: str,
    speaks_of: Sequence[str],
    tables: Mapping[str, dict] | None = None,
    values: Mapping[str, str] | None = None,
    data: object = None,
    measured: Mapping[str, str] | None = None,
) -> None:
    """Write figures with what is needed to judge and repeat them.

    Args:
        file: a JSON file in `FOLDER`, from which `insert` takes what it puts into documents.
        command: that measures them, as people type it.
        speaks_of: files and folders of the repository; figures are old when these have changed.
        tables: by name, each as `table` makes it.
        values: single figures by name, as they are shown.
        data: whatever else was measured.
        measured: machine, commit, date or bundle_sha256, where the measurement was not made here and now.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    facts = {
        "command": command,
        "machine": machine_name(),
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit_name(),
        "bundle_sha256": sha256_of(EMBEDDED_BUNDLE / "model.onnx"),
    }
    write_json(
        file,
        {
            **facts,
            **(measured or {}),
            "speaks_of": list(speaks_of),
            "speaks_of_sha256": content_sha256(speaks_of),
            "tables": dict(tables or {}),
            "values": dict(values or {}),
            "data": data,
        },
    )


def machine_name() -> str:
    """Processor, cores and system."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file() and (
        found := re.search(r"^model name\s*:\s*(.+)$", information.read_text(), re.MULTILINE)
    ):
        model = found[1].strip()
    return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def commit_name() -> str:
    """The commit of the working tree; "+" says that files differ from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs")
    return (git("rev-parse", "HEAD") or "unknown") + ("+" if changed else "")


def content_sha256(paths: Sequence[str], repository: Path = REPOSITORY) -> str:
    """One hash of the content of files, and of the sources in folders."""
    total = hashlib.sha256()
    for name in sorted(paths):
        path = repository / name
        found = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.suffix in SPEAKING)
        for file in found:
            if "__pycache__" not in file.parts and file.name != METRICS_FILE:
                total.update(f"{file.relative_to(repository).as_posix()} {sha256_of(file)}\n".encode())
    return total.hexdigest()


def why_old(figures: Mapping) -> list[str]:
    """In what the bundle or the code has changed since the figures were measured; empty if in nothing."""
    reasons = []
    bundle = sha256_of(EMBEDDED_BUNDLE / "model.onnx")
    if figures["bundle_sha256"] != bundle:
        reasons.append(f"the bundle is {bundle[:8]} and was {figures['bundle_sha256'][:8]}")
    if figures["speaks_of_sha256"] != content_sha256(figures["speaks_of"]):
        reasons.append(f"changed since commit {figures['commit'][:8]}: something in {', '.join(figures['speaks_of'])}")
    return reasons


def read_figures(folder: Path = FOLDER) -> dict[str, dict]:
    """All figures by name."""
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))}


def origin(figures: Mapping) -> str:
    """The line below a table."""
    commit = figures["commit"][:8] + ("+" if figures["commit"].endswith("+") else "")
    return (
        f"Printed by `{figures['command']}` on {figures['machine']}, {figures['date']}; commit {commit}, bundle "
        f"{figures['bundle_sha256'][:8]}."
    )


def filled(text: str, figures: Mapping[str, Mapping]) -> str:
    """A document with everything between its markers written anew.

    Raises:
        KeyError: if a marker names figures that are not there.
    """

    def block(match: re.Match) -> str:
        begin, name, key, end = match.groups()
        shown = figures[name]["tables"][key]
        notes = "".join(f"{note}\n" for note in (*shown["notes"], origin(figures[name])))
        return f"{begin}{as_markdown(shown)}\n{notes}{end}"

    def value(match: re.Match) -> str:
        begin, name, key, end = match.groups()
        return f"{begin}{figures[name]['values'][key]}{end}"

    return _VALUE.sub(value, _BLOCK.sub(block, text))


def documents() -> list[Path]:
    """Where figures may stand."""
    return sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])


@app.command()
def insert() -> None:
    """Fill the documents with the figures that are on record."""
    figures = read_figures()
    for document in documents():
        text = document.read_text(encoding="utf-8")
        if (new := filled(text, figures)) != text:
            document.write_text(new, encoding="utf-8")
            print(f"{document.relative_to(REPOSITORY)}: figures inserted")


@app.command()
def check() -> None:
    """List the figures that are older than the bundle or code they speak of; exit code 1 if there are any."""
    old = {name: reasons for name, figures in read_figures().items() if (reasons := why_old(figures))}
    for name, reasons in old.items():
        print(f"{name}: {'; '.join(reasons)}")
    sys.exit(bool(old))


@app.command()
def bundle(
    bundle: Annotated[Path, typer.Option(file_okay=False, help="A bundle that was evaluated.")] = EMBEDDED_BUNDLE,
) -> None:
    """Put the figures of the bundle's `metrics.json`, which `python -m train evaluate` writes, on record."""
    metrics = json.loads((bundle / METRICS_FILE).read_text(encoding="utf-8"))
    majority = metrics["protocols"]["ferplus-majority-7"]
    record(
        FOLDER / "bundle.json",
        command="python -m train evaluate",
        speaks_of=["face_expression/bundle"],
        values={
            "accuracy": f"{majority['accuracy']:.1%}",
            "n": f"{majority['n']:,}",
            "size": f"{metrics['bundle']['model_bytes'] / 1e6:.0f} MB",
        },
        measured={"bundle_sha256": metrics["bundle"]["model_sha256"], "machine": metrics["speed"]["machine"]},
    )


if __name__ == "__main__":
    app()
