"""The visitor's language in pictures that the server draws. Its other texts are English, and the page translates them.

The words come from the page's own table, `web/live/texts_de.js`.
"""

import json
import re
from functools import cache
from urllib.parse import parse_qs, urlsplit

import gradio as gr

from face_expression.output.annotate import Translation
from space.paths import WEB

# Strings as in JSON, each value beside its key or, if it is long, in the next line.
_ENTRY = re.compile(r'^  ("(?:[^"\\]|\\.)*"):\s+("(?:[^"\\]|\\.)*"),$', re.MULTILINE)
_PERCENTAGE = re.compile(r"(\d+)%")


def translation_for(request: gr.Request) -> Translation:
    """English to the language of the page that asks: by `?lang=`, or else by the browser, as in `web/live/texts.js`."""
    headers = {name.lower(): value for name, value in dict(request.headers).items()}
    asked = parse_qs(urlsplit(headers.get("referer", "")).query).get("lang", [])
    preferred = [entry.partition(";")[0] for entry in headers.get("accept-language", "").split(",")]
    wanted = (name.strip()[:2].lower() for name in asked[:1] + preferred)
    return _german if next((name for name in wanted if name in ("en", "de")), "en") == "de" else str


def _german(text: str) -> str:
    if share := _PERCENTAGE.fullmatch(text):
        return f"{share[1]}\N{NO-BREAK SPACE}%"
    return _german_table().get(text, text)


@cache
def _german_table() -> dict[str, str]:
    entries = _ENTRY.findall((WEB / "live" / "texts_de.js").read_text(encoding="utf-8"))
    return {json.loads(english): json.loads(german) for english, german in entries}
