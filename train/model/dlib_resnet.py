"""dlib's network for recognising faces, in timm's registry as `dlib_resnet29`: import this module, and timm builds it.

29 layers of 3x3 convolutions but the first, in 14 residual blocks; a block that halves the picture adds its input,
averaged over 2x2 pixels and filled up with empty channels (King, "High Quality Face Recognition with Deep Metric
Learning", 2017; dlib's `dnn_face_recognition_ex.cpp`). Made for 150 px; smaller pictures work from 112 px on.
"""

import torch
import torch.nn.functional as F
from timm.layers import ClassifierHead, ConvNormAct
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import nn

# Channels of each block, and whether it halves the picture.
BLOCKS = (
    *((32, False),) * 3,
    *((64, True), *((64, False),) * 3),
    *((128, True), *((128, False),) * 2),
    *((256, True), *((256, False),) * 2),
    (256, True),
)

default_cfgs = generate_default_cfgs(
    {
        "dlib_resnet29.untrained": {
            "url": "",
            "num_classes": 7,
            "input_size": (1, 150, 150),
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "mean": (0.5,),
            "std": (0.25,),
            "first_conv": "stem.conv",
            "classifier": "head.fc",
        }
    }
)


class Block(nn.Module):
    """(N, C, H, W) -> (N, out_chs, H, W), or about half as high and wide if it is `down`."""

    def __init__(self, in_chs: int, out_chs: int, down: bool):
        super().__init__()
        self.down = down
        self.conv1 = ConvNormAct(in_chs, out_chs, 3, stride=2 if down else 1, padding=0 if down else 1)
        self.conv2 = ConvNormAct(out_chs, out_chs, 3, apply_act=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the two convolutions to the input; what is missing of either is 0."""
        found = self.conv2(self.conv1(x))
        if self.down:
            x = F.avg_pool2d(x, 2)
            found = F.pad(found, (0, x.shape[3] - found.shape[3], 0, x.shape[2] - found.shape[2]))
            x = F.pad(x, (0, 0, 0, 0, 0, found.shape[1] - x.shape[1]))
        return torch.relu(x + found)


class DlibResNet(nn.Module):
    """A network with the methods that timm's networks have.

    Args:
        num_classes: outputs; 0 gives the pooled features.
        in_chans: channels of the picture.
        global_pool: as in timm.
        drop_rate: dropout before the last layer.
    """

    def __init__(self, num_classes: int = 7, in_chans: int = 1, global_pool: str = "avg", drop_rate: float = 0.0):
        super().__init__()
        self.num_classes = num_classes
        self.in_chans = in_chans
        self.grad_checkpointing = False
        self.stem = ConvNormAct(in_chans, 32, 7, stride=2, padding=0)
        inputs = (32, *(width for width, _ in BLOCKS[:-1]))
        self.blocks = nn.Sequential(
            *(Block(chs, width, down) for chs, (width, down) in zip(inputs, BLOCKS, strict=True))
        )
        self.num_features = self.head_hidden_size = BLOCKS[-1][0]
        self.head = ClassifierHead(self.num_features, num_classes, pool_type=global_pool, drop_rate=drop_rate)

    def get_classifier(self) -> nn.Module:
        """The last layer."""
        return self.head.fc

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the last layer, and the pooling if one is named."""
        self.num_classes = num_classes
        self.head.reset(num_classes, global_pool)

    def group_matcher(self, coarse: bool = False) -> dict[str, str]:
        """How timm groups the layers from the first to the last, for learning rates that fall towards the first."""
        return {"stem": r"^stem", "blocks": r"^blocks\.(\d+)"}

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """(N, in_chans, H, W) -> (N, 256, H / 128, W / 128), about."""
        return self.blocks(F.max_pool2d(self.stem(x), 3, 2))

    def forward_head(self, x: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        """What `forward_features` gave -> (N, num_classes) logits, or (N, 256) with `pre_logits`."""
        return self.head(x, pre_logits=pre_logits)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, in_chans, H, W) -> (N, num_classes) logits."""
        return self.forward_head(self.forward_features(x))


@register_model
def dlib_resnet29(pretrained: bool = False, **kwargs) -> DlibResNet:
    """5.6 million parameters; `train convert` knows weights for it."""
    return build_model_with_cfg(DlibResNet, "dlib_resnet29", pretrained, **kwargs)
