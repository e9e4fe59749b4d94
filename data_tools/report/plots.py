"""The report's drawings: histograms as inline SVG in the page's colours, small pictures and contact sheets as JPEG."""

import base64
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from face_expression import encode_jpeg
from face_expression.boxes import box_of, box_size
from face_expression.model.config import CropSettings
from face_expression.model.preprocess import CropRegion, cut_crop, whole_image_region
from face_expression.output.html_report import FIRST, SECOND, STYLE, inline_svg

FACE_PX = 96
SHEET_COLUMNS = 10
_AROUND_FACE = 1.5
_FACE = CropSettings(size_px=FACE_PX, oversampling=2, level_eyes=False, max_levelling_deg=45.0, max_shrink=16)
_SAMPLE_PX = 128
_JPEG_QUALITY = 80
_BINS = 30
_STYLE: dict[Any, Any] = STYLE | {"axes.spines.left": False, "axes.grid.axis": "y", "ytick.left": False}


def histogram(values: Sequence[float], *, title: str, unit: str, logarithmic: bool = False) -> Markup:
    """How many faces have which value; a line marks the median.

    Args:
        values: at least one, all finite; above 0 if `logarithmic`.
        title: what was measured.
        unit: what stands below the axis.
        logarithmic: for sizes, of which some are many times the others.
    """
    numbers = np.asarray(values, np.float64)
    median = float(np.median(numbers))
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(3.6, 2.4), layout="constrained")
        axes = figure.subplots()
        axes.hist(numbers, _edges(numbers, logarithmic=logarithmic).tolist(), color=FIRST)
        axes.axvline(median, color=SECOND, linewidth=1.5, linestyle="--")
        axes.set_title(title, size=10.5, loc="left")
        axes.set_xlabel(f"{unit} (median {_short(median)})", size=9)
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        if logarithmic:
            _mark_sizes(axes)
        description = (
            f"{title}, {unit}: from {_short(numbers.min())} to {_short(numbers.max())}, median {_short(median)}."
        )
        return _svg(figure, f"Histogram of {len(numbers)} faces. {description}")


def _edges(numbers: np.ndarray, *, logarithmic: bool) -> np.ndarray:
    low, high = float(numbers.min()), float(numbers.max())
    if logarithmic:
        # All of one size still make a bar.
        return np.geomspace(low / 1.05, high * 1.05, _BINS + 1)
    room = 0.0 if high > low else max(abs(low), 1.0) * 0.05
    return np.linspace(low - room, high + room, _BINS + 1)


def _mark_sizes(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def cut_face(picture: np.ndarray, face_box: Sequence[float] | None) -> np.ndarray:
    """A face with a little around it, or the whole picture if it is not known where the face is.

    Args:
        picture: RGB uint8 (H, W, 3).
        face_box: xyxy, in its pixels.

    Returns:
        RGB uint8 (`FACE_PX`, `FACE_PX`, 3).
    """
    height, width = picture.shape[:2]
    region = whole_image_region(width, height)
    if face_box is not None and box_size(box_of(face_box)) > 0:
        x0, y0, x1, y1 = face_box
        region = CropRegion((x0 + x1) / 2, (y0 + y1) / 2, _AROUND_FACE * max(x1 - x0, y1 - y0), 0.0)
    return cut_crop(picture, region, _FACE)


def contact_sheet(faces: Sequence[np.ndarray]) -> Markup:
    """All faces as one JPEG in a data URL, `SHEET_COLUMNS` in a row.

    Args:
        faces: RGB uint8 (`FACE_PX`, `FACE_PX`, 3) each; at least one.
    """
    rows = -(-len(faces) // SHEET_COLUMNS)
    sheet = np.full((rows * FACE_PX, SHEET_COLUMNS * FACE_PX, 3), 127, np.uint8)
    for place, face in enumerate(faces):
        top, left = place // SHEET_COLUMNS * FACE_PX, place % SHEET_COLUMNS * FACE_PX
        sheet[top : top + FACE_PX, left : left + FACE_PX] = face
    return _data_url(sheet)


def small_picture(picture: np.ndarray) -> Markup:
    """A picture, RGB uint8 (H, W, 3) of any size, as a small JPEG in a data URL; its shape stays."""
    height, width = picture.shape[:2]
    side = max(height, width)
    region = whole_image_region(width, height)
    square = cut_crop(picture, region, _FACE.model_copy(update={"size_px": _SAMPLE_PX}))
    across, down = (max(1, round(_SAMPLE_PX * length / side)) for length in (width, height))
    left, top = (_SAMPLE_PX - across) // 2, (_SAMPLE_PX - down) // 2
    return _data_url(square[top : top + down, left : left + across])


def _data_url(picture: np.ndarray) -> Markup:
    return Markup("data:image/jpeg;base64," + base64.b64encode(encode_jpeg(picture, quality=_JPEG_QUALITY)).decode())


def _svg(figure: Figure, description: str) -> Markup:
    return Markup(inline_svg(figure, description))
