"""Headers that say how answers may be used: no guessing of types, no frames elsewhere, and what may be kept."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A Space is shown in a frame of the Hub.
FRAMES = "frame-ancestors 'self' https://huggingface.co https://*.hf.space"
# What a visitor sent, or what was made of it.
_PRIVATE = ("/gradio_api/file", "/gradio_api/queue", "/gradio_api/call", "/gradio_api/upload", "/gradio_api/stream")
# Modules refer to each other, and must be of one version.
_MODULES = "/live/"


class ResponseHeaders:
    """Adds them to every answer that does not have them."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request, as ASGI says."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Referrer-Policy", "same-origin")
                headers.setdefault("Content-Security-Policy", FRAMES)
                if scope["path"].startswith(_PRIVATE):
                    headers["Cache-Control"] = "private, no-store"
                elif scope["path"].startswith(_MODULES):
                    headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        await self.app(scope, receive, send_with_headers)
