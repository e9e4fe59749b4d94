"""From what was shown at each frame, and what was true, to the figures of `stream.json`."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from train.live.ground_truth import Stretch

NOTHING = -1


@dataclass(frozen=True, eq=False)
class Viewing:
    """What the live path made of N frames.

    `times_s`, `latency_s` (N,) float64; `has_face` (N,) bool; `shown` (N,) int64, the index of the label shown or
    NOTHING; `end_s` when the last frame is over.
    """

    times_s: np.ndarray
    latency_s: np.ndarray
    has_face: np.ndarray
    shown: np.ndarray
    end_s: float


def measure_quality(viewing: Viewing, stretches: list[Stretch], label_names: tuple[str, ...]) -> dict:
    """Measure the displayed labels against the ground truth.

    Args:
        viewing: what the live path showed.
        stretches: the truth, in order of time; each holds at some frame.
        label_names: the labels, in the order of the indices in `viewing`.

    Returns:
        The figures of `stream.json` from "truth" on, without the truth's name.
    """
    held = np.full(len(viewing.times_s), NOTHING)
    for stretch in stretches:
        held[stretch.holds(viewing.times_s)] = label_names.index(stretch.label)
    evaluated = held != NOTHING
    held, shown, n = held[evaluated], viewing.shown[evaluated], int(evaluated.sum())
    evaluated_s = sum(min(stretch.end_s, viewing.end_s) - stretch.start_s for stretch in stretches)
    labels = {name: _precision_recall(held == index, shown == index) for index, name in enumerate(label_names)}
    true_changes = len(_changes(stretches))
    shown_changes = int(np.count_nonzero(np.diff(shown[shown != NOTHING])))
    return {
        "truth": {"stretches": len(stretches), "judged_frames": n, "judged_s": round(evaluated_s, 3)},
        "speed": _speed(viewing.latency_s),
        "live": simulate_live(viewing),
        "any_face": {"n": n, "share": float(viewing.has_face[evaluated].mean())},
        "reliable_face": {"n": n, "share": float((shown != NOTHING).mean())},
        "labels": labels,
        "macro": _macro(labels),
        "flips": {
            "shown_changes": shown_changes,
            "true_changes": true_changes,
            "judged_s": round(evaluated_s, 3),
            "per_minute": (shown_changes - true_changes) / evaluated_s * 60,
        },
        "lag": _lag(viewing, _changes(stretches), label_names),
        "over_time": [_over_time(viewing, stretch, label_names) for stretch in stretches],
    }


def simulate_live(viewing: Viewing) -> dict:
    """What a camera would see of the same frames at the measured latency.

    As in the app, one frame is analysed at a time and nothing waits in a queue: a frame that is taken while another is
    being analysed is dropped.
    """
    free_at_s, taken = -math.inf, 0
    for time_s, latency_s in zip(viewing.times_s, viewing.latency_s, strict=True):
        if time_s >= free_at_s:
            free_at_s, taken = time_s + latency_s, taken + 1
    frames = len(viewing.times_s)
    return {
        "n": frames,
        "dropped": frames - taken,
        "dropped_share": 1 - taken / frames,
        "frames_per_s": taken / (viewing.end_s - float(viewing.times_s[0])),
    }


def _speed(latency_s: np.ndarray) -> dict:
    p50_s, p95_s = np.percentile(latency_s, (50, 95))
    return {
        "n": len(latency_s),
        "frames_per_s": float(1 / latency_s.mean()),
        "latency_p50_ms": float(p50_s * 1000),
        "latency_p95_ms": float(p95_s * 1000),
    }


def _precision_recall(held: np.ndarray, shown: np.ndarray) -> dict:
    """Of one label in (N,) frames: where it held, and where it was shown."""
    right, n, times_shown = int((held & shown).sum()), int(held.sum()), int(shown.sum())
    return {
        "n": n,
        "shown": times_shown,
        "precision": right / times_shown if times_shown else None,
        "recall": right / n if n else None,
    }


def _macro(labels: dict[str, dict]) -> dict:
    rows = [row for row in labels.values() if row["n"]]
    return {
        "labels": len(rows),
        "precision": float(np.mean([row["precision"] or 0.0 for row in rows])),
        "recall": float(np.mean([row["recall"] for row in rows])),
    }


def _changes(stretches: list[Stretch]) -> list[Stretch]:
    """The stretches whose label differs from the one before."""
    return [after for before, after in pairwise(stretches) if after.label != before.label]


def _lag(viewing: Viewing, changes: list[Stretch], label_names: tuple[str, ...]) -> dict:
    lags_s = []
    for change in changes:
        times_s = viewing.times_s[change.holds(viewing.times_s) & (viewing.shown == label_names.index(change.label))]
        if len(times_s):
            lags_s.append(float(times_s[0]) - change.start_s)
    return {
        "n": len(changes),
        "followed": len(lags_s),
        "median_s": float(np.median(lags_s)) if lags_s else None,
        "worst_s": max(lags_s) if lags_s else None,
    }


def _over_time(viewing: Viewing, stretch: Stretch, label_names: tuple[str, ...]) -> dict:
    """Of one stretch: `precision` is the share of right frames among those with a label shown, `recall` among all."""
    shown = viewing.shown[stretch.holds(viewing.times_s)]
    right, times_shown = int((shown == label_names.index(stretch.label)).sum()), int((shown != NOTHING).sum())
    return {
        "start_s": stretch.start_s,
        "end_s": stretch.end_s,
        "label": stretch.label,
        "n": len(shown),
        "shown": times_shown,
        "precision": right / times_shown if times_shown else None,
        "recall": right / len(shown),
    }


def summary(report: dict) -> str:
    """The figures of `stream.json` as a short table in plain text."""
    video, speed, live, lag, flips = (report[key] for key in ("video", "speed", "live", "lag", "flips"))
    lines = [
        f"{video['name']}: {video['frames']} frames, {video['duration_s']:.1f} s; {report['detector']}, "
        f"{report['machine']}",
        "",
        f"{'label':<10} {'precision':>9} {'recall':>7} {'n':>6}",
        *(
            f"{name:<10} {_percent(row['precision']):>9} {_percent(row['recall']):>7} {row['n']:>6}"
            for name, row in report["labels"].items()
            if row["n"] or row["shown"]
        ),
        f"{'macro':<10} {_percent(report['macro']['precision']):>9} {_percent(report['macro']['recall']):>7}",
        "",
        *(
            f"{words:<14} {_percent(report[key]['share'])} of {report[key]['n']} evaluated frames"
            for words, key in (("any face", "any_face"), ("reliable face", "reliable_face"))
        ),
        f"{'speed':<14} {speed['frames_per_s']:.1f} frames/s, latency p50 {speed['latency_p50_ms']:.1f} ms, "
        f"p95 {speed['latency_p95_ms']:.1f} ms (n={speed['n']})",
        f"{'live':<14} {_percent(live['dropped_share'])} of {live['n']} frames dropped, "
        f"{live['frames_per_s']:.1f} frames/s left",
        f"{'label flips':<14} {flips['per_minute']:.1f} a minute beyond the true changes "
        f"({flips['shown_changes']} shown, {flips['true_changes']} true)",
    ]
    delay = f"median {lag['median_s']:.2f} s, worst {lag['worst_s']:.2f} s; " if lag["followed"] else ""
    lines.append(f"{'lag':<14} {delay}{lag['followed']} of {lag['n']} changes followed")
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
