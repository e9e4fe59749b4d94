"""How many pictures a second does `finetune` learn, in one process and in two? `python -m benchmarks.training`.

Each run is the command as people type it, with as many threads a process as there are cores for it; the figure is the
Trainer's own, with validation and checkpoints. Two processes share the pictures of each step. It also says how much of
the data set is in memory: it is mapped from the disk, so that its size does not matter.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import pyarrow as pa
import typer

from benchmarks.figures import FOLDER, as_markdown, record, table
from train.data.dataset import load_split

_RATE = re.compile(r"'train_samples_per_second': '?([0-9.]+)")
_LAUNCHER = "-m accelerate.commands.launch --multi_gpu --num_machines 1 --mixed_precision no --dynamo_backend no"


def pictures_per_s(data: str, model: str, rows: int, epochs: int, processes: int, cores: int) -> float:
    """Train, and read what the Trainer says.

    Raises:
        SystemExit: if the training fails.
    """
    launcher = f"{_LAUNCHER} --num_processes {processes} --main_process_port 0".split() if processes > 1 else []
    with TemporaryDirectory() as folder:
        options = ["--model", model, "--limit", str(rows), "--epochs", str(epochs), "--workers", "0"]
        command = [sys.executable, *launcher, "-m", "train", "finetune", "--data", data, "--output", f"{folder}/run"]
        environment = {**os.environ, "OMP_NUM_THREADS": str(max(1, cores // processes))}
        if processes > 1:
            environment["ACCELERATE_USE_CPU"] = "true"
        done = subprocess.run([*command, *options], capture_output=True, text=True, env=environment)
    found = _RATE.findall(done.stdout + done.stderr)
    if done.returncode or not found:
        raise SystemExit(f"the training failed:\n{done.stderr[-2000:]}")
    return float(found[-1])


def main(
    data: Annotated[str, typer.Option(help="As `finetune` takes it.")] = "../shared/data/ferplus",
    model: Annotated[str, typer.Option(help="As `finetune` takes it.")] = "custom_cnn",
    rows: Annotated[int, typer.Option(min=64, help="Pictures of an epoch.")] = 4096,
    epochs: Annotated[int, typer.Option(min=1)] = 1,
    processes: Annotated[list[int] | None, typer.Option(min=1, help="Repeatable. Default: 1 and 2.")] = None,
    output: Annotated[Path, typer.Option(help="JSON to write.")] = FOLDER / "training.json",
) -> None:
    """Measure, print a table, and put it on record."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    before = pa.total_allocated_bytes()
    split = load_split(data, "train")
    allocated, size = pa.total_allocated_bytes() - before, split.data.nbytes
    counts = processes or [1, 2]
    rates = {count: pictures_per_s(data, model, rows, epochs, count, cores) for count in counts}
    in_memory = f"Of {size / 2**20:.0f} MiB of data, {allocated / 2**20:.0f} are in memory."
    note = f"{model}, {rows:,} pictures, {cores} cores. {in_memory}"
    shown = table(("processes", "pictures/s"), [(count, f"{rate:.0f}") for count, rate in rates.items()], notes=[note])
    print(as_markdown(shown))
    print(note)
    record(
        output,
        command=f"python -m benchmarks.training --model {model} --rows {rows} --epochs {epochs}",
        speaks_of=["train/finetune.py", "train/data", "train/model"],
        tables={"speed": shown},
        data={"pictures_per_s": rates, "data_bytes": size, "allocated_bytes": allocated},
    )


if __name__ == "__main__":
    typer.run(main)
