"""The seven expressions, in the one order that every file, tensor and chart of this project uses."""

from collections.abc import Sequence

LABEL_NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

# "looks surprised": how the words read in a sentence. Other labels are used as they are.
_LOOKS = {"disgust": "disgusted", "fear": "fearful", "surprise": "surprised"}

# Two expressions share the lead if the second has so much of the first, the third less than that of the second, and
# both together have so much of all.
# Of 105 such faces among the unclear ones of FER+ validation, people voted most for just these two in 57 %; the two
# largest bars of all 223 unclear ones are right in 44 % (`python -m benchmarks.shared_lead`).
_NEARLY, _BOTH = 0.7, 0.6


def looks(label: str) -> str:
    """A label as in "looks surprised"."""
    return _LOOKS.get(label, label)


def shared_lead(probabilities: Sequence[float], label_names: Sequence[str]) -> tuple[str, str] | None:
    """The two labels that share the lead, the more probable first; None if one leads or more than two do.

    `web/live/engine/classifier.js` does the same; `tests/support/shared_lead_cases.json` is what both must do.

    Args:
        probabilities: one for each label, at least two, summing to 1.
        label_names: in the same order.
    """
    first, second, *others = sorted(range(len(label_names)), key=lambda index: -probabilities[index])
    shared = probabilities[second] >= _NEARLY * probabilities[first]
    third = probabilities[others[0]] if others else 0.0
    if not shared or third >= _NEARLY * probabilities[second] or probabilities[first] + probabilities[second] < _BOTH:
        return None
    return label_names[first], label_names[second]
