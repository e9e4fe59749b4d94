"""No client takes the service from the others: queue, rates, answers that nobody reads, and calls around the queue."""

import asyncio
import base64
import threading
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

import app
from face_expression import encode_jpeg
from space.limits import AT_ONCE, AT_ONCE_OF_ONE, Kind, Limits
from space.traffic.fair_queue import FairQueue
from tests.support.builders import happy_face, scene
from tests.support.service_clients import PATIENCE_S, Camera, Client, until

PICTURE = base64.b64encode(encode_jpeg(scene([(happy_face(), 30, 60, 220)]))).decode()


class HeldPipeline:
    """A pipeline whose every picture waits until it may go on."""

    def __init__(self, pipeline):
        self.label_names, self.files, self.source = pipeline.label_names, pipeline.files, pipeline.source
        self.config = pipeline.config
        self.pipeline, self.seen = pipeline, 0
        self.go_on = threading.Semaphore(0)

    def analyze(self, frame):
        self.seen += 1
        assert self.go_on.acquire(timeout=PATIENCE_S)
        return self.pipeline.analyze(frame)


@pytest.fixture
def served(monkeypatch, tmp_path):
    """Serves a pipeline with limits."""

    @contextmanager
    def serve(pipeline, *, keep_uploads_s=app.KEEP_UPLOADS_S, **limits):
        monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
        page = app.build_app(pipeline, limits=Limits(**limits), keep_uploads_s=keep_uploads_s)
        app.launch(page, prevent_thread_lock=True, quiet=True)
        try:
            yield page
        finally:
            page.close(verbose=False)

    return serve


def test_clients_take_turns_and_one_cannot_fill_the_queue(served, yunet_pipeline):
    held = HeldPipeline(yunet_pipeline)
    with served(held, most_waiting=6) as page:
        greedy, other = Client(page, "198.51.100.1"), Client(page, "198.51.100.2")
        asked = [greedy.read(greedy.join(PICTURE)) for _ in range(10)]
        until(lambda: held.seen == 1)
        patient = other.read(other.join(PICTURE))
        # The other one's turn comes although the greedy one waits, and runs a picture all the time.
        until(lambda: held.seen == 2)
        for _ in range(2):
            held.go_on.release()
        until(lambda: patient)
        event, data = patient[0]
        assert event == "complete" and data[0]["faces"][0]["label"] == "happy"
        for _ in range(10):
            held.go_on.release()
        until(lambda: all(asked))
        refused = [data["error"] for ((event, data),) in asked if event == "error"]
        assert len(refused) >= 3 and all("too many people" in words for words in refused)


def test_an_event_that_nobody_waits_for_is_dropped_at_its_turn(served, yunet_pipeline):
    held = HeldPipeline(yunet_pipeline)
    with served(held, unwanted_s=3) as page:
        one = Client(page, "198.51.100.3")
        reading = one.read(one.join(PICTURE))
        until(lambda: held.seen == 1)
        unread = one.join(PICTURE)
        session = page._queue.session_of(unread.json()["event_id"])
        until(lambda: not page._queue.is_wanted(session))
        held.go_on.release()
        until(lambda: reading)
        event, data = one.answer(unread)
        assert event == "error" and "nobody was waiting" in data["error"]
        assert held.seen == 1


def test_what_was_sent_is_kept_until_its_turn(served, yunet_pipeline):
    held = HeldPipeline(yunet_pipeline)
    with served(held, keep_uploads_s=1) as page:
        one, other = Client(page, "198.51.100.8"), Client(page, "198.51.100.9")
        busy = [one.read(one.join(PICTURE)) for _ in range(AT_ONCE[Kind.PICTURE])]
        until(lambda: held.seen == AT_ONCE_OF_ONE[Kind.PICTURE])
        busy += [other.read(other.join(PICTURE)) for _ in range(AT_ONCE[Kind.PICTURE])]
        until(lambda: held.seen == AT_ONCE[Kind.PICTURE])
        waits, forgotten = other.upload(base64.b64decode(PICTURE)), other.upload(b"not waited for")
        patient = other.read(other.join(waits))
        until(lambda: not Path(forgotten).exists())
        assert not patient
        for _ in range(len(busy) + 1):
            held.go_on.release()
        until(lambda: patient)
        event, data = patient[0]
        assert event == "complete" and data[0]["faces"][0]["label"] == "happy"
        until(lambda: not Path(waits).exists())


def test_events_that_are_cancelled_before_they_begin_keep_no_place(served, yunet_pipeline, monkeypatch):
    cancelled = []

    def cancel_the_first(queue: FairQueue, *_, **__) -> None:
        for task in queue._asyncio_tasks if len(cancelled) < AT_ONCE[Kind.PICTURE] else ():
            # Its coroutine never runs a line then.
            task.cancel()
            cancelled.append(task)

    monkeypatch.setattr(FairQueue, "broadcast_estimations", cancel_the_first)
    with served(yunet_pipeline) as page:
        client = Client(page, "198.51.100.10")
        for count in range(1, AT_ONCE[Kind.PICTURE] + 1):
            client.read(client.join(PICTURE))
            until(lambda count=count: len(cancelled) == count)
        assert client.answer(client.join(PICTURE))[0] == "complete"
        assert not any(page._queue.active_jobs)


@pytest.mark.parametrize("path", ["run", "api"])
@pytest.mark.parametrize("name", ["analyze_image", "on_photo", "analyze_video", "on_frame", "predict"])
def test_nothing_goes_around_the_queue(served_app, path, name):
    answer = httpx.post(
        f"{served_app[0]}gradio_api/{path}/{name}", json={"data": [PICTURE], "fn_index": None}, timeout=PATIENCE_S
    )
    assert answer.status_code in (404, 500) and "happy" not in answer.text


@pytest.mark.parametrize("name", ["analyze_image", "on_photo"])
def test_the_rate_holds_for_the_page_and_for_programs(served, yunet_pipeline, name):
    with served(yunet_pipeline, pictures_a_minute=3, refusals_in_words_a_minute=2) as page:
        often, other = Client(page, "198.51.100.4"), Client(page, "198.51.100.5")
        for _ in range(3):
            often.join("hello!", name=name)
        for _ in range(2):
            event, data = often.answer(often.join("hello!", name=name))
            assert event == "error" and "(429): 3 pictures a minute" in data["error"]
        refused = often.join("hello!")
        assert refused.status_code == 429 and int(refused.headers["Retry-After"]) > 0 and "3 pictures" in refused.text
        assert other.answer(other.join(PICTURE))[0] == "complete"


def test_answers_that_nobody_reads_are_dropped(served, yunet_pipeline):
    with served(yunet_pipeline, unread_s=1, unwanted_s=1) as page:
        client = Client(page, "198.51.100.6")
        joined = client.join(PICTURE)
        assert joined.status_code == 200
        until(lambda: not page._queue.pending_messages_per_session and not page.app.state_holder.session_data)
        assert client.answer(joined)[0] == "error"
        # One that is read in time.
        until(lambda: client.answer(client.join(PICTURE))[0] == "complete")


def test_unread_answers_have_a_size(served, yunet_pipeline):
    with served(yunet_pipeline, most_unread_bytes=1000) as page:
        client = Client(page, "198.51.100.7")
        for _ in range(5):
            client.join(PICTURE)
        boxes = page._queue.pending_messages_per_session
        until(lambda: len(boxes) < 5 and sum(box.held_bytes for box in list(boxes.values())) <= 1000)


def test_what_does_not_exist_is_no_error_of_the_server(served_app):
    api = f"{served_app[0]}gradio_api/"
    for path, sent in [
        ("queue/join", {"data": [], "fn_index": 9999, "session_hash": "a"}),
        ("queue/join", {"data": [], "fn_index": 0, "session_hash": "a" * 100_000}),
        ("run/nothing", {"data": []}),
        ("call/nothing", {"data": []}),
        ("component_server", {"data": {}, "component_id": 9999, "session_hash": "a", "fn_name": "look_at_frame"}),
        ("component_server", {"data": {}, "component_id": [], "session_hash": "a", "fn_name": "look_at_frame"}),
        ("component_server", {"data": {}, "component_id": 1, "session_hash": {}, "fn_name": "look_at_frame"}),
        ("component_server", {"data": {}, "component_id": 1, "session_hash": "a" * 999, "fn_name": "a"}),
    ]:
        assert 400 <= httpx.post(f"{api}{path}", json=sent, timeout=PATIENCE_S).status_code < 500, path


def test_a_camera_without_frames_ends_and_makes_room(served, yunet_pipeline):
    with served(yunet_pipeline, frameless_s=1) as page:
        streams = [Camera(page, "198.51.100.8") for _ in range(5)]
        for number, camera in enumerate(streams):
            camera.session += f"-{number}"
            camera.start(f"data:image/jpeg;base64,{PICTURE}")
        other = Camera(page, "198.51.100.9")
        other.start(f"data:image/jpeg;base64,{PICTURE}")
        until(lambda: any("happy" in words for words in other.answers()))
        until(lambda: all(camera.answers() for camera in streams))
        until(lambda: not any(page._queue.active_jobs))


def test_a_camera_sends_no_picture_that_is_large_when_decoded(served_app):
    camera = Camera(served_app[2], "198.51.100.10")
    large = base64.b64encode(encode_jpeg(np.zeros((100, 4200, 3), np.uint8))).decode()
    camera.start(f"data:image/jpeg;base64,{large}")
    until(lambda: any("at most 4096 pixels a side" in words for words in camera.answers()))


def test_tools_of_mcp_count_for_their_caller(served, yunet_pipeline):
    async def call(page, address) -> str:
        url, headers = f"{page.local_url}gradio_api/mcp/", {"X-Forwarded-For": address}
        async with (
            streamablehttp_client(url, headers=headers) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            answer = await session.call_tool("analyze_image", {"image": PICTURE})
            return answer.content[0].text

    with served(yunet_pipeline, pictures_a_minute=2) as page:
        answers = [asyncio.run(call(page, "198.51.100.11")) for _ in range(3)]
        assert ["happy" in answer for answer in answers] == [True, True, False] and "(429)" in answers[2]
        assert "happy" in asyncio.run(call(page, "198.51.100.12"))
