"""The report's drawings, as inline SVG whose text and lines take the page's colours.

Colours are those of Okabe and Ito, "Color Universal Design", 2008, distinct to people with any colour vision; lines
differ in dash as well.
"""

import math

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from face_expression.output.html_report import FAINT, FIRST, INK, SECOND, STYLE, THIRD, inline_svg


def tool_bars(shares: dict[str, float], n: int) -> Markup:
    """The accuracy of each tool on the same faces, the first in colour."""
    names = list(shares)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 0.42 * len(names) + 0.7), layout="constrained")
        axes = figure.subplots()
        bars = axes.barh(names, list(shares.values()), 0.7, color=[FIRST, *[FAINT] * (len(names) - 1)])
        axes.bar_label(bars, [f"{share:.1%}" for share in shares.values()], padding=4)
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.grid(False, axis="y")
        axes.set_xlabel(f"right, of {n:,} faces")
        described = ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
        return _svg(figure, f"Share of {n:,} faces that each tool labels as most people do: {described}.")


def training_curves(history: list[dict]) -> Markup:
    """Loss and agreement on validation, epoch by epoch."""
    epochs = [entry["epoch"] for entry in history]
    named = (
        ("eval_loss", "loss (nats)", FIRST),
        ("eval_agreement", "agreement with most votes", SECOND),
        ("eval_own_label_accuracy", "second head's accuracy", THIRD),
    )
    shown = [curve for curve in named if all(curve[0] in entry for entry in history)]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 2.4 * len(shown)), layout="constrained")
        for axes, (key, title, colour) in zip(figure.subplots(len(shown), squeeze=False)[:, 0], shown, strict=True):
            values = [entry[key] for entry in history]
            axes.plot(epochs, values, color=colour, marker=".", linewidth=1.5)
            axes.set_ylabel(title)
            axes.annotate(f"{values[-1]:.3g}", (epochs[-1], values[-1]), (0, 7), textcoords="offset points", ha="right")
            axes.margins(y=0.12)
        axes.set_xlabel("epoch")
        first, last = history[0], history[-1]
        description = ", ".join(f"{title} from {first[key]:.3g} to {last[key]:.3g}" for key, title, _ in shown)
        return _svg(figure, f"Curves over {len(history)} epochs of training, measured on validation: {description}.")


def confusion_matrix(counts: list[list[int]], names: list[str]) -> Markup:
    """Shares of each right label's rows, with counts; rows: right labels, columns: the model's."""
    table = np.array(counts)
    support = table.sum(1, keepdims=True)
    shares = table / np.maximum(support, 1)
    side = 0.85 * len(names) + 1.2
    with matplotlib.rc_context(STYLE | {"axes.grid": False}):
        figure = Figure(figsize=(side, side * 0.86), layout="constrained")
        axes = figure.subplots()
        axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=1)
        for row, column in np.ndindex(shares.shape):
            share = float(shares[row, column])
            ink = "white" if share > 0.55 else "black"
            axes.text(column + 0.5, row + 0.42, f"{share:.0%}", ha="center", va="center", color=ink)
            axes.text(column + 0.5, row + 0.72, f"{table[row, column]}", ha="center", va="center", color=ink, size=8)
        axes.set_xticks(np.arange(len(names)) + 0.5, names, rotation=30, ha="right", rotation_mode="anchor")
        axes.set_yticks(
            np.arange(len(names)) + 0.5,
            [f"{name}\nn={total}" for name, total in zip(names, support[:, 0], strict=True)],
        )
        axes.invert_yaxis()
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("what the model says")
        axes.set_ylabel("what people say")
        description = ", ".join(f"{name} {share:.0%}" for name, share in zip(names, np.diagonal(shares), strict=True))
        return _svg(figure, f"Confusion matrix. Share of each label's faces that the model names alike: {description}.")


def class_bars(figures: dict, names: list[str]) -> Markup:
    """Precision, recall and F1 of each class with 95 % intervals."""
    kinds = (
        ("precision", "precision", FIRST, ""),
        ("recall", "recall", SECOND, "////"),
        ("f1", "F1", THIRD, "...."),
    )
    places = np.arange(len(names))
    with matplotlib.rc_context(STYLE | {"hatch.linewidth": 0.5}):
        figure = Figure(figsize=(6.4, 0.62 * len(names) + 1), layout="constrained")
        axes = figure.subplots()
        for number, (kind, title, colour, hatch) in enumerate(kinds):
            values = np.array([figures[kind][name] for name in names])
            bounds = [
                figures[f"{kind}_interval_95"][name] or [value] * 2 for name, value in zip(names, values, strict=True)
            ]
            reach = np.abs(np.array(bounds).T - values)
            at = places + (number - 1) * 0.27
            axes.barh(at, values, 0.25, color=colour, hatch=hatch, edgecolor="white", linewidth=0, label=title)
            axes.errorbar(values, at, xerr=reach, fmt="none", ecolor=INK, elinewidth=1, capsize=2)
        axes.set_yticks(places, [f"{name}\nn={figures['support'][name]}" for name in names])
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.grid(False, axis="y")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
        description = "; ".join(
            f"{name} " + ", ".join(f"{k} {figures[k][name]:.2f}" for k, *_ in kinds) for name in names
        )
        return _svg(figure, f"Precision, recall and F1 of each class: {description}.")


def reliability_diagram(calibration: dict) -> Markup:
    """Predicted probability against the share of votes, before and after the temperature."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 6.2), layout="constrained")
        axes, counts = figure.subplots(2, height_ratios=(4, 1), sharex=True)
        axes.plot((0, 1), (0, 1), color=FAINT, linewidth=1)
        kinds = (("before", SECOND, "s--"), ("after", FIRST, "o-"))
        for kind, colour, form in kinds:
            bins = calibration[kind]["reliability"]
            axes.plot(
                bins["predicted"], bins["observed"], form, color=colour, markersize=4, label=f"{kind} the temperature"
            )
            counts.plot(bins["predicted"], bins["count"], form, color=colour, markersize=3)
        axes.set_ylabel("share of the " + calibration["against"])
        axes.legend()
        counts.set_yscale("log")
        counts.set_ylabel("face x class")
        counts.set_xlabel("probability the model gives")
        bins = calibration["after"]["reliability"]
        reach = np.abs(np.array(bins["observed_interval_95"]).T - bins["observed"])
        axes.errorbar(
            bins["predicted"], bins["observed"], yerr=reach, fmt="none", ecolor=FIRST, elinewidth=1, capsize=2
        )
        gap = np.abs(np.subtract(bins["predicted"], bins["observed"])).max()
        return _svg(
            figure, f"Reliability diagram; after the temperature no bin is further than {gap:.3f} from the diagonal."
        )


def risk_coverage_curve(measured: dict) -> Markup:
    """Share of wrong answers against share of faces answered, with the threshold marked."""
    points, at = measured["points"], measured["at_threshold"]
    coverage = [point["coverage"] for point in points]
    low, high = np.array([point["risk_interval_95"] for point in points]).T
    risk = 1 - at["accuracy"] if at["n"] else math.nan
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.subplots()
        axes.fill_between(coverage, low, high, color=FIRST, alpha=0.2, linewidth=0)
        axes.plot(coverage, [point["risk"] for point in points], color=FIRST)
        axes.plot([at["coverage"]], [risk], "D", color=SECOND)
        axes.annotate(
            f"threshold {measured['threshold']:.2f}",
            (at["coverage"], risk),
            (-8, 8),
            textcoords="offset points",
            ha="right",
        )
        axes.set_xlim(0, 1.01)
        axes.set_ylim(0, None)
        axes.set_xlabel("share of faces that get an answer")
        axes.set_ylabel("share of answers that are wrong")
        return _svg(
            figure,
            f"Risk-coverage curve: {points[-1]['risk']:.1%} wrong if all faces are answered; {risk:.1%} wrong at the "
            f"threshold, where {at['coverage']:.1%} are.",
        )


def robustness_curve(name: str, curve: dict, untouched: dict) -> Markup:
    """Accuracy, accuracy of what is answered and share called "not sure", from untouched to the fifth severity."""
    levels = [untouched, *curve["levels"]]
    severity = np.arange(len(levels))
    bounds = np.array([level["accuracy_interval_95"] for level in levels])
    answered = [math.nan if level["answered"]["n"] == 0 else level["answered"]["accuracy"] for level in levels]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.4, 2.7), layout="constrained")
        axes = figure.subplots()
        axes.fill_between(severity, *bounds.T, color=FIRST, alpha=0.25, linewidth=0)
        axes.plot(severity, [level["accuracy"] for level in levels], "o-", color=FIRST, markersize=3.5)
        axes.plot(severity, answered, "s--", color=THIRD, markersize=3)
        axes.plot(severity, [level["not_sure"] for level in levels], "^:", color=SECOND, markersize=3.5)
        axes.set_ylim(0, 1)
        axes.set_xticks(severity, ["as is", *(f"{level['amount']:g}" for level in curve["levels"])])
        axes.set_title(name, size=10.5)
        axes.set_xlabel(curve["unit"], size=9)
        description = ", ".join(f"{level['accuracy']:.0%}" for level in levels)
        return _svg(figure, f"{name}: accuracy untouched and at five severities {description}.")


def group_accuracies(groups: dict[str, dict]) -> Markup:
    """Accuracy of each group with its interval, best first, then the groups that are too small to be ranked."""
    ordered = sorted(groups.items(), key=lambda group: (not group[1]["ranked"], -group[1]["accuracy"]))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 0.34 * len(ordered) + 1), layout="constrained")
        axes = figure.subplots()
        for place, (_, group) in enumerate(ordered):
            _dot(axes, place, group)
        axes.set_yticks(range(len(ordered)), [f"{name} (n={group['n']})" for name, group in ordered])
        axes.invert_yaxis()
        axes.set_xlabel("accuracy")
        description = ", ".join(f"{name} {group['accuracy']:.0%}" for name, group in ordered)
        return _svg(figure, f"Accuracy by group: {description}.")


def _dot(axes: Axes, place: int, group: dict) -> None:
    reach = np.abs(np.subtract(group["accuracy_interval_95"], group["accuracy"]))[:, None]
    colour = FIRST if group["ranked"] else FAINT
    axes.errorbar(group["accuracy"], place, xerr=reach, fmt="o", color=colour, capsize=3)


def _svg(figure: Figure, description: str) -> Markup:
    return Markup(inline_svg(figure, description))
