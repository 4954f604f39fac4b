"""Layers that move, drop, scale or pool."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """Stochastic depth: drops whole examples with probability p, scales the rest by 1 / (1 - p).

    Any shape ``N x ...``; the identity in eval mode. Mode "row" draws for each example, "batch"
    once for all of them. Huang et al. 2016, arXiv:1603.09382, in the scaled form and with the
    draws of ``torchvision.ops.StochasticDepth``.
    """

    def __init__(self, p: float, mode: str = "row") -> None:
        super().__init__()
        self.p, self.mode = p, mode

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return x
        kept = 1.0 - self.p
        draws = x.shape[0] if self.mode == "row" else 1
        mask = x.new_empty([draws] + [1] * (x.ndim - 1)).bernoulli_(kept)
        return x * (mask.div_(kept) if kept > 0.0 else mask)

    def extra_repr(self) -> str:
        return f"p={self.p}, mode={self.mode!r}"


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation over the channels of ``N x C x H x W``.

    Liu et al. 2022, arXiv:2201.03545, section 2.6.
    """

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class BlurPool2d(nn.Module):
    """Downsampling after a binomial low-pass filter. Zhang 2019, arXiv:1904.11486, section 3.

    ``N x C x H x W`` is padded by reflection, filtered per channel, and read every ``stride``.
    """

    filter: Tensor

    def __init__(self, channels: int, kernel_size: int = 3, stride: int = 2) -> None:
        super().__init__()
        self.channels, self.kernel_size, self.stride = channels, kernel_size, stride
        row = torch.ones(1)
        for _ in range(kernel_size - 1):
            row = nn.functional.pad(row, (1, 0)) + nn.functional.pad(row, (0, 1))
        kernel = torch.outer(row, row)
        kernel = (kernel / kernel.sum()).expand(channels, 1, kernel_size, kernel_size).contiguous()
        self.register_buffer("filter", kernel, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        before, after = (self.kernel_size - 1) // 2, self.kernel_size // 2
        x = nn.functional.pad(x, (before, after, before, after), mode="reflect")
        return nn.functional.conv2d(x, self.filter, stride=self.stride, groups=self.channels)

    def extra_repr(self) -> str:
        return f"{self.channels}, kernel_size={self.kernel_size}, stride={self.stride}"


class Normalize(nn.Module):
    """``(x - mean) / std`` per channel of ``N x C x H x W``, with given numbers."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


class CenterCrop2d(nn.Module):
    """The middle ``height x width`` of ``N x C x H x W``, the smaller border before it."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    def forward(self, x: Tensor) -> Tensor:
        top, left = (x.shape[2] - self.height) // 2, (x.shape[3] - self.width) // 2
        return x[:, :, top : top + self.height, left : left + self.width]

    def extra_repr(self) -> str:
        return f"{self.height}, {self.width}"


class Resize(nn.Module):
    """``N x C x H x W`` at the height and width of ``N x D x H' x W'``."""

    def __init__(self, mode: str = "nearest", align_corners: bool = False) -> None:
        super().__init__()
        self.mode, self.align_corners = mode, align_corners

    def forward(self, x: Tensor, like: Tensor) -> Tensor:
        align = self.align_corners or None  # torch refuses False for nearest
        return nn.functional.interpolate(x, like.shape[2:], mode=self.mode, align_corners=align)

    def extra_repr(self) -> str:
        return f"{self.mode!r}, align_corners={self.align_corners}"


class PatchMerging(nn.Module):
    """Each 2x2 places of ``N x H x W x C`` joined: to ``N x H / 2 x W / 2 x 4 C``.

    The left two come first, in each column the upper; an odd height or width is padded by zeros.
    Liu et al. 2021, arXiv:2103.14030, section 3.1.
    """

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        return torch.cat([x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)], dim=-1)


class TrainingOnly(nn.Module):
    """Stands before an auxiliary branch, and lets ``N x sizes`` pass in training only.

    In eval mode the branch gets no examples, ``0 x sizes``, and so costs nothing. ``sizes`` are
    those it was designed for, as an image that suits the main branch may be too small for it.
    """

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.sizes = sizes

    def forward(self, x: Tensor) -> Tensor:
        return x if self.training else x.new_empty((0, *self.sizes))

    def extra_repr(self) -> str:
        return ", ".join(map(str, self.sizes))


class SelectOutputs(nn.Module):
    """Gathers a network's outputs: all of them by name in training, the main ones in eval mode.

    ``names`` are the outputs in the order of the arguments, the last ``auxiliary`` of them
    auxiliary ones. A single main output comes bare in eval mode, several as a dict.
    """

    def __init__(self, names: tuple[str, ...], auxiliary: int) -> None:
        super().__init__()
        self.names = names
        self.main = len(names) - auxiliary

    def forward(self, *outputs: Tensor) -> Tensor | dict[str, Tensor]:
        if self.training:
            return dict(zip(self.names, outputs, strict=True))
        if self.main == 1:
            return outputs[0]
        return dict(zip(self.names[: self.main], outputs[: self.main], strict=True))
