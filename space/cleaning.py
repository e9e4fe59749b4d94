"""Nothing that was uploaded stays on the disk."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import gradio as gr


def sweep(folder: Path, age_s: float, keep: set[str]) -> None:
    """Delete what lies in a folder and is older than `age_s`: files, except `keep`, and empty folders.

    Gradio's `delete_cache` knows only complete uploads of the running process; this also takes broken-off uploads and
    those of a process that was killed.
    """
    for path in sorted(folder.rglob("*"), reverse=True):
        # OSError: a folder that is not empty, or a file that Gradio has just deleted itself.
        with contextlib.suppress(OSError):
            if str(path) not in keep and time.time() - path.stat().st_mtime > age_s:
                remove = path.rmdir if path.is_dir() else path.unlink
                remove()


@contextlib.asynccontextmanager
async def sweeping(page: gr.Blocks, videos: Path, *, keep_videos_s: float) -> AsyncIterator[None]:
    """While it lasts, whatever is too old is deleted.

    Args:
        page: what lies in its folder is kept for its cleaning interval, which is also how often this looks.
        videos: another folder.
        keep_videos_s: for how long that is kept.
    """

    async def sweep_for_ever() -> None:
        interval_s, _ = page.delete_cache
        keep = {path for block in page.blocks.values() for path in getattr(block, "keep_in_cache", ())}
        while True:
            await asyncio.to_thread(sweep, Path(page.GRADIO_CACHE), interval_s, keep)
            await asyncio.to_thread(sweep, videos, keep_videos_s, set())
            await asyncio.sleep(interval_s)

    task = asyncio.create_task(sweep_for_ever())
    yield
    task.cancel()
