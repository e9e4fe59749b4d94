"""For whom a bundle works less well than for others: the gaps in its `metrics.json` that are more than chance."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from face_expression.hub.download import METRICS_FILE
from face_expression.output.percent import percent

log = logging.getLogger(__name__)

UNMEASURED = "Nobody has measured whether this model works equally well for everyone."
NO_GAP = "No gap between the groups that were measured is more than chance, which does not prove that there is none."
_MEASURES = {
    "smiling face called happy": "posed smiles called happy",
    "neutral face called neutral": "neutral faces called neutral",
    "face found": "faces found",
    "happy agrees with smile": "smiles told from other faces",
    "rise of the happy bar with the smile": "rise of the happy bar with a posed smile",
}
_GROUPS = {"female": "women", "male": "men"}


@dataclass(frozen=True)
class KnownGap:
    """Two groups for which a share differs by more than chance explains, the better one first; `n` of all groups."""

    measure: str
    better: str
    better_share: float
    worse: str
    worse_share: float
    n: int

    def __str__(self) -> str:
        better, worse = (_GROUPS.get(group, group.replace("_", " ")) for group in (self.better, self.worse))
        return (
            f"{_MEASURES.get(self.measure, self.measure)}: {better} {percent(self.better_share)}, {worse} "
            f"{percent(self.worse_share)} (n = {self.n:,})"
        )


def known_gaps(metrics: dict) -> list[KnownGap] | None:
    """The significant gaps of the fairness section of `metrics.json`, the largest first; None if there is no section.

    Tables that only describe answers (for want of labels) hold differences, not gaps, and are left out.

    Raises:
        KeyError, TypeError, AttributeError: if the section is not as `train evaluate --fairness` writes it.
    """
    fairness = metrics.get("fairness")
    if not fairness:
        return None
    gaps = []
    for measured in fairness.values():
        for table in measured["tables"]:
            gap = table["largest_gap"]
            if table["is_description"] or gap is None or not gap["significant"]:
                continue
            better, worse = (float(table["groups"][gap[side]]["shares"][gap["measure"]]) for side in ("best", "worst"))
            gaps.append(KnownGap(gap["measure"], gap["best"], better, gap["worst"], worse, int(table["n"])))
    return sorted(gaps, key=lambda gap: gap.worse_share - gap.better_share)


def gaps_in_words(bundle: Path) -> str:
    """One sentence, or a few, about the gaps of a bundle in a folder; also where nothing was measured."""
    try:
        gaps = known_gaps(json.loads((bundle / METRICS_FILE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        gaps = None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("%s cannot be read: %r", bundle / METRICS_FILE, error)
        gaps = None
    if gaps is None:
        return UNMEASURED
    if not gaps:
        return NO_GAP
    return f"Measured, and more than chance: {'; '.join(map(str, gaps))}."
