"""Float ONNX network -> int8: weights and activations on eight bits, their ranges measured on real crops.

What follows the last convolution stays in float, and so do the sums of residual branches. It costs no time, and the
same crop gets the same bars from every build of ONNX Runtime (`make_sums_exact`).

Weights use seven of their eight bits, so that processors without dot products of eight bits cannot overflow when they
add products up. Nagel et al., "A White Paper on Neural Network Quantization", 2021; done by ONNX Runtime (QDQ format,
one scale for each output channel of the weights).
"""

from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from face_expression.io.evenly import evenly

CALIBRATION_ROWS = 512
_BATCH = 64


class _Crops(CalibrationDataReader):
    """Gives ONNX Runtime the model inputs of crops, some at a time."""

    def __init__(self, inputs: np.ndarray):
        self._batches = iter([inputs[start : start + _BATCH] for start in range(0, len(inputs), _BATCH)])

    def get_next(self) -> dict:
        """The next batch; empty after the last."""
        batch = next(self._batches, None)
        return {} if batch is None else {"pixels": batch}


def quantize(model: Path, inputs: np.ndarray) -> None:
    """Replace a float network by its int8 version, which has the same inputs and outputs.

    Args:
        model: the ONNX file.
        inputs: (N, channels, P, P) float32 model inputs of the validation split, on which ranges are measured; of more
            than CALIBRATION_ROWS an even choice is taken.
    """
    chosen = evenly(len(inputs), CALIBRATION_ROWS)
    quantized = model.with_suffix(".int8.onnx")
    nodes = onnx.load(model, load_external_data=False).graph.node
    last = max((index for index, node in enumerate(nodes) if node.op_type == "Conv"), default=-1)
    quantize_static(
        model,
        quantized,
        _Crops(inputs[chosen]),
        nodes_to_exclude=[node.name for node in nodes[last + 1 :]],
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
        calibrate_method=CalibrationMethod.MinMax,
        extra_options={"CalibMovingAverage": True},
    )
    network = onnx.load(quantized)
    make_sums_exact(network)
    for part in (network, network.graph, *network.graph.node, *network.graph.value_info, *network.graph.initializer):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    onnx.save(network, model)
    quantized.unlink()


def make_sums_exact(network: onnx.ModelProto) -> None:
    """Let ONNX Runtime add branches up as floats, which all its builds do to the last bit.

    It would turn an `Add` between eight-bit numbers into an addition of its own, which builds for processors and for
    browsers round differently; the same as a `Sum` it leaves alone.
    """
    for node in network.graph.node:
        if node.op_type == "Add":
            node.op_type = "Sum"


def is_quantized(model: Path) -> bool:
    """Whether an ONNX file holds an int8 network."""
    return any(node.op_type == "DequantizeLinear" for node in onnx.load(model).graph.node)
