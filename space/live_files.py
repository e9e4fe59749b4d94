"""What the live view fetches: its modules, and what the engine on the visitor's device needs."""

from pathlib import Path

from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from face_expression import Pipeline
from space.places import EXAMPLES, WEB

DEMO = EXAMPLES / "astronaut.jpg"
# What npm got for the browser; `make web` puts it there.
VENDOR = WEB / "vendor"


def device_files(pipeline: Pipeline) -> dict[str, Path]:
    """What a browser needs to do what the pipeline does, by the name under which it fetches it.

    Raises:
        FileNotFoundError: if something is missing; the message says what to do.
    """
    if pipeline.files.yunet is None:
        raise FileNotFoundError("it needs YuNet's weights, and another detector is in use")
    files = {
        "ort": VENDOR / "ort.wasm.bundle.min.mjs",
        "wasm": VENDOR / "ort-wasm-simd-threaded.wasm",
        "model": pipeline.files.bundle / "model.onnx",
        "config": pipeline.files.bundle / "config.json",
        "detector": pipeline.files.yunet,
    }
    if missing := [path.name for path in files.values() if not path.is_file()]:
        raise FileNotFoundError(f"{missing[0]} is missing; with npm installed, run `make web`")
    return files


def live_routes(files: dict[str, Path]) -> list[BaseRoute]:
    """Serve the files of `device_files`, the demonstration's picture and the page's modules under /live."""
    served = {"demo": DEMO, "fflate": VENDOR / "fflate.js", **files}

    def file(request) -> Response:
        path = served.get(request.path_params["name"])
        kinds = {".mjs": "text/javascript", ".wasm": "application/wasm"}
        return (
            FileResponse(path, media_type=kinds.get(path.suffix))
            if path and path.is_file()
            else Response("no such file", status_code=404)
        )

    return [Route("/live/files/{name}", file), Mount("/live", StaticFiles(directory=WEB / "live"))]
