"""torchvision's models, altered by hand into networks of the papers that torchvision lacks.

They serve as judges of the specs and use nothing of archdsl. Each is as its builder makes it but for what its
docstring says.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import models
from torchvision.models.resnet import BasicBlock, Bottleneck


class Padding(nn.Module):
    """Shortcut option A: every ``stride``-th pixel, and zeros for new channels. He et al. 2015, section 3.3."""

    def __init__(self, out: int, stride: int) -> None:
        super().__init__()
        self.out, self.stride = out, stride

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.out - x.shape[1]))


class Nothing(nn.Module):
    """A shortcut that adds zero."""

    def forward(self, x: Tensor) -> Tensor:
        return x.new_zeros(())


def plain(depth: int) -> nn.Module:
    """No block has a shortcut."""
    model = _resnet(depth)
    for block in _blocks(model):
        block.downsample = Nothing()
    return model


def option_a(depth: int) -> nn.Module:
    """Zeros in the place of projections."""
    model = _resnet(depth)
    for block in _blocks(model):
        if block.downsample is not None:
            block.downsample = Padding(_channels(block)[1], int(block.stride))
    return model


def option_c(depth: int) -> nn.Module:
    """Projections in the place of identities."""
    model = _resnet(depth)
    for block in _blocks(model):
        if block.downsample is None:
            channels, out = _channels(block)
            block.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out))
    return model


def v1(depth: int) -> nn.Module:
    """The first convolution of a bottleneck strides, not the second."""
    model = _resnet(depth)
    for block in _blocks(model):
        assert isinstance(block, Bottleneck)
        block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride
    return model


def resnext29(cardinality: int, width: int) -> nn.Module:
    """Three stages, and a 3x3 convolution without a pool before them. Xie et al. 2016, section 5.3."""
    model: nn.Module = models.ResNet(Bottleneck, [3, 3, 3, 1], 10, groups=cardinality, width_per_group=width)
    model.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    model.maxpool = model.layer4 = nn.Identity()
    model.fc = nn.Linear(1024, 10)
    return model


def densenet_bc(layers: int, growth_rate: int) -> nn.Module:
    """Three dense blocks of ``layers`` each, and a 3x3 convolution alone before them. Huang et al. 2016, section 3."""
    model: nn.Module = models.DenseNet(growth_rate, (layers, layers, layers), 2 * growth_rate, num_classes=10)
    features = model.get_submodule("features")
    features.conv0 = nn.Conv2d(3, 2 * growth_rate, 3, padding=1, bias=False)
    features.norm0 = features.relu0 = features.pool0 = nn.Identity()
    return model


def _resnet(depth: int) -> nn.Module:
    model: nn.Module = models.get_model(f"resnet{depth}")
    return model


def _blocks(model: nn.Module) -> Iterator[BasicBlock | Bottleneck]:
    return (module for module in model.modules() if isinstance(module, BasicBlock | Bottleneck))


def _channels(block: BasicBlock | Bottleneck) -> tuple[int, int]:
    """Those that come in and those that go out."""
    return block.conv1.in_channels, block.conv1.out_channels * (block.expansion if isinstance(block, Bottleneck) else 1)
