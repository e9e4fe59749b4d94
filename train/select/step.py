"""The table by which one network is kept, and the rule's verdict.

    D1  validation: KL divergence to the votes (or labels), paired bootstrap over rows; accuracy for information
    D2  GENKI-4K, its development rows: smile against p(happy), area under the ROC curve and log-loss
    D3  Yale and London, never trained on: recalls, resampled by person
    D4  the darkest, the most blurred and the most turned tenth of validation: KL divergence

A candidate wins if it is better than the first on D1 (the 95 % interval of the difference excludes 0) and not worse by
more than one standard error on any figure of D2 to D4. The test split is never read.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from face_expression import Pipeline
from face_expression.hub.download import EMBEDDED_BUNDLE
from face_expression.model.preprocess import to_model_inputs
from train.data.dataset import crop_of_row, load_split, read_targets, require_labels
from train.data.photographs import find_faces, read_photographs
from train.evaluate.end_to_end import load_app
from train.model.predictor import Predictor, open_predictor
from train.select.conditions import most_affected_tenths
from train.select.figures import Figure, auc_figure, kl_divergence, log_loss, mean_figure

_FACES_AT_ONCE = 256
YALE_LABELS = {"normal": "neutral", "happy": "happy", "sad": "sad", "surprised": "surprise"}
LONDON_LABELS = {"neutral": "neutral", "smiling": "happy"}


@dataclass(frozen=True)
class Selection:
    """`names` of the K networks; `figures` by their D; `missing` says what could not be measured and why."""

    names: list[str]
    figures: dict[str, list[Figure]]
    missing: list[str]

    def verdict(self, network: int) -> str:
        """The outcome of the rule for a candidate."""
        if not self.figures["D1"][0].is_better(network):
            return "not better on D1"
        worse = [
            f"{name} {figure.name}"
            for name in ("D2", "D3", "D4")
            for figure in self.figures[name]
            if figure.is_worse(network)
        ]
        if worse:
            return "better on D1, worse on " + "; ".join(worse)
        return "wins" if not self.missing else "wins on what was measured"


def select(*, places: list[Path], data: str, revision: str | None, faces: Path | None) -> Selection:
    """Measure all networks.

    Args:
        places: bundles, checkpoints or runs; the first is the one to beat.
        data: as in `load_split`; its validation split is used.
        revision: as in `load_split`.
        faces: the folder of genki.parquet, yale.parquet and london.parquet, each of which may be missing.

    Raises:
        DataError: if a network cannot be opened, or has other classes than the data.
    """
    predictors = [open_predictor(place) for place in places]
    rows = load_split(data, "validation", revision=revision)
    for predictor in predictors:
        require_labels(rows, predictor.label_names, data)
    app = load_app(EMBEDDED_BUNDLE)
    targets = read_targets(rows)
    shares, known = targets.shares()
    majority = targets.majority()
    predictions = predict_all(predictors, rows, "validation")
    divergence = np.stack([kl_divergence(shares, each) for each in predictions], axis=1)
    right = np.stack([each.argmax(1) == majority for each in predictions], axis=1)[majority >= 0]
    figures = {
        "D1": [
            mean_figure("validation: KL to the votes", divergence[known], higher_is_better=False),
            mean_figure("validation: accuracy", right.astype(float)),
        ],
        "D2": [],
        "D3": [],
        "D4": [
            mean_figure(f"{name} tenth of validation: KL", divergence[chosen & known], higher_is_better=False)
            for name, chosen in most_affected_tenths(rows, predictors[0].preprocessing, app).items()
        ],
    }
    missing = []
    for name, file, measure in (
        ("D2", "genki.parquet", _measure_genki),
        ("D3", "yale.parquet", _measure_yale),
        ("D3", "london.parquet", _measure_london),
    ):
        if faces is None or not (faces / file).is_file():
            missing.append(f"{name}: no {file} " + ("(name its folder with --faces)" if faces is None else "there"))
        elif not set(YALE_LABELS.values()) <= set(predictors[0].label_names):
            missing.append(f"{name}: {file} needs classes that these networks lack")
        else:
            figures[name] += measure(faces / file, predictors, app)
    return Selection([predictor.name for predictor in predictors], figures, missing)


def predict_all(predictors: list[Predictor], rows, name: str) -> list[np.ndarray]:
    """The predictions of each network for every row: (N, C) float64 each."""
    predictions = []
    for predictor in predictors:
        settings, batches = predictor.preprocessing, []
        with tqdm(total=len(rows), unit="face", desc=f"{predictor.name} on {name}", leave=False) as bar:
            for start in range(0, len(rows), _FACES_AT_ONCE):
                numbers = range(start, min(start + _FACES_AT_ONCE, len(rows)))
                crops = [crop_of_row(rows[number], settings) for number in numbers]
                batches.append(predictor.probabilities(to_model_inputs(crops, settings.input)))
                bar.update(len(crops))
        predictions.append(np.concatenate(batches).astype(np.float64))
    return predictions


def _predict_photographs(file: Path, chosen: dict, predictors: list[Predictor], app: Pipeline):
    rows = read_photographs(file)
    for column, values in chosen.items():
        rows = rows.select(np.flatnonzero(np.isin(np.array(rows[column]), list(values))))
    found = find_faces(rows, app, file.stem)
    for name in ("face_box", "landmarks", "detector"):
        rows = rows.add_column(name, [face[name] for face in found])
    return rows, predict_all(predictors, rows, file.stem)


def _measure_genki(file: Path, predictors: list[Predictor], app: Pipeline) -> list[Figure]:
    rows, predictions = _predict_photographs(file, {"split": ["development"], "smile": [0, 1]}, predictors, app)
    smiles = np.array(rows["smile"]) == 1
    happy = predictors[0].label_names.index("happy")
    probability = np.stack([each[:, happy] for each in predictions], axis=1)
    losses = log_loss(probability, smiles)
    return [
        auc_figure("GENKI smile: AUC", probability, smiles),
        mean_figure("GENKI smile: log-loss", losses, higher_is_better=False),
    ]


def _measure_yale(file: Path, predictors: list[Predictor], app: Pipeline) -> list[Figure]:
    return _recalls("Yale", file, "condition", YALE_LABELS, "subject", predictors, app)


def _measure_london(file: Path, predictors: list[Predictor], app: Pipeline) -> list[Figure]:
    return _recalls("London", file, "expression", LONDON_LABELS, "face_id", predictors, app)


def _recalls(name: str, file: Path, column: str, labels: dict[str, str], person: str, predictors, app) -> list[Figure]:
    rows, predictions = _predict_photographs(file, {column: list(labels)}, predictors, app)
    posed, people = np.array(rows[column]), np.array(rows[person])
    figures = []
    for shown, label in labels.items():
        index = predictors[0].label_names.index(label)
        right = np.stack([each.argmax(1) == index for each in predictions], axis=1).astype(float)
        if (chosen := posed == shown).any():
            figures.append(mean_figure(f"{name}, {shown}: called {label}", right[chosen], people[chosen]))
    return figures


def show(selection: Selection, console: Console) -> None:
    """Print the table: each candidate's difference from the first, with its standard error."""
    table = Table(box=None)
    table.add_column("")
    table.add_column("figure", overflow="fold")
    table.add_column("n", justify="right")
    for name in selection.names:
        table.add_column(name, justify="right", overflow="fold")
    for name, figures in selection.figures.items():
        for figure in figures:
            cells = [f"{figure.values[0]:.4f}"]
            cells += [_cell(figure, network) for network in range(1, len(selection.names))]
            table.add_row(name, figure.name, str(figure.n), *cells)
    console.print(table)
    for text in selection.missing:
        console.print(f"not measured: {text}")
    for network in range(1, len(selection.names)):
        console.print(f"{selection.names[network]}: {selection.verdict(network)}")


def _cell(figure: Figure, network: int) -> str:
    difference = figure.values[network] - figure.values[0]
    mark = " worse" if figure.is_worse(network) else " better" if figure.is_better(network) else ""
    return f"{figure.values[network]:.4f} ({difference:+.4f} se {figure.standard_error(network):.4f}){mark}"
