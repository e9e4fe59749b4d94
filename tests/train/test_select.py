"""The table by which one network is kept: its figures by hand, the rule, and the command on tiny sets."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from face_expression import LABEL_NAMES
from face_expression.model.preprocess import to_model_inputs
from tests.support.training import TINY, band, bands, output_of, parquet, photographs, train
from train.model.predictor import open_predictor
from train.select.figures import auc_figure, kl_divergence, log_loss, mean_figure, weights_of_resamples
from train.select.step import Selection


@pytest.fixture(autouse=True)
def nobody_asks_the_hub(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def test_divergence_by_hand():
    shares = np.array([[0.5, 0.5, 0], [1, 0, 0]])
    predicted = np.array([[0.5, 0.25, 0.25], [0.5, 0.3, 0.2]])
    np.testing.assert_allclose(kl_divergence(shares, predicted), [0.5 * np.log(2), np.log(2)])
    np.testing.assert_allclose(
        log_loss(np.array([[0.9], [0.9]]), np.array([True, False])), [[0.10536], [2.302585]], rtol=1e-4
    )


def test_the_area_is_that_of_scikit_learn_with_ties():
    rng = np.random.default_rng(0)
    scores, positive = rng.integers(0, 5, (60, 2)) / 5, rng.random(60) < 0.4
    figure = auc_figure("smile", scores, positive)
    np.testing.assert_allclose(figure.values, [roc_auc_score(positive, column) for column in scores.T])
    # Drawn with numpy's own choice of rows, the spread is the same.
    chosen = [rng.integers(0, 60, 60) for _ in range(1000)]
    areas = [roc_auc_score(positive[rows], scores[rows, 0]) for rows in chosen]
    assert figure.resampled[:, 0].std() == pytest.approx(np.std(areas), rel=0.15)


def test_networks_are_compared_on_the_same_resamples():
    rng = np.random.default_rng(1)
    hard = rng.normal(0, 10, 400)
    values = np.stack([hard, hard + rng.normal(0.2, 0.1, 400)], axis=1)
    figure = mean_figure("loss", values, higher_is_better=False)
    # Unpaired, the standard error of the difference would be 10 * sqrt(2 / 400), that is 0.7.
    assert figure.standard_error(1) == pytest.approx(0.1 / 20, rel=0.2)
    assert figure.gain(1) == pytest.approx(-0.2, abs=0.02) and figure.is_worse(1) and not figure.is_better(1)
    assert mean_figure("score", values).is_better(1) and not mean_figure("score", values).is_worse(1)
    assert not figure.is_better(0) and not figure.is_worse(0)


def test_pictures_of_one_person_are_resampled_together():
    weights = weights_of_resamples(np.array(["b", "a", "b", "c"]))
    assert (weights[:, 0] == weights[:, 2]).all() and not (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, [0, 1, 3]].sum(1) == 3).all()


def constant(name, gains, *, higher_is_better=True):
    return mean_figure(
        name, np.tile([0.5, *(0.5 + gain for gain in gains)], (20, 1)), higher_is_better=higher_is_better
    )


@pytest.mark.parametrize(
    ("divergence", "guard", "missing", "verdict"),
    [
        (-0.1, 0.0, [], "wins"),
        (-0.1, 0.1, [], "wins"),
        (-0.1, 0.0, ["D2: no genki.parquet"], "wins on what was measured"),
        (0.0, 0.1, [], "not better on D1"),
        (0.1, 0.1, [], "not better on D1"),
        (-0.1, -0.1, [], "better on D1, worse on D3 sad"),
    ],
)
def test_the_rule(divergence, guard, missing, verdict):
    figures = {
        "D1": [constant("KL", [divergence], higher_is_better=False), constant("accuracy", [-0.3])],
        "D2": [],
        "D3": [constant("sad", [guard]), constant("happy", [0.0])],
        "D4": [constant("dark", [0.0])],
    }
    assert Selection(["first", "second"], figures, missing).verdict(1) == verdict


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return parquet(tmp_path_factory.mktemp("data") / "data", change=bands)


@pytest.fixture(scope="module")
def runs(data, tmp_path_factory):
    """A network that has seen next to nothing, and one that knows the data: votes are for classes 1 and 4."""
    folder = tmp_path_factory.mktemp("runs")
    for name, epochs in (("poor", 1), ("good", 15)):
        options = ["--epochs", epochs, "--label-weight", "0", "--output", folder / name]
        assert train("finetune", "--data", data, *TINY, *options).exit_code == 0
    return folder / "poor", folder / "good"


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """Pictures in which no face is found, so that all of each is classified: (folder, pictures by file)."""
    folder, rng = tmp_path_factory.mktemp("faces"), np.random.default_rng(7)
    pictures = {name: [band(int(rng.integers(0, 7)), rng) for _ in range(8)] for name in ("genki", "yale", "london")}
    smile, split = [0, 1, 0, 1, 1, 1, 0, 0], ["development"] * 6 + ["train"] * 2
    photographs(folder / "genki.parquet", pictures["genki"], smile=smile, split=split)
    conditions = ["normal", "happy", "sad", "surprised"] * 2
    photographs(folder / "yale.parquet", pictures["yale"], condition=conditions, subject=["1"] * 4 + ["2"] * 4)
    expressions = ["neutral", "smiling"] * 4
    photographs(folder / "london.parquet", pictures["london"], expression=expressions, face_id=list("11223344"))
    return folder, pictures


def rows_of(result):
    return [line.split() for line in result.output.splitlines() if line.split()]


def test_select_prints_every_figure_and_a_verdict(data, runs, faces):
    result = train("select", *runs, "--data", data, "--faces", faces[0])
    assert result.exit_code == 0, output_of(result)
    lines = rows_of(result)
    assert {line[0] for line in lines if line[0].startswith("D")} == {"D1", "D2", "D3", "D4"}
    assert "good/final:" in output_of(result) and "not measured" not in output_of(result)
    good = open_predictor(runs[1])
    of_genki, of_yale, of_london = (
        good.probabilities(to_model_inputs(faces[1][name], good.preprocessing.input))
        for name in ("genki", "yale", "london")
    )
    area = roc_auc_score([0, 1, 0, 1, 1, 1], of_genki[:6, LABEL_NAMES.index("happy")])
    sad = np.mean(of_yale[[2, 6]].argmax(1) == LABEL_NAMES.index("sad"))
    neutral = np.mean(of_london[::2].argmax(1) == LABEL_NAMES.index("neutral"))
    for words, n, value in (
        (["GENKI", "smile:", "AUC"], "6", area),
        (["Yale,", "sad:", "called", "sad"], "2", sad),
        (["London,", "neutral:", "called", "neutral"], "4", neutral),
    ):
        (line,) = (line for line in lines if line[1 : 1 + len(words)] == words)
        assert line[1 + len(words)] == n and float(line[3 + len(words)]) == pytest.approx(value, abs=1e-4)


def test_the_better_network_wins_and_an_equal_one_does_not(data, runs):
    better = train("select", *runs, "--data", data)
    assert better.exit_code == 0, output_of(better)
    # Without photographs, the rule says what it does not know.
    assert "good/final: wins on what was measured" in output_of(better)
    assert output_of(better).count("name its folder with --faces") == 3
    for pair in ((runs[1], runs[1]), runs[::-1]):
        assert "not better on D1" in output_of(train("select", *pair, "--data", data))


def test_a_folder_without_some_of_the_sets_says_which(data, runs, tmp_path):
    result = train("select", runs[0], "--data", data, "--faces", tmp_path)
    assert result.exit_code == 0 and "D2: no genki.parquet there" in output_of(result)


@pytest.mark.parametrize(
    ("place", "words"),
    [("{empty}", "holds neither a bundle nor a checkpoint"), ("{other}", "['yes', 'no'] are expected")],
)
def test_what_cannot_be_compared_is_refused(data, runs, tmp_path, place, words):
    (tmp_path / "empty").mkdir()
    names = parquet(
        tmp_path / "names",
        names=("yes", "no"),
        change=lambda columns: {
            "image": columns["image"],
            "label": [0, 1] * 24,
            "votes": [[1, 0], [0, 1]] * 24,
        },
    )
    other = tmp_path / "other"
    assert train("finetune", "--data", names, *TINY, "--epochs", "1", "--output", other).exit_code == 0
    result = train("select", runs[0], place.format(empty=tmp_path / "empty", other=other), "--data", data)
    assert result.exit_code == 1 and words in output_of(result), output_of(result)
