"""Visitors of the soak who send what cannot be used, and visitors who hang up half-way.

What is sent is wrong in itself, or too long. Numbers of components and events that the page does not have are left out:
Gradio answers those with status 500, whatever the app is.
"""

import asyncio
import contextlib
from urllib.parse import urlsplit

import aiohttp

from benchmarks.live.visitors import FRAMES
from benchmarks.soak.visitors import Kind, Outcome, Person, Visitor

# Beyond what the app takes: a frame of the live view, and anything else that is no upload.
LONG_FRAME_BYTES, LONG_BYTES = 400_000, 9_000_000
JSON, JPEG = {"Content-Type": "application/json"}, {"Content-Type": "image/jpeg"}
BROKEN_JSON = (b"", b"{", b"[]", b"null", b"\xff\xfe\x00", b'{"data": 3}', b'{"data": {"visitor": ' + b"[" * 5000)


async def refused(visitor: Visitor, url: str, body: bytes, headers: dict[str, str] = JSON) -> Outcome:
    """Send what must be turned away: with a status that says that it was the sender's mistake."""
    try:
        async with visitor.http.post(url, data=body, headers=headers) as response:
            status = response.status
    except aiohttp.ClientOSError:
        # What is far too long is turned away, and its connection closed, while it is still being sent.
        if len(body) < LONG_FRAME_BYTES:
            raise
        return Outcome.RIGHT
    if status >= 500:
        visitor.tally.surprises.append(f"{url}: status {status}")
        return Outcome.ERROR
    return visitor.judged(status >= 400, f"{url}: status {status} for {body[:40]}")


async def broken_frame(visitor: Visitor, jpeg: bytes) -> Outcome:
    """A picture of the live view that is none."""
    # A name of its own: of two pictures of one visitor, the older may be passed over.
    answer = await visitor.ask_about(jpeg, f"broken {visitor.session}")
    return visitor.judged("refused" in answer, f"broken frame: {answer}")


async def broken_photo(visitor: Visitor, content: bytes) -> Outcome:
    """A photo that is none, of which the page must say so."""
    async with visitor.page_open() as page:
        picture, summary, _ = await page.photo_answer(await page.join(await page.upload(content)))
    return visitor.judged(picture is None and "This file cannot be used" in summary, f"broken photo: {summary}")


async def send_broken(visitor: Visitor, person: Person) -> None:
    """Something that cannot be used."""
    random = visitor.random
    jpeg = random.choice(person.frames)
    noise = random.randbytes(random.randint(1, 20_000))
    often, seldom = 6, 1
    ways = [
        (often, lambda: broken_frame(visitor, jpeg[: random.randint(0, len(jpeg) // 2)])),
        (often, lambda: broken_frame(visitor, noise)),
        (often, lambda: broken_photo(visitor, person.photo[: random.randint(500, len(person.photo) // 2)])),
        (often, lambda: broken_photo(visitor, noise)),
        (often, lambda: refused(visitor, visitor.url("component_server"), random.choice(BROKEN_JSON))),
        (often, lambda: refused(visitor, visitor.url("queue/join"), random.choice(BROKEN_JSON))),
        (often, lambda: refused(visitor, visitor.url("call/analyze_image"), random.choice(BROKEN_JSON))),
        (often, lambda: refused(visitor, visitor.url("upload"), noise)),
        (often, lambda: refused(visitor, f"{visitor.address}{FRAMES}", bytes(LONG_FRAME_BYTES), JPEG)),
        (seldom, lambda: refused(visitor, visitor.url("call/analyze_image"), bytes(LONG_BYTES))),
    ]
    ((_, send),) = random.choices(ways, [weight for weight, _ in ways])
    await visitor.tally.count(Kind.BROKEN, send())
    await asyncio.sleep(random.uniform(0.1, 1))


async def half_a_body(visitor: Visitor, url: str, content_type: str, content: bytes) -> Outcome:
    """Promise a body, send half of it, and close the connection."""
    place = urlsplit(url)
    _, writer = await asyncio.open_connection(place.hostname, place.port)
    head = f"POST {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: {content_type}\r\n"
    writer.write(f"{head}Content-Length: {2 * len(content)}\r\n\r\n".encode() + content)
    await writer.drain()
    await asyncio.sleep(visitor.random.uniform(0, 0.3))
    writer.close()
    return Outcome.CUT_OFF


async def leave_before_the_answer(visitor: Visitor, jpeg: bytes) -> Outcome:
    """Send a frame, and hang up while it is processed."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(visitor.random.uniform(0.001, 0.1)):
            await visitor.ask_about(jpeg, "in a hurry")
    return Outcome.CUT_OFF


async def leave_before_the_photo(visitor: Visitor, photo: bytes, *, opened: bool) -> Outcome:
    """Send a photo, and leave its events; `opened`: as a page does, whose end the server notices."""
    async with visitor.page_open() if opened else contextlib.nullcontext(visitor.anew()) as page:
        event = await page.join(await page.upload(photo))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(page.random.uniform(0.001, 0.3)):
                await page.photo_answer(event)
    return Outcome.CUT_OFF


async def drop_a_connection(visitor: Visitor, person: Person) -> None:
    """Hang up in the middle of something."""
    random = visitor.random
    jpeg, photo = random.choice(person.frames), person.photo + random.randbytes(16)
    form = b'--b\r\nContent-Disposition: form-data; name="files"; filename="half.jpg"\r\n\r\n' + photo
    drop = random.choice(
        [
            lambda: half_a_body(visitor, f"{visitor.address}{FRAMES}", "image/jpeg", jpeg),
            lambda: half_a_body(visitor, visitor.url("upload"), "multipart/form-data; boundary=b", form),
            lambda: leave_before_the_answer(visitor, jpeg),
            lambda: leave_before_the_photo(visitor, photo, opened=True),
            lambda: leave_before_the_photo(visitor, photo, opened=False),
        ]
    )
    await visitor.tally.count(Kind.DROPPED, drop())
    await asyncio.sleep(random.uniform(0.1, 1))
