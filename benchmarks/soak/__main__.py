"""Sixteen visitors for some minutes, good, broken and rude: `python -m benchmarks.soak`.

The app runs in a process of its own. Eight visitors use the live view, vanish and come back as somebody else; four send
photos; two send what cannot be used; two hang up in the middle of something. Half of them show a happy face, half a
calm one, so that an answer meant for another is seen. The exit code is 1 if something is not as it must be. Times
include the visitors' own program, which shares the machine with the server.

With --attack, four addresses try to take the service from three honest visitors: the limits must hold. The attackers
get only the time that server and honest visitors leave, since real ones have computers of their own; the cores that
each of the three took are printed. The p95 is that of the live view's answers.
"""

import asyncio
import contextlib
import json
import os
import platform
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from random import Random
from statistics import mean
from typing import Annotated

import aiohttp
import typer

from benchmarks.figures import FOLDER, as_markdown, record, table
from benchmarks.live.camera import CALM, HAPPY
from benchmarks.live.figures import percentile
from benchmarks.live.server import Server, answers, running_server
from benchmarks.soak.attack import ADDRESSES, KINDS
from benchmarks.soak.defence import HONEST, Siege, besiege, raise_own_limit, reached, rows_of_ends, wrong
from benchmarks.soak.troublemakers import drop_a_connection, send_broken
from benchmarks.soak.visitors import Kind, Outcome, Person, Tally, Visitor, find_visitor, send_photos, stream

CLIENTS = {stream: 8, send_photos: 4, send_broken: 2, drop_a_connection: 2}
OPENS_PAGE = (stream, send_photos)
WATCHED = 30
# Of all moments that were watched, those at the beginning in which memory still fills.
WARM_UP = 0.2
FLAT = 1.1
# The app deletes uploads that are a minute old, once a minute.
DELETED_WITHIN_S = 150


@dataclass(frozen=True)
class Moment:
    """The server's process at a time: memory in MiB, and how many descriptors and threads it has."""

    time_s: float
    memory_mib: float
    descriptors: int
    threads: int

    @classmethod
    def now(cls, server: Server, time_s: float) -> "Moment":
        """As it is now."""
        with server.process.oneshot():
            return cls(time_s, server.memory_mib(), server.process.num_fds(), server.process.num_threads())


@dataclass(frozen=True)
class Check:
    """Something that must be at most so much."""

    measure: str
    value: float
    most: float

    def met(self) -> bool:
        """Whether it is."""
        return self.value <= self.most

    def cells(self) -> tuple[str, ...]:
        """As a row of the table."""
        return self.measure, f"{self.most:g}", f"{self.value:.4g}", "yes" if self.met() else "**no**"

    def line(self) -> str:
        """The same in Markdown."""
        return f"| {' | '.join(self.cells())} |"


def growth(moments: list[Moment], name: str) -> Check:
    """The mean of the last third of all moments after warming up, as a multiple of that of the first third."""
    values = [getattr(moment, name) for moment in moments][round(WARM_UP * len(moments)) :]
    third = max(1, len(values) // 3)
    first, last = mean(values[:third]), mean(values[-third:])
    return Check(f"growth of {name} ({first:.1f} → {last:.1f})", last / first, FLAT)


async def come_and_go(
    server: Server, use: Callable[[Visitor, Person], Awaitable[None]], person: Person, seed: int, tally: Tally
) -> None:
    """One client: the same again and again, as a new visitor each time."""
    # A connection that the server closes after something broken cannot be used again.
    # Limits are for an address, so each client has one of its own where a computer has so many.
    source = (f"127.0.1.{seed % 1000 + 1}", 0) if platform.system() == "Linux" else None
    connections = aiohttp.TCPConnector(force_close=use not in OPENS_PAGE, local_addr=source)
    async with aiohttp.ClientSession(connector=connections, read_bufsize=2**20) as http:
        client = await find_visitor(http, server.address, Random(seed), tally)
        while True:
            if use in OPENS_PAGE:
                async with client.page_open() as visitor:
                    await use(visitor, person)
            else:
                await use(client, person)


async def watch(server: Server, seconds: float) -> list[Moment]:
    """The server's process in the course of the time, each ten seconds of five minutes."""
    began, moments = time.monotonic(), []
    for part in range(1, WATCHED + 1):
        await asyncio.sleep(max(0.0, began + seconds * part / WATCHED - time.monotonic()))
        moments.append(Moment.now(server, time.monotonic() - began))
    return moments


async def soak(server: Server, seconds: float, seed: int) -> tuple[Tally, list[Moment]]:
    """Let all visitors loose for so long."""
    tally, people = Tally(), cycle([Person.of(HAPPY), Person.of(CALM)])
    uses = [use for use, count in CLIENTS.items() for _ in range(count)]
    async with asyncio.TaskGroup() as group:
        clients = [
            group.create_task(come_and_go(server, use, next(people), 1000 * seed + number, tally))
            for number, use in enumerate(uses)
        ]
        moments = await watch(server, seconds)
        for client in clients:
            client.cancel()
    return tally, moments


def files_left(server: Server, known: set[Path]) -> int:
    """How many of the visitors' files the app has not deleted when it should have."""
    give_up_at, left = time.monotonic() + DELETED_WITHIN_S, known
    while left and time.monotonic() < give_up_at:
        time.sleep(1)
        # A folder can be deleted while its files are counted.
        with contextlib.suppress(FileNotFoundError):
            left = server.files() - known
    return len(left)


def table_of(tally: Tally) -> list[str]:
    """What became of everything, in Markdown."""
    lines = [
        f"| what | {' | '.join(Outcome)} | p50 ms | p95 ms |",
        "|---" * (len(Outcome) + 3) + "|",
    ]
    for kind in Kind:
        counts = [str(tally.outcomes[kind, outcome]) for outcome in Outcome]
        taken = tally.latencies_ms[kind]
        times = [f"{percentile(taken, share):.0f}" if taken else "" for share in (50, 95)]
        lines.append(f"| {' | '.join([kind, *counts, *times])} |")
    return lines


def checks_of(tally: Tally, moments: list[Moment], server: Server) -> list[Check]:
    """What must be so after the visitors have gone."""

    def count(outcome: Outcome) -> int:
        return sum(tally.outcomes[kind, outcome] for kind in Kind)

    unanswered = sum(not tally.latencies_ms[kind] for kind in Kind if kind is not Kind.DROPPED)
    return [
        Check("crashes", not answers(server), 0),
        Check("tracebacks that it wrote", server.output().count("Traceback (most recent call last)"), 0),
        Check("wrong answers", count(Outcome.WRONG), 0),
        Check("errors", count(Outcome.ERROR), 0),
        Check("kinds of which none went well", unanswered, 0),
        growth(moments, "memory_mib"),
        growth(moments, "descriptors"),
        growth(moments, "threads"),
    ]


def defend(minutes: float, output: Path) -> None:
    """Attack the app, and print how the attacks ended and what honest visitors saw of them."""
    raise_own_limit()
    load_before = os.getloadavg()[0]
    siege = besiege(60 * minutes)
    load = os.getloadavg()[0]
    calm, attacked = siege.calm, siege.attacked
    checks = [
        Check(f"p95 under attack ({calm.p95_ms():.1f} → {attacked.p95_ms():.1f} ms), times calm", ratio(siege), 2),
        Check("memory, MiB", max(calm.memory_mib, attacked.memory_mib), 954),
        Check("honest visitors' wrong answers, errors and refusals", wrong(calm) + wrong(attacked), 0),
        Check("honest photos that were not answered", not attacked.tally.latencies_ms[Kind.PHOTO], 0),
        Check("kinds of attack that did not take place", len(KINDS - reached(siege.attack.ends)), 0),
        Check("crashes", not siege.answers, 0),
        Check("tracebacks that it wrote", siege.log.count("Traceback (most recent call last)"), 0),
        Check("log, kB", len(siege.log) / 1000, 1000),
        Check("files left after SIGTERM", siege.left, 0),
    ]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {load_before:.1f} before and {load:.1f} after"
    typer.echo(f"{machine}; {len(HONEST) + 1} honest visitors, {len(ADDRESSES)} attackers, {minutes:g} minutes\n")
    cores = "Cores taken: " + "; ".join(f"{who} {share:.2f}" for who, share in cores_of(siege).items()) + "."
    tables = {
        "ends": table(("try", "how it ended"), rows_of_ends(siege.attack.ends)),
        "checks": table(("measure", "at most", "measured", "met"), [check.cells() for check in checks], notes=[cores]),
    }
    typer.echo("\n".join(as_markdown(each) for each in tables.values()) + f"\n{cores}")
    met = all(check.met() for check in checks)
    if not met:
        surprises = [*calm.tally.surprises[:10], *attacked.tally.surprises[:10]]
        typer.echo("\n".join(["", *surprises, *siege.log.splitlines()[-40:]]), err=True)
    record(
        output,
        command=f"python -m benchmarks.soak --attack --minutes {minutes:g}",
        speaks_of=["app.py", "space", "face_expression"],
        tables=tables,
        data={"checks": [asdict(check) | {"met": check.met()} for check in checks]},
    )
    if not met:
        raise typer.Exit(1)


def cores_of(siege: Siege) -> dict[str, float]:
    """How many of the machine's cores each took: the attackers should take few, since they would have their own."""
    return {
        "server, calm": siege.calm.server_cores,
        "server, attacked": siege.attacked.server_cores,
        "honest visitors, calm": siege.calm.visitors_cores,
        "honest visitors, attacked": siege.attacked.visitors_cores,
        "attackers": siege.attack.cpu_s / siege.attack.seconds,
    }


def ratio(siege: Siege) -> float:
    """The live view's p95 under attack, as a multiple of the calm one; infinite if nothing was answered."""
    value = siege.attacked.p95_ms() / siege.calm.p95_ms()
    return value if value == value else float("inf")


def main(
    minutes: Annotated[float, typer.Option(min=0.01, help="How long the visitors come.")] = 5,
    seed: Annotated[int, typer.Option(help="Another one is another plan.")] = 0,
    files: Annotated[bool, typer.Option(help="Wait until uploads are deleted: two minutes more.")] = True,
    attack: Annotated[bool, typer.Option("--attack", help="Attack the app while honest visitors watch.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            help="JSON to write. Default: benchmarks/results/soak.json, or with --attack docs/figures/attack.json."
        ),
    ] = None,
) -> None:
    """Let the visitors loose, and print two tables."""
    if attack:
        return defend(minutes, output or FOLDER / "attack.json")
    output = output or Path("benchmarks/results/soak.json")
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder) / "app") as server:
        known, load_before = server.files(), os.getloadavg()[0]
        tally, moments = asyncio.run(soak(server, 60 * minutes, seed))
        load = os.getloadavg()[0]
        checks = checks_of(tally, moments, server)
        if files:
            checks.append(Check("files left after they should be deleted", files_left(server, known), 0))
        log = server.output()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {load_before:.1f} before and {load:.1f} after"
    typer.echo(f"{machine}; {log.splitlines()[0]}; {sum(CLIENTS.values())} clients, {minutes:g} minutes\n")
    typer.echo("\n".join(table_of(tally)))
    typer.echo("\n| measure | at most | measured | met |\n|---|---|---|---|")
    typer.echo("\n".join(check.line() for check in checks))
    if not all(check.met() for check in checks):
        typer.echo("\n".join(["", *tally.surprises[:20], *log.splitlines()[-40:]]), err=True)
    written = {
        "machine": machine,
        "minutes": minutes,
        "seed": seed,
        "outcomes": {kind: {outcome: tally.outcomes[kind, outcome] for outcome in Outcome} for kind in Kind},
        "p50_ms": {kind: percentile(values, 50) for kind, values in tally.latencies_ms.items()},
        "p95_ms": {kind: percentile(values, 95) for kind, values in tally.latencies_ms.items()},
        "checks": [asdict(check) | {"met": check.met()} for check in checks],
        "moments": [asdict(moment) for moment in moments],
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    if not all(check.met() for check in checks):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
