"""Firefox and WebKit as Debian packages them, driven by their own protocols: WebDriver BiDi and WebDriver."""

import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import httpx
import websocket

from benchmarks.support.processes import ended, free_port

PATIENCE_S = 300
# A camera that shows a moving pattern, and nobody to ask whether it may be used.
FIREFOX_SETTINGS = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "intl.accept_languages": "en",
}


class MissingBrowserError(Exception):
    """A browser, or what drives it, is not installed; the message says what to install."""


class OtherBrowser(Protocol):
    """A browser with one page."""

    def open(self, address: str) -> None:
        """Go to an address."""

    def run(self, expression: str) -> Any:
        """The value of an expression of JavaScript in the page, as JSON has it."""


def wait_for(browser: OtherBrowser, condition: str) -> Any:
    """The value of an expression as soon as it is true.

    Raises:
        AssertionError: with what the page shows, if it stays false.
    """
    give_up_at = time.monotonic() + PATIENCE_S
    while not (value := browser.run(condition)):
        if time.monotonic() > give_up_at:
            raise AssertionError(f"never true: {condition}\n{browser.run('document.body.innerText')}")
        time.sleep(0.2)
    return value


@contextmanager
def running(command: list[str], **environment: str) -> Iterator[subprocess.Popen]:
    """A program, until the block ends."""
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with ended(process):
        yield process


class Firefox:
    """Firefox over WebDriver BiDi."""

    def __init__(self, port: int):
        self._ids = itertools.count(1)
        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            try:
                address = f"ws://127.0.0.1:{port}/session"
                self._socket = websocket.create_connection(address, timeout=PATIENCE_S, suppress_origin=True)
                break
            except OSError:
                assert time.monotonic() < give_up_at, "Firefox does not listen"
                time.sleep(0.2)
        self._ask("session.new", capabilities={})
        self._context = self._ask("browsingContext.getTree")["contexts"][0]["context"]

    def _ask(self, method: str, **parameters: Any) -> dict:
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (answer := json.loads(self._socket.recv())).get("id") != number:
            pass
        assert answer["type"] == "success", answer
        return answer["result"]

    def open(self, address: str) -> None:
        self._ask("browsingContext.navigate", context=self._context, url=address, wait="complete")

    def run(self, expression: str) -> Any:
        result = self._ask(
            "script.evaluate",
            expression=f"JSON.stringify({expression})",
            target={"context": self._context},
            awaitPromise=False,
        )
        assert result["type"] == "success", result
        return json.loads(result["result"].get("value", "null"))


@contextmanager
def firefox(folder: Path) -> Iterator[OtherBrowser]:
    """Firefox with an empty profile in a folder, and a camera that shows a pattern."""
    binary = shutil.which("firefox-esr") or shutil.which("firefox")
    if not binary:
        raise MissingBrowserError("Firefox is not installed; on Debian: apt install firefox-esr")
    settings = (f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in FIREFOX_SETTINGS.items())
    (folder / "user.js").write_text("\n".join(settings), encoding="utf-8")
    port = free_port()
    command = [binary, "--headless", "--no-remote", "--profile", str(folder), f"--remote-debugging-port={port}"]
    with running([*command, "about:blank"], HOME=str(folder)):
        yield Firefox(port)


class WebKit:
    """WebKitGTK over WebDriver."""

    def __init__(self, http: httpx.Client, session: str):
        self._http, self._session = http, session

    def _ask(self, command: str, **parameters: Any) -> Any:
        answer = self._http.post(f"/session/{self._session}/{command}", json=parameters).json()["value"]
        assert not (isinstance(answer, dict) and "error" in answer), answer
        return answer

    def open(self, address: str) -> None:
        self._ask("url", url=address)

    def run(self, expression: str) -> Any:
        return json.loads(self._ask("execute/sync", script=f"return JSON.stringify({expression}) ?? 'null'", args=[]))


@contextmanager
def webkit(folder: Path) -> Iterator[OtherBrowser]:
    """WebKitGTK's small browser on a screen that nobody sees."""
    driver, screen = shutil.which("WebKitWebDriver"), shutil.which("Xvfb")
    if not driver or not screen:
        raise MissingBrowserError("WebKit is not installed; on Debian: apt install webkit2gtk-driver xvfb")
    display, port = f":{free_port()}", free_port()
    environment = {
        "DISPLAY": display,
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        # There is no graphics card, and a container may not make sandboxes.
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",
    }
    with (
        running([screen, display, "-screen", "0", "1280x1000x24", "-nolisten", "tcp"]),
        running([driver, f"--port={port}"], **environment),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as http,
    ):
        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            with suppress(httpx.TransportError):
                http.get("/status")
                break
            assert time.monotonic() < give_up_at, "WebKitWebDriver does not listen"
            time.sleep(0.2)
        made = http.post("/session", json={"capabilities": {"alwaysMatch": {}}}).json()["value"]
        assert "sessionId" in made, made
        try:
            yield WebKit(http, made["sessionId"])
        finally:
            http.delete(f"/session/{made['sessionId']}")
