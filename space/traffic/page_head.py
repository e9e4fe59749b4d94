"""What this app adds to the head of Gradio's page, where a browser finds it before it runs any script of Gradio's."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_END = b"</head>"

# Gradio takes its own words from the browser's language. `?lang=` decides, as in `web/live/texts.js`.
LANGUAGE_OF_THE_ADDRESS = """<script>(() => {
    const asked = new URLSearchParams(location.search).get("lang")?.slice(0, 2).toLowerCase();
    if (!["en", "de"].includes(asked)) return;
    const languages = Object.freeze([asked, ...navigator.languages]);
    Object.defineProperty(navigator, "languages", { get: () => languages });
    Object.defineProperty(navigator, "language", { get: () => asked });
})();</script>"""

# Gradio counts the seconds of a wait in an animation. Where what shows it is taken away in the same moment as the wait
# ends, as the page's own first "Loading..." is, the animation goes on for ever, 60 times a second. It may count once a
# second while no wait is shown.
SLOW_HIDDEN_COUNTERS = """<script>(() => {
    const next = window.requestAnimationFrame.bind(window);
    const shown = '[data-testid="status-tracker"]:not(.hide)';
    const isCounter = (callback) => /performance\\.now\\(\\)-[^;]*\\/1e3/.test(callback);
    window.requestAnimationFrame = (callback) => {
        if (!isCounter(callback) || document.querySelector(shown)) return next(callback);
        return setTimeout(next, 1000, callback);
    };
})();</script>"""


class PageHead:
    """Adds HTML to the head of the page; Gradio's own `head=` comes in only when its scripts have built the page.

    Args:
        app: what answers.
        html: what to add.
    """

    def __init__(self, app: ASGIApp, *, html: str):
        self.app = app
        self._html = html.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request, as ASGI says."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] != "/":
            await self.app(scope, receive, send)
            return
        start: Message = {}
        parts = []

        async def send_with_head(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            parts.append(message.get("body", b""))
            if message.get("more_body"):
                return
            body = b"".join(parts).replace(_END, self._html + _END, 1)
            MutableHeaders(scope=start)["Content-Length"] = str(len(body))
            await send(start)
            await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, send_with_head)
