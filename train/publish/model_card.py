"""metrics.json -> the figures in the model card, and the card as a model repository on the Hub shows it.

Between the markers of a card everything is rewritten, and nothing else: what the network is, from the bundle's
configuration, and its figures, from `metrics.json`. Sections of `metrics.json` that are absent are left out.
"""

import json
from pathlib import Path
from typing import cast

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from face_expression.errors import DataError
from face_expression.hub.download import METRICS_FILE, Bundle, open_bundle
from face_expression.model.config import BundleConfig
from face_expression.output.markdown import plain_words
from train.evaluate.fairness_card import fairness_lines

MODEL, FIGURES = "model", "figures"
_TASK = "image-classification"
_METRIC_IDS = {"macro_f1": "f1", "macro_precision": "precision", "macro_recall": "recall"}


def fill_card(bundle: Path, card: Path) -> None:
    """Rewrite what stands between the markers of a model card.

    Args:
        bundle: a bundle with `metrics.json`.
        card: a Markdown file with the markers.

    Raises:
        DataError: if the bundle was not evaluated, its metrics belong to another network, or the card has no markers.
    """
    opened, metrics = read_metrics(bundle)
    card.write_text(filled_card(card, opened, metrics), encoding="utf-8")


def published_card(card: Path, bundle: Bundle, metrics: dict, repo_id: str) -> str:
    """The card of a model repository: filled in, with all figures in its front matter as `model-index`.

    `USER/NAME` in the card becomes `repo_id`.

    Raises:
        DataError: if the card cannot be filled in, or its front matter cannot be read.
    """
    text = filled_card(card, bundle, metrics).replace("USER/NAME", repo_id)
    try:
        published = ModelCard(text)
    except Exception as error:  # YAML's own errors, or ValueError
        raise DataError(f"{card}: its front matter cannot be read: {error}") from error
    results = evaluation_results(metrics)
    data = cast(ModelCardData, published.data)
    data.model_name = repo_id.split("/")[-1]
    data.eval_results = results
    data.datasets = sorted({result.dataset_type for result in results})
    data.metrics = sorted({result.metric_type for result in results})
    return str(published)


def read_metrics(bundle: Path) -> tuple[Bundle, dict]:
    """A bundle, checked, and its `metrics.json`.

    Raises:
        DataError: if the bundle cannot be used, was not evaluated, or its metrics belong to another network.
    """
    opened = open_bundle(bundle, "described")
    try:
        metrics = json.loads((bundle / METRICS_FILE).read_text(encoding="utf-8"))
        measured = metrics["bundle"]["model_sha256"]
    except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise DataError(f"{bundle} was not evaluated ({error!r}); run `python -m train evaluate` first") from error
    if measured != opened.config.model_sha256:
        raise DataError(f"{bundle}/metrics.json measured another network; run `python -m train evaluate` again")
    return opened, metrics


def filled_card(card: Path, bundle: Bundle, metrics: dict) -> str:
    """The text of a card with everything between its markers rewritten; those of `model` may be absent.

    Raises:
        DataError: if there is no card, or it has no markers for the figures.
    """
    if not card.is_file():
        raise DataError(f"{card}: no such file; name the model card with --path")
    text = card.read_text(encoding="utf-8")
    if _markers(MODEL)[0] in text:
        text = _replaced(text, MODEL, model_facts(bundle), card)
    return _replaced(text, FIGURES, figures(metrics, bundle.config), card)


def _markers(name: str) -> tuple[str, str]:
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def _replaced(text: str, name: str, content: str, card: Path) -> str:
    begin, end = _markers(name)
    if begin not in text or end not in text:
        raise DataError(f"{card} needs the lines {begin} and {end}")
    before, rest = text.split(begin, 1)
    _, after = rest.split(end, 1)
    return f"{before}{begin}\n{content}{end}{after}"


def model_facts(bundle: Bundle) -> str:
    """What the network is and how it was trained, as Markdown."""
    built = json.loads((bundle.folder / "config.json").read_text(encoding="utf-8"))
    crop, pixels = bundle.config.preprocessing.crop, bundle.config.preprocessing.input
    colours = "grey" if pixels.channels == 1 else "RGB"
    lines = [
        f"- timm's {_code(built['architecture'])} with {_code(json.dumps(built['model_args']))}; its input is "
        f"{colours}, {pixels.size_px} px, from a crop of {crop.size_px} px.",
        f"- Labels: {', '.join(map(plain_words, bundle.config.label_names))}.",
    ]
    training, word = bundle.config.training, "Trained"
    while training:
        lines += _training_lines(training, word)
        training, word = training.get("begun_with"), "Before that, trained"
    return "\n".join(lines) + "\n"


def _training_lines(training: dict, word: str) -> list[str]:
    if "converted_from" in training:
        return [f"- {word} elsewhere: weights from {plain_words(training['converted_from'])}."]
    if "data" not in training:
        return []
    left_out = {
        "data",
        "train_rows",
        "architecture",
        "start",
        "history",
        "begun_with",
        "model_args",
        "checkpoint_sha256",
    }
    recipe = {key: value for key, value in training.items() if key not in left_out and value not in (None, False)}
    if "teacher" in recipe:
        recipe["teacher"] = "the average of " + " and ".join(recipe["teacher"]["teachers"])
    if "photos" in recipe:
        recipe["photos"] = " and ".join(recipe["photos"])
    options = ", ".join(plain_words(f"{key} {value}") for key, value in recipe.items())
    return [
        f"- {word} by `python -m train finetune` on {training['train_rows']} rows of {_code(training['data'])}: "
        f"{options}."
    ]


def figures(metrics: dict, config: BundleConfig) -> str:
    """The Markdown of all figures."""
    data, protocols = metrics["data"], metrics["protocols"]
    measured = (
        f"Measured by `python -m train evaluate` on the {data['split']} split of {_code(data['name'])} "
        f"({data['rows']} rows), on the ONNX file with sha256 `{metrics['bundle']['model_sha256'][:12]}...` "
        f"({metrics['bundle']['model_bytes'] / 1e6:.1f} MB)."
    )
    calibration = (
        f'Temperature {config.temperature:g}; "not sure" below a confidence of {config.abstain_below:.0%}; both from '
        "the validation split."
    )
    parts = [
        [measured],
        _accuracy_table(protocols),
        _votes_table(protocols),
        _recall_table(metrics),
        _robustness_table(metrics.get("robustness")),
        _groups_table(metrics.get("groups")),
        fairness_lines(metrics.get("fairness")),
        _speed(metrics.get("speed")),
        [calibration],
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def evaluation_results(metrics: dict) -> list[EvalResult]:
    """Every single figure of every protocol; its `n` stands in the name of the data set."""
    data = metrics["data"]
    return [
        EvalResult(
            task_type=_TASK,
            dataset_type=data["name"],
            dataset_name=f"{data['name']}, protocol {protocol} (n={row['n']})",
            dataset_config=protocol,
            dataset_split=data["split"],
            dataset_revision=data["revision"],
            metric_type=_METRIC_IDS.get(key, key),
            metric_name=key,
            metric_value=round(value, 4),
        )
        for protocol, row in metrics["protocols"].items()
        for key, value in row.items()
        if isinstance(value, float)
    ]


def _code(text: str) -> str:
    """Words from outside as Markdown shows code, which only a backtick ends."""
    one_line = " ".join(text.split()).replace("`", "'")
    return f"`{one_line}`"


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
    """The lines of a Markdown table; none if it has no rows."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (header, *rows)]
    return [lines[0], "|---" * len(header) + "|", *lines[1:]] if rows else []


def _share(row: dict, key: str) -> str:
    """A share with its interval, where it has one."""
    interval = row.get(f"{key}_interval_95")
    return f"{row[key]:.1%}" + (f" ({interval[0]:.1%} to {interval[1]:.1%})" if interval else "")


def _accuracy_table(protocols: dict) -> list[str]:
    classified = {
        name: row for name, row in protocols.items() if {"accuracy", "balanced_accuracy", "macro_f1"} <= row.keys()
    }
    rows = [
        [
            f"`{name}`",
            f"{row['n']}",
            _share(row, "accuracy"),
            f"{row['balanced_accuracy']:.1%}",
            f"{row['macro_f1']:.3f}",
        ]
        for name, row in classified.items()
    ]
    return _table(["protocol", "n", "accuracy (95 % interval)", "balanced accuracy", "macro-F1"], rows)


def _votes_table(protocols: dict) -> list[str]:
    digits = {"cross_entropy": 3, "kl_divergence": 3, "vote_ece": 4}
    rows = [
        [f"`{name}`", f"{row['n']}", *(f"{row[key]:.{count}f}" for key, count in digits.items())]
        for name, row in protocols.items()
        if digits.keys() <= row.keys()
    ]
    return _table(["protocol", "n", "cross-entropy", "KL divergence", "vote-ECE"], rows)


def _recall_table(metrics: dict) -> list[str]:
    name = metrics.get("main_protocol", "ferplus-majority-7")
    if name not in metrics["protocols"]:
        return []
    recall, support = (metrics["protocols"][name][key] for key in ("recall", "support"))
    rows = [["recall", *(f"{value:.0%}" for value in recall.values())], ["n", *(f"{support[key]}" for key in recall)]]
    return _table([f"`{name}`", *map(plain_words, recall)], rows)


def _robustness_table(robustness: dict | None) -> list[str]:
    if not robustness:
        return []
    untouched, corruptions = robustness["untouched"], robustness["corruptions"]
    rows = [[name, *(f"{level['accuracy']:.1%}" for level in kind["levels"])] for name, kind in corruptions.items()]
    severities = [f"{number}" for number in range(1, max(map(len, rows)))]
    return [
        f"Accuracy when the face is made harder to read, five severities each (n = {untouched['n']} at each; untouched "
        f"{_share(untouched, 'accuracy')}):",
        "",
        *_table(["severity", *severities], rows),
    ]


def _groups_table(groups: dict | None) -> list[str]:
    if not groups:
        return []
    rows = [[plain_words(name), f"{row['n']}", _share(row, "accuracy")] for name, row in groups["groups"].items()]
    heading = f"Accuracy by {_code(groups['column'])}"
    heading += ", which is what was searched for and not what people are:" if groups["is_proxy"] else ":"
    lines = [heading, "", *_table(["group", "n", "accuracy (95 % interval)"], rows)]
    if gap := groups["largest_gap"]:
        chance = "more than chance" if gap["significant"] else "no more than chance would give"
        best, worst = plain_words(gap["best"]), plain_words(gap["worst"])
        lines += ["", f"Largest gap: {best} {gap['difference']:.1%} above {worst}, {chance} ({gap['test']})."]
    return lines


def _speed(speed: dict | None) -> list[str]:
    if not speed:
        return []
    return [
        f"One crop on {speed['threads']} thread(s) of {speed['machine']}: p50 {speed['p50_ms']:.2f} ms, "
        f"p95 {speed['p95_ms']:.2f} ms (n = {speed['n']})."
    ]
