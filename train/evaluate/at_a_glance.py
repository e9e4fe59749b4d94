"""The report's first screen: how good the model is beside other tools, what it cannot do, and for whom it is worse."""

import json
from pathlib import Path

from face_expression.output.known_gaps import NO_GAP, UNMEASURED, known_gaps

# What `python -m benchmarks.peers` wrote; a wheel comes without it.
PEERS_FILE = Path(__file__).parents[2] / "docs" / "figures" / "peers.json"
_PEERS_PROTOCOL = "ferplus-majority-7"
_PEERS_DATA = ("ferplus", "test")
# Worth a line: a class of which fewer are recognised, and so many kinds of pictures with so many more wrong answers.
_LOW_RECALL, _LARGE_RISE, _MOST_KINDS = 0.6, 0.05, 3


def beside_other_tools(metrics: dict, record: Path = PEERS_FILE) -> dict | None:
    """The accuracy of the public tools on the same faces: {"n", "tools": name -> share, "command"}.

    None if there is no record, or it is of another network or other faces than `metrics`.
    """
    measured_on = (metrics["data"]["name"], metrics["data"]["split"])
    if metrics["main_protocol"] != _PEERS_PROTOCOL or measured_on != _PEERS_DATA or not record.is_file():
        return None
    written = json.loads(record.read_text(encoding="utf-8"))
    if written["bundle_sha256"] != metrics["bundle"]["model_sha256"]:
        return None
    key = _PEERS_PROTOCOL.replace("-", "_")
    return {
        "n": written["data"]["n"][_PEERS_PROTOCOL],
        "tools": {row["tool"]: row[key] for row in written["data"]["tools"] if row.get(key) is not None},
        "command": written["command"],
    }


def what_it_cannot_do(metrics: dict) -> list[str]:
    """Sentences, each with its figures; the first holds for every model."""
    main = metrics["protocols"][metrics["main_protocol"]]
    sentences = ["It cannot tell what somebody feels: it names what an expression looks like to people."]
    for name, recall in sorted(main["recall"].items(), key=lambda pair: pair[1]):
        if main["support"][name] and recall < _LOW_RECALL:
            low, high = main["recall_interval_95"][name]
            sentences.append(
                f"It misses many faces that people call {name}: of {main['support'][name]:,} it recognises "
                f"{recall:.0%} ({low:.0%} to {high:.0%})."
            )
    sentences += _unnoticed(metrics["robustness"])
    if "full-path" in metrics["protocols"]:
        path = metrics["protocols"]["full-path"]
        sentences.append(f"It finds no face in {1 - path['share_found']:.1%} of {path['n']:,} pictures that show one.")
    return sentences


def for_whom_it_is_worse(metrics: dict) -> list[str]:
    """A sentence for each gap that is more than chance; one that says so if there is none, or none was looked for."""
    gaps = known_gaps(metrics)
    if gaps is None:
        return [UNMEASURED]
    sentences = map(str, gaps)
    return [f"{sentence[0].upper()}{sentence[1:]}." for sentence in sentences] or [NO_GAP]


def _unnoticed(robustness: dict | None) -> list[str]:
    """What makes answers wrong without "not sure" holding them back, the worst first."""
    if not robustness:
        return []
    before = _wrong_share(robustness["untouched"])
    worst = []
    for name, curve in robustness["corruptions"].items():
        level = max(curve["levels"], key=_wrong_share)
        worst.append((_wrong_share(level), f"{name} ({curve['unit']}: {level['amount']:g})", level["not_sure"]))
    unnoticed = [
        f"{wrong:.0%} under {what}, where it is not sure about {not_sure:.0%}"
        for wrong, what, not_sure in sorted(worst, reverse=True)[:_MOST_KINDS]
        if wrong - before > _LARGE_RISE
    ]
    if not unnoticed:
        return []
    return [
        f"It does not notice every bad picture: it gets {before:.0%} of all faces wrong, but {'; '.join(unnoticed)}."
    ]


def _wrong_share(level: dict) -> float:
    """Of all faces, those that it answers wrongly."""
    answered = level["answered"]
    return answered["n"] * (1 - answered["accuracy"]) / level["n"] if answered["n"] else 0.0
