"""Pages of other sites cannot make a visitor's browser use a server of their own computer."""

import base64

import httpx
import pytest

from tests.support.builders import EXAMPLES

JSON = {"Content-Type": "application/json"}
PICTURE = base64.b64encode((EXAMPLES / "astronaut.jpg").read_bytes()).decode()
CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "analyze_image", "arguments": {"image": PICTURE}},
}
MCP = {"Accept": "application/json, text/event-stream"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://{host}"}, 200),
        ({"Host": "localhost:{port}"}, 200),
        ({"Host": "localhost:{port}", "Origin": "http://localhost:{port}"}, 200),
        ({"Host": "[::1]:{port}"}, 200),
        ({"Origin": "http://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://{host}.elsewhere.example"}, 403),
        ({"Origin": "http://localhost:1"}, 403),
        ({"Host": "elsewhere.example"}, 403),
        ({"Host": "elsewhere.example:{port}", "Origin": "http://elsewhere.example:{port}"}, 403),
        ({"Host": "127.0.0.1.elsewhere.example"}, 403),
        ({"Host": "["}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
@pytest.mark.parametrize("path", ["gradio_api/mcp/", "gradio_api/call/analyze_image"])
def test_only_this_computer_s_own_pages_and_programs_are_answered(served_app, path, headers, status):
    url = httpx.URL(served_app[0])
    filled = {name: value.format(host=url.netloc.decode(), port=url.port) for name, value in headers.items()}
    sent = CALL if "mcp" in path else {"data": [PICTURE]}
    answer = httpx.post(f"{url}{path}", json=sent, headers={**JSON, **MCP, **filled}, timeout=30)
    assert answer.status_code == status, answer.text
    if status == 200 and "mcp" in path:
        assert "happy" in answer.text


def test_a_page_of_another_site_reads_nothing(served_app):
    for headers in ({"Host": "elsewhere.example"}, {"Origin": "http://elsewhere.example"}):
        assert httpx.get(f"{served_app[0]}config", headers=headers, timeout=60).status_code == 403
