"""Programs that speak to the running app over HTTP, each from an address of its own."""

import contextlib
import json
import threading
import time

import httpx

PATIENCE_S = 60
# How an answer ends that comes no more, or in part: with the app, at the end of a test that does not wait for it.
CUT_OFF = (httpx.HTTPError, IndexError, ValueError)


def until(condition) -> None:
    """Wait for a condition; a test fails where it does not come true."""
    give_up_at = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


class Client:
    """A program that speaks to the API from an address of its own."""

    def __init__(self, page, address):
        self.api = f"{page.local_url}gradio_api/"
        self.http = httpx.Client(headers={"X-Forwarded-For": address}, timeout=PATIENCE_S)

    def join(self, *data: object, name="analyze_image") -> httpx.Response:
        return self.http.post(f"{self.api}call/{name}", json={"data": data})

    def upload(self, content: bytes, name: str = "photo.jpg") -> str:
        """Send a file ahead; gives its path on the server."""
        (path,) = self.http.post(f"{self.api}upload", files={"files": (name, content)}).raise_for_status().json()
        return path

    def answer(self, joined: httpx.Response, name="analyze_image") -> tuple[str, object]:
        with self.http.stream("GET", f"{self.api}call/{name}/{joined.json()['event_id']}") as answer:
            lines = [line for line in answer.iter_lines() if line and "heartbeat" not in line and "null" not in line]
        return lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: "))

    def read(self, joined: httpx.Response) -> list:
        """Begin to read an answer; it is in the list when it has come."""
        joined.raise_for_status()
        answers = []

        def keep() -> None:
            with contextlib.suppress(*CUT_OFF):
                answers.append(self.answer(joined))

        threading.Thread(target=keep, daemon=True).start()
        return answers


class Camera:
    """The camera of the basic tab, without a browser: its events are read while its frames are sent."""

    def __init__(self, page, address):
        self.client = Client(page, address)
        config = self.client.http.get(f"{page.local_url}config").json()
        number = {component["props"].get("elem_id"): component["id"] for component in config["components"]}
        self.event = next(
            event for event in config["dependencies"] if [number["basic-camera"], "stream"] in event["targets"]
        )
        self.session = f"camera-{address}"
        self.messages = []

    def body(self, url: str) -> dict:
        return {
            "data": [{"url": url, "meta": {"_type": "gradio.FileData"}}, None],
            "fn_index": self.event["id"],
            "session_hash": self.session,
        }

    def start(self, url: str) -> str:
        joined = self.client.http.post(f"{self.client.api}queue/join", json=self.body(url)).json()
        threading.Thread(target=self._read, daemon=True).start()
        self.stream = joined["event_id"]
        return self.stream

    def send(self, url: str) -> None:
        """Send another frame to the stream that was started."""
        self.client.http.post(f"{self.client.api}stream/{self.stream}", json=self.body(url)).raise_for_status()

    def _read(self) -> None:
        url = f"{self.client.api}queue/data?session_hash={self.session}"
        with contextlib.suppress(*CUT_OFF), self.client.http.stream("GET", url) as events:
            self.messages += (json.loads(line[5:]) for line in events.iter_lines() if line.startswith("data:"))

    def answers(self) -> list[str]:
        return [message["output"]["data"][1] for message in self.messages if (message.get("output") or {}).get("data")]
