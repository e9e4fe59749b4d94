"""Many viewers, one pipeline: whose picture is processed, whose is dropped, and who is forgotten."""

import asyncio
import threading

import numpy as np
import pytest

from face_expression import Pipeline, encode_jpeg
from space.live.sessions import BusyServerError, RefusedError, ViewerLimits, Viewers
from tests.support.builders import calm_face, happy_face, scene

HAPPY, CALM = (encode_jpeg(scene([(face, 140, 60, 360)])) for face in (happy_face(), calm_face()))
PATIENCE_S = 120


class SlowPipeline:
    """A pipeline whose every call waits until it may go on; `seen` are the times of the frames that reached it."""

    def __init__(self, pipeline: Pipeline):
        self.pipeline = pipeline
        self.go_on = threading.Semaphore(0)
        self.seen: list[float] = []

    def track(self, frame, state, time_s, **options):
        self.seen.append(time_s)
        assert self.go_on.acquire(timeout=PATIENCE_S)
        return self.pipeline.track(frame, state, time_s, **options)


def run(conversation):
    return asyncio.run(asyncio.wait_for(conversation, PATIENCE_S))


async def until(condition) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def labels(faces) -> list[str]:
    return [face.label for face in faces]


def test_each_viewer_is_followed_on_their_own(pipeline):
    async def conversation():
        viewers = Viewers(pipeline)
        alone = {name: [] for name in ("happy", "calm")}
        for index in range(6):
            answers = await asyncio.gather(
                viewers.look("happy", HAPPY, index / 10, 0), viewers.look("calm", CALM, index / 10, 0)
            )
            for name, faces in zip(alone, answers, strict=True):
                alone[name].append(faces)
        return alone

    seen = run(conversation())
    assert {label for faces in seen["happy"] for label in labels(faces)} == {"happy"}
    assert "happy" not in {label for faces in seen["calm"] for label in labels(faces)}
    assert {face.track_id for history in seen.values() for faces in history for face in faces} == {1}


def test_of_the_pictures_that_wait_only_the_newest_is_looked_at(yunet_pipeline):
    async def conversation():
        slow = SlowPipeline(yunet_pipeline)
        viewers = Viewers(slow)
        asked = [asyncio.create_task(viewers.look("one", HAPPY, 0.0, 0))]
        await until(lambda: slow.seen)
        for time_s in (1.0, 2.0, 3.0):
            asked.append(asyncio.create_task(viewers.look("one", HAPPY, time_s, 0)))
            await asyncio.sleep(0)
        # Somebody else need not wait for any of them.
        other = asyncio.create_task(viewers.look("other", CALM, 7.0, 0))
        await until(lambda: len(slow.seen) == 2)
        for _ in range(3):
            slow.go_on.release()
        return slow.seen, await asyncio.gather(*asked), await other

    seen, answers, other = run(conversation())
    assert seen == [0.0, 7.0, 3.0]
    assert [faces is None for faces in answers] == [False, True, True, False]
    assert len(other) == 1


def test_another_scene_knows_nobody_from_the_one_before(yunet_pipeline):
    async def conversation():
        viewers = Viewers(yunet_pipeline)
        await viewers.look("one", HAPPY, 0.0, 0)
        same = await viewers.look("one", CALM, 0.01, 0)
        fresh = await viewers.look("one", CALM, 0.02, 1)
        late = await viewers.look("one", HAPPY, 0.03, 0)
        return same, fresh, late

    same, fresh, late = run(conversation())
    assert labels(same) == ["happy"], "ten milliseconds change nothing that is smoothed"
    assert labels(fresh) != ["happy"]
    assert late is None, "what arrives from an older scene is not processed"


def test_who_sends_too_fast_is_answered_for_some_of_it(yunet_pipeline):
    async def conversation():
        now = [100.0]
        viewers = Viewers(yunet_pipeline, ViewerLimits(frames_per_s=10), clock=lambda: now[0])
        at_once = [await viewers.look("one", HAPPY, float(index), 0) for index in range(5)]
        now[0] += 0.15
        return at_once, await viewers.look("one", HAPPY, 9.0, 0), await viewers.look("one", HAPPY, 10.0, 0)

    at_once, later, too_soon = run(conversation())
    assert [faces is not None for faces in at_once] == [True, True, False, False, False]
    assert later is not None and too_soon is None


def test_a_full_server_says_so_and_idle_viewers_make_room(yunet_pipeline):
    async def conversation():
        now = [0.0]
        viewers = Viewers(yunet_pipeline, ViewerLimits(most_viewers=2, idle_s=10), clock=lambda: now[0])
        for name in ("one", "two"):
            await viewers.look(name, HAPPY, 0.0, 0)
        with pytest.raises(RefusedError, match="too many people"):
            await viewers.look("three", HAPPY, 0.0, 0)
        now[0] = 9.0
        await viewers.look("two", HAPPY, 9.0, 0)
        now[0] = 11.0
        assert await viewers.look("three", HAPPY, 0.0, 0) is not None
        return len(viewers)

    assert run(conversation()) == 2


class CostlyPipeline:
    """A pipeline whose every call takes `cost_s` on a clock that stands still otherwise."""

    def __init__(self, pipeline: Pipeline, cost_s: float):
        self.pipeline, self.cost_s, self.now_s = pipeline, cost_s, 0.0

    def track(self, frame, state, time_s, **options):
        self.now_s += self.cost_s
        return self.pipeline.track(frame, state, time_s, **options)


async def busy_with_one(pipeline: Pipeline, name: str) -> tuple[CostlyPipeline, Viewers]:
    """A server of one thread that is found to need 1/16 s for a picture, and has one viewer."""
    costly = CostlyPipeline(pipeline, 1 / 16)
    limits = ViewerLimits(threads=1, least_frames_per_s=4, busy_share=1.0, idle_s=10)
    viewers = Viewers(costly, limits, clock=lambda: costly.now_s)
    for index in range(20):
        await viewers.look(name, HAPPY, float(index), 0)
    return costly, viewers


def test_a_server_takes_no_more_viewers_than_it_can_serve(yunet_pipeline):
    """A picture takes 1/16 s of one thread: four viewers have four frames a second, and a fifth would take some."""

    async def conversation():
        costly, viewers = await busy_with_one(yunet_pipeline, "1")
        for name in ("2", "3", "4"):
            assert await viewers.look(name, HAPPY, 0.0, 0) is not None
        with pytest.raises(RefusedError, match="server is busy"):
            await viewers.look("5", HAPPY, 0.0, 0)
        assert await viewers.look("1", HAPPY, 100.0, 0) is not None, "who is in stays in"
        # Another client has a right to a share of the places.
        assert await viewers.look("other", HAPPY, 0.0, 0, client="other") is not None
        assert len(viewers) == 4
        costly.now_s += 20
        assert await viewers.look("5", HAPPY, 0.0, 0) is not None, "the first one is always taken"
        costly.cost_s = 1 / 64
        for index in range(64):
            costly.now_s += 0.1
            await viewers.look("5", HAPPY, float(index), 0)
        for name in range(6, 14):
            assert await viewers.look(str(name), HAPPY, 0.0, 0) is not None, "pictures take less now"
        return len(viewers)

    assert run(conversation()) == 9


def test_the_last_viewer_is_forgotten_though_nobody_comes_after(yunet_pipeline):
    async def conversation():
        viewers = Viewers(yunet_pipeline, ViewerLimits(idle_s=0.2))
        await viewers.look("one", HAPPY, 0.0, 0)
        assert len(viewers) == 1
        await until(lambda: len(viewers) == 0)

    run(conversation())


def large() -> bytes:
    return encode_jpeg(np.zeros((10, 700, 3), np.uint8))


@pytest.mark.parametrize(
    ("viewer", "picture", "time_s", "words"),
    [
        ("one", b"", 0.0, "the file is empty"),
        ("one", b"nonsense", 0.0, "not a picture"),
        ("one", HAPPY[:2000], 0.0, "damaged or incomplete"),
        ("one", HAPPY + b"x" * 200_000, 0.0, "at most 200000 bytes"),
        ("one", large(), 0.0, "700 x 10 pixels; at most 640"),
        ("one", HAPPY, float("nan"), "finite"),
        ("", HAPPY, 0.0, "1 to 64 letters"),
        ("x" * 65, HAPPY, 0.0, "1 to 64 letters"),
    ],
)
def test_what_cannot_be_used_is_refused_and_the_next_is_looked_at(viewer, picture, time_s, words, yunet_pipeline):
    async def conversation():
        viewers = Viewers(yunet_pipeline)
        with pytest.raises(RefusedError, match=words):
            await viewers.look(viewer, picture, time_s, 0)
        return await viewers.look("one", HAPPY, 1.0, 0)

    assert labels(run(conversation())) == ["happy"]


def test_a_viewer_who_hangs_up_holds_nothing_up(yunet_pipeline):
    async def conversation():
        slow = SlowPipeline(yunet_pipeline)
        viewers = Viewers(slow)
        first, second = (asyncio.create_task(viewers.look("one", HAPPY, time_s, 0)) for time_s in (0.0, 1.0))
        await until(lambda: slow.seen)
        first.cancel()
        second.cancel()
        last = asyncio.create_task(viewers.look("one", HAPPY, 2.0, 0))
        for _ in range(3):
            slow.go_on.release()
        return await last

    assert labels(run(conversation())) == ["happy"]


def test_unusable_pictures_hold_no_place(yunet_pipeline):
    async def conversation():
        now = [0.0]
        viewers = Viewers(yunet_pipeline, ViewerLimits(most_viewers=2), clock=lambda: now[0])
        for step in range(20):
            now[0] = step / 4
            for name in ("one", "two"):
                with pytest.raises(RefusedError, match="the file is empty"):
                    await viewers.look(name, b"", now[0], 0, client="greedy")
            if now[0] > 3:
                break
        now[0] += 2.5
        return await viewers.look("three", HAPPY, now[0], 0, client="greedy")

    assert labels(run(conversation())) == ["happy"]


def test_one_client_cannot_have_all_places(yunet_pipeline):
    async def conversation():
        viewers = Viewers(yunet_pipeline, ViewerLimits(most_viewers=4))
        for name in ("a", "b", "c", "d"):
            await viewers.look(name, HAPPY, 0.0, 0, client="greedy")
        for name in ("e", "f"):
            assert await viewers.look(name, HAPPY, 0.0, 0, client="other") is not None
        with pytest.raises(RefusedError, match="too many people"):
            await viewers.look("g", HAPPY, 0.0, 0, client="other")
        with pytest.raises(RefusedError, match="too many people"):
            await viewers.look("a", HAPPY, 1.0, 0, client="greedy")
        assert await viewers.look("d", HAPPY, 1.0, 0, client="greedy") is not None
        return len(viewers)

    assert run(conversation()) == 4


def test_clients_take_turns(yunet_pipeline):
    async def conversation():
        slow = SlowPipeline(yunet_pipeline)
        # Time stands still: however busy the machine, nobody's last question is long ago.
        viewers = Viewers(slow, ViewerLimits(threads=2), clock=lambda: 0.0)
        asked = [asyncio.create_task(viewers.look("first", HAPPY, 0.0, 0, client="other"))]
        await until(lambda: slow.seen == [0.0])
        slow.go_on.release()
        await asked[0]
        for number in range(1, 6):
            asked.append(asyncio.create_task(viewers.look(f"greedy {number}", HAPPY, number, 0, client="greedy")))
        await until(lambda: len(slow.seen) == 2)
        asked.append(asyncio.create_task(viewers.look("first", HAPPY, 10.0, 0, client="other")))
        await until(lambda: len(slow.seen) == 3)
        for _ in range(6):
            slow.go_on.release()
        await asyncio.gather(*asked)
        return slow.seen

    assert run(conversation())[2] == 10.0, "a slot is left for the other client while several ask"


def test_who_has_gone_takes_no_time_of_who_comes(yunet_pipeline):
    """As when a page is loaded again: its old viewer is remembered for a while, but sends nothing any more."""

    async def conversation():
        costly, viewers = await busy_with_one(yunet_pipeline, "first")
        for number in range(10):
            assert await viewers.look(str(number), HAPPY, 0.0, 0) is not None
            costly.now_s += 0.9
        return len(viewers)

    assert run(conversation()) > 4


def test_unusable_pictures_of_others_make_no_server_busy(yunet_pipeline):
    """A picture takes 1/16 s of one thread, so that there is time for four viewers with four frames a second."""

    async def conversation():
        costly = CostlyPipeline(yunet_pipeline, 1 / 16)
        limits = ViewerLimits(threads=1, least_frames_per_s=4, busy_share=1.0)
        viewers = Viewers(costly, limits, clock=lambda: costly.now_s)
        for index in range(20):
            await viewers.look("1", HAPPY, float(index), 0, client="1")
        for number in range(10):
            with pytest.raises(RefusedError, match="the file is empty"):
                await viewers.look(f"attacker {number}", b"", 0.0, 0, client=f"attacker {number}")
        for name in ("2", "3", "4"):
            assert await viewers.look(name, HAPPY, 0.0, 0, client=name) is not None
        with pytest.raises(BusyServerError):
            await viewers.look("5", HAPPY, 0.0, 0, client="5")

    run(conversation())


class ListeningPipeline:
    """A pipeline that notes how often it is asked to search for newcomers."""

    def __init__(self, pipeline: Pipeline):
        self.pipeline, self.factors = pipeline, []

    def track(self, frame, state, time_s, *, search_interval_factor):
        self.factors.append(search_interval_factor)
        return self.pipeline.track(frame, state, time_s, search_interval_factor=search_interval_factor)


def test_with_many_viewers_newcomers_are_searched_for_less_often(yunet_pipeline):
    async def conversation():
        listening = ListeningPipeline(yunet_pipeline)
        viewers = Viewers(listening, ViewerLimits(threads=1, eager_viewers_a_thread=2, most_search_factor=3))
        for name in range(9):
            await viewers.look(str(name), HAPPY, 0.0, 0)
        return listening.factors

    assert run(conversation()) == [1, 1, 1.5, 2, 2.5, 3, 3, 3, 3]
