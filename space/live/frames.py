"""Where the live view sends its pictures: a route of its own, which costs the event loop little for each of them."""

import base64
import json
import time

import numpy as np
from pydantic import BaseModel, FiniteFloat, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from face_expression import Face
from space.gradio_internals import is_logged_in
from space.live.sessions import BusyServerError, RefusedError, Viewers
from space.traffic.body_limit import FRAMES_ENDPOINT
from space.traffic.fair_queue import address_of

# The status for pictures that are none, so that they count as other refusals do.
UNUSABLE = 422


class FrameHeaders(BaseModel):
    """What comes with a picture, in the headers `X-Visitor`, `X-Time-S` and `X-Scene`.

    `visitor` is a name it made up, `time_s` is on its own clock, and nobody in a `scene` is known from another one.
    """

    visitor: str
    time_s: FiniteFloat
    scene: int


def frames_route(viewers: Viewers) -> Route:
    """Takes JPEGs, and answers in JSON: `faces`, null for a dropped frame, or `refused` with the reason."""

    async def look_at_frame(request: Request) -> Response:
        begun = time.perf_counter()
        if not await is_logged_in(request):
            return Response("log in first", status_code=401)
        answer = await answer_to(request)
        # The page sends fewer frames at once to a server that is busy.
        answer.headers["Server-Timing"] = f"frame;dur={1000 * (time.perf_counter() - begun):.1f}"
        return answer

    async def answer_to(request: Request) -> Response:
        sent = {name: request.headers.get(f"x-{name.replace('_', '-')}") for name in FrameHeaders.model_fields}
        try:
            about = FrameHeaders.model_validate({name: value for name, value in sent.items() if value is not None})
            jpeg = await request.body()
            faces = await viewers.look(about.visitor, jpeg, about.time_s, about.scene, client=address_of(request))
        except ValidationError as error:
            return answer_of({"refused": f"the frame cannot be used: {error.errors()[0]['msg']}"}, status=UNUSABLE)
        except BusyServerError as error:
            return answer_of({"refused": str(error)})
        except RefusedError as error:
            return answer_of({"refused": str(error)}, status=UNUSABLE)
        if faces is None:
            return answer_of({"faces": None})
        return answer_of({"faces": [face_for_page(face, with_crop=number == 0) for number, face in enumerate(faces)]})

    return Route(FRAMES_ENDPOINT, look_at_frame, methods=["POST"])


def answer_of(content: dict, *, status: int = 200) -> Response:
    """JSON that nobody keeps."""
    return Response(
        json.dumps(content, separators=(",", ":")),
        status,
        media_type="application/json",
        headers={"Cache-Control": "private, no-store"},
    )


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
