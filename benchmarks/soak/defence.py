"""What honest visitors see of the service in calm, and while others attack it: `python -m benchmarks.soak --attack`."""

import asyncio
import multiprocessing
import resource
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

import aiohttp

from benchmarks.live.camera import HAPPY
from benchmarks.live.figures import percentile
from benchmarks.live.server import Server, answers, running_server
from benchmarks.soak.attack import UNREACHED, Result, attack_and_report
from benchmarks.soak.visitors import Kind, Outcome, Person, Tally, find_visitor, stream

HONEST = ("127.0.0.2", "127.0.0.3")
PHOTOS_FROM, PHOTO_EVERY_S = "127.0.0.4", 4.0
# As they are where nobody has raised them.
DESCRIPTORS = (1024, 4096)
# Answers that were on their way when a phase began do not count.
SETTLE_S = 2.0
PATIENCE_S = 300


@dataclass
class Phase:
    """What honest visitors got for a while, the most memory that the server had, and its share of one core's time."""

    tally: Tally = field(default_factory=Tally)
    memory_mib: float = 0.0
    server_cores: float = 0.0
    visitors_cores: float = 0.0

    def p95_ms(self) -> float:
        """Of the live view's answers."""
        return percentile(self.tally.latencies_ms[Kind.FRAME], 95)


@dataclass
class Siege:
    """Both phases; `attack` is what the attackers report; `left` are files after SIGTERM."""

    calm: Phase
    attacked: Phase
    attack: Result
    answers: bool
    log: str = ""
    left: int = 0


async def watched(server: Server, seconds: float) -> Phase:
    """Honest visitors for so long: two in the live view, one with a photo now and then."""
    phase, person = Phase(), Person.of(HAPPY)

    async def from_address(source: str, act) -> None:
        connections = aiohttp.TCPConnector(local_addr=(source, 0))
        async with aiohttp.ClientSession(connector=connections, read_bufsize=2**20) as http:
            visitor = await find_visitor(http, server.address, Random(source), phase.tally)
            while True:
                async with visitor.page_open() as page:
                    await act(page)

    async def photos(visitor) -> None:
        await visitor.tally.count(Kind.PHOTO, visitor.send_photo(person))
        await asyncio.sleep(PHOTO_EVERY_S)

    begun_s, server_s, visitors_s = time.monotonic(), server.cpu_s(), time.process_time()
    visitors = [asyncio.create_task(from_address(source, lambda page: stream(page, person))) for source in HONEST]
    visitors.append(asyncio.create_task(from_address(PHOTOS_FROM, photos)))
    end_s = time.monotonic() + SETTLE_S + seconds
    settled = False
    while time.monotonic() < end_s:
        await asyncio.sleep(0.1)
        phase.memory_mib = max(phase.memory_mib, server.memory_mib())
        if not settled and time.monotonic() > end_s - seconds:
            settled = True
            phase.tally.latencies_ms.clear()
    taken_s = time.monotonic() - begun_s
    phase.server_cores = (server.cpu_s() - server_s) / taken_s
    phase.visitors_cores = (time.process_time() - visitors_s) / taken_s
    for visitor in visitors:
        visitor.cancel()
    await asyncio.gather(*visitors, return_exceptions=True)
    return phase


def besiege(seconds: float) -> Siege:
    """A third of the time calm, two thirds attacked; the server is ended by SIGTERM in the middle of it."""
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        with running_server(Path(folder) / "app", descriptors=DESCRIPTORS) as server:
            known = server.files()
            here, there = spawn.Pipe()
            attackers = spawn.Process(target=attack_and_report, args=(server.address, there), daemon=True)
            attackers.start()
            # Whatever they need is made before anything is measured.
            answer_of(here)
            calm = asyncio.run(watched(server, seconds / 3))
            here.send("begin")
            attacked = asyncio.run(watched(server, 2 * seconds / 3))
            alive = answers(server)
            server.process.terminate()
            server.process.wait(timeout=30)
        here.send("end")
        attack = answer_of(here)
        attackers.join(10)
        return Siege(calm, attacked, attack, alive, server.output(), len(server.files() - known - {server.log}))


def answer_of(attackers: Connection) -> Result:
    """What their process sends next; a loaded machine takes a while for it.

    Raises:
        SystemExit: if nothing comes.
    """
    if not attackers.poll(PATIENCE_S):
        raise SystemExit("the attackers do not answer")
    return attackers.recv()


def reached(ends: Counter[tuple[str, str]]) -> set[str]:
    """The kinds of attack of which something reached the server."""
    return {kind for kind, end in ends if end not in UNREACHED}


def wrong(phase: Phase) -> int:
    """Answers that honest visitors should not have got."""
    bad = (Outcome.WRONG, Outcome.ERROR, Outcome.REFUSED)
    return sum(count for (_, outcome), count in phase.tally.outcomes.items() if outcome in bad)


def rows_of_ends(ends: Counter[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each kind of try, and how often it ended how."""
    kinds = sorted({kind for kind, _ in ends})
    return [
        (kind, ", ".join(f"{end}: {count}" for (its, end), count in ends.most_common() if its == kind))
        for kind in kinds
    ]


def raise_own_limit() -> None:
    """Attackers hold more connections than a process may by default."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8192), most))
