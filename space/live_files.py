"""What the live view fetches: its modules, and what the engine on the visitor's device needs."""

import json
from pathlib import Path

from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from face_expression import Pipeline
from face_expression.graphs import GRAPH_NAMES, graph_file
from space.paths import EXAMPLES, WEB

DEMO = EXAMPLES / "astronaut.jpg"
# What npm got for the browser; `make web` puts it there.
VENDOR = WEB / "vendor"


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


def live_routes(files: dict[str, Path | bytes]) -> list[BaseRoute]:
    """Serve the files of `device_files`, the demonstration's picture and the page's modules under /live."""
    served = {"demo": DEMO, "fflate": VENDOR / "fflate.js", **files}

    def file(request) -> Response:
        found = served.get(request.path_params["name"])
        if isinstance(found, bytes):
            return Response(found, media_type="application/json")
        if found is None or not found.is_file():
            return Response("no such file", status_code=404)
        kinds = {".mjs": "text/javascript", ".wasm": "application/wasm"}
        return FileResponse(found, media_type=kinds.get(found.suffix))

    return [Route("/live/files/{name}", file), Mount("/live", StaticFiles(directory=WEB / "live"))]
