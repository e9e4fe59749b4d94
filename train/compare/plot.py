"""A comparison of networks as a picture."""

from collections.abc import Mapping
from itertools import cycle

import numpy as np
from matplotlib import color_sequences
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from matplotlib.typing import ColorType

from train.compare.measure import Row

BUBBLE_ALPHA = 0.8
_LABEL_PT = 26


def draw(measured: list[Row], settings: dict, split: str) -> Figure:
    """Accuracy with its interval against the time for one crop, and each run as a small dot.

    The area of a bubble is its number of parameters, or the smallest if they are not known.
    """
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    known = [row.parameters for row in measured if row.parameters]
    largest, smallest = max(known, default=1), min(known, default=1)
    colors = dict(zip((row.model for row in measured), cycle(color_sequences["okabe_ito"][1:]), strict=False))
    for row in measured:
        low, high = row.accuracy_interval_95
        error = [[100 * (row.accuracy - low)], [100 * (high - row.accuracy)]]
        place, area = (row.p50_ms, 100 * row.accuracy), 900 * (row.parameters or smallest) / largest
        axes.errorbar(*place, yerr=error, color="black", linewidth=1, capsize=4, zorder=4)
        axes.scatter(*place, s=area, color=colors[row.model], alpha=BUBBLE_ALPHA, zorder=3)
        if len(row.runs) > 1:
            runs = [100 * run.accuracy for run in row.runs]
            axes.scatter([row.p50_ms] * len(runs), runs, s=12, color="black", zorder=5)
    times = [row.p50_ms for row in measured]
    if max(times) > 5 * min(times):
        axes.set_xscale("log", subs=[])
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlim(min(times) / 1.5, max(times) * 1.5)
    else:
        axes.set_xlim(0, max(times) * 1.15)
    axes.margins(y=0.15)
    axes.grid(alpha=0.3)
    axes.set_xlabel("time for one crop, one thread, p50 (ms)")
    axes.set_ylabel("accuracy (%), with 95 % interval")
    axes.set_title(f"{settings['data']}, {split} split, n = {measured[0].n}; area of a bubble: parameters", fontsize=11)
    write_labels(figure, axes, measured, colors)
    return figure


def write_labels(figure: Figure, axes: Axes, measured: list[Row], colors: Mapping[str, ColorType]) -> None:
    """Write the models' names to the right of the picture, in the order of accuracy and apart from one another."""
    figure.draw_without_rendering()
    apart = _LABEL_PT / 72 * figure.dpi / axes.get_window_extent().height
    low, high = axes.get_ylim()
    by_height = sorted(measured, key=lambda row: row.accuracy)
    heights = [(100 * row.accuracy - low) / (high - low) for row in by_height]
    moved = list(heights)
    for index in range(1, len(moved)):
        moved[index] = max(moved[index], moved[index - 1] + apart)
    shift = float(np.mean(np.subtract(moved, heights)))
    for row, height in zip(by_height, moved, strict=True):
        axes.annotate(
            f"{row.model}\n{row.parameters / 1e6:.2f} M parameters" if row.parameters else row.model,
            (row.p50_ms, 100 * row.accuracy),
            (1.03, height - shift),
            textcoords="axes fraction",
            va="center",
            fontsize=9,
            arrowprops={"arrowstyle": "-", "color": colors[row.model], "linewidth": 1, "zorder": 2},
        )
