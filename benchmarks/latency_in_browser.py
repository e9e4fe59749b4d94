"""Latency of the engine in the browser, in ms, in real Chromium: `python -m benchmarks.latency_in_browser`.

Each figure is of one frame of a video of FRAMES_PER_S, 640x480, with 0, 1 or 5 faces that stay where they are: from
the bitmap of a camera's frame to its labelled faces, on one thread, as the page's worker does it. The
frames are those of `benchmarks.latency`.

A last figure is of *Learn my face*: how long the page needs for one correction more, with as many as it learns from and
four own expressions of twenty frames.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from playwright.sync_api import Route, sync_playwright

from benchmarks.figures import FOLDER, as_markdown, machine_name, record, table
from benchmarks.latency import FRAMES_PER_S, PLACES, figures, make_frame
from benchmarks.live.browser import find_browser
from face_expression import load_pipeline
from face_expression.model.graphs import GRAPH_NAMES
from space.live.files import device_files
from space.paths import WEB

_ADDRESS = "http://localhost/"
_MEASURE = """async ({ files, faces, frames, framesPerS }) => {
    const bytes = async (name) => new Uint8Array(await (await fetch("/files/" + name)).arrayBuffer());
    const { loadEngine } = await import("/live/engine/engine.js");
    const ort = await import("/files/ort");
    Object.assign(ort.env.wasm, { numThreads: 1, wasmBinary: (await bytes("wasm")).buffer });
    const graphs = {};
    for (const name of files) graphs[name] = await bytes(name);
    const config = await (await fetch("/files/config")).json();
    const [model, detector] = [await bytes("model"), await bytes("detector")];
    const engine = await loadEngine({ ort, config, graphs, model, detector });
    const frame = new ImageData(new Uint8ClampedArray((await bytes(`frame${faces}`)).buffer), 640, 480);
    const bitmap = await createImageBitmap(frame);
    const canvas = new OffscreenCanvas(640, 480);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const times = [];
    let state = null;
    let found = 0;
    for (let number = 0; number < frames; number++) {
        const start = performance.now();
        context.drawImage(bitmap, 0, 0);
        const pixels = context.getImageData(0, 0, 640, 480);
        const seen = await engine.track(pixels, state, number / framesPerS, { everyFrame: false });
        times.push(performance.now() - start);
        state = seen.state;
        found = seen.faces.length;
    }
    return { times, found };
}"""
_LEARN = """async ({ repeats }) => {
    const learning = await import("/live/panels/personal/personal_learning.js");
    const bundle = { modelSha256: "0".repeat(64), labelNames: [..."abcdefg"], features: 192 };
    let seed = 1;
    const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
    const numbers = (count) => Float32Array.from({ length: count }, random);
    const face = (timeS) => ({ logits: numbers(7), features: numbers(192), timeS, trackId: 1 });
    const framesOf = (shift) => Array.from({ length: 20 }, (_, index) => {
        const frame = face(index / 7);
        for (let at = shift * 40; at < shift * 40 + 40; at++) frame.features[at] += 2;
        return frame;
    });
    let learned = learning.NOTHING_LEARNED;
    for (const [index, name] of ["wink", "yawn", "grin", "none of these"].entries()) {
        learned = learning.withOwn(learned, name, framesOf(index));
    }
    const start = performance.now();
    learning.conclude(learned, bundle);
    const ownMs = performance.now() - start;
    for (let count = 1; count < learning.MOST_CORRECTIONS; count++) {
        learned = learning.withCorrection(learned, face(10 * count), count % 7);
    }
    const times = [];
    for (let number = 0; number < repeats; number++) {
        const start = performance.now();
        learning.conclude(learning.withCorrection(learned, face(9999), number % 7), bundle);
        times.push(performance.now() - start);
    }
    return { times, ownMs, corrections: learning.MOST_CORRECTIONS };
}"""
_WARM_UP = 20
_CORRECTIONS = 20


def main(
    repeats: Annotated[int, typer.Option(min=10, help="Frames for each figure.")] = 150,
    output: Annotated[Path, typer.Option(help="JSON to write.")] = FOLDER / "latency-in-browser.json",
) -> None:
    """Measure, print a table, write JSON."""
    served = device_files(load_pipeline())
    frames = {f"frame{faces}": _rgba(places) for faces, places in PLACES.items()}

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(_ADDRESS)
        content = frames.get(path.removeprefix("files/"), served.get(path.removeprefix("files/")))
        if path == "":
            route.fulfill(body="<!doctype html>", content_type="text/html")
        elif isinstance(content, bytes):
            route.fulfill(body=content, content_type="application/json")
        else:
            file = content or WEB / path
            route.fulfill(path=file, content_type="text/javascript" if file.suffix in (".js", ".mjs") else None)

    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox", "--disable-gpu"])
        version = browser.version
        for faces in PLACES:
            page = browser.new_page()
            page.route("**", answer)
            page.goto(_ADDRESS)
            job = {"files": GRAPH_NAMES, "faces": faces, "frames": repeats + _WARM_UP, "framesPerS": FRAMES_PER_S}
            measured = page.evaluate(_MEASURE, job)
            page.close()
            if measured["found"] != faces:
                raise SystemExit(f"the engine found {measured['found']} faces in the frame of {faces}")
            rows.append({"faces": faces, **figures(measured["times"][_WARM_UP:])})
        page = browser.new_page()
        page.route("**", answer)
        page.goto(_ADDRESS)
        learned = page.evaluate(_LEARN, {"repeats": _CORRECTIONS})
        browser.close()
    typer.echo(f"Chromium {version}, {machine_name()}, one thread; 640x480; of {repeats} frames\n")
    learning = figures(learned["times"])
    typer.echo(
        f"one correction, the {learned['corrections']}th: {learning['p50_ms']:.0f} ms (p95 {learning['p95_ms']:.0f}); "
        f"four own expressions of 20 frames: {learned['ownMs']:.0f} ms\n"
    )
    keys = ("p50_ms", "p95_ms", "mean_ms")
    shown = table(
        ("faces", "p50 ms", "p95 ms", "mean ms"),
        [(row["faces"], *(f"{row[key]:.1f}" for key in keys)) for row in rows],
        notes=[f"Chromium {version}, one thread."],
    )
    typer.echo(as_markdown(shown))
    record(
        output,
        command=f"python -m benchmarks.latency_in_browser --repeats {repeats}",
        speaks_of=["face_expression/bundle", "web/live/engine"],
        tables={"browser": shown},
        data={"chromium": version, "rows": rows, "learning": learning},
    )


def _rgba(places: list[tuple[int, int, int]]) -> bytes:
    frame = make_frame(places)
    return np.dstack([frame, np.full(frame.shape[:2], 255, np.uint8)]).tobytes()


def _is_graph(file: Path | bytes) -> bool:
    return (
        isinstance(file, Path) and file.suffix == ".onnx" and file.parent.name == "bundle" and file.name != "model.onnx"
    )


if __name__ == "__main__":
    typer.run(main)
