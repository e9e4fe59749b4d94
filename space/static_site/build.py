"""Puts the static site together: the page's modules, the engine's files, an index, and what makes it installable."""

import gzip
import html
import io
import json
import shutil
from importlib.resources import files
from pathlib import Path

from PIL import Image, ImageDraw

from face_expression import Pipeline
from face_expression.errors import DataError
from face_expression.output.known_gaps import gaps_in_words
from space.live.files import VENDOR, device_files
from space.paths import EXAMPLES, HOUSE, WEB
from space.served_file import digest_of
from space.suggestions import load_suggestions

_INDEX, _WORKER, _LICENCES = "index.html", "service_worker.js", "licences.txt"
# Hosts that serve files as they are compress none of these by themselves; the page unpacks them.
_PACKED = (".wasm", ".onnx", ".json")
_ICON_SIZES_PX = (192, 512)
_SKIN, _INK, _BACKGROUND = "#ffd75e", "#3b2a20", "#4338ca"


def static_files(pipeline: Pipeline, *, source: str | None = None) -> dict[str, bytes]:
    """The site's files by their paths.

    Args:
        pipeline: whose model the site uses.
        source: what to call it; by default as the pipeline does.

    Raises:
        DataError: if something is missing; the message says what to do.
    """
    try:
        device = device_files(pipeline)
    except FileNotFoundError as error:
        raise DataError(f"The live view cannot run on the visitor's device: {error}") from None
    files: dict[str, bytes] = {}
    places = {}
    for name, file in device.items():
        places[name] = _add(files, name, file.read_bytes() if isinstance(file, Path) else file, _suffix_of(file))
    given = {
        "places": places,
        "sizes": {name: {"whole": len(files[place]), "sent": len(files[place])} for name, place in places.items()},
        "demo": _add(files, "demo", (EXAMPLES / "astronaut.jpg").read_bytes(), ".jpg"),
        "zip": _add(files, "fflate", (VENDOR / "fflate.js").read_bytes(), ".js"),
        "labelNames": pipeline.label_names,
        "suggestions": load_suggestions().as_json(),
    }
    modules = {
        path.relative_to(WEB / "live").as_posix(): path.read_bytes() for path in sorted((WEB / "live").rglob("*.js"))
    }
    styles = [WEB / "static" / "page.css", *sorted((WEB / "live").rglob("*.css"))]
    style = _add(files, "style", b"".join(path.read_bytes() for path in styles), ".css")
    version = digest_of(b"".join(name.encode() + content for name, content in modules.items()))
    files |= {f"modules/{version}/{name}": content for name, content in modules.items()}
    # At addresses that stay, for pages of others.
    files["engine.js"] = f'export * from "./modules/{version}/backends/embedded_engine.js";\n'.encode()
    described = {"places": places, "sizes": given["sizes"], "labelNames": pipeline.label_names}
    files["engine.json"] = json.dumps(described).encode()
    files["example.html"] = (WEB / "static" / "example.html").read_bytes()
    for size in _ICON_SIZES_PX:
        files[f"icon-{size}.png"] = _icon(size)
    files["manifest.webmanifest"] = json.dumps(_manifest(), indent=1).encode()
    files[_LICENCES] = _licences()
    worse_for = gaps_in_words(pipeline.files.bundle)
    files[_INDEX] = _index(
        given, page=f"modules/{version}/page.js", style=style, source=source or pipeline.source, worse_for=worse_for
    )
    files[_WORKER] = _service_worker(files)
    return files


def write_static_site(folder: Path, pipeline: Pipeline) -> dict[str, bytes]:
    """Write the site into a folder, in place of what an earlier call wrote there; gives its files.

    Raises:
        DataError: as `static_files`, and if the folder holds something else.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / _WORKER).is_file())):
        raise DataError(f"--to {folder}: this is not a folder that this command wrote; name a new one")
    files = static_files(pipeline)
    if folder.exists():
        shutil.rmtree(folder)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return files


def _suffix_of(file: Path | bytes) -> str:
    if isinstance(file, bytes):
        return ".json"
    # Not every host knows that .mjs is JavaScript.
    return {".mjs": ".js"}.get(file.suffix, file.suffix)


def _add(files: dict[str, bytes], name: str, content: bytes, suffix: str) -> str:
    """Add a file under the hash of its content; gives its address."""
    packed = suffix in _PACKED
    place = f"files/{digest_of(content)}/{name}{suffix}{'.gz' if packed else ''}"
    # Without a time, so that the same content gives the same file.
    files[place] = gzip.compress(content, 9, mtime=0) if packed else content
    return place


def _index(given: dict, *, page: str, style: str, source: str, worse_for: str) -> bytes:
    # "</script>" in a label would end the script.
    data = json.dumps(given).replace("<", "\\u003c")
    text = (WEB / "static" / _INDEX).read_text(encoding="utf-8")
    for mark, value in (
        ("%STYLE%", style),
        ("%PAGE%", page),
        ("%TEXTS%", page.replace("page.js", "texts.js")),
        ("%SOURCE%", html.escape(source)),
        ("%WORSE_FOR%", html.escape(worse_for)),
        ("%GIVEN%", data),
    ):
        text = text.replace(mark, value)
    return text.encode()


def _service_worker(files: dict[str, bytes]) -> bytes:
    wanted = ["./", *(name for name in files if name != _LICENCES)]
    version = digest_of(b"".join(name.encode() + content for name, content in sorted(files.items())))
    text = (WEB / "static" / _WORKER).read_text(encoding="utf-8")
    return text.replace('"%VERSION%"', json.dumps(version)).replace('["%FILES%"]', json.dumps(wanted)).encode()


def _licences() -> bytes:
    """Of this program and what it fetches; ONNX Runtime's package for browsers comes without its own."""
    onnxruntime = Path(str(files("onnxruntime")))
    parts = {
        "Live Emotion Detector": HOUSE / "LICENSE",
        "fflate": VENDOR / "fflate.LICENSE",
        "ONNX Runtime": onnxruntime / "LICENSE",
        "ONNX Runtime, third parties": onnxruntime / "ThirdPartyNotices.txt",
    }
    texts = (f"{name}\n\n{path.read_text(encoding='utf-8', errors='replace')}" for name, path in parts.items())
    return ("\n\n" + 80 * "=" + "\n\n").join(texts).encode()


def _manifest() -> dict:
    return {
        "name": "Live Emotion Detector",
        "short_name": "Expressions",
        "description": "What the expression on a face looks like, live, on your device.",
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": "#f9fafb",
        "theme_color": _BACKGROUND,
        "icons": [
            {"src": f"icon-{size}.png", "sizes": f"{size}x{size}", "type": "image/png", "purpose": "any maskable"}
            for size in _ICON_SIZES_PX
        ],
    }


def _icon(size_px: int) -> bytes:
    """A drawn face; everything lies in the middle 80 %, which masks of launchers leave."""
    scale = 4
    side = size_px * scale
    picture = Image.new("RGB", (side, side), _BACKGROUND)
    draw = ImageDraw.Draw(picture)

    def box(x0: float, y0: float, x1: float, y1: float) -> list[float]:
        return [value * side for value in (x0, y0, x1, y1)]

    draw.ellipse(box(0.16, 0.16, 0.84, 0.84), fill=_SKIN)
    for x in (0.38, 0.62):
        draw.ellipse(box(x - 0.045, 0.37, x + 0.045, 0.48), fill=_INK)
    draw.arc(box(0.33, 0.42, 0.67, 0.7), 20, 160, fill=_INK, width=round(0.035 * side))
    picture = picture.resize((size_px, size_px), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()
