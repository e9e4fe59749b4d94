import json

import pytest

from benchmarks import latency


@pytest.mark.parametrize("detector", ["haar"])
def test_latency_measures_every_step(tmp_path, monkeypatch, capsys, detector):
    monkeypatch.setattr(latency, "PLACES", {faces: latency.PLACES[faces] for faces in (0, 1)})
    latency.main(repeats=10, output=tmp_path / "latency.json", detector=detector)
    rows = json.loads((tmp_path / "latency.json").read_text())["rows"]
    assert [(row["threads"], row["faces"]) for row in rows] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    for row in rows:
        for step in ("detect", "crop", "classify", "analyze"):
            assert 0 <= row[step]["p50_ms"] <= row[step]["p95_ms"]
    assert "| threads | faces |" in capsys.readouterr().out
