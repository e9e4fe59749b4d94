"""Pictures and bars as Gradio's components take and show them, without anything written to disk."""

import base64
import binascii
import itertools
from collections.abc import Sequence
from html import escape

import gradio as gr
import numpy as np
from gradio.data_classes import ImageData

from face_expression import COLORS, Face, encode_jpeg, face_summary
from face_expression.output.markdown import bold_as_html
from face_expression.output.percent import MOST_SHOWN, shown_percent
from space.gradio_internals import replace_methods


def uploaded_path(payload: ImageData | None) -> str | None:
    """What a photo component hands on: the file as it was sent, so that a bad one can be answered in words."""
    return payload.path if payload else None


def sent_bytes(payload: ImageData | None) -> bytes | None:
    """What a streaming camera hands on: the encoded picture as it was sent, which Gradio would decode at any size."""
    if payload is None:
        return None
    try:
        return base64.b64decode((payload.url or "").partition(",")[2], validate=True)
    except binascii.Error:
        return b""


def picture_in_answer(value: np.ndarray | None) -> ImageData | None:
    """What a picture component shows: RGB uint8 (H, W, 3) as a JPEG inside the answer, never written to disk."""
    if value is None:
        return None
    return ImageData(url="data:image/jpeg;base64," + base64.b64encode(encode_jpeg(value)).decode())


def shown_picture(label: str, elem_id: str, **layout) -> gr.Image:
    """A component that shows what `picture_in_answer` makes of a frame."""
    image = gr.Image(label=label, interactive=False, buttons=["fullscreen"], elem_id=elem_id, **layout)
    replace_methods(image, postprocess=picture_in_answer)
    return image


def face_bars(face: Face, label_names: tuple[str, ...]) -> dict[str, float]:
    """A face's probabilities as `gr.Label` takes them; it rounds, and nothing here is certain."""
    return {name: min(float(value), MOST_SHOWN) for name, value in zip(label_names, face.probabilities, strict=True)}


def bars_as_html(values: dict[str, float]) -> str:
    """What `face_bars` gives, as bars in the colours of the expressions, in the order of the labels."""
    rows = (
        f'<dt>{escape(name)}</dt><dd><span><i style="width: {value:.1%}; background: {color}"></i></span> '
        f"<b>{shown_percent(value)}</b></dd>"
        for (name, value), color in zip(values.items(), itertools.cycle(COLORS), strict=False)
    )
    return f'<dl class="face-bars">{"".join(rows)}</dl>'


def face_cards(faces: Sequence[Face], label_names: tuple[str, ...]) -> str:
    """The sentence and the bars of each face, numbered from 1, as HTML."""
    cards = (
        f'<section class="face-card"><p><strong>{number}.</strong> {bold_as_html(face_summary(face))}</p>'
        f"{bars_as_html(face_bars(face, label_names))}</section>"
        for number, face in enumerate(faces, start=1)
    )
    return f'<div class="face-cards">{"".join(cards)}</div>'
