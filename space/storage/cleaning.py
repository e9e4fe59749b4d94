"""Nothing that was uploaded stays on the disk."""

import asyncio
import contextlib
import os
import stat
import threading
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import gradio as gr

from space.gradio_internals import forget_deleted_files
from space.storage.private_folder import is_own_folder
from space.storage.upkeep import repeating

# Younger than anything.
ALL = -1000.0
AHEAD_S = 60.0
# The folders that are swept, and what each app of this process wants kept there. A notebook's cell that is run again
# starts a second app, which has the first one's folders.
_kept: dict[Path, dict[int, set[str]]] = {}
_kept_lock = threading.Lock()


def sweep(folder: Path, age_s: float, keep: set[str]) -> None:
    """Delete what is in a folder and older than `age_s`: files, except `keep`, and empty folders.

    Broken-off uploads, too, which Gradio's own `delete_cache` does not know (and which stops for good when a file comes
    while it counts them). A link is deleted and never followed, and a folder that has become a link is left alone.
    """
    if not is_own_folder(folder):
        return
    # `os.walk` goes on where a folder has just gone; `Path.rglob` would raise.
    for parent, folders, files in os.walk(folder, topdown=False):
        for path in (Path(parent, name) for name in files + folders):
            # OSError: a folder that is not empty, or a file that Gradio has just deleted itself.
            with contextlib.suppress(OSError):
                found = path.lstat()
                # What comes from the future was written before the clock was set back.
                if str(path) not in keep and not -AHEAD_S <= time.time() - found.st_mtime <= age_s:
                    remove = path.rmdir if stat.S_ISDIR(found.st_mode) else path.unlink
                    remove()


def _keep(folder: Path, app: gr.Blocks, paths: set[str]) -> set[str]:
    """Note what an app wants kept in a folder; gives what all want."""
    with _kept_lock:
        of_apps = _kept.setdefault(folder, {})
        of_apps[id(app)] = paths
        return set().union(*of_apps.values())


def _leave(folder: Path, app: gr.Blocks) -> bool:
    """Whether nobody has a folder any more, once an app has left it."""
    with _kept_lock:
        del _kept[folder][id(app)]
        if _kept[folder]:
            return False
        del _kept[folder]
        return True


@contextlib.asynccontextmanager
async def sweeping(
    page: gr.Blocks, videos: Path, *, keep_uploads_s: float, keep_videos_s: float, in_use: Callable[[], set[str]]
) -> AsyncGenerator[None]:
    """While it lasts, whatever is too old is deleted; at its end, everything is, unless another app has the folder.

    Args:
        page: whose uploads are deleted.
        videos: another folder.
        keep_uploads_s: for how long an upload is kept; this looks ten times in that time.
        keep_videos_s: for how long what is in the other folder is kept.
        in_use: gives the files of both that are kept however old they are, since somebody waits for what is made of
            them.
    """
    uploads = Path(page.GRADIO_CACHE)
    keep = {path for block in page.blocks.values() for path in getattr(block, "keep_in_cache", ())}

    async def sweep_what_is_old() -> None:
        for folder, age_s in ((uploads, keep_uploads_s), (videos, keep_videos_s)):
            await asyncio.to_thread(sweep, folder, age_s, _keep(folder, page, keep | in_use()))
        forget_deleted_files(page)

    for folder in (uploads, videos):
        _keep(folder, page, keep)
    try:
        async with repeating(sweep_what_is_old, max(1.0, keep_uploads_s / 10)):
            yield
    finally:
        for folder in (uploads, videos):
            if _leave(folder, page):
                sweep(folder, ALL, set())
