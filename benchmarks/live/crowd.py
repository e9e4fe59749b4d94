"""Many visitors of the engine on the server at once: frames a second and latency of each, and how that grows."""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import matplotlib
import numpy as np
import typer
from tqdm import tqdm

from benchmarks.figures import as_markdown, record, table
from benchmarks.live.camera import CALM, HAPPY
from benchmarks.live.figures import percentile
from benchmarks.live.server import Server, running_server
from benchmarks.live.visitors import Visit, pictures_of, visit

LEAST_FRAMES_PER_S, MOST_P95_MS = 8, 300
_FORGOTTEN_S = 12.0
COLUMNS = ("visitors", "served", "refused as busy", "frames/s, slowest", "frames/s, all", "p50 ms", "p95 ms")


async def visits_of(count: int, page: str, seconds: float) -> list[Visit]:
    """So many visitors at once, each from an address of its own."""
    pictures = [pictures_of(portrait) for portrait in (HAPPY, CALM)]

    async def one(number: int) -> Visit:
        connector = aiohttp.TCPConnector(local_addr=(f"127.0.1.{number + 1}", 0))
        async with aiohttp.ClientSession(connector=connector, read_bufsize=2**18) as http:
            # They come one after the other, so that the server learns what one costs.
            await asyncio.sleep(min(0.25 * number, 4))
            return await visit(http, page, pictures[number % 2], seconds)

    return await asyncio.gather(*map(one, range(count)))


def figures_of(visits: Sequence[Visit]) -> dict[str, float | int]:
    """Of those who were served; NaN if nobody was."""
    served = [made for made in visits if made.refused is None]
    rates = [made.rate() for made in served]
    latencies = [latency for made in served for latency in made.latencies_ms]
    return {
        "visitors": len(visits),
        "served": len(served),
        "refused": len(visits) - len(served),
        "slowest_per_s": min(rates, default=float("nan")),
        "all_per_s": float(sum(rates)),
        "p50_ms": percentile(latencies, 50),
        "p95_ms": percentile(latencies, 95),
    }


def draw(rows: list[dict], file: Path) -> None:
    """Frames a second of the slowest visitor and p95, over the number of visitors that were served."""
    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    served = [row["served"] for row in rows]
    parts = (
        ("slowest_per_s", "frames/s of the slowest", LEAST_FRAMES_PER_S),
        ("p95_ms", "p95, ms", MOST_P95_MS),
        ("all_per_s", "frames/s of all", None),
    )
    with plt.rc_context({"svg.hashsalt": "visitors", "font.size": 9}):
        figure, axes = plt.subplots(1, len(parts), figsize=(9, 2.6))
        for axis, (key, title, goal) in zip(axes, parts, strict=True):
            axis.plot(served, [row[key] for row in rows], "o-", color="#0072b2")
            if goal is not None:
                axis.axhline(goal, color="#d55e00", linestyle="--", linewidth=1)
            axis.set(title=title, xlabel="visitors served", xlim=(0, None), ylim=(0, None))
            axis.spines[["top", "right"]].set_visible(False)
        figure.tight_layout()
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, metadata={"Date": None})
        plt.close(figure)


def most_carried(rows: list[dict], cores: int) -> float | None:
    """How many visitors a core carries at the least rate, by the largest number of frames that all had together."""
    best = max((row["all_per_s"] for row in rows), default=0.0)
    return best / LEAST_FRAMES_PER_S / cores if best else None


def measure_visitors(visitors: Sequence[int], seconds: float, output: Path) -> None:
    """Measure each number of visitors, print the table, draw the picture, and put both on record."""

    async def run(server: Server) -> list[dict]:
        rows = []
        for count in tqdm(visitors, unit="crowd"):
            # The ones before are forgotten first.
            await asyncio.sleep(_FORGOTTEN_S)
            rows.append(figures_of(await visits_of(count, server.address, seconds)))
        return rows

    with tempfile.TemporaryDirectory() as temporary, running_server(Path(temporary) / "app") as server:
        cores = len(server.process.cpu_affinity()) if hasattr(server.process, "cpu_affinity") else 1
        rows = asyncio.run(run(server))
    shown = table(COLUMNS, map(_cells, rows), notes=[_in_words(rows, cores)])
    typer.echo(as_markdown(shown))
    typer.echo(shown["notes"][0])
    draw(rows, output.with_suffix(".svg"))
    command = " ".join(["python -m benchmarks.live", *(f"--visitors {count}" for count in visitors)])
    record(
        output,
        command=f"{command} --seconds {seconds:g}",
        speaks_of=["app.py", "face_expression", "space"],
        tables={"visitors": shown},
        data=json.loads(json.dumps(rows).replace("NaN", "null")),
    )


def _cells(row: dict) -> list[str]:
    def number(value: float, digits: int) -> str:
        return "none" if np.isnan(value) else f"{value:.{digits}f}"

    return [
        str(row["visitors"]),
        str(row["served"]),
        str(row["refused"]),
        number(row["slowest_per_s"], 1),
        number(row["all_per_s"], 0),
        number(row["p50_ms"], 0),
        number(row["p95_ms"], 0),
    ]


def _in_words(rows: list[dict], cores: int) -> str:
    carried = most_carried(rows, cores)
    if carried is None:
        return "Nobody was served."
    return (
        f"Visitors are programs on the same {cores} cores. In a straight line, {carried:.0f} visitors a core at "
        f"{LEAST_FRAMES_PER_S} frames/s: {carried * 8:.0f} on the 8 cores of an upgraded Space, with as many threads. "
        "The engine on the device costs the server nothing."
    )
