"""No test asks by httpx with its five seconds of patience: many a server is a thread of the tests' own busy process."""

import ast

from tests.support.sources import sources

ASKING = {"get", "options", "head", "post", "put", "patch", "delete", "request", "stream", "Client", "AsyncClient"}


def impatient(text: str) -> list[int]:
    """The lines of calls that leave the patience to httpx."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "httpx"
        and node.func.attr in ASKING
        and not any(keyword.arg == "timeout" for keyword in node.keywords)
    ]


def test_every_request_says_how_long_it_waits():
    assert impatient('httpx.get("http://a")\nhttpx.stream("GET", "http://a", timeout=60)\nhttpx.Client()') == [1, 3]
    found = {path.name: impatient(path.read_text(encoding="utf-8")) for path in sources("tests")}
    assert {name: lines for name, lines in found.items() if lines} == {}
