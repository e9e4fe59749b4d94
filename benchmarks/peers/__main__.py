"""Other public tools and this one on the same pictures in one run: `python -m benchmarks.peers`.

Each tool is installed from PyPI or npm into a folder of its own, gets one thread, its own preprocessing and its own
detector (`adapters/`), and answers the same pictures: FER+ test rows and GENKI-4K's development rows as crops, London's
photographs through the tool's detector. What cannot be fetched is a row that says so.
"""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated

import matplotlib
import psutil
import typer
from platformdirs import user_cache_dir
from tqdm import tqdm

from benchmarks.figures import FOLDER, as_markdown, record, table
from benchmarks.peers.pictures import Answers, Pictures, counts, read_answers, read_pictures, scores, write_work
from benchmarks.peers.tools import (
    TOOLS,
    Tool,
    Unavailable,
    command_of,
    environment_of,
    install,
    installed_bytes,
    weights_bytes,
)
from face_expression.errors import required
from face_expression.hub.download import EMBEDDED_BUNDLE, METRICS_FILE

CACHE = Path(user_cache_dir("live-emotion-detector")) / "peers"
SPEAKS_OF = [
    "benchmarks/peers",
    "face_expression/bundle",
    "face_expression/model/classifier.py",
    "face_expression/model/preprocess.py",
    "face_expression/detection/detector.py",
]
COLUMNS = (
    "tool",
    "FER+ majority",
    "FER2013",
    "GENKI smile AUC",
    "London pairs",
    "majority-ECE",
    "vote-ECE",
    "CPU ms a crop",
    "CPU ms a photo",
    "CPU s to start",
    "weights MB",
    "installed MB",
)


SHORT = ("tool", "FER+ majority", "FER2013", "GENKI smile AUC", "vote-ECE", "CPU ms a crop", "weights MB")


def run(tool: Tool, folder: Path, work: Path, pictures: Pictures) -> tuple[list[Answers], float]:
    """All answers of a tool, and the processor seconds until its first ones.

    Raises:
        Unavailable: if it fails, with the last line that it printed.
    """
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(
            command_of(tool, folder, work),
            cwd=folder,
            env=environment_of(folder),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as program:
            lines, ready_s = [], 0.0
            total = sum(len(of_set) for _, of_set in pictures.sets())
            with tqdm(total=total, desc=tool.name, unit="picture", leave=False) as progress:
                for line in required(program.stdout):
                    if line == "ready\n":
                        used = psutil.Process(program.pid).cpu_times()
                        ready_s = used.user + used.system
                        continue
                    lines.append(line)
                    progress.update()
        errors.seek(0)
        printed = errors.read().strip().splitlines() or [""]
    try:
        if program.returncode:
            raise ValueError(printed[-1])
        return read_answers(lines, pictures), ready_s
    except ValueError as error:
        raise Unavailable(f"it fails here: {error}") from error


def measure(tool: Tool, cache: Path, work: Path, pictures: Pictures) -> dict:
    """The figures of one tool, or why there are none."""
    folder = cache / tool.name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        install(tool, folder)
        answers, ready_s = run(tool, folder, work, pictures)
    except Unavailable as why:
        return {"tool": tool.name, "unavailable": str(why)}
    sizes = {"weights_bytes": weights_bytes(tool, folder), "installed_bytes": installed_bytes(tool, folder)}
    return {"tool": tool.name, **scores(answers, pictures), "start_s": ready_s, **sizes}


def cells(figures: dict) -> list[str]:
    """A row of the table."""
    if "unavailable" in figures:
        return [figures["tool"], figures["unavailable"], *[""] * (len(COLUMNS) - 2)]
    return [
        figures["tool"],
        f"{figures['ferplus_majority_7']:.1%}",
        f"{figures['fer2013']:.1%}",
        f"{figures['genki_auc']:.3f}",
        f"{figures['london_pairs']:.1%}",
        f"{figures['majority_ece']:.3f}",
        f"{figures['vote_ece']:.3f}",
        f"{figures['crop_ms']:.1f}",
        f"{figures['photo_ms']:.0f}",
        f"{figures['start_s']:.1f}",
        f"{figures['weights_bytes'] / 1e6:.1f}",
        f"{figures['installed_bytes'] / 1e6:.0f}",
    ]


def draw(found: list[dict], file: Path) -> None:
    """Accuracy and the two calibration errors, one row for each tool that could be run."""
    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    shown = [figures for figures in found if "unavailable" not in figures][::-1]
    names = [figures["tool"] for figures in shown]
    colours = ["#0072b2" if name == "this project" else "#999999" for name in names]
    parts = (
        ("ferplus_majority_7", "right, FER+ majority (more is better)", "{:.1%}"),
        ("vote_ece", "vote-ECE (less is better)", "{:.3f}"),
        ("majority_ece", "majority-ECE (less is better)", "{:.3f}"),
    )
    with plt.rc_context({"svg.hashsalt": "peers", "font.size": 9}):
        figure, axes = plt.subplots(1, len(parts), figsize=(9, 0.45 * len(shown) + 1), sharey=True)
        for axis, (key, title, text) in zip(axes, parts, strict=True):
            values = [figures[key] for figures in shown]
            bars = axis.barh(names, values, color=colours)
            axis.bar_label(bars, [text.format(value) for value in values], padding=3)
            axis.set_title(title, fontsize=9)
            axis.set_xlim(0, max(values) * 1.3)
            axis.spines[["top", "right", "bottom"]].set_visible(False)
            axis.set_xticks([])
        figure.tight_layout()
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, metadata={"Date": None})
        plt.close(figure)


def main(
    data: Annotated[str, typer.Option(help="FER2013 with FER+ votes; its test split is used.")] = (
        "../shared/data/ferplus"
    ),
    faces: Annotated[Path, typer.Option(help="Folder of genki.parquet and london.parquet.")] = Path(
        "../shared/data/faces"
    ),
    limit: Annotated[int | None, typer.Option(min=10, help="So many crops of each set, evenly spread.")] = None,
    people: Annotated[int | None, typer.Option(min=1, help="So many pairs of photos, which take longest.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Tools whose names begin so; repeatable.")] = None,
    cache: Annotated[Path, typer.Option(help="Where the tools are installed.")] = CACHE,
    output: Annotated[Path, typer.Option(help="JSON to write; the picture goes beside it.")] = FOLDER / "peers.json",
) -> None:
    """Measure all, print the table, and put it on record."""
    pictures = read_pictures(data, faces, limit, people)
    chosen = [tool for tool in TOOLS if not only or any(tool.name.startswith(name) for name in only)]
    with tempfile.TemporaryDirectory() as temporary:
        work = write_work(pictures, Path(temporary))
        found = [measure(tool, cache.absolute(), work, pictures) for tool in chosen]
    numbers = counts(pictures)
    second_head = json.loads((EMBEDDED_BUNDLE / METRICS_FILE).read_text())["protocols"]["fer2013"]
    notes = [
        "n = " + ", ".join(f"{count:,} ({name})" for name, count in numbers.items()) + ".",
        "One thread each; processor time, the median of all; a photo is 450 px and goes through the tool's own "
        "detector. London pairs: how many of the same people look happier smiling than neutral. FER2013's labels agree "
        "with the votes on 63% of the rows only; the bars of this project are made for the votes, and its second head, "
        f"made for those labels, gets {second_head['accuracy']:.1%}.",
    ]
    shown = table(COLUMNS, map(cells, found), notes=notes)
    print(as_markdown(shown))
    print("\n".join(notes))
    short = table(SHORT, [[row[COLUMNS.index(name)] for name in SHORT] for row in shown["rows"] if row[-1]])
    draw(found, output.with_suffix(".svg"))
    options = [f" --{name} {value}" for name, value in (("limit", limit), ("people", people)) if value]
    command = "python -m benchmarks.peers" + "".join(options)
    tables = {"tools": shown, "short": short}
    record(output, command=command, speaks_of=SPEAKS_OF, tables=tables, data={"n": numbers, "tools": found})


if __name__ == "__main__":
    typer.run(main)
