"""Throughput and memory of collecting and filtering, over loopback: `python -m benchmarks.collecting`.

Another process plays the web: every address gives another file, a photo of 800 x 800 px with a face and a number at its
end. Memory is the largest that the fetching process had after the first and after the last tenth of the addresses.
"""

import asyncio
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from aiohttp import web

from benchmarks.figures import FOLDER, as_markdown, record, table
from data_tools.collect.step import fetch_found
from data_tools.filter.step import filter_images
from data_tools.settings import FetchSettings, FilterSettings
from data_tools.work.manifest import Manifest, opened
from face_expression import encode_jpeg, read_picture
from face_expression.cli.worker_pool import cores

EXAMPLES = Path(__file__).parent.parent / "examples"
HOSTS = 16
PHOTO_PX = 800
PARTS = 10


def make_photo() -> bytes:
    """A JPEG with a face, as large as photos on the web are."""
    portrait = read_picture(EXAMPLES / "astronaut.jpg")
    return encode_jpeg(cv2.resize(portrait, (PHOTO_PX, PHOTO_PX), interpolation=cv2.INTER_CUBIC), quality=85)


def serve(photo: bytes, ports: "multiprocessing.Queue[list[int]]") -> None:
    """Be the web, for ever."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/robots.txt":
            return web.Response(status=404)
        return web.Response(body=photo + request.path.encode(), content_type="image/jpeg")

    async def run() -> None:
        site = web.Application()
        site.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(site, access_log=None)
        await runner.setup()
        for _ in range(HOSTS):
            await web.TCPSite(runner, "127.0.0.1", 0).start()
        ports.put([address[1] for address in runner.addresses])
        await asyncio.Event().wait()

    asyncio.run(run())


def time_fetching(manifest: Manifest, ports: list[int], addresses: int) -> dict[str, float]:
    """Fetch so many addresses in ten parts; gives pictures a second, and the largest memory after two of the parts."""
    allowed = tuple(f"127.0.0.1:{port}" for port in ports)
    settings = FetchSettings(contact="mailto:benchmark@example.org", allow_addresses=allowed)
    memory, spent = [], 0.0
    for part in np.array_split(np.arange(addresses), PARTS):
        manifest.add({"url": f"http://127.0.0.1:{ports[n % HOSTS]}/{n}.jpg", "source": "list:a"} for n in part)
        begun = time.perf_counter()
        fetch_found(manifest, settings)
        spent += time.perf_counter() - begun
        memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    fetched = manifest.count("status = 'fetched'")
    if fetched != addresses:
        raise SystemExit(f"only {fetched} of {addresses} were fetched: {manifest.counts('status', 'rejection_reason')}")
    return {"images_per_s": addresses / spent, "first_mib": memory[0], "last_mib": memory[-1]}


def time_filtering(manifest: Manifest, detector: str | None, workers: int) -> float:
    """Pictures a second through decoding, detection, quality and hash, the start of the processes included."""
    waiting = manifest.count("status = 'fetched'")
    begun = time.perf_counter()
    filter_images(manifest, FilterSettings.model_validate({"detector": detector}), workers=workers)
    return waiting / (time.perf_counter() - begun)


def main(
    addresses: Annotated[int, typer.Option(min=PARTS, help="How many pictures are fetched.")] = 10_000,
    filtered: Annotated[int, typer.Option(min=1, help="How many of them are filtered.")] = 2000,
    detector: Annotated[str | None, typer.Option(help="yunet or haar.")] = None,
    output: Annotated[Path, typer.Option(help="JSON to write.")] = FOLDER / "collecting.json",
) -> None:
    """Measure, and print one table."""
    spawned = multiprocessing.get_context("spawn")
    ports = spawned.Queue()
    server = spawned.Process(target=serve, args=(make_photo(), ports), daemon=True)
    server.start()
    try:
        with tempfile.TemporaryDirectory() as folder, opened(Path(folder), create=True) as manifest:
            fetching = time_fetching(manifest, ports.get(timeout=60), addresses)
            for row in manifest.rows("rowid > ?", (filtered,)):
                manifest.update([{"url": row["url"], "status": "failed"}])
            filtering = time_filtering(manifest, detector, cores())
    finally:
        server.terminate()
    shown = table(
        ("fetched and hashed / s", "filtered / s", "filtered / s and core", "memory after 1/10", "after all"),
        [
            (
                f"{fetching['images_per_s']:.0f}",
                f"{filtering:.0f}",
                f"{filtering / cores():.0f}",
                f"{fetching['first_mib']:.0f} MiB",
                f"{fetching['last_mib']:.0f} MiB",
            )
        ],
        notes=[f"{addresses:,} URLs, photos of {PHOTO_PX} x {PHOTO_PX} px over loopback; the same cores play the web."],
    )
    typer.echo(as_markdown(shown))
    record(
        output,
        command=f"python -m benchmarks.collecting --addresses {addresses} --filtered {filtered}",
        speaks_of=["data_tools/collect", "data_tools/filter", "data_tools/work", "face_expression"],
        tables={"speed": shown},
        data={**fetching, "filtered_per_s": filtering},
    )


if __name__ == "__main__":
    typer.run(main)
