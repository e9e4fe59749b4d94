"""No request for one frame may fill the memory."""

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Where Gradio takes the frames of the live view: a picture in base64 and a few numbers.
FRAMES_ENDPOINT = "/gradio_api/component_server"
MAX_FRAME_BODY = 300_000


class BodyLimit:
    """Answers what is too long for a frame of the live view with status 413, before it fills the memory."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request, as ASGI says."""
        if scope["type"] != "http" or scope["path"].rstrip("/") != FRAMES_ENDPOINT:
            await self.app(scope, receive, send)
            return
        body, more = b"", True
        while more and len(body) <= MAX_FRAME_BODY:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if len(body) > MAX_FRAME_BODY:
            await Response("the frame is too large", status_code=413)(scope, receive, send)
            return
        await self.app(scope, replayed(body, receive), send)


def replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives a body that was read already, and then what comes after it."""
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def next_message() -> Message:
        return next(messages, None) or await receive()

    return next_message
