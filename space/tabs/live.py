"""The live view: the page's own code in web/live/."""

import json

import gradio as gr

from face_expression import Pipeline
from space.live.files import LiveFiles
from space.suggestions import load_suggestions
from space.traffic.body_limit import FRAMES_ENDPOINT


def build_live_tab(pipeline: Pipeline, files: LiveFiles) -> None:
    """The live view, whose engine runs in the visitor's browser or, if the visitor chooses so, on the server.

    Args:
        pipeline: its labels are shown.
        files: what the browser fetches.
    """
    given = {
        "places": files.places,
        "sizes": files.sizes,
        "demo": files.demo,
        "zip": files.zip_library,
        # Relative, as all addresses, so that it holds behind a proxy that serves the page in a folder.
        "frames": FRAMES_ENDPOINT.lstrip("/"),
        "labelNames": pipeline.label_names,
        "suggestions": load_suggestions().as_json(),
    }
    gr.HTML(
        "",
        js_on_load=f"""
        import(new URL("{files.around}", document.baseURI))
            .then(({{ translateAround }}) => translateAround(document.body))
            .catch((error) => console.warn("The page stays English:", error));
        import(new URL("{files.page}", document.baseURI))
            .then(({{ mount }}) => mount(element, {json.dumps(given)}))
            .catch((error) => {{
                document.body.classList.add("live-cannot-run");
                element.innerHTML = '<p class="live"></p>';
                element.firstChild.textContent = "This view cannot be loaded: " + error.message +
                    " The tab Live (basic) may work.";
            }});""",
        elem_id="live-view",
    )
