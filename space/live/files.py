"""What the live view fetches: its modules, and what the engine on the visitor's device needs."""

import json
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from face_expression import Pipeline
from face_expression.model.graphs import GRAPH_NAMES, graph_file
from space.paths import EXAMPLES, WEB
from space.served_file import FOR_EVER, ServedFile, digest_of, served_file

DEMO = EXAMPLES / "astronaut.jpg"
# What npm got for the browser; `make web` puts it there.
VENDOR = WEB / "vendor"
_LARGE = ("wasm", "model")
_ENGINE_MODULES = ("backends/", "engine/")


def device_files(pipeline: Pipeline) -> dict[str, Path | bytes]:
    """What a browser needs to do what the pipeline does, files or their content, by the name under which it fetches it.

    Raises:
        FileNotFoundError: if something is missing; the message says what to do.
    """
    if pipeline.files.yunet is None:
        raise FileNotFoundError("it needs YuNet, and another detector is in use")
    files: dict[str, Path] = {
        "ort": VENDOR / "ort.wasm.bundle.min.mjs",
        "wasm": VENDOR / "ort-wasm-simd-threaded.wasm",
        "model": pipeline.files.bundle / "model.onnx",
        "detector": pipeline.files.yunet,
        **{name: pipeline.files.graphs / graph_file(name) for name in GRAPH_NAMES},
    }
    if missing := [path.name for path in files.values() if not path.is_file()]:
        raise FileNotFoundError(f"{missing[0]} is missing; with npm installed, run `make web`")
    return {**files, "config": _config(pipeline)}


def _config(pipeline: Pipeline) -> bytes:
    """The bundle's `config.json` in the present schema, without what only says how it was trained."""
    settings = pipeline.config.model_dump(mode="json", exclude={"label_names", "training"})
    return json.dumps({"label_names": pipeline.label_names, "face_expression": settings}).encode()


class LiveFiles:
    """All that the live view fetches, each at an address with the hash of its content, which may be kept for ever.

    Args:
        device: of `device_files`; empty if the engine on the device is not offered.
    """

    def __init__(self, device: dict[str, Path | bytes]):
        extra = {"demo": DEMO, "fflate": VENDOR / "fflate.js"}
        self._files = {
            name: served_file(file)
            for name, file in {**extra, **device}.items()
            if isinstance(file, bytes) or file.is_file()
        }
        root = WEB / "live"
        self._modules = {
            path.relative_to(root).as_posix(): served_file(path)
            for path in sorted(root.rglob("*"))
            if path.suffix == ".js"
        }
        # Modules refer to each other, so they have one hash together.
        parts = (f"{name} {file.digest}\n" for name, file in self._modules.items())
        self._version = digest_of("".join(parts).encode())
        self._device_names = tuple(device)

    @property
    def page(self) -> str:
        """Address of the page's first module, relative to the app's."""
        return self._module_address("page.js")

    @property
    def around(self) -> str:
        """Address of the module that shows the rest of the app in the visitor's language."""
        return self._module_address("around.js")

    @property
    def places(self) -> dict[str, str] | None:
        """Addresses of the files of the engine on the device; None if it is not offered."""
        return {name: self._address(name) for name in self._device_names} or None

    @property
    def sizes(self) -> dict[str, dict[str, int]]:
        """Bytes of each of the engine's files by its name: "whole", and as "sent" to most browsers."""
        files = {name: self._files[name] for name in self._device_names}
        return {name: {"whole": len(file.content), "sent": len(file.encoded("br"))} for name, file in files.items()}

    @property
    def head(self) -> str:
        """HTML for the page's head: modules are fetched, and the engine starts, before the page is built."""
        # The engine's first, since it has most to do until it is ready.
        names = sorted(self._modules, key=lambda name: (not name.startswith(_ENGINE_MODULES), name))
        places = [self._module_address(name) for name in names]
        preloads = "".join(f'<link rel="modulepreload" href="{place}">' for place in places)
        if not self.places:
            return preloads
        engine = json.dumps(f"./{self._module_address('backends/device_engine.js')}")
        begin = f"DeviceEngine.begin({json.dumps(self.places)}, {json.dumps(self.sizes)})"
        script = f'<script type="module" async>import {{ DeviceEngine }} from {engine}; {begin};</script>'
        ort = f'<link rel="modulepreload" href="{self.places["ort"]}">'
        return f"<script>{self._fetching_large()}</script>{ort}{preloads}{script}"

    def _fetching_large(self) -> str:
        """JavaScript that puts the large files into the browser's cache, from which the engine gets them later.

        One after the other, so that the page's own files do not wait for both. Not by preloads, whose answers Chromium
        does not share with workers.
        """
        places = json.dumps([self._address(name) for name in _LARGE])
        return (
            f"{places}.reduce((before, place) => before.then(() => fetch(place, {{ priority: 'low' }}))"
            ".then((file) => file.blob()), Promise.resolve()).catch(() => {});"
        )

    @property
    def zip_library(self) -> str:
        """Address of fflate, which may be missing there."""
        return self._address("fflate") if "fflate" in self._files else "live/files/fflate"

    @property
    def demo(self) -> str:
        """Address of the demonstration's picture."""
        return self._address("demo")

    def _module_address(self, name: str) -> str:
        return f"live/modules/{self._version}/{name}"

    def routes(self) -> list[BaseRoute]:
        """Serve it all under /live; without the hash, too, for programs, which then ask again each time."""

        def file(request: Request) -> Response:
            return _answer(self._files, request, lambda found: found.digest)

        def module(request: Request) -> Response:
            return _answer(self._modules, request, lambda _: self._version)

        return [
            Route("/live/files/{digest}/{name}", file),
            Route("/live/files/{name}", file),
            Route("/live/modules/{digest}/{name:path}", module),
            Mount("/live", StaticFiles(directory=WEB / "live")),
        ]

    def _address(self, name: str) -> str:
        return f"live/files/{self._files[name].digest}/{name}"


def _answer(files: dict[str, ServedFile], request: Request, digest_for) -> Response:
    found = files.get(request.path_params["name"])
    if found is None:
        return Response("no such file", status_code=404)
    # A page that was opened before an update asks with the old hash; it gets what there is, and does not keep it.
    is_current = request.path_params.get("digest") == digest_for(found)
    return found.response(request, FOR_EVER if is_current else "no-cache")
