"""metrics.json -> the figures in the model card: everything between the two markers is rewritten, nothing else."""

import json
from pathlib import Path

from face_expression.config import BundleError
from face_expression.hub import open_bundle

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def fill_card(bundle: Path, card: Path) -> None:
    """Rewrite the figures of a model card.

    Args:
        bundle: a bundle with `metrics.json`.
        card: a Markdown file with both markers.

    Raises:
        SystemExit: if the bundle was not evaluated, its metrics belong to another network, or the card has no markers.
    """
    try:
        opened = open_bundle(bundle, "described")
        metrics = json.loads((bundle / "metrics.json").read_text())
    except (BundleError, FileNotFoundError) as error:
        raise SystemExit(f"{error}; run `python -m train evaluate` first") from error
    if metrics["bundle"]["model_sha256"] != opened.config.model_sha256:
        raise SystemExit(f"{bundle}/metrics.json measured another network; run `python -m train evaluate` again")
    if not card.is_file():
        raise SystemExit(f"{card}: no such file; name the model card with --path")
    text = card.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise SystemExit(f"{card} needs the lines {BEGIN} and {END}")
    before, rest = text.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    card.write_text(before + BEGIN + "\n" + figures(metrics, opened.config) + END + after, encoding="utf-8")


def figures(metrics: dict, config) -> str:
    """The Markdown of all figures."""
    data, protocols = metrics["data"], metrics["protocols"]
    lines = [
        f"Measured by `python -m train evaluate` on the {data['split']} split of `{data['name']}` "
        f"({data['rows']} rows), on the ONNX file with sha256 `{metrics['bundle']['model_sha256'][:12]}...` "
        f"({metrics['bundle']['model_bytes'] / 1e6:.1f} MB).",
        "",
        "| protocol | n | accuracy (95 % interval) | balanced accuracy | macro-F1 |",
        "|---|---|---|---|---|",
    ]
    for name, row in protocols.items():
        if "accuracy" in row:
            low, high = row["accuracy_interval_95"]
            lines.append(
                f"| `{name}` | {row['n']} | {row['accuracy']:.1%} ({low:.1%} to {high:.1%}) "
                f"| {row['balanced_accuracy']:.1%} | {row['macro_f1']:.3f} |"
            )
    if votes := protocols.get("ferplus-votes"):
        lines += [
            "",
            "| protocol | n | cross-entropy | KL divergence | vote-ECE |",
            "|---|---|---|---|---|",
            f"| `ferplus-votes` | {votes['n']} | {votes['cross_entropy']:.3f} | {votes['kl_divergence']:.3f} "
            f"| {votes['vote_ece']:.4f} |",
        ]
    if majority := protocols.get("ferplus-majority-7"):
        names = list(majority["recall"])
        lines += [
            "",
            "| `ferplus-majority-7` | " + " | ".join(names) + " |",
            "|---|" + "---|" * len(names),
            "| recall | " + " | ".join(f"{majority['recall'][name]:.0%}" for name in names) + " |",
            "| n | " + " | ".join(str(majority["support"][name]) for name in names) + " |",
        ]
    lines += [
        "",
        f'Temperature {config.temperature:g}; "not sure" below a confidence of {config.abstain_below:.0%}; both from '
        "the validation split.",
    ]
    return "\n".join(lines) + "\n"
