"""What the HTML reports of data sets and of trainings share: the look of their drawings, and their templates.

The drawings are made in colours that stand for those of the page, whose style sheet has them for light and for dark
screens.
"""

import html
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2
    from matplotlib.figure import Figure

INK, FAINT, FIRST, SECOND, THIRD = "#010203", "#010204", "#010205", "#010206", "#010207"
_PAGE_COLOURS = {
    INK: "currentColor",
    FAINT: "var(--faint)",
    FIRST: "var(--first)",
    SECOND: "var(--second)",
    THIRD: "var(--third)",
}
# Settings of matplotlib, whose type for them is a list of all their names.
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    # Names of labels and groups come from outside; two dollars are no formula.
    "text.parse_math": False,
    "svg.hashsalt": "report",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.alpha": 0.4,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


def inline_svg(figure: "Figure", description: str) -> str:
    """A drawing as an `svg` element that says what it shows to those who cannot see it."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    for drawn, page_colour in _PAGE_COLOURS.items():
        text = text.replace(drawn, page_colour)
    return text.replace("<svg", f'<svg role="img" aria-label="{html.escape(description)}"', 1)


def templates_in(folder: Path) -> "jinja2.Environment":
    """The HTML templates of a folder: values are escaped, and one that is missing is an error."""
    # Of the extras: the app, which has no reports, must not need it.
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
