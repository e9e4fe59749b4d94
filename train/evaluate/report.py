"""Metrics and test faces -> one HTML file that needs nothing else: `report.html`.

It shows faces of the data set, so it is written to where nothing is published from.
"""

import base64
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from markupsafe import Markup

from face_expression.model.config import BundleConfig
from face_expression.output.html_report import templates_in
from train.evaluate import plots
from train.evaluate.at_a_glance import beside_other_tools, for_whom_it_is_worse, what_it_cannot_do
from train.evaluate.fairness_card import TITLES
from train.evaluate.fairness_tables import MIN_RANKED
from train.evaluate.protocols import Truth

TEMPLATE = "report.html.jinja"
MISTAKES = 36
FACES_PER_CLASS = 2
AMBIGUOUS_FACES = 10


@dataclass(frozen=True)
class Evidence:
    """The N rows behind the figures: their crops, (N, C) probabilities, and their ground truth."""

    crops: list[np.ndarray]
    probabilities: np.ndarray
    truth: Truth


def write_report(path: Path, metrics: dict, config: BundleConfig, evidence: Evidence) -> None:
    """Write the report.

    Args:
        path: the HTML file; its folder is made.
        metrics: as in `metrics.json`.
        config: the bundle's.
        evidence: the rows that were measured.
    """
    environment = templates_in(Path(__file__).parent)
    environment.filters |= {"percent": _percent, "within": _within}
    main = metrics["protocols"][metrics["main_protocol"]]
    names = list(config.label_names)
    history = config.training.get("history", [])
    robustness = metrics["robustness"]
    peers = beside_other_tools(metrics)
    page = environment.get_template(TEMPLATE).render(
        metrics=metrics,
        main_name=metrics["main_protocol"],
        main=main,
        names=names,
        peers=peers,
        peer_bars=plots.tool_bars(peers["tools"], peers["n"]) if peers else None,
        cannot=what_it_cannot_do(metrics),
        worse_for=for_whom_it_is_worse(metrics),
        headline=headline(metrics),
        training=config.training,
        training_curves=plots.training_curves(history) if history else None,
        confusion=plots.confusion_matrix(main["confusion"], names),
        confused=most_confused(main, names),
        own_label_agreement=own_label_agreement(evidence.truth),
        class_bars=plots.class_bars(main, names),
        reliability=plots.reliability_diagram(metrics["calibration"]),
        risk_coverage=plots.risk_coverage_curve(metrics["risk_coverage"]),
        robustness=[
            plots.robustness_curve(name, curve, robustness["untouched"])
            for name, curve in (robustness["corruptions"] if robustness else {}).items()
        ],
        groups=plots.group_accuracies(metrics["groups"]["groups"]) if metrics["groups"] else None,
        fairness_titles=TITLES,
        min_ranked=MIN_RANKED,
        mistakes=[describe_face(evidence, names, row) for row in confident_mistakes(evidence)],
        wrong=int((evidence.probabilities.argmax(1) != evidence.truth.label)[evidence.truth.label >= 0].sum()),
        faces=[describe_face(evidence, names, row) for row in varied_faces(evidence)],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


def headline(metrics: dict) -> list[dict]:
    """The rows of the first table: {"measure", "protocol", "n", "value", "interval"}, the last three as text."""
    protocols = metrics["protocols"]
    main = metrics["main_protocol"]
    wanted = [
        (main, "accuracy", "accuracy", "{:.1%}"),
        (main, "balanced_accuracy", "balanced accuracy", "{:.1%}"),
        (main, "macro_precision", "macro precision", "{:.3f}"),
        (main, "macro_recall", "macro recall", "{:.3f}"),
        (main, "macro_f1", "macro F1", "{:.3f}"),
        (main, "loss", "loss (negative log-likelihood, nats)", "{:.3f}"),
        (main, "label_ece", "label ECE", "{:.3f}"),
        ("fer2013", "accuracy", "accuracy", "{:.1%}"),
        ("fer2013/first_head", "accuracy", "accuracy", "{:.1%}"),
        *(
            (name, key, title, form)
            for name in ("ferplus-votes", "votes")
            for key, title, form in (
                ("cross_entropy", "cross-entropy to the votes (nats)", "{:.3f}"),
                ("kl_divergence", "KL divergence to the votes (nats)", "{:.3f}"),
                ("vote_ece", "vote-ECE", "{:.4f}"),
            )
        ),
        ("full-path", "share_found", "faces found by the detector", "{:.1%}"),
    ]
    return [
        {
            "measure": title,
            "protocol": name,
            "n": protocols[name]["n"],
            "value": form.format(protocols[name][key]),
            "interval": _within(protocols[name][f"{key}_interval_95"], form),
        }
        for name, key, title, form in wanted
        if name in protocols
    ]


def most_confused(figures: dict, names: list[str]) -> dict | None:
    """The most frequent mistake: {"right", "named", "count", "share", "n"}, or None if there is none."""
    wrong = np.array(figures["confusion"])
    np.fill_diagonal(wrong, 0)
    right, named = np.unravel_index(wrong.argmax(), wrong.shape)
    n = figures["support"][names[right]]
    count = int(wrong[right, named])
    return {"right": names[right], "named": names[named], "count": count, "share": count / n, "n": n} if count else None


def own_label_agreement(truth: Truth) -> float | None:
    """On which share of the main protocol's rows the data set's own label is the same; None if it has no other."""
    if truth.own_label is None:
        return None
    return float((truth.own_label == truth.label)[truth.label >= 0].mean())


def confident_mistakes(evidence: Evidence) -> list[int]:
    """The rows that the model got wrong, those first of which it was surest."""
    truth = evidence.truth.label
    wrong = np.flatnonzero((truth >= 0) & (evidence.probabilities.argmax(1) != truth))
    return wrong[np.argsort(-evidence.probabilities[wrong].max(1), kind="stable")][:MISTAKES].tolist()


def varied_faces(evidence: Evidence) -> list[int]:
    """A few rows of every class, then a few on which people disagreed most; chosen by chance, with a fixed seed."""
    if evidence.truth.votes is None:
        return []
    rng = np.random.default_rng(0)
    shares = evidence.truth.shares
    chosen = []
    for label in range(shares.shape[1]):
        rows = np.flatnonzero(evidence.truth.label == label)
        chosen += rng.permutation(rows)[:FACES_PER_CLASS].tolist()
    entropy = -(shares * np.log(np.maximum(shares, 1e-12))).sum(1)
    split = np.flatnonzero((entropy >= np.quantile(entropy, 0.85)) & (shares.sum(1) > 0))
    return chosen + np.setdiff1d(rng.permutation(split)[: 2 * AMBIGUOUS_FACES], chosen)[:AMBIGUOUS_FACES].tolist()


def describe_face(evidence: Evidence, names: list[str], row: int) -> dict:
    """What the page shows of one face.

    {"image": data URI, "right": its label or None, "named", "confidence", "votes": what was voted, in words, or None,
    "bars": [{"name", "votes", "votes_share", "model_share"}], "other_votes": for none of the classes}.
    """
    probabilities, truth = evidence.probabilities[row], evidence.truth
    counts = None if truth.votes is None else truth.votes[row]
    votes = [0 if counts is None else int(counts[column]) for column in range(len(names))]
    bars = [
        {
            "name": name,
            "votes": votes[column],
            "votes_share": float(truth.shares[row, column]),
            "model_share": float(probabilities[column]),
        }
        for column, name in enumerate(names)
    ]
    voted = sorted((pair for pair in zip(names, votes, strict=True) if pair[1]), key=lambda pair: -pair[1])
    return {
        "image": _data_uri(evidence.crops[row]),
        "right": names[truth.label[row]] if truth.label[row] >= 0 else None,
        "named": names[int(probabilities.argmax())],
        "confidence": float(probabilities.max()),
        "votes": None if counts is None else ", ".join(f"{name} {count}" for name, count in voted),
        "bars": bars,
        "other_votes": 0 if counts is None else int(counts[len(names) :].sum()),
    }


def _data_uri(crop: np.ndarray) -> Markup:
    pixels = crop if crop.ndim == 2 else cv2.cvtColor(crop, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".png", pixels)
    return Markup("data:image/png;base64," + base64.b64encode(encoded.tobytes()).decode())


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _within(interval: list[float] | None, form: str = "{:.1%}") -> str:
    return "–" if interval is None else " to ".join(form.format(bound) for bound in interval)
