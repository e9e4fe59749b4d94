"""A comparison of networks as Markdown."""

from train.compare.measure import Row
from train.evaluate.speed import machine_name


def table(measured: list[Row], settings: dict, split: str) -> str:
    """The comparison as Markdown, the most accurate model first."""
    size_px, faces = settings["preprocessing"]["input"]["size_px"], measured[0].n
    options = [
        f"--epochs {settings['epochs']:g}",
        f"--size {size_px}",
        f"--seed {settings['seed']}",
        f"--split {split}",
    ]
    if settings["limit"] is not None:
        options.append(f"--limit {settings['limit']}")
    lines = [
        f"Written by `python -m train compare --models {' '.join(row.model for row in measured)} "
        f"--data {settings['data']} {' '.join(options)}`; all settings: `comparison.json`.",
        "",
        "| model | accuracy (95 %) | macro-F1 (95 %) | parameters | MACs | ONNX | p50 | training | faces seen |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(measured, key=lambda row: -row.accuracy):
        (low, high), (f1_low, f1_high) = row.accuracy_interval_95, row.macro_f1_interval_95
        lines.append(
            f"| `{row.model}` | {row.accuracy:.1%} ({low:.1%} to {high:.1%}) "
            f"| {row.macro_f1:.3f} ({f1_low:.3f} to {f1_high:.3f}) "
            f"| {row.parameters / 1e6:.2f} M | {row.macs / 1e6:.1f} M | {row.onnx_bytes / 1e6:.2f} MB "
            f"| {row.p50_ms:.2f} ms | {row.training_s / 60:.1f} min | {row.faces_seen:,} |"
        )
    lines += [
        "",
        f"Accuracy and macro-F1 on the {faces} faces of the {split} split of `{settings['data']}` that have a majority "
        f"label. The intervals tell how much hangs on the choice of faces, not on the luck of one training run. "
        f"p50: the network alone on one crop of {size_px} px, ONNX Runtime on one thread of {machine_name()}, in turn. "
        f"Trained from scratch on {'; '.join(sorted({row.trained_on for row in measured}))}.",
        "",
        "![Accuracy of each model against the time for one crop](comparison.png)",
    ]
    return "\n".join(lines) + "\n"
