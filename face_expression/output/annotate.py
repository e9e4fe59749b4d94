"""Faces -> drawing on a copy of the frame: a box and a tag for each face, and its bars."""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from face_expression.labels import looks
from face_expression.output.fonts import font_and_text
from face_expression.output.markdown import plain_words
from face_expression.output.percent import shown_percent
from face_expression.pipeline import Face
from face_expression.quality import NO_CLEAR_EXPRESSION

UNSURE = "not sure"
# A text in another language, by its English; what it does not know it gives back. {1}, {2} stand for parts.
Translation = Callable[[str], str]
# A hue for each expression in the order of the labels, and grey; each at least 4.5:1 against the white of the tags.
COLORS = ("#b84a00", "#4f7a1f", "#8450b5", "#946200", "#0068a8", "#b83a78", "#1f7a73")
_UNSURE_COLOR = "#686d76"
_INK = "#ffffff"
_PANEL = (17, 20, 26, 185)
_MAX_PANELS = 6


def annotate(
    frame: np.ndarray,
    faces: Sequence[Face],
    label_names: Sequence[str],
    *,
    numbered: bool = False,
    bars: bool = True,
    translated: Translation = str,
) -> np.ndarray:
    """Draw boxes, labels and bars.

    Args:
        frame: RGB uint8 (H, W, 3); it is not changed.
        faces: what to draw, the most important first; bars are drawn for the first six at most.
        label_names: the labels, in the order of the faces' probabilities.
        numbered: whether each tag begins with a number: the face's `track_id`, or 1, 2, ... where it has none.
        bars: whether bars are drawn beside the faces that are large enough for them.
        translated: the language of what is drawn, by default English; it is given labels, their adjectives, reasons,
            percentages, "not sure: {1}" and "between {1} and {2}".

    Returns:
        RGB uint8 (H, W, 3).
    """
    picture = Image.fromarray(frame).convert("RGB")
    scale = max(picture.size) / 640
    drawing = ImageDraw.Draw(picture, "RGBA")
    for index, face in enumerate(faces):
        color = face_color(face, label_names)
        drawing.rectangle(_corners(face.box), outline=color, width=max(1, round(3 * scale)))
        if bars and index < _MAX_PANELS and face.box[3] - face.box[1] >= 90 * scale:
            _draw_bars(drawing, face, list(map(translated, label_names)), scale, picture.size)
    for index, face in enumerate(faces):
        number = face.track_id or index + 1
        tag = face_tag(face, translated)
        text = f"{number}  {tag}" if numbered else tag
        _draw_tag(drawing, face, text, face_color(face, label_names), scale, picture.size)
    return np.asarray(picture)


def face_tag(face: Face, translated: Translation = str) -> str:
    """The words beside a face: its label and confidence, or "not sure" and the first reason."""
    if face.reliable:
        return f"{translated(looks(face.label))} {translated(shown_percent(face.confidence))}"
    return translated(f"{UNSURE}: {{1}}").replace("{1}", reason_texts(face, translated)[0])


def reason_texts(face: Face, translated: Translation = str) -> list[str]:
    """Why a face is "not sure", for people: where two expressions share the lead, their names."""
    reasons = list(map(translated, face.reasons))
    if face.between is None:
        return reasons
    one, other = (translated(looks(label)) for label in face.between)
    between = translated("between {1} and {2}").replace("{1}", one).replace("{2}", other)
    return [
        between if code == NO_CLEAR_EXPRESSION else reason for code, reason in zip(face.reasons, reasons, strict=True)
    ]


def face_summary(face: Face) -> str:
    """One sentence of Markdown about a face, in words that do not claim to know a feeling."""
    if face.reliable:
        return f"This expression looks **{plain_words(looks(face.label))}** ({shown_percent(face.confidence)})."
    return f"**Not sure:** {', '.join(map(plain_words, reason_texts(face)))}."


def face_color(face: Face, label_names: Sequence[str]) -> str:
    """The hue of a face's expression as #rrggbb; grey when it is not sure."""
    if not face.reliable:
        return _UNSURE_COLOR
    return COLORS[list(label_names).index(face.label) % len(COLORS)]


def _corners(box) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = box
    return (x0, y0, max(x0, x1), max(y0, y1))


def _draw_tag(drawing: ImageDraw.ImageDraw, face: Face, text: str, color: str, scale: float, size) -> None:
    font, text = font_and_text(text, max(9, round(18 * scale)))
    pad = max(2, round(5 * scale))
    width = drawing.textlength(text, font=font) + 2 * pad
    height = font.size + 2 * pad
    left = min(max(face.box[0], 0), max(0, size[0] - width))
    top = face.box[1] - height if face.box[1] >= height else min(max(face.box[1], 0), max(0, size[1] - height))
    drawing.rounded_rectangle((left, top, left + width, top + height), radius=pad, fill=color)
    drawing.text((left + pad, top + height / 2), text, font=font, fill=_INK, anchor="lm")


def _draw_bars(drawing: ImageDraw.ImageDraw, face: Face, names_of_bars: Sequence[str], scale: float, size) -> None:
    font_px = max(8, round(11 * scale))
    row, pad, bar_width = font_px * 1.3, 5 * scale, 48 * scale
    names = [_shortened(*font_and_text(name, font_px), size[0] / 3) for name in names_of_bars]
    name_width = max(font_px * 4.6, *(font.getlength(name) for font, name in names))
    width, height = name_width + bar_width + 3 * pad, row * len(names) + 2 * pad
    right_of_face = face.box[2] + pad
    left = right_of_face if right_of_face + width <= size[0] else face.box[0] - pad - width
    left = min(max(left, 0), max(0, size[0] - width))
    top = min(max(face.box[1], 0), max(0, size[1] - height))
    drawing.rounded_rectangle((left, top, left + width, top + height), radius=pad, fill=_PANEL)
    for index, ((font, name), probability) in enumerate(zip(names, face.probabilities, strict=True)):
        middle = top + pad + row * (index + 0.5)
        drawing.text((left + pad, middle), name, font=font, fill=_INK, anchor="lm")
        bar_left = left + 2 * pad + name_width
        bar = (bar_left, middle - row * 0.3, bar_left + bar_width, middle + row * 0.3)
        drawing.rectangle(bar, fill=(255, 255, 255, 40))
        color = COLORS[index % len(COLORS)] if face.reliable else _UNSURE_COLOR
        drawing.rectangle((bar[0], bar[1], bar[0] + bar_width * float(probability), bar[3]), fill=color)


def _shortened(font: ImageFont.FreeTypeFont, text: str, most_px: float) -> tuple[ImageFont.FreeTypeFont, str]:
    """A text that is at most so wide, ending in dots where some of it is left out."""
    kept = text
    while kept and font.getlength(kept) > most_px:
        kept = kept[:-1]
    return font, text if kept == text else f"{kept[:-2]}..."
