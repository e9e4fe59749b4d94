"""A program that sends a picture as the camera of *Live (basic)* does."""

import base64
from collections.abc import Mapping, Sequence

import httpx


def answer_to_camera(
    served_app, picture: bytes, session: str, words: Sequence[str], headers: Mapping[str, str] | None = None
) -> str:
    """The first line of what the server answers that has one of these words."""
    address, page = served_app[0].rstrip("/"), served_app[2]
    (stream,) = (number for number, function in page.fns.items() if function.name == "on_frame")
    url = f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"
    data = {"data": [{"url": url}, None], "fn_index": stream, "session_hash": session}
    httpx.post(f"{address}/gradio_api/queue/join", json=data, headers=headers, timeout=60).raise_for_status()
    with httpx.stream("GET", f"{address}/gradio_api/queue/data?session_hash={session}", timeout=60) as answer:
        return next(line for line in answer.iter_lines() if any(word in line for word in words))
