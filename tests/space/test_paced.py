"""Requests that cost the event loop much: one at a time, clients in turn, and room for others in between."""

import asyncio
import os
import platform
import subprocess
import sys
import threading
import time

import pytest

from space.traffic.paced import Paced
from space.traffic.workers import Workers

ON_LINUX = pytest.mark.skipif(platform.system() != "Linux", reason="threads have no priority of their own")


def test_clients_take_turns_and_there_is_one_at_a_time():
    async def conversation():
        paced, order, at_once = Paced(longest_s=60, rest=0), [], 0

        async def ask(client):
            nonlocal at_once
            leave = await paced.enter(client)
            at_once += 1
            assert at_once == 1
            order.append(client)
            await asyncio.sleep(0)
            at_once -= 1
            leave()

        await asyncio.gather(*(ask(client) for client in ["greedy"] * 4 + ["other"]))
        return order

    assert asyncio.run(conversation()) == ["greedy", "other", "greedy", "greedy", "greedy"]


def test_what_waits_for_something_gives_its_place_to_others():
    async def conversation():
        paced = Paced(longest_s=0.01, rest=0)
        await paced.enter("never ends")
        await paced.enter("other")

    asyncio.run(asyncio.wait_for(conversation(), 30))


def test_who_goes_while_waiting_leaves_no_trace():
    async def conversation():
        paced = Paced(longest_s=60, rest=0)
        leave = await paced.enter("first")
        waiting = asyncio.create_task(paced.enter("goes"))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        leave()
        (await paced.enter("last"))()

    asyncio.run(asyncio.wait_for(conversation(), 30))


def test_the_place_rests_for_as_long_as_it_made_the_event_loop_compute():
    async def conversation():
        paced = Paced(longest_s=60, rest=2)
        leave = await paced.enter("busy")
        begun_s = time.thread_time()
        while time.thread_time() - begun_s < 0.05:
            pass
        leave()
        left_s = time.monotonic()
        await paced.enter("next")
        return time.monotonic() - left_s

    assert asyncio.run(conversation()) >= 0.09


@ON_LINUX
def test_threads_for_files_give_way_to_the_process_whatever_its_priority():
    assert worker_priority() >= min(os.getpriority(os.PRIO_PROCESS, 0) + 5, 19)
    nice = "import os; os.nice(7); from tests.space.test_paced import worker_priority; print(worker_priority())"
    done = subprocess.run([sys.executable, "-c", nice], capture_output=True, text=True, check=True)
    assert int(done.stdout) >= min(os.getpriority(os.PRIO_PROCESS, 0) + 12, 19)


def worker_priority() -> int:
    return Workers(1, "file").run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is another one")
def test_threads_share_the_heaps(tmp_path):
    program = """
import ctypes, sys, threading
from space.storage.memory import return_freed_memory

return_freed_memory()
libc, together = ctypes.CDLL(None), threading.Barrier(8)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.fopen.restype, libc.malloc_info.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
libc.fclose.argtypes = [ctypes.c_void_p]

def allocate():
    together.wait()
    for _ in range(1000):
        libc.malloc(1000)
    together.wait()

threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
file = libc.fopen(sys.argv[1].encode(), b"w")
libc.malloc_info(0, file)
libc.fclose(file)
"""
    report = tmp_path / "heaps.xml"
    subprocess.run([sys.executable, "-c", program, str(report)], check=True)
    assert 1 <= report.read_text().count("<heap nr=") <= 2


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is another one")
def test_the_memory_of_large_pictures_goes_back_to_the_system():
    program = """
import ctypes, sys
import psutil
from space.storage.memory import return_freed_memory

return_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
PART = 16 << 20

def parts(count):
    places = [libc.malloc(PART) for _ in range(count)]
    for place in places:
        ctypes.memset(place, 1, PART)
    return places

def free(places):
    for place in places:
        libc.free(place)

memory = psutil.Process().memory_info
free(parts(1))
before = memory().rss
photo = parts(12)
kept = [libc.malloc(100_000) for _ in range(10)]
free(photo)
print((memory().rss - before) >> 20)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 50
