"""The residual networks of the CIFAR papers, written in torch alone from their texts and figures.

They serve as judges of the specs and use nothing of archdsl. Parameters have the specs' names, so that the same state
loads into both. Images are ``N x 3 x H x W`` with even quarters; what comes out are ``N x classes`` scores.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv(channels: int, out: int, kernel: int, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, bias=bias)


def option_a(x: Tensor, out: int, stride: int) -> Tensor:
    """He et al. 2015, section 3.3: identity, with zeros for more channels and a stride of 2 for smaller maps."""
    return F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, 0, out - x.shape[1]))


class Unit(nn.Module):
    """``y = ReLU(F(x) + x)``: He et al. 2015, equation 1, and 2016, figure 2(a)."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.out, self.stride = out, stride
        self.conv1, self.bn1 = conv(channels, out, 3, stride), nn.BatchNorm2d(out)
        self.conv2, self.bn2 = conv(out, out, 3), nn.BatchNorm2d(out)

    def residual(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.bn1(self.conv1(x)))
        result: Tensor = self.bn2(self.conv2(hidden))
        return result

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.residual(x) + option_a(x, self.out, self.stride))


class AveragedUnit(Unit):
    """Huang et al. 2016, section 4: the mean of each 2x2 pixels in front of option A's zeros."""

    def shortcut(self, x: Tensor) -> Tensor:
        return option_a(x if self.stride == 1 else F.avg_pool2d(x, self.stride), self.out, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.residual(x) + self.shortcut(x))


class Plain(Unit):
    """He et al. 2015, section 4.2: no shortcut."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.residual(x))


class ConstantScaling(Unit):
    """He et al. 2016, figure 2(b), with the scales of table 1's "frozen gating"."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(0.5 * option_a(x, self.out, self.stride) + 0.5 * self.residual(x))


class ExclusiveGating(Unit):
    """He et al. 2016, figure 2(c): ``g(x)`` on F and ``1 - g(x)`` on the shortcut."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__(channels, out, stride)
        self.g = nn.Sequential(conv(channels, out, 1, stride, bias=True), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        gate = self.g(x)
        return F.relu((1 - gate) * option_a(x, self.out, self.stride) + gate * self.residual(x))


class ShortcutOnlyGating(ExclusiveGating):
    """He et al. 2016, figure 2(d): ``1 - g(x)`` on the shortcut, F as it is."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu((1 - self.g(x)) * option_a(x, self.out, self.stride) + self.residual(x))


class ConvShortcut(Unit):
    """He et al. 2016, figure 2(e): a 1x1 convolution with batch norm, which follows all weight layers there."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__(channels, out, stride)
        self.downsample = nn.Sequential(conv(channels, out, 1, stride), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.downsample(x) + self.residual(x))


class DropoutShortcut(Unit):
    """He et al. 2016, figure 2(f): dropout with a ratio of 0.5 on what the shortcut gives."""

    def forward(self, x: Tensor) -> Tensor:
        residual = self.residual(x)
        return F.relu(residual + F.dropout(option_a(x, self.out, self.stride), 0.5, self.training))


class Ordered(nn.Module):
    """A unit of two or three convolutions whose activations stand as in figure 4 of He et al. 2016.

    The first unit of a network, and those that project, split into two paths after the pre-activation (appendix).
    """

    normalized_before = normalized_after_addition = False

    def __init__(self, channels: int, planes: int, stride: int, bottleneck: bool, first: bool) -> None:
        super().__init__()
        self.out, self.stride = planes * (4 if bottleneck else 1), stride
        sizes = [channels, planes, planes, self.out] if bottleneck else [channels, planes, planes]
        self.count = len(sizes) - 1
        for i in range(self.count):
            kernel = 3 if i == 1 or not bottleneck else 1
            setattr(self, f"conv{i + 1}", conv(sizes[i], sizes[i + 1], kernel, stride if i == 0 else 1))
            setattr(self, f"bn{i + 1}", nn.BatchNorm2d(sizes[i] if self.normalized_before else sizes[i + 1]))
        self.downsample: nn.Module | None = None
        if bottleneck and channels != self.out:
            bare = self.normalized_before or self.normalized_after_addition
            projection: list[nn.Module] = [conv(channels, self.out, 1, stride)]
            self.downsample = nn.Sequential(*projection, *([] if bare else [nn.BatchNorm2d(self.out)]))
        self.both = first or self.downsample is not None

    def weigh(self, i: int, x: Tensor) -> Tensor:
        result: Tensor = getattr(self, f"conv{i}")(x)
        return result

    def norm(self, i: int, x: Tensor) -> Tensor:
        result: Tensor = getattr(self, f"bn{i}")(x)
        return result

    def shortcut(self, x: Tensor) -> Tensor:
        return option_a(x, self.out, self.stride) if self.downsample is None else self.downsample(x)


class Original(Ordered):
    """Figure 4(a)."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(1, self.weigh(1, x))
        for i in range(2, self.count + 1):
            y = self.norm(i, self.weigh(i, F.relu(y)))
        return F.relu(y + self.shortcut(x))


class BnAfterAddition(Ordered):
    """Figure 4(b)."""

    normalized_after_addition = True

    def forward(self, x: Tensor) -> Tensor:
        y = self.weigh(1, x)
        for i in range(2, self.count + 1):
            y = self.weigh(i, F.relu(self.norm(i - 1, y)))
        return F.relu(self.norm(self.count, y + self.shortcut(x)))


class ReluBeforeAddition(Ordered):
    """Figure 4(c)."""

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for i in range(1, self.count + 1):
            y = F.relu(self.norm(i, self.weigh(i, y)))
        return y + self.shortcut(x)


class ReluOnlyPreactivation(Ordered):
    """Figure 4(d)."""

    def forward(self, x: Tensor) -> Tensor:
        y = activated = F.relu(x)
        for i in range(1, self.count + 1):
            y = self.norm(i, self.weigh(i, y if i == 1 else F.relu(y)))
        return y + self.shortcut(activated if self.both else x)


class FullPreactivation(Ordered):
    """Figure 4(e)."""

    normalized_before = True

    def forward(self, x: Tensor) -> Tensor:
        y = activated = F.relu(self.norm(1, x))
        for i in range(1, self.count + 1):
            y = self.weigh(i, y if i == 1 else F.relu(self.norm(i, y)))
        return y + self.shortcut(activated if self.both else x)


class WideUnit(nn.Module):
    """Zagoruyko and Komodakis 2016, figure 1(d): BN, ReLU, conv, BN, ReLU, dropout, conv; the sum is not activated."""

    def __init__(self, channels: int, out: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.bn1, self.conv1 = nn.BatchNorm2d(channels), conv(channels, out, 3, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(out), conv(out, out, 3)
        self.shortcut = None if channels == out else conv(channels, out, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        activated = F.relu(self.bn1(x))
        hidden = F.relu(self.bn2(self.conv1(activated)))
        y: Tensor = self.conv2(F.dropout(hidden, self.dropout, self.training))
        return y + (x if self.shortcut is None else self.shortcut(activated))


class Network(nn.Module):
    """Three stages of n units, the second and third at half the size: He et al. 2015, section 4.2.

    ``opening`` says what follows the first convolution and ``closing`` what follows the last unit, each "", "relu",
    "bn" or "bn relu". The norm, of which there is one, is ``bn1``. ``stages`` names the stages.
    """

    def __init__(
        self,
        unit: Callable[[int, int, int, bool], nn.Module],
        n: int,
        widths: tuple[int, int, int] = (16, 32, 64),
        expansion: int = 1,
        opening: str = "bn relu",
        closing: str = "",
        stages: str = "layer1 layer2 layer3",
    ) -> None:
        super().__init__()
        self.opening, self.closing, self.stages = opening, closing, stages.split()
        self.conv1, channels = conv(3, 16, 3), 16
        self.bn1 = nn.BatchNorm2d(16 if "bn" in opening else widths[-1] * expansion)
        for stage, (name, width) in enumerate(zip(self.stages, widths, strict=True)):
            units = []
            for i in range(n):
                units.append(unit(channels, width, 2 if stage > 0 and i == 0 else 1, stage == 0 and i == 0))
                channels = width * expansion
            setattr(self, name, nn.Sequential(*units))
        self.fc = nn.Linear(channels, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self._activate(self.opening, self.conv1(x))
        for name in self.stages:
            x = getattr(self, name)(x)
        scores: Tensor = self.fc(self._activate(self.closing, x).mean((2, 3)))
        return scores

    def _activate(self, what: str, x: Tensor) -> Tensor:
        x = self.bn1(x) if "bn" in what else x
        return torch.relu(x) if "relu" in what else x


def resnet(unit: type[Unit], n: int) -> Network:
    """ResNet-(6n + 2) of any unit."""
    return Network(lambda channels, out, stride, first: unit(channels, out, stride), n)


def ordered_resnet(unit: type[Ordered], n: int, bottleneck: bool, opening: str, closing: str) -> Network:
    """ResNet-(6n + 2), or of bottlenecks ResNet-(9n + 2), with its activations in an order of figure 4."""
    return Network(
        lambda channels, planes, stride, first: unit(channels, planes, stride, bottleneck, first),
        n,
        expansion=4 if bottleneck else 1,
        opening=opening,
        closing=closing,
    )


def wide_resnet(n: int, k: int, dropout: float) -> Network:
    """WRN-(6n + 4)-k."""
    return Network(
        lambda channels, out, stride, first: WideUnit(channels, out, stride, dropout),
        n,
        widths=(16 * k, 32 * k, 64 * k),
        opening="",
        closing="bn relu",
        stages="conv2 conv3 conv4",
    )
