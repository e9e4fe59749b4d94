"""Biases and a prior shift at export: what the bars say on average, and what is taken from each logit."""

import json

import numpy as np
import pytest

from face_expression.hub.download import open_bundle
from face_expression.model.classifier import Classifier
from face_expression.model.preprocess import to_model_inputs
from tests.support.training import TINY, band, output_of, parquet, train
from train.data.dataset import load_split, read_crops, read_targets
from train.export.class_bias import fit_class_bias


def changing_votes(columns):
    """A bright band for label 0 or 3; the votes of the smaller split, validation, are more for the rarer class."""
    rng = np.random.default_rng(len(columns["label"]))
    count = len(columns["label"])
    rare = 6 if count == 40 else 1
    votes = [[10 - rare, rare, 0] if label == 0 else [0, rare, 10 - rare] for label in columns["label"]]
    padded = [[row[0], 0, 0, row[2], row[1], 0, 0, 0, 0, 0] for row in votes]
    return columns | {"image": [band(label, rng) for label in columns["label"]], "votes": padded}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "data"
    parquet(folder, count=48, splits=("train",), change=changing_votes)
    return parquet(folder, count=40, splits=("validation",), change=changing_votes)


@pytest.fixture(scope="module")
def exported(data, tmp_path_factory):
    """Bundles of one run by their options."""
    folder = tmp_path_factory.mktemp("run")
    options = ["--epochs", "8", "--label-weight", "0", "--output", folder / "run"]
    assert train("finetune", "--data", data, *TINY, *options).exit_code == 0
    bundles = {}
    for name, options in {
        "plain": [],
        "biased": ["--class-bias"],
        "shifted": ["--prior-shift", "0.5"],
    }.items():
        result = train("export", folder / "run" / "final", "--data", data, "--bundle", folder / name, *options)
        assert result.exit_code == 0, output_of(result)
        bundles[name] = open_bundle(folder / name, "tested")
    return bundles


@pytest.fixture(scope="module")
def validation(data, exported):
    """Model inputs, and the mean share of each class in the votes."""
    rows, settings = load_split(str(data), "validation"), exported["plain"].config.preprocessing
    return to_model_inputs(read_crops(rows, settings), settings.input), read_targets(rows).shares()[0].mean(0)


def test_with_biases_the_mean_probabilities_match_the_votes(exported, validation):
    inputs, shares = validation
    plain, biased = (
        Classifier(exported[name].model, exported[name].config).probabilities(inputs).mean(0)
        for name in ("plain", "biased")
    )
    assert abs(plain - shares).max() > 0.1, "this data set shows nothing"
    np.testing.assert_allclose(biased, shares, atol=0.01)
    assert len(exported["biased"].config.training["class_bias"]) == 7


def test_a_prior_shift_takes_its_part_from_each_logit(exported, validation):
    inputs, shares = validation
    plain, shifted = (
        Classifier(exported[name].model, exported[name].config).run(inputs)[0] for name in ("plain", "shifted")
    )
    expected = np.broadcast_to(-0.5 * np.log(np.maximum(shares, 1e-3)), plain.shape)
    np.testing.assert_allclose(shifted - plain, expected, atol=1e-3)
    assert (
        json.loads((exported["shifted"].folder / "config.json").read_text())["face_expression"]["training"][
            "prior_shift"
        ]
        == 0.5
    )


def test_the_fit_finds_the_biases_that_were_put_in():
    rng = np.random.default_rng(0)
    true = rng.normal(0, 2, (4000, 4))
    shares = np.exp(true) / np.exp(true).sum(1, keepdims=True)
    bias = np.array([0.5, -0.25, -0.75, 0.5])
    # What the network says is the truth, three times as sure, less the biases.
    np.testing.assert_allclose(fit_class_bias(3 * true - bias, shares), bias, atol=0.01)
