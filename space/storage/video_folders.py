"""Where the videos of visitors lie while they are labelled and watched; each visitor has one at most."""

import os
import secrets
import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

ADDRESS = "labelled"
COPY, TABLE = "labelled.mp4", "faces.csv"


@dataclass(frozen=True)
class VideoFolder:
    """A visitor's folder: the video as it was sent, and what is made of it; `stop` is set when nobody wants it."""

    path: Path
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def source(self) -> Path:
        """The video as it was sent."""
        return self.path / "sent"

    def file(self, name: str) -> Path:
        """The annotated copy, or the table."""
        return self.path / name

    def link(self, name: str) -> str:
        """Where the page finds such a file; nobody can guess it."""
        return f"{ADDRESS}/{self.path.name}/{name}"


class VideoFolders:
    """The folders of all visitors, below one that belongs to the app alone."""

    def __init__(self, root: Path):
        self.root = root
        self._folders: dict[str, VideoFolder] = {}
        self._lock = threading.Lock()

    def begin(self, visitor: str, sent: Path, *, is_ours: bool = False) -> VideoFolder:
        """A new folder with a video, in place of the visitor's last one.

        Args:
            visitor: whose folder it is.
            sent: the video.
            is_ours: it is a file of the app. It gets a copy, whose age begins now, since what is old is deleted.
        """
        folder = VideoFolder(self.root / secrets.token_hex(16))
        folder.path.mkdir(parents=True)
        # Gradio's own name for an upload is deleted soon, while this visitor may still be waiting in the queue.
        # Another file system gets a copy.
        put = shutil.copyfile if is_ours else os.link
        try:
            put(sent, folder.source)
        except OSError:
            shutil.copyfile(sent, folder.source)
        with self._lock:
            before, self._folders[visitor] = self._folders.get(visitor), folder
        _discard(before)
        return folder

    def of(self, visitor: str) -> VideoFolder | None:
        """The folder of a visitor who has one."""
        return self._folders.get(visitor)

    def sources_of(self, visitors: set[str]) -> set[str]:
        """The paths of what some visitors sent."""
        return {str(folder.source) for visitor, folder in list(self._folders.items()) if visitor in visitors}

    def forget(self, visitor: str) -> None:
        """Stop working for a visitor, and delete what there is."""
        with self._lock:
            folder = self._folders.pop(visitor, None)
        _discard(folder)

    def forget_all(self) -> None:
        """Stop all work, and delete all there is."""
        for visitor in list(self._folders):
            self.forget(visitor)

    def route(self) -> Route:
        """Serves what was made."""

        def file(request: Request) -> Response:
            token, name = request.path_params["token"], request.path_params["name"]
            path = self.root / token / name
            gone = Response("there is no such file, or it was deleted", status_code=404)
            if not (token.isalnum() and name in (COPY, TABLE)):
                return gone
            try:
                found = path.stat()
            except OSError:
                return gone
            return FileResponse(path, headers={"Cache-Control": "private, no-store"}, stat_result=found)

        return Route(f"/{ADDRESS}/{{token}}/{{name}}", file)


def _discard(folder: VideoFolder | None) -> None:
    if folder is not None:
        folder.stop.set()
        shutil.rmtree(folder.path, ignore_errors=True)
