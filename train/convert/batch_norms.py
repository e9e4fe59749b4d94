"""Batch norms for a network whose weights came without running statistics.

A network that was exported for use has each batch norm folded into a scale and a shift. To be trained on, it needs them
back: with statistics that fit what its layers see, so that training mode and evaluation mode agree, and with the same
function as before.
"""

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from face_expression.errors import required

_BATCH = 64


def scale_and_shift(layer: _BatchNorm, scale: torch.Tensor, shift: torch.Tensor) -> None:
    """Make a batch norm compute `x * scale + shift` in evaluation mode; both are (C,)."""
    mean, variance = statistics_of(layer)
    with torch.no_grad():
        mean.zero_()
        variance.fill_(1)
        layer.weight.copy_(scale * (1 + layer.eps) ** 0.5)
        layer.bias.copy_(shift)


@torch.no_grad()
def settle(network: nn.Module, inputs: np.ndarray) -> None:
    """Give every batch norm the mean and variance of its inputs, and rewrite scale and shift so that nothing changes.

    Args:
        network: in evaluation mode, each of whose batch norms is used once in a forward pass.
        inputs: (N, C, P, P) float32 model inputs, of a few hundred faces.
    """
    sums: dict[_BatchNorm, list] = {}

    def add(layer: _BatchNorm, arguments: tuple[torch.Tensor, ...]) -> None:
        values = arguments[0].double()
        count, total, squares = sums.setdefault(layer, [0, 0, 0])
        sums[layer] = [
            count + values.numel() // values.shape[1],
            total + values.sum((0, 2, 3)),
            squares + (values**2).sum((0, 2, 3)),
        ]

    layers = [layer for layer in network.modules() if isinstance(layer, _BatchNorm)]
    hooks = [layer.register_forward_pre_hook(add) for layer in layers]
    for start in range(0, len(inputs), _BATCH):
        network(torch.from_numpy(inputs[start : start + _BATCH]))
    for hook in hooks:
        hook.remove()
    for layer, (count, total, squares) in sums.items():
        running_mean, running_var = statistics_of(layer)
        scale = layer.weight / (running_var + layer.eps).sqrt()
        shift = layer.bias - running_mean * scale
        mean = total / count
        variance = (squares / count - mean**2).clamp_min(1e-8)
        running_mean.copy_(mean)
        running_var.copy_(variance)
        layer.weight.copy_(scale * (running_var + layer.eps).sqrt())
        layer.bias.copy_(shift + running_mean * scale)


def statistics_of(layer: _BatchNorm) -> tuple[torch.Tensor, torch.Tensor]:
    """Running mean and variance, (C,) each, of a batch norm that keeps them, as all of timm's do."""
    return required(layer.running_mean), required(layer.running_var)
