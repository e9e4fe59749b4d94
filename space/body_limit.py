"""No request may fill the memory."""

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Where Gradio takes the frames of the live view: a picture in base64 and a few numbers.
FRAMES_ENDPOINT = "/gradio_api/component_server"
MAX_FRAME_BODY = 300_000
# Gradio writes uploads to disk as they come, and has a limit of its own for them.
UPLOADS_ENDPOINT = "/gradio_api/upload"
# A picture of 6 MB in base64, and some words around it.
MAX_BODY = 8_200_000
WITHOUT_BODY = ("GET", "HEAD", "OPTIONS")


class BodyLimit:
    """Answers what is too long with status 413, before it fills the memory."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request, as ASGI says."""
        path = scope["path"].rstrip("/") if scope["type"] == "http" else ""
        if not path or path == UPLOADS_ENDPOINT or scope["method"] in WITHOUT_BODY:
            await self.app(scope, receive, send)
            return
        most = MAX_FRAME_BODY if path == FRAMES_ENDPOINT else MAX_BODY
        body, more = bytearray(), True
        while more and len(body) <= most:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if len(body) > most:
            await Response(f"this is too large; the limit is {most} bytes", status_code=413)(scope, receive, send)
            return
        await self.app(scope, replayed(bytes(body), receive), send)


def replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives a body that was read already, and then what comes after it."""
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def next_message() -> Message:
        return next(messages, None) or await receive()

    return next_message
