"""Nothing that was uploaded stays on the disk."""

import asyncio
import contextlib
import stat
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import gradio as gr

from space.gradio_internals import forget_deleted_files
from space.storage.private_folder import is_own_folder

# Younger than anything.
ALL = -1000.0
AHEAD_S = 60.0


def sweep(folder: Path, age_s: float, keep: set[str]) -> None:
    """Delete what is in a folder and older than `age_s`: files, except `keep`, and empty folders.

    Broken-off uploads, too, which Gradio's own `delete_cache` does not know (and which stops for good when a file comes
    while it counts them). A link is deleted and never followed, and a folder that has become a link is left alone.
    """
    if not is_own_folder(folder):
        return
    for path in sorted(folder.rglob("*"), reverse=True):
        # OSError: a folder that is not empty, or a file that Gradio has just deleted itself.
        with contextlib.suppress(OSError):
            found = path.lstat()
            # What comes from the future was written before the clock was set back.
            if str(path) not in keep and not -AHEAD_S <= time.time() - found.st_mtime <= age_s:
                remove = path.rmdir if stat.S_ISDIR(found.st_mode) else path.unlink
                remove()


@contextlib.asynccontextmanager
async def sweeping(
    page: gr.Blocks, videos: Path, *, keep_uploads_s: float, keep_videos_s: float
) -> AsyncGenerator[None]:
    """While it lasts, whatever is too old is deleted; at its end, everything is.

    Args:
        page: whose uploads are deleted.
        videos: another folder.
        keep_uploads_s: for how long an upload is kept; this looks ten times in that time.
        keep_videos_s: for how long what is in the other folder is kept.
    """
    uploads = Path(page.GRADIO_CACHE)

    async def sweep_for_ever() -> None:
        keep = {path for block in page.blocks.values() for path in getattr(block, "keep_in_cache", ())}
        while True:
            await asyncio.to_thread(sweep, uploads, keep_uploads_s, keep)
            await asyncio.to_thread(sweep, videos, keep_videos_s, set())
            forget_deleted_files(page)
            await asyncio.sleep(max(1.0, keep_uploads_s / 10))

    task = asyncio.create_task(sweep_for_ever())
    try:
        yield
    finally:
        task.cancel()
        for folder in (uploads, videos):
            sweep(folder, ALL, set())
