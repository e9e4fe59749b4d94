"""How long one crop takes on one thread, and how large the network is."""

import platform
import time
from pathlib import Path

import numpy as np
import onnx

from face_expression.model.classifier import Classifier
from face_expression.model.config import BundleConfig
from face_expression.model.preprocess import to_model_inputs
from train.metrics.bootstrap import RESAMPLES, interval_95

ROUNDS = 300
_WARM_UP = 30


def measure_speed(model: Path, config: BundleConfig, crops: list[np.ndarray]) -> dict:
    """{"n", "p50_ms", "p95_ms", intervals, "threads", "machine"} of one crop to its probabilities, again and again."""
    classifier = Classifier(model, config, threads=1)
    times_ms = []
    for number in range(_WARM_UP + ROUNDS):
        crop = crops[number % len(crops)]
        start = time.perf_counter()
        classifier.probabilities(to_model_inputs([crop], config.preprocessing.input))
        times_ms.append((time.perf_counter() - start) * 1000)
    timed = np.array(times_ms[_WARM_UP:])
    resampled = timed[np.random.default_rng(0).integers(0, ROUNDS, (RESAMPLES, ROUNDS))]
    figures = {"n": ROUNDS}
    for name, percent in (("p50_ms", 50), ("p95_ms", 95)):
        figures[name] = float(np.percentile(timed, percent))
        figures[f"{name}_interval_95"] = interval_95(np.percentile(resampled, percent, axis=1))
    return {**figures, "threads": 1, "machine": machine_name()}


def machine_name() -> str:
    """The processor's name."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(named), platform.processor() or platform.machine())


def count_parameters(model: Path) -> int:
    """How many weights and biases a network's file holds, its batch norms folded in."""
    kinds = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
    stored = onnx.load(model).graph.initializer
    return sum(int(np.prod(tensor.dims)) for tensor in stored if tensor.data_type in kinds)
