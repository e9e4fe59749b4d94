"""Model inputs -> calibrated probabilities, with ONNX Runtime.

Calibration is temperature scaling: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face_expression.errors import BundleError
from face_expression.model.config import BundleConfig
from face_expression.model.graphs import load_session

OUTPUT_NAMES = ("logits", "features")
OWN_LABEL_OUTPUT = "own_label_logits"
_BATCH = 256


@dataclass(frozen=True, eq=False)
class Answer:
    """What the network gives for one `crop`, uint8 RGB (S, S, 3): `logits` (C,) after the temperature, `features` (F,).

    Both float32.
    """

    crop: np.ndarray
    logits: np.ndarray
    features: np.ndarray


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn class scores into probabilities, one row per face.

    Args:
        logits: (N, C) float32; N may be 0.

    Returns:
        (N, C) float32 in [0, 1]; each row sums to 1.

    Raises:
        ValueError: if logits is not 2-D.
    """
    if logits.ndim != 2:
        raise ValueError(f"expected logits of shape (N, C), got {logits.shape}")
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


class Classifier:
    """A bundle's network; safe to share between threads.

    Args:
        model: the bundle's `model.onnx`.
        config: the bundle's configuration.
        threads: ONNX Runtime's threads for one call; None takes its default.

    Raises:
        BundleError: if the file is no such network, or its inputs or outputs do not fit the configuration.
    """

    def __init__(self, model: Path, config: BundleConfig, *, threads: int | None = None):
        self._session = load_session(model, str(model), threads=threads)
        self._temperature = config.temperature
        size, channels = config.preprocessing.input.size_px, config.preprocessing.input.channels
        self._input_shape = (channels, size, size)
        self._check(model, len(config.label_names))

    def _check(self, model: Path, label_count: int) -> None:
        outputs = {output.name: output.shape for output in self._session.get_outputs()}
        if set(outputs) - {OWN_LABEL_OUTPUT} != set(OUTPUT_NAMES):
            raise BundleError(f"{model}: has the outputs {sorted(outputs)}, expected {sorted(OUTPUT_NAMES)}")
        if outputs["logits"][1] != label_count:
            raise BundleError(f"{model}: gives {outputs['logits'][1]} classes, but there are {label_count} labels")
        (first,) = self._session.get_inputs()
        if tuple(first.shape[1:]) != self._input_shape:
            raise BundleError(f"{model}: takes {first.shape[1:]}, but the configuration says {self._input_shape}")
        self._input_name = first.name

    def run(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Run the network, on so many faces at a time that memory stays small.

        Args:
            inputs: (N, channels, P, P) float32 from `to_model_inputs`; N may be 0.

        Returns:
            (N, C) logits before the temperature, and (N, F) features (the layer before the last), both float32.

        Raises:
            ValueError: if the shape does not fit.
        """
        logits, features = self._run(OUTPUT_NAMES, inputs)
        return logits, features

    def run_heads(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Run the network once for the logits of both its heads.

        The annotators' votes and the labels a data set came with can differ much: in FER2013 on more than a third of
        the faces. A network trained on both has a second head for the labels; the app never shows it.

        Args:
            inputs: as in `run`.

        Returns:
            (N, C) logits as those of `run`; and (N, C) of what the labeller of the training data would say, or None
            without such a head.
        """
        if OWN_LABEL_OUTPUT not in {output.name for output in self._session.get_outputs()}:
            return self._run(("logits",), inputs)[0], None
        logits, own_label_logits = self._run(("logits", OWN_LABEL_OUTPUT), inputs)
        return logits, own_label_logits

    def _run(self, names: tuple[str, ...], inputs: np.ndarray) -> list[np.ndarray]:
        if inputs.ndim != 4 or inputs.shape[1:] != self._input_shape:
            raise ValueError(f"expected model inputs of shape (N, {self._input_shape}), got {inputs.shape}")
        if len(inputs) == 0:
            widths = {output.name: output.shape[1] for output in self._session.get_outputs()}
            return [np.zeros((0, widths[name]), np.float32) for name in names]
        batches = [
            self._session.run(names, {self._input_name: inputs[start : start + _BATCH]})
            for start in range(0, len(inputs), _BATCH)
        ]
        return [np.concatenate(part) for part in zip(*batches, strict=True)]

    @property
    def feature_count(self) -> int:
        """How many features there are for each face."""
        return {output.name: output.shape[1] for output in self._session.get_outputs()}["features"]

    def calibrated(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `run`, but with logits whose softmax is the calibrated answer."""
        logits, features = self.run(inputs)
        return self._calibrate(logits), features

    def _calibrate(self, logits: np.ndarray) -> np.ndarray:
        return logits / np.float32(self._temperature)

    def probabilities(self, inputs: np.ndarray) -> np.ndarray:
        """Calibrated probabilities, (N, C) float32, of model inputs as in `run`."""
        return softmax(self.calibrated(inputs)[0])

    def probabilities_of(self, logits: np.ndarray) -> np.ndarray:
        """Calibrated probabilities, (N, C) float32, of the logits that `run` returned."""
        return softmax(self._calibrate(logits))
