"""Our own small CNN, in timm's registry as `custom_cnn`: import this module, and timm builds it by that name.

Four stages, each of which halves the picture and adds what two more 3x3 convolutions find (He et al., "Deep Residual
Learning for Image Recognition", CVPR 2016). Dense convolutions only, none of fewer than 32 channels but the first.
"""

from typing import cast

import torch
from timm.layers import ClassifierHead, ConvNormAct
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import nn

default_cfgs = generate_default_cfgs(
    {
        "custom_cnn.untrained": {
            "url": "",
            "num_classes": 7,
            "input_size": (1, 112, 112),
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "mean": (0.5,),
            "std": (0.25,),
            "first_conv": "stages.0.halve.conv",
            "classifier": "head.fc",
        }
    }
)


class Stage(nn.Module):
    """(N, C, H, W) -> (N, out_chs, H / 2, W / 2), rounded up."""

    def __init__(self, in_chs: int, out_chs: int):
        super().__init__()
        self.halve = ConvNormAct(in_chs, out_chs, 3, stride=2)
        self.conv1 = ConvNormAct(out_chs, out_chs, 3)
        self.conv2 = ConvNormAct(out_chs, out_chs, 3, apply_act=False)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Halve, then add the block's output to its input."""
        x = self.halve(x)
        return self.act(x + self.conv2(self.conv1(x)))


class CustomCnn(nn.Module):
    """A network with the methods that timm's networks have.

    Args:
        num_classes: outputs; 0 gives the pooled features.
        in_chans: channels of the picture.
        widths: channels of each stage.
        global_pool: as in timm.
        drop_rate: dropout before the last layer.
    """

    def __init__(
        self,
        num_classes: int = 7,
        in_chans: int = 1,
        widths: tuple[int, ...] = (32, 64, 128, 192),
        global_pool: str = "avg",
        drop_rate: float = 0.0,
    ):
        super().__init__()
        self.num_classes = num_classes
        self.in_chans = in_chans
        self.grad_checkpointing = False
        inputs = (in_chans, *widths[:-1])
        self.stages = nn.Sequential(*(Stage(*chs) for chs in zip(inputs, widths, strict=True)))
        self.feature_info = [
            {"num_chs": width, "reduction": 2 ** (index + 1), "module": f"stages.{index}"}
            for index, width in enumerate(widths)
        ]
        self.num_features = self.head_hidden_size = widths[-1]
        self.head = ClassifierHead(widths[-1], num_classes, pool_type=global_pool, drop_rate=drop_rate)
        self._initialize_weights()

    def _initialize_weights(self) -> None:
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        for stage in self.stages:
            # A block begins as the identity (Goyal et al., "Accurate, Large Minibatch SGD", 2017).
            nn.init.zeros_(cast(nn.BatchNorm2d, cast(Stage, stage).conv2.bn).weight)

    def get_classifier(self) -> nn.Module:
        """The last layer."""
        return self.head.fc

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the last layer, and the pooling if one is named."""
        self.num_classes = num_classes
        self.head.reset(num_classes, global_pool)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(N, in_chans, H, W) -> (N, num_features, H / 16, W / 16), rounded up."""
        return self.stages(x)

    def forward_head(self, x: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        """What `forward_features` gave -> (N, num_classes) logits, or (N, num_features) with `pre_logits`."""
        return self.head(x, pre_logits=pre_logits)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, in_chans, H, W) -> (N, num_classes) logits."""
        return self.forward_head(self.forward_features(x))


@register_model
def custom_cnn(pretrained: bool = False, **kwargs) -> CustomCnn:
    """1.4 million parameters at the default widths; there are no pretrained weights."""
    return build_model_with_cfg(
        CustomCnn,
        "custom_cnn",
        pretrained,
        feature_cfg={"out_indices": (0, 1, 2, 3), "flatten_sequential": True},
        **kwargs,
    )
