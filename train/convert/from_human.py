"""`faceres` of @vladmandic/human -> timm's `mobilenetv1_100`.

A MobileNet v1 that was trained to recognise people, then to guess age and gender: one 3x3 convolution and 13 pairs of a
depthwise 3x3 and a 1x1 convolution, ReLU6. The scale of each batch norm is folded into the full convolutions and stands
as `mul` beside the depthwise ones; its shift is `sub`. Input 0..255, RGB, padded as TensorFlow does ("same").
"""

import json
from typing import cast

import numpy as np
import torch
from timm.models._efficientnet_blocks import DepthwiseSeparableConv
from timm.models.mobilenetv3 import MobileNetV3
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from face_expression.errors import DataError, required
from face_expression.model.config import InputSettings
from train.convert.batch_norms import scale_and_shift
from train.convert.package import Package, read_weights

FILE = "models/faceres.json"
ARCHITECTURE, MODEL_ARGS = "mobilenetv1_100", {"pad_type": "same"}


def read_faceres(package: Package) -> dict[str, np.ndarray]:
    """The weights by TensorFlow's names."""
    return read_weights(package, json.loads(required(package.read(FILE)))["weightsManifest"], FILE.rpartition("/")[0])


@torch.no_grad()
def give_weights(network: MobileNetV3, weights: dict[str, np.ndarray], settings: InputSettings) -> None:
    """Load them into timm's network; its last layer stays as it is.

    The first convolution is fitted to our input: its kernel is multiplied by 255 times our standard deviation, and the
    kernels of the three colours are added up for a grey input.

    Raises:
        DataError: if our input has a mean other than 0, with which zeros at the border would no longer be black.
    """
    if any(settings.mean):
        raise DataError("these weights need an input whose mean is 0")
    stem = torch.from_numpy(weights["conv1/convolution/merged_input"]).permute(3, 2, 0, 1)
    stem = stem * 255 * torch.tensor(settings.std)[:, None, None]
    network.conv_stem.weight.copy_(stem.sum(1, keepdim=True) if settings.channels == 1 else stem)
    scale_and_shift(cast(_BatchNorm, network.bn1), torch.ones(len(stem)), _vector(weights, "conv1_bn/batchnorm_1/sub"))
    blocks = [cast(DepthwiseSeparableConv, block) for stage in network.blocks for block in cast(nn.Sequential, stage)]
    for number, block in enumerate(blocks, 1):
        depthwise = torch.from_numpy(weights[f"conv_dw_{number}/depthwise_kernel"])
        block.conv_dw.weight.copy_(depthwise.permute(2, 3, 0, 1))
        name = f"conv_dw_{number}_bn/batchnorm_1"
        scale_and_shift(block.bn1, _vector(weights, f"{name}/mul"), _vector(weights, f"{name}/sub"))
        pointwise = torch.from_numpy(weights[f"conv_pw_{number}/convolution/merged_input"])
        block.conv_pw.weight.copy_(pointwise.permute(3, 2, 0, 1))
        shift = _vector(weights, f"conv_pw_{number}_bn/batchnorm_1/sub")
        scale_and_shift(block.bn2, torch.ones(len(shift)), shift)


def _vector(weights: dict[str, np.ndarray], name: str) -> torch.Tensor:
    return torch.from_numpy(weights[name].reshape(-1))
