"""Which labels are doubtful: those that a classifier trained on the other faces would not have given.

Northcutt et al., "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 2021, as in cleanlab.
"""

import itertools
import warnings
from collections import Counter
from dataclasses import dataclass

import numpy as np
from cleanlab.filter import find_label_issues
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline as Steps
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from data_tools.work.manifest import Manifest
from data_tools.work.schema import REVIEWABLE, Row
from face_expression import PictureError, Pipeline, read_picture
from face_expression.boxes import box_of
from face_expression.errors import DataError, required
from face_expression.model.preprocess import cut_crop, region_of_detection, to_model_inputs

FOLDS = 5
_BATCH = 256
_MOST_STEPS = 1000
# Inverse strength of the penalty. Of the first 100 doubtful of 1,500 FER2013 faces, 88 had a label that most of FER+'s
# annotators did not give, against 72 with scikit-learn's default of 1, and 37 among all faces.
_INVERSE_PENALTY = 0.01


@dataclass(frozen=True)
class DoubtfulFace:
    """A face whose label somebody should look at.

    `query_label` is what it was found for, or None; `suggested` what the classifier would say, or None if there is
    none.
    """

    image_sha256: str
    query_label: str | None
    suggested: str | None


@dataclass(frozen=True)
class Doubt:
    """What is to be reviewed, the most doubtful first, then what has no label; and sentences about what that means."""

    faces: tuple[DoubtfulFace, ...]
    notes: tuple[str, ...]


def find_doubtful(manifest: Manifest, pipeline: Pipeline) -> Doubt:
    """Compare the label that each face was found for with what faces like it were found for.

    What was decided already is not taken into account, so that the answer stays the same while somebody reviews.

    Args:
        manifest: whose kept rows, and rows rejected by reviewers, are analysed.
        pipeline: whose network's features stand for the faces.

    Raises:
        DataError: if an image is missing or damaged.
    """
    found = {required(row["image_sha256"]): row["query_label"] for row in manifest.rows(REVIEWABLE)}
    counts = Counter(label for label in found.values() if label is not None)
    notes = [
        f"{name!r} has one face only, which cannot be compared with others of its kind and is not shown"
        for name, count in sorted(counts.items())
        if count == 1
    ]
    names = sorted(name for name, count in counts.items() if count > 1)
    judged = [sha256 for sha256, label in found.items() if label in names]
    unnamed = [sha256 for sha256, label in found.items() if label is None]
    if unnamed:
        notes.append(f"{len(unnamed)} face(s) have no label; they come last, to be given one")
    if len(names) < 2:
        if names:
            notes.append(f"all labels to be compared are {names[0]!r}, so that all faces are shown, as they were found")
        return Doubt(tuple(DoubtfulFace(sha256, found[sha256], None) for sha256 in judged + unnamed), tuple(notes))

    features = _features(manifest, pipeline, set(judged + unnamed))
    labels = np.array([names.index(required(found[sha256])) for sha256 in judged])
    known = np.stack([features[sha256] for sha256 in judged])
    probabilities = _out_of_sample_probabilities(known, labels)
    ranked = find_label_issues(labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    faces = [
        DoubtfulFace(judged[index], names[labels[index]], names[probabilities[index].argmax()]) for index in ranked
    ]
    if unnamed:
        predicted = _classifier().fit(known, labels).predict(np.stack([features[sha256] for sha256 in unnamed]))
        faces += [DoubtfulFace(sha256, None, names[label]) for sha256, label in zip(unnamed, predicted, strict=True)]
    return Doubt(tuple(faces), tuple(notes))


def _classifier() -> Steps:
    return make_pipeline(StandardScaler(), LogisticRegression(C=_INVERSE_PENALTY, max_iter=_MOST_STEPS))


def _out_of_sample_probabilities(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(N, F) features and (N,) labels, each at least twice -> (N, C) by classifiers that did not see the row."""
    folds = StratifiedKFold(min(FOLDS, np.bincount(labels).max()), shuffle=True, random_state=0)
    with warnings.catch_warnings():
        # A label with fewer faces than folds is missing from some folds; each is still learnt from the others.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        return cross_val_predict(_classifier(), features, labels, cv=folds, method="predict_proba")


def _features(manifest: Manifest, pipeline: Pipeline, wanted: set[str]) -> dict[str, np.ndarray]:
    """The network's features, (F,) float32 each, by the image's sha256; a few pictures in memory at a time."""
    rows = (row for row in manifest.rows(REVIEWABLE) if row["image_sha256"] in wanted)
    shown = iter(tqdm(rows, total=len(wanted), unit="face", desc="reading faces", leave=False))
    features = {}
    while some := list(itertools.islice(shown, _BATCH)):
        inputs = to_model_inputs(
            [_crop(manifest, pipeline, row) for row in some], pipeline.config.preprocessing.input, pipeline.graphs
        )
        names = [required(row["image_sha256"]) for row in some]
        features.update(zip(names, pipeline.classifier.run(inputs)[1], strict=True))
    return features


def _crop(manifest: Manifest, pipeline: Pipeline, row: Row) -> np.ndarray:
    settings = pipeline.config.preprocessing
    rule = settings.haar.crop if row["detector"] == "haar" else settings.yunet.crop
    try:
        picture = read_picture(manifest.files.find_image(required(row["image_sha256"])))
    except (FileNotFoundError, PictureError) as error:
        raise DataError(f"{row['url']}: {error}; put the image {row['image_sha256']} back") from error
    landmarks = None if row["landmarks"] is None else tuple((x, y) for x, y in row["landmarks"])
    region = region_of_detection(box_of(required(row["face_box"])), landmarks, rule, settings.crop)
    return cut_crop(picture, region, settings.crop, pipeline.graphs)
