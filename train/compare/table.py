"""A comparison of networks as Markdown."""

from train.compare.measure import Row
from train.evaluate.speed import machine_name

UNKNOWN = "–"


def table(measured: list[Row], settings: dict, split: str) -> str:
    """The comparison as Markdown, the most accurate model first."""
    size_px, faces = settings["preprocessing"]["input"]["size_px"], measured[0].n
    options = [
        f"--epochs {settings['epochs']:g}",
        f"--size {size_px}",
        f"--seed {settings['seed']} --seeds {max(len(row.runs) for row in measured)}",
        f"--split {split}",
    ]
    if settings["limit"] is not None:
        options.append(f"--limit {settings['limit']}")
    lines = [
        f"Written by `python -m train compare --models {' '.join(row.model for row in measured if row.runs)} "
        f"--data {settings['data']} {' '.join(options)}`; all settings: `comparison.json`.",
        "",
        "| model | accuracy (95 %) | spread | macro-F1 (95 %) | spread "
        "| input | parameters | MACs | ONNX | p50 | training | faces seen |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(measured, key=lambda row: -row.accuracy):
        (low, high), (f1_low, f1_high) = row.accuracy_interval_95, row.macro_f1_interval_95
        spread, f1_spread = row.spread("accuracy"), row.spread("macro_f1")
        cells = [
            f"`{row.model}`" if row.runs else row.model,
            f"{row.accuracy:.1%} ({low:.1%} to {high:.1%})",
            UNKNOWN if spread is None else f"{100 * spread:.1f} points",
            f"{row.macro_f1:.3f} ({f1_low:.3f} to {f1_high:.3f})",
            UNKNOWN if f1_spread is None else f"{f1_spread:.3f}",
            f"{row.input_px} px",
            UNKNOWN if row.parameters is None else f"{row.parameters / 1e6:.2f} M",
            UNKNOWN if row.macs is None else f"{row.macs / 1e6:.1f} M",
            f"{row.onnx_bytes / 1e6:.2f} MB",
            f"{row.p50_ms:.2f} ms",
            UNKNOWN if row.training_s is None else f"{row.training_s / 60:.1f} min",
            UNKNOWN if row.faces_seen is None else f"{row.faces_seen:,}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        f"Accuracy and macro-F1, the mean of each network's runs, are on the {faces} faces of the {split} split of "
        f"`{settings['data']}` that have a majority label. The intervals tell how much hangs on the choice of faces, "
        "the spread (a standard deviation over the runs) how much on the luck of a training. p50: the network alone on "
        f"one crop, ONNX Runtime on one thread of {machine_name()}, in turn. Training is the mean of the runs, from "
        f"scratch, on {'; '.join(sorted({row.trained_on for row in measured if row.trained_on}))}. A network without "
        "runs was not trained here, and has seen more.",
        "",
        "![Accuracy of each model against the time for one crop](comparison.png)",
    ]
    return "\n".join(lines) + "\n"
