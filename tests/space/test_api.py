"""The program as a service: gradio_client, curl and MCP speak to the running app, as docs/service.md shows."""

import asyncio
import base64
import http.server
import itertools
import json
import re
import socket
import subprocess
import sys
import threading

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

from face_expression import face_as_json, read_picture
from space.traffic.rate_limit import RateLimit
from tests.support.builders import EXAMPLES, REPOSITORY, calm_face, happy_face, scene
from tests.support.busy_folders import files_in
from tests.support.service_clients import until
from tests.support.videos import plain, write_video

DOCUMENT = (REPOSITORY / "docs" / "service.md").read_text()
IN_THE_DOCUMENT = "http://127.0.0.1:7860"
PHOTO = EXAMPLES / "astronaut.jpg"
IN_BASE64 = base64.b64encode(PHOTO.read_bytes()).decode()
CALLERS = itertools.count()
FILE_DATA = {"_type": "gradio.FileData"}
LABELS = {"angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"}


@pytest.fixture
def call(served_app):
    """Calls an endpoint as curl would: (event, data). Each test is counted under an address of its own."""
    address = f"198.51.100.{next(CALLERS)}"

    def call_endpoint(name: str, *data, forwarded_for: str = address) -> tuple[str, list | dict]:
        api, headers = f"{served_app[0]}gradio_api/call/{name}", {"X-Forwarded-For": forwarded_for}
        joined = httpx.post(api, json={"data": data}, headers=headers, timeout=60).raise_for_status().json()
        with httpx.stream("GET", f"{api}/{joined['event_id']}", timeout=60) as answer:
            lines = [line for line in answer.iter_lines() if line and "heartbeat" not in line]
        return lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: "))

    return call_endpoint


def upload(address: str, path) -> str:
    (uploaded,) = httpx.post(f"{address}gradio_api/upload", files={"files": path.read_bytes()}, timeout=60).json()
    return uploaded


def block_of_the_document(holding: str, address: str) -> str:
    (block,) = (text for text in re.findall(r"```\w*\n(.*?)```", DOCUMENT, re.DOTALL) if holding in text)
    assert IN_THE_DOCUMENT in block
    return block.replace(IN_THE_DOCUMENT, address.rstrip("/"))


def run(*command: str) -> str:
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True).stdout


def test_curl_as_the_documents_say(served_app):
    answer = run("bash", "-ec", block_of_the_document("curl", served_app[0]))
    event, data = answer.strip().splitlines()
    assert event == "event: complete"
    assert json.loads(data.removeprefix("data: "))[0]["faces"][0]["label"] == "happy"


def test_gradio_client_as_the_documents_say(served_app, tmp_path):
    write_video(tmp_path / "clip.mp4", [scene([(happy_face(), 30, 60, 220)])] * 30)
    block = block_of_the_document("gradio_client", served_app[0]).replace("clip.mp4", str(tmp_path / "clip.mp4"))
    label, video = run(sys.executable, "-c", block).strip().splitlines()[-2:]
    assert label.startswith("happy 0.9") and video == "{'happy': 1.0}"


def with_mcp(url: str, question):
    """Ask something of the server's MCP side, with the protocol's own client."""

    async def ask():
        async with streamablehttp_client(url) as (read, write, _), ClientSession(read, write) as session:
            await session.initialize()
            return await question(session)

    return asyncio.run(ask())


def test_mcp_as_the_documents_say(served_app):
    ((_, server),) = json.loads(block_of_the_document("mcpServers", served_app[0]))["mcpServers"].items()

    async def question(session: ClientSession):
        tools = (await session.list_tools()).tools
        return (
            {tool.name: tool for tool in tools},
            await session.call_tool("analyze_image", {"image": f"data:image/jpeg;base64,{IN_BASE64}"}),
            await session.call_tool("analyze_image", {"image": upload(served_app[0], PHOTO)}),
            await session.call_tool("analyze_image", {"image": served_app[0]}),
        )

    tools, *found, refused = with_mcp(server["url"], question)
    assert tools.keys() == {"analyze_image", "analyze_video"}
    image, video = (tools[name].inputSchema for name in ("analyze_image", "analyze_video"))
    assert image["properties"].keys() == {"image"} and image["required"] == ["image"]
    assert video["properties"].keys() == {"video", "every", "rows"} and video["required"] == ["video"]
    assert all(field["description"] for field in (image["properties"] | video["properties"]).values())
    assert (
        "box (x0, y0, x1, y1)" in tools["analyze_image"].description and "feels" in tools["analyze_image"].description
    )
    for answer in found:
        assert not answer.isError and json.loads(answer.content[0].text)["faces"][0]["label"] == "happy"
    assert refused.isError and "send the file itself" in refused.content[0].text


def test_the_service_says_what_it_takes_and_gives(served_app):
    endpoints = httpx.get(f"{served_app[0]}gradio_api/info", timeout=60).json()
    assert endpoints["named_endpoints"].keys() == {"/analyze_image", "/analyze_video"}
    assert endpoints["unnamed_endpoints"] == {}
    for endpoint, inputs, outputs in [
        ("/analyze_image", {"image": "str"}, {"width", "height", "faces"}),
        (
            "/analyze_video",
            {"video": "str", "every": "int", "rows": "bool"},
            {"duration_s", "frames", "problem", "people", "people_left_out", "rows", "rows_left_out"},
        ),
    ]:
        described = endpoints["named_endpoints"][endpoint]
        assert {field["parameter_name"]: field["python_type"]["type"] for field in described["parameters"]} == inputs
        assert described["returns"][0]["type"]["properties"].keys() == outputs
        assert "not what somebody feels" in described["description"] and "not fetched" in described["description"]


def test_every_way_to_send_a_picture_gives_what_the_core_says(served_app, call, yunet_pipeline):
    frame = read_picture(PHOTO)
    faces = [face_as_json(face, yunet_pipeline.label_names) for face in yunet_pipeline.analyze(frame)]
    uploaded = upload(served_app[0], PHOTO)
    for sent in (
        IN_BASE64,
        f"data:image/jpeg;base64,{IN_BASE64}",
        uploaded,
        f"{served_app[0]}gradio_api/file={uploaded}",
        {"path": uploaded, "meta": FILE_DATA},
        {"url": f"data:image/jpeg;base64,{IN_BASE64}"},
        base64.encodebytes(PHOTO.read_bytes()).decode(),
        base64.encodebytes(PHOTO.read_bytes()).decode().replace("\n", "\r\n "),
        base64.urlsafe_b64encode(PHOTO.read_bytes()).decode().rstrip("="),
        f" DATA:image/jpeg;BASE64,{IN_BASE64}\n",
        f"data:image/jpeg;base64,{IN_BASE64.replace('+', '%2B').replace('/', '%2f').replace('=', '%3D')}",
    ):
        assert call("analyze_image", sent) == ("complete", [{"width": 512, "height": 512, "faces": faces}])


def test_a_video_is_summarised_by_person(served_app, tmp_path):
    frames = [
        scene([(happy_face(), 30, 60, 220), *([(calm_face(), 360, 90, 240)] if index >= 20 else [])])
        for index in range(40)
    ]
    path = write_video(tmp_path / "clip.mp4", frames)
    client = Client(served_app[0], verbose=False, headers={"X-Forwarded-For": "203.0.113.1"})
    answer = client.predict(video=handle_file(str(path)), every=2, rows=True, api_name="/analyze_video")
    happy, calm = answer["people"]
    assert answer["duration_s"] == pytest.approx(1.6, abs=0.01) and answer["frames"] == 40
    assert answer["problem"] is None and answer["rows_left_out"] == answer["people_left_out"] == 0
    assert happy["expressions"] == {"happy": 1.0} and happy["seen_s"] == pytest.approx(1.6, abs=0.01)
    assert calm["first_s"] == pytest.approx(0.8, abs=0.01) and "happy" not in calm["expressions"]
    assert len(answer["rows"]) == 20 + 10 and answer["rows"][0].keys() > LABELS
    row = answer["rows"][0]
    assert isinstance(row["confidence"], float) and isinstance(row["frame"], int) and row["reliable"] in (True, False)
    assert isinstance(row["reasons"], list) and abs(sum(row[label] for label in LABELS) - 1) < 0.001
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(AppError, match="not a video that can be read, or the file is incomplete"):
        client.predict(video=handle_file(str(path)), api_name="/analyze_video")


def test_videos_that_are_too_much_are_refused(call, tmp_path):
    for path, every, words in [
        (write_video(tmp_path / "long.mp4", [plain(), plain()], [0, 61]), 1, "longer than 60 s"),
        (write_video(tmp_path / "large.mp4", [plain(2048, 1280)]), 1, "2.3 million pixels"),
        (write_video(tmp_path / "fine.mp4", [plain()]), 0, "every must be a whole number"),
    ]:
        event, error = call("analyze_video", base64.b64encode(path.read_bytes()).decode(), every, False)
        assert event == "error" and words in error["error"]


@pytest.fixture
def tempting():
    """A web server on this machine that nobody must be made to ask: (its port, the paths that were asked for)."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(PHOTO.read_bytes())

        do_HEAD = do_GET

        def log_message(self, *_):
            """Keep quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever).start()
    yield server.server_address[1], asked
    server.shutdown()
    server.server_close()


def test_no_address_is_fetched_and_no_file_of_the_server_is_read(served_app, call, tempting, monkeypatch, tmp_path):
    """Not even looked up: a name that leads to a private address, now or after a redirect, is a name like any other."""
    port, asked = tempting
    address, folder, _ = served_app
    # Gradio trusts the second, which others in this process may look up: what is asked of it here comes to `tempting`.
    names = "pictures.example", "huggingface.co"
    looked_up, look_up = [], socket.getaddrinfo

    def getaddrinfo(host, *arguments, **options):
        looked_up.append(host)
        return look_up("127.0.0.1" if host in names else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    (tmp_path / "secret.jpg").write_bytes(PHOTO.read_bytes())
    (folder / "way-out.jpg").symlink_to(tmp_path / "secret.jpg")
    hosts = "127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433", *names
    addresses = [f"{scheme}://{host}:{port}/a.jpg" for host in hosts for scheme in ("http", "https")]
    addresses += ["http://169.254.169.254/latest/meta-data", "https://huggingface.co/a.jpg", "ftp://127.0.0.1/a"]
    files = [f"file://{PHOTO}", str(PHOTO), "/etc/passwd", f"{folder}/../{tmp_path.name}/secret.jpg"]
    files += [f"{folder}/way-out.jpg", f"{address}gradio_api/file=/etc/passwd"]
    for sent in addresses + files:
        event, error = call("analyze_image", sent, forwarded_for="203.0.113.7")
        assert event == "error" and error["error"], sent
    for sent in addresses[::3] + files:
        event, error = call("analyze_image", {"path": sent, "meta": FILE_DATA}, forwarded_for="203.0.113.8")
        assert event == "error", sent
        if sent.startswith("http") and "gradio_api" not in sent:
            assert "send the file itself" in error["error"]
    for sent in addresses[:2]:
        assert call("analyze_video", sent, 1, False, forwarded_for="203.0.113.8")[0] == "error"
        assert call("on_photo", {"path": sent, "meta": FILE_DATA})[0] == "error"
        assert httpx.get(f"{address}gradio_api/file={sent}", timeout=60).status_code == 403
    assert asked == [] and "pictures.example" not in looked_up
    (folder / "way-out.jpg").unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (None, "no file was sent"),
        ("", "no file was sent"),
        ({"path": 7}, "no file was sent"),
        ("hello!", "neither a file that was uploaded here nor base64"),
        ("data:image/png;base64,", "the file is empty"),
        (base64.b64encode(b"hello").decode(), "not a picture"),
        (IN_BASE64[:4000], "damaged or incomplete"),
    ],
)
def test_bad_pictures_are_answered_in_words(call, sent, words):
    event, error = call("analyze_image", sent, forwarded_for="203.0.113.9")
    assert event == "error" and words in error["error"]


def test_too_many_requests_are_refused_with_the_time_to_wait(call):
    for number in range(4):
        made_up = f"203.0.113.{100 + number}, 198.51.100.251"
        assert "neither" in call("analyze_video", "hello!", 1, False, forwarded_for=made_up)[1]["error"]
    # One comes back every 15 s, which four of them may take on a busy machine.
    answers = (call("analyze_video", IN_BASE64, 1, False, forwarded_for="198.51.100.251") for _ in range(8))
    event, error = next(answer for answer in answers if "(429)" in str(answer[1]))
    assert event == "error" and re.search(r"\(429\): 4 videos a minute; try again in \d+ s", error["error"])
    assert "neither" in call("analyze_video", "hello!", 1, False, forwarded_for="198.51.100.252")[1]["error"]


def test_the_limit_fills_up_again_and_forgets_old_addresses():
    now_s = [0.0]
    limit = RateLimit(2, most_addresses=3, clock_s=lambda: now_s[0])
    assert [limit.ask("a") for _ in range(3)] == [0, 0, 30]
    now_s[0] = 29
    assert limit.ask("a") == pytest.approx(1) and limit.ask("b") == 0
    now_s[0] = 30
    assert limit.ask("a") == 0 and limit.ask("a") == 30
    assert [limit.ask(f"2001:db8::{number}") for number in range(3)] == [0, 0, 30]
    assert limit.ask("2001:db8:0:1::") == 0
    assert limit.ask("d") == 0 and limit.ask("b") == 0, "the memory holds three"


def test_a_request_that_is_too_large_is_refused(served_app):
    for path in ("call/analyze_image", "queue/join", "mcp/"):
        answer = httpx.post(f"{served_app[0]}gradio_api/{path}", json={"data": ["A" * 8_300_000]}, timeout=60)
        assert answer.status_code == 413


def test_nothing_of_a_caller_is_kept(served_app, call, tmp_path):
    page = served_app[2]
    before = set(page.app.state_holder.session_data)
    video = write_video(tmp_path / "clip.mp4", [scene([(happy_face(), 30, 60, 220)])] * 3)
    assert call("analyze_image", IN_BASE64)[0] == "complete"
    assert call("analyze_video", base64.b64encode(video.read_bytes()).decode(), 1, False)[0] == "complete"
    assert set(page.app.state_holder.session_data) <= before
    until(lambda: files_in(page.videos.root) == [])


def test_answers_say_how_they_may_be_used(served_app):
    address = served_app[0]
    uploaded = upload(address, PHOTO)
    for path, cache in [
        ("", None),
        ("live/page.js", "no-cache"),
        (f"gradio_api/file={uploaded}", "private, no-store"),
        ("nowhere", None),
    ]:
        headers = httpx.get(f"{address}{path}", timeout=60).headers
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "same-origin"
        assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]
        assert cache is None or headers["Cache-Control"] == cache, path
    assert httpx.get(f"{address}monitoring/summary", timeout=60).status_code == 403


def test_one_request_is_one_upload(served_app, monkeypatch):
    """The limit is for the request, however many files are in it."""
    monkeypatch.setattr("space.traffic.request_limits.MAX_UPLOAD_BYTES", 1_000_000)
    parts = [("files", (f"{number}.bin", bytes(400_000))) for number in range(4)]
    url = f"{served_app[0]}gradio_api/upload"
    assert httpx.post(url, files=parts[:2], timeout=60).status_code == 200
    assert httpx.post(url, files=parts, timeout=60).status_code == 413
