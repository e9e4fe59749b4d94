"""`face_recognition_model` of @vladmandic/face-api -> `dlib_resnet29` (`train.model.dlib_resnet`).

dlib's network, trained to recognise people; its weights are in the public domain. Each convolution has a bias and
stands before a scale and a shift. Input 0..255, RGB, less a mean for each colour, over 255.
"""

import json
from collections.abc import Iterable
from typing import cast

import numpy as np
import torch
from timm.layers import ConvNormAct
from torch import nn

from face_expression.errors import required
from face_expression.model.config import InputSettings
from train.convert.batch_norms import scale_and_shift, statistics_of
from train.convert.package import Package, read_weights
from train.model.dlib_resnet import BLOCKS, Block, DlibResNet

FILE = "model/face_recognition_model-weights_manifest.json"
ARCHITECTURE = "dlib_resnet29"
MEAN_RGB = (122.782, 117.001, 104.298)


def read_face_recognition(package: Package) -> dict[str, np.ndarray]:
    """The weights by the package's names."""
    return read_weights(package, json.loads(required(package.read(FILE))), FILE.rpartition("/")[0])


@torch.no_grad()
def give_weights(network: DlibResNet, weights: dict[str, np.ndarray], settings: InputSettings) -> None:
    """Load them into the network; its last layer stays as it is.

    The first convolution is fitted to our input: what the package's own normalisation takes off becomes part of its
    shift, and the kernels of the three colours are added up for a grey input.
    """
    _give(network.stem, weights, "conv32_down")
    kernel = network_kernel(weights, "conv32_down/conv/filters")
    mean, std = (torch.tensor(values).expand(3)[:, None, None] for values in (settings.mean, settings.std))
    # Ours is (x / 255 - mean) / std, theirs (x - MEAN_RGB) / 255.
    taken_off = mean - torch.tensor(MEAN_RGB)[:, None, None] / 255
    network.stem.conv.weight.copy_(_for_channels(kernel * std, settings.channels))
    norm = norm_of(network.stem)
    norm.bias.add_(norm.weight * (kernel * taken_off).sum((1, 2, 3)) / _unit(norm))
    for block, name in zip(cast(Iterable[Block], network.blocks), block_names(), strict=True):
        _give(block.conv1, weights, f"{name}/conv1")
        _give(block.conv2, weights, f"{name}/conv2")


def block_names() -> list[str]:
    """The package's names of the blocks, in their order."""
    names, number = [], 0
    for width, down in BLOCKS:
        number = 0 if down else number + 1
        names.append(f"conv{width}_down" if down else f"conv{width}_{number}")
    names[-1] = "conv256_down_out"
    return names


def network_kernel(weights: dict[str, np.ndarray], name: str) -> torch.Tensor:
    """A kernel in torch's order of axes: (out, in, H, W)."""
    return torch.from_numpy(weights[name]).permute(3, 2, 0, 1)


def _give(layer: ConvNormAct, weights: dict[str, np.ndarray], name: str) -> None:
    kernel = network_kernel(weights, f"{name}/conv/filters")
    if kernel.shape == layer.conv.weight.shape:
        layer.conv.weight.copy_(kernel)
    bias, scale, shift = (
        torch.from_numpy(weights[f"{name}/{part}"]) for part in ("conv/bias", "scale/weights", "scale/biases")
    )
    scale_and_shift(norm_of(layer), scale, shift + bias * scale)


def norm_of(layer: ConvNormAct) -> nn.BatchNorm2d:
    """The batch norm of a layer of `DlibResNet`."""
    return cast(nn.BatchNorm2d, layer.bn)


def _unit(layer: nn.BatchNorm2d) -> float:
    _, variance = statistics_of(layer)
    return float((variance[0] + layer.eps).sqrt())


def _for_channels(kernel: torch.Tensor, channels: int) -> torch.Tensor:
    return kernel.sum(1, keepdim=True) if channels == 1 else kernel
