"""The seven expressions, in the one order that every file, tensor and chart of this project uses."""

LABEL_NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
