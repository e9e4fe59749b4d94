"""What the server refuses a picture of the live view with has its German in the page's table."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

from face_expression.io import image_limits, images
from space.live import frames, sessions
from space.paths import WEB


def sentences(module) -> Iterator[str]:
    """Each text that is an error's, or an answer's `refused`, as the table's key: its values are {1}, {2} and so on.

    The page ends it with a full stop.
    """
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("RefusedError", "PictureError") and node.args:
            yield from key_of(node.args[0])
        if isinstance(node, ast.Dict):
            for name, value in zip(node.keys, node.values, strict=True):
                if isinstance(name, ast.Constant) and name.value == "refused":
                    yield from key_of(value)


def key_of(text: ast.expr) -> Iterator[str]:
    if isinstance(text, ast.Constant):
        yield text.value
    if isinstance(text, ast.JoinedStr):
        number = 0
        parts = []
        for part in text.values:
            if isinstance(part, ast.Constant):
                parts.append(part.value)
            else:
                number += 1
                parts.append(f"{{{number}}}")
        yield "".join(parts)


def test_every_refusal_has_its_german():
    found = {sessions.BUSY, *(text for module in (sessions, frames) for text in sentences(module))}
    assert len(found) >= 4 and "the frame cannot be used: {1}" in found
    pictures = {text for module in (images, image_limits) for text in sentences(module)}
    assert len(pictures) >= 4
    table = (WEB / "live" / "texts_de.js").read_text(encoding="utf-8")
    assert [text for text in sorted(found | pictures) if f"  {json.dumps(text + '.')}:" not in table] == []
