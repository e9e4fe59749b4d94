"""What `metrics.json` says of the embedded bundle is what the command finds."""

import json

import pytest

from face_expression.hub.download import DETECTOR_VARIABLE, EMBEDDED_BUNDLE
from tests.support.training import require_success, train


def test_the_figures_of_the_embedded_bundle_can_be_measured_again(ferplus, yunet_weights, tmp_path, monkeypatch):
    folder = tmp_path / "bundle"
    folder.mkdir()
    for name in ("model.onnx", "config.json"):
        (folder / name).write_bytes((EMBEDDED_BUNDLE / name).read_bytes())
    monkeypatch.setenv(DETECTOR_VARIABLE, str(yunet_weights))
    require_success(train("evaluate", "--data", ferplus, "--bundle", folder, "--no-robustness", "--no-report"))
    again, written = (
        json.loads((place / "metrics.json").read_text())["protocols"] for place in (folder, EMBEDDED_BUNDLE)
    )
    assert again.keys() == written.keys()
    for name, row in written.items():
        for figure, value in row.items():
            if isinstance(value, int | float):
                assert again[name][figure] == pytest.approx(value, abs=0.005), (name, figure)
