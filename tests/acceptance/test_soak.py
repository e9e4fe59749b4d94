"""The soak itself: a few seconds of it, and its arithmetic."""

import asyncio
import contextlib
import json

import pytest
import typer

from benchmarks.soak import __main__ as soak
from benchmarks.soak.__main__ import Check, Moment, growth
from benchmarks.soak.visitors import Kind, Outcome, Tally
from face_expression.hub.download import DETECTOR_VARIABLE


def test_a_few_seconds_of_all_visitors(tmp_path, monkeypatch, capsys, yunet_weights):
    monkeypatch.setenv(DETECTOR_VARIABLE, str(yunet_weights))
    # What grows in so short a time says nothing; everything else is checked below.
    with contextlib.suppress(typer.Exit):
        soak.main(minutes=0.07, seed=1, files=False, output=tmp_path / "soak.json")
    report = json.loads((tmp_path / "soak.json").read_text())
    out = capsys.readouterr().out
    for check in report["checks"]:
        assert check["met"] or check["measure"].startswith("growth"), check
    assert report["outcomes"][Kind.FRAME][Outcome.RIGHT] > 5 and report["outcomes"][Kind.DROPPED][Outcome.CUT_OFF] > 0
    assert len(report["moments"]) == soak.WATCHED and all(moment["memory_mib"] > 50 for moment in report["moments"])
    rows = [line for line in out.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(Kind) + 2 + len(report["checks"])


def test_memory_that_grows_is_seen():
    def course(values):
        return [Moment(10.0 * place, value, 50, 20) for place, value in enumerate(values)]

    warming = [100, 200, *[300] * 8]
    assert growth(course(warming), "memory_mib").met() and growth(course([300]), "memory_mib").met()
    leaking = growth(course([300 + 10 * place for place in range(30)]), "memory_mib")
    assert not leaking.met() and "**no**" in leaking.line()
    assert growth(course(warming), "descriptors").value == 1


@pytest.mark.parametrize(("outcome", "answered"), [(Outcome.RIGHT, 1), (Outcome.WRONG, 0), (Outcome.REFUSED, 0)])
def test_only_what_was_right_is_timed(outcome, answered):
    async def act():
        return outcome

    tally = Tally()
    assert asyncio.run(tally.count(Kind.PHOTO, act())) is outcome
    assert tally.outcomes == {(Kind.PHOTO, outcome): 1} and len(tally.latencies_ms[Kind.PHOTO]) == answered


def test_what_fails_is_an_error_and_reported():
    async def act():
        raise ConnectionResetError("gone")

    tally = Tally()
    assert asyncio.run(tally.count(Kind.PHOTO, act())) is Outcome.ERROR
    assert tally.surprises == ["photo: ConnectionResetError('gone')"]


def test_a_table_row_says_what_is_not_met():
    assert Check("wrong answers", 0, 0).line() == "| wrong answers | 0 | 0 | yes |"
    assert Check("wrong answers", 1, 0).line() == "| wrong answers | 0 | 1 | **no** |"
