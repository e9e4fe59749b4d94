"""An exported bundle -> a checkpoint again, for when the checkpoint itself is gone.

Convolutions lie in the graph by their timm names, with their batch norm folded in, and, in an int8 bundle, on eight
bits: what rounding took is not brought back.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from face_expression.errors import DataError
from train.convert.batch_norms import scale_and_shift

_PREFIX = "network."


def read_graph_weights(model: Path) -> dict[str, np.ndarray]:
    """All weights of a graph of ours by timm's names, float32; int8 ones are multiplied out."""
    graph = onnx.load(model).graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    weights = {name: value for name, value in stored.items() if value.dtype == np.float32}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in stored:
            quantized, scale, zero = (stored[name].astype(np.float32) for name in node.input)
            spread = (-1,) + (1,) * (quantized.ndim - 1)
            value = (quantized - zero.reshape(spread)) * scale.reshape(spread)
            weights[node.output[0].removesuffix("_DequantizeLinear_Output")] = value
    return weights


@torch.no_grad()
def give_weights(network: nn.Module, weights: dict[str, np.ndarray]) -> None:
    """Load them into the timm network from which the graph was made.

    Raises:
        DataError: if a layer's weights are missing, or a batch norm does not follow a convolution of the graph.
    """
    last_convolution = None
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.weight.copy_(_tensor(weights, f"{_PREFIX}{name}.weight"))
            if layer.bias is not None:
                layer.bias.copy_(_tensor(weights, _bias_name(name, layer)))
            last_convolution = name if isinstance(layer, nn.Conv2d) else last_convolution
        elif isinstance(layer, nn.BatchNorm2d):
            if last_convolution is None:
                raise DataError(f"{name} follows no convolution, so its weights are not in the bundle")
            folded = _tensor(weights, f"{_PREFIX}{last_convolution}.weight_bias")
            scale_and_shift(layer, torch.ones(len(folded)), folded)
            last_convolution = None


def _bias_name(name: str, layer: nn.Module) -> str:
    return f"{_PREFIX}{name}.weight_bias" if isinstance(layer, nn.Conv2d) else f"{_PREFIX}{name}.bias"


def _tensor(weights: dict[str, np.ndarray], name: str) -> torch.Tensor:
    if name not in weights:
        raise DataError(f"the bundle's network has no {name}; it was not made from this architecture")
    return torch.from_numpy(np.array(weights[name]))
