"""The live view: the page's own code in web/live/, and the server's engine behind it."""

import base64
import json

import gradio as gr
import numpy as np
from pydantic import Base64Bytes, BaseModel, FiniteFloat, ValidationError

from face_expression import Face, Pipeline
from space.live_files import LiveFiles
from space.live_sessions import RefusedError, Viewers
from space.suggestions import load_suggestions
from space.traffic.fair_queue import address_of


class SentFrame(BaseModel):
    """A picture that the live view sends: `visitor` a name it made up, `jpeg` in base64, `time_s` on its own clock."""

    visitor: str
    jpeg: Base64Bytes
    time_s: FiniteFloat
    scene: int


def face_for_page(face: Face, *, with_crop: bool) -> dict:
    """A face as the live view reads it; `with_crop`: with what the model was shown."""
    return {
        "box": face.box,
        "score": face.score,
        "landmarks": face.landmarks,
        "probabilities": face.probabilities.tolist(),
        "label": face.label,
        "confidence": face.confidence,
        "reliable": face.reliable,
        "reasons": face.reasons,
        "between": face.between,
        "track_id": face.track_id,
        "crop": picture_for_page(face.crop) if with_crop else None,
    }


def picture_for_page(picture: np.ndarray) -> dict:
    """A small picture as the live view reads it: its pixels in base64, which take less time than a PNG."""
    height, width = picture.shape[:2]
    return {"width": width, "height": height, "data": base64.b64encode(picture.tobytes()).decode()}


def build_live_tab(pipeline: Pipeline, files: LiveFiles) -> None:
    """The live view, whose engine runs in the visitor's browser or, if the visitor chooses so, here.

    Args:
        pipeline: processes the pictures that are sent here.
        files: what the browser fetches.
    """
    viewers = Viewers(pipeline)

    async def look_at_frame(frame: dict, request: gr.Request) -> dict:
        try:
            sent = SentFrame.model_validate(frame)
            faces = await viewers.look(sent.visitor, sent.jpeg, sent.time_s, sent.scene, client=address_of(request))
        except ValidationError as error:
            return {"refused": f"the frame cannot be used: {error.errors()[0]['msg']}"}
        except RefusedError as error:
            return {"refused": str(error)}
        if faces is None:
            return {"faces": None}
        return {"faces": [face_for_page(face, with_crop=number == 0) for number, face in enumerate(faces)]}

    given = {
        "places": files.places,
        "lengths": files.lengths,
        "demo": files.demo,
        "zip": files.zip_library,
        "labelNames": pipeline.label_names,
        "suggestions": load_suggestions().as_json(),
    }
    gr.HTML(
        "",
        js_on_load=f"""
        // All at once, and not one after the other as they import each other.
        for (const place of {json.dumps(files.modules)}) {{
            const href = new URL(place, document.baseURI).href;
            document.head.append(Object.assign(document.createElement("link"), {{ rel: "modulepreload", href }}));
        }}
        import(new URL("{files.around}", document.baseURI))
            .then(({{ translateAround }}) => translateAround(document.body));
        import(new URL("{files.page}", document.baseURI))
            .then(({{ mount }}) => mount(element, {json.dumps(given)}, (frame) => server.look_at_frame(frame)))
            .catch((error) => {{
                document.body.classList.add("live-cannot-run");
                element.innerHTML = '<p class="live"></p>';
                element.firstChild.textContent = "This view cannot be loaded: " + error.message +
                    " The tab Live (basic) may work.";
            }});""",
        server_functions=[look_at_frame],
        elem_id="live-view",
    )
