"""What a caller of the API sends for a file: an upload's path, or the bytes themselves. Addresses are not fetched."""

import asyncio
import base64
import binascii
import contextlib
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote

import gradio as gr
import safehttpx
from gradio import processing_utils, route_utils

SEND_THE_FILE = "addresses are not fetched: send the file itself, uploaded or in base64"
_FROM_URL_SAFE = str.maketrans("-_", "+/")
_PROOF_S = 10
_OF_AN_UPLOAD = "/gradio_api/file="


class SentFileError(ValueError):
    """Something that cannot be used as a file; the message can be shown to the client."""


def refuse_addresses() -> None:
    """Keep Gradio from fetching anything for anybody.

    It resolves the host of a URL and pins the IP address, but lets pass 100.64.0.0/10, which is private in clouds, and
    2002::/16, which may lead anywhere; it trusts the Hub's names unseen, and reads whatever comes into memory.
    """

    async def refuse(hostname: str) -> str:
        raise gr.Error(SEND_THE_FILE, print_exception=False)

    safehttpx.async_validate_url = refuse
    # All its requests ask the function above, but for the names that it trusts.
    safehttpx.matches_domain_whitelist = lambda *_: False
    require_refusal()


def require_refusal() -> None:
    """Prove, with a server of our own on this computer, that Gradio fetches no address, not even of a trusted name.

    Raises:
        RuntimeError: if it asked that server, or gave another answer than our refusal.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        doors = [
            lambda: processing_utils.async_ssrf_protected_get(url),
            lambda: safehttpx.get(url, domain_whitelist=["127.0.0.1"], timeout=_PROOF_S),
            lambda: route_utils.safehttpx.async_validate_url("127.0.0.1"),
        ]
        # In a thread, since the caller's may run an event loop.
        with ThreadPoolExecutor(1) as thread:
            answers = [thread.submit(_answer_in_a_loop, door).result() for door in doors]
        with contextlib.suppress(BlockingIOError):
            listener.accept()[0].close()
            answers.append("asked")
    if answers != [SEND_THE_FILE] * len(doors):
        raise RuntimeError(
            f"Gradio would fetch addresses for visitors ({answers}); install the pinned gradio and safehttpx"
        )


def _answer_in_a_loop(door: Callable[[], Awaitable[object]]) -> str:
    return asyncio.run(_answer(door))


async def _answer(door: Callable[[], Awaitable[object]]) -> str:
    try:
        async with asyncio.timeout(_PROOF_S):
            await door()
    except gr.Error as error:
        return error.message
    except Exception as error:  # any other end is not our refusal, and is reported
        return repr(error)
    return "fetched"


def sent_file(sent: str | dict, uploads: Path) -> Path | bytes:
    """Find an upload, or decode what was sent.

    Args:
        sent: base64 of any kind, a data URL, the path that /gradio_api/upload answered, the address of such a file
            here, or Gradio's FileData, which holds one of these.
        uploads: the only folder from which anything is read.

    Raises:
        SentFileError: if it is none of these.
    """
    given = (sent.get("path") or sent.get("url")) if isinstance(sent, dict) else sent
    if not isinstance(given, str) or not given:
        raise SentFileError("no file was sent")
    sent = given.strip()
    if sent[:5].lower() == "data:":
        return _decoded(unquote(sent.partition(",")[2]))
    if sent.startswith(("http://", "https://")) and _OF_AN_UPLOAD in sent:
        sent = unquote(sent.partition(_OF_AN_UPLOAD)[2])
    if "://" in sent[:16]:
        raise SentFileError(SEND_THE_FILE)
    if sent.startswith(f"{uploads}/"):
        return _upload(Path(sent), uploads)
    return _decoded(sent)


def _upload(path: Path, uploads: Path) -> Path:
    try:
        found = path.resolve()
    except (OSError, ValueError):
        found = None
    if found is None or not found.is_relative_to(uploads.resolve()) or not found.is_file():
        raise SentFileError("there is no such upload, or no longer: send the file again")
    return found


def _decoded(text: str) -> bytes:
    """Base64 as programs write it: with the letters of RFC 4648 section 4 or 5, broken into lines, padded or not."""
    letters = "".join(text.split()).translate(_FROM_URL_SAFE).rstrip("=")
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise SentFileError("this is neither a file that was uploaded here nor base64") from None
