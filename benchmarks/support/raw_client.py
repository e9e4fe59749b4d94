"""HTTP/1.1 from one source address with next to no work for each request: bytes out, status and body back."""

import asyncio
import json
import socket

# More than the head of any answer.
_PART_BYTES = 65_536


class RawClient:
    """At most `most` connections of one loopback address, which are used again and again.

    Args:
        host: of the server.
        port: of the server.
        source: the address that the connections come from.
        most: how many requests are on their way at once; others wait.
        patience_s: for one request.
    """

    def __init__(self, host: str, port: int, source: str, *, most: int, patience_s: float):
        self.host, self.port, self.source = host, port, source
        self._patience_s = patience_s
        self._room = asyncio.Semaphore(most)
        self._idle: list[socket.socket] = []

    async def connected(self) -> socket.socket:
        """A new connection, which the caller closes.

        Raises:
            OSError: if the server takes none.
        """
        made = socket.socket()
        made.setblocking(False)
        try:
            made.bind((self.source, 0))
            await asyncio.get_running_loop().sock_connect(made, (self.host, self.port))
        except BaseException:
            made.close()
            raise
        return made

    async def post(self, path: str, body: bytes, content_type: str, headers: str = "") -> tuple[int, bytes]:
        """Send a request, and read its answer.

        Args:
            path: what is asked for.
            body: as it is sent.
            content_type: of the body.
            headers: more lines for the head, each with its end.

        Returns:
            The status, and the body of the answer.

        Raises:
            OSError: if the connection breaks off.
            TimeoutError: if it takes too long.
        """
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        )
        async with self._room, asyncio.timeout(self._patience_s):
            while self._idle:
                used = self._idle.pop()
                try:
                    return await self._exchange(used, head.encode(), body)
                except _StaleError:
                    continue
            return await self._exchange(await self.connected(), head.encode(), body)

    def close(self) -> None:
        """Close the connections that nothing is asked on."""
        while self._idle:
            self._idle.pop().close()

    async def _exchange(self, over: socket.socket, head: bytes, body: bytes) -> tuple[int, bytes]:
        loop, keep = asyncio.get_running_loop(), False
        try:
            try:
                await loop.sock_sendall(over, head + body if len(body) < _PART_BYTES else head)
                if len(body) >= _PART_BYTES:
                    await loop.sock_sendall(over, body)
            except ConnectionError:
                # A server that refuses a body may answer before it has come; if not, this raises once more.
                pass
            got = b""
            while (end := got.find(b"\r\n\r\n")) < 0:
                part = await loop.sock_recv(over, _PART_BYTES)
                if not part:
                    raise _StaleError("closed without an answer")
                got += part
            first, *lines = got[:end].decode("latin-1").lower().split("\r\n")
            about = dict(line.split(": ", 1) for line in lines if ": " in line)
            length, answer = int(about.get("content-length", 0)), got[end + 4 :]
            while len(answer) < length and (part := await loop.sock_recv(over, _PART_BYTES)):
                answer += part
            keep = "content-length" in about and about.get("connection") != "close" and len(answer) == length
            return int(first.split()[1]), answer
        finally:
            if keep:
                self._idle.append(over)
            else:
                over.close()


class _StaleError(ConnectionError):
    """A connection that the server has closed."""


def json_body(data: list) -> bytes:
    """The body of a call of Gradio's API."""
    return json.dumps({"data": data}).encode()
