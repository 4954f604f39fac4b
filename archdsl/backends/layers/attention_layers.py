"""Attention, over all tokens and within windows."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SelfAttention(nn.MultiheadAttention):
    """Attention between the tokens of ``N x L x C``, without the weights beside it.

    Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2.
    """

    def __init__(self, channels: int, heads: int, dropout: float = 0.0, bias: bool = True) -> None:
        super().__init__(channels, heads, dropout=dropout, bias=bias, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x, x, x, need_weights=False)[0]


class DotProductAttention(nn.Module):
    """For each query a mean of the values, weighted by how well their keys fit it.

    ``N x L x C``, ``N x S x C`` and ``N x S x V`` to ``N x L x V``, the channels of each head side
    by side; other axes may follow N. Vaswani et al. 2017, arXiv:1706.03762, sections 3.2.1 and 3.2.2.
    """

    def __init__(self, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        apart = (x.unflatten(-1, (self.heads, -1)) for x in (queries, keys, values))
        q, k, v = (x.transpose(-3, -2) for x in apart)
        p = self.dropout if self.training else 0.0
        attended = nn.functional.scaled_dot_product_attention(q, k, v, dropout_p=p)
        return attended.transpose(-3, -2).flatten(-2)

    def extra_repr(self) -> str:
        return f"{self.heads}, dropout={self.dropout}"


class RelativePositions(nn.Module):
    """Base of attentions within windows: a learned bias for each head and offset of two places.

    A window has ``rows x columns`` places. Liu et al. 2021, arXiv:2103.14030, section 3.2.
    """

    relative_position_index: Tensor

    def __init__(self, heads: int, window: tuple[int, int]) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.places = window[0] * window[1]

    def make_table(self) -> None:
        """A row for each offset of two places, upwards to downwards, in each from left to right."""
        offsets = (2 * self.window[0] - 1) * (2 * self.window[1] - 1)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(offsets, self.heads))

    def make_index(self, *sizes: int) -> None:
        index = torch.empty(sizes, dtype=torch.int64)
        self.register_buffer("relative_position_index", index)
        self.reset_buffers()

    def reset_buffers(self) -> None:
        """Which row of the table is the bias of the first place on the second, for all pairs."""
        rows, columns = self.window
        place = torch.arange(self.places, device=self.relative_position_index.device)
        y, x = place // columns, place % columns
        down, right = y.unsqueeze(1) - y + rows - 1, x.unsqueeze(1) - x + columns - 1
        index = down * (2 * columns - 1) + right
        self.relative_position_index.copy_(index.view_as(self.relative_position_index))

    def table(self) -> Tensor:
        """``offsets x heads``."""
        return self.relative_position_bias_table

    def bias(self) -> Tensor:
        """``heads x places x places``."""
        bias = self.table()[self.relative_position_index.view(-1)]
        return bias.view(self.places, self.places, self.heads).permute(2, 0, 1).contiguous()

    def extra_repr(self) -> str:
        return f"heads={self.heads}, window={self.window}"


class WindowAttention(RelativePositions):
    """Attention within the windows that tile ``N x H x W x C``, maybe shifted from its corner.

    Where windows do not divide the image it is padded by zeros, below and to the right. What a
    shift moves beyond an edge is put at the other, and kept apart from what is there. An axis that
    one window covers is not shifted. Liu et al. 2021, arXiv:2103.14030, section 3.2.
    """

    def __init__(
        self,
        channels: int,
        heads: int,
        window: tuple[int, int],
        shift: tuple[int, int] = (0, 0),
        dropout: float = 0.0,
    ) -> None:
        super().__init__(heads, window)
        self.shift, self.dropout = shift, dropout
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.make_table()
        self.make_index(self.places**2)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[1:3]
        rows, columns = self.window
        # no branches on sizes: fx traces through
        down, right = self.shift[0] * (height > rows), self.shift[1] * (width > columns)
        x = nn.functional.pad(x, (0, 0, 0, -width % columns, 0, -height % rows))
        across = x.shape[2] // columns
        if self.shift == (0, 0):
            x = self.attend(self.partition(x), None)
        else:
            x = torch.roll(x, (-down, -right), dims=(1, 2))
            x = self.attend(self.partition(x), self.mask(x, down, right))
        x = x.unflatten(2, (rows, columns)).unflatten(1, (-1, across))
        x = x.transpose(2, 3).flatten(3, 4).flatten(1, 2)
        if self.shift != (0, 0):
            x = torch.roll(x, (down, right), dims=(1, 2))
        return x[:, :height, :width].contiguous()

    def partition(self, x: Tensor) -> Tensor:
        """``N x H x W x C`` to ``N x windows x places x C``."""
        rows, columns = self.window
        x = x.unflatten(2, (-1, columns)).unflatten(1, (-1, rows))
        return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)

    def mask(self, x: Tensor, down: int, right: int) -> Tensor:
        """``windows x places x places``: what is added where the shift alone made neighbours."""
        height, width = x.shape[1:3]
        lower = nn.functional.pad(x.new_zeros(height - down, width), (0, 0, 0, down), value=1.0)
        outer = nn.functional.pad(x.new_zeros(height, width - right), (0, right), value=2.0)
        moved = self.partition((lower + outer).view(1, height, width, 1)).view(-1, self.places)
        apart = moved.unsqueeze(1) != moved.unsqueeze(2)
        return x.new_zeros(apart.shape).masked_fill(apart, -100.0)

    def attend(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """``N x windows x places x C``, same sizes."""
        windows = x.shape[1]
        qkv = self.queries_keys_values(x.flatten(0, 1)).unflatten(2, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        logits = self.similarity(q, k) + self.bias()
        if mask is not None:
            logits = (logits.unflatten(0, (-1, windows)) + mask.unsqueeze(1)).flatten(0, 1)
        weights = nn.functional.dropout(logits.softmax(dim=-1), self.dropout, self.training)
        x = (weights @ v).transpose(1, 2).flatten(2)
        attended: Tensor = self.proj(x).unflatten(0, (-1, windows))
        return attended

    def queries_keys_values(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.qkv.weight, self.qkv.bias)

    def similarity(self, q: Tensor, k: Tensor) -> Tensor:
        q = q * q.shape[-1] ** -0.5
        return q @ k.transpose(-2, -1)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, shift={self.shift}, dropout={self.dropout}"


class CosineWindowAttention(WindowAttention):
    """WindowAttention by cosines, with a factor for each head and a bias that a network computes.

    Keys have no bias: ``qkv.bias`` holds one that is not used. Liu et al. 2021, arXiv:2111.09883,
    sections 3.2 and 3.3.
    """

    relative_coords_table: Tensor

    def make_table(self) -> None:
        rows, columns = self.window
        self.logit_scale = nn.Parameter(torch.full((self.heads, 1, 1), 10.0).log())
        coords = torch.empty(1, 2 * rows - 1, 2 * columns - 1, 2)
        self.register_buffer("relative_coords_table", coords)
        hidden, last = nn.Linear(2, 512), nn.Linear(512, self.heads, bias=False)
        self.cpb_mlp = nn.Sequential(hidden, nn.ReLU(inplace=True), last)

    def reset_buffers(self) -> None:
        """The offsets on a logarithmic scale as well."""
        super().reset_buffers()
        device = self.relative_coords_table.device
        axes = [torch.arange(1.0 - size, size, device=device) / (size - 1) for size in self.window]
        linear = 8 * torch.stack(torch.meshgrid(axes, indexing="ij"), dim=-1)
        self.relative_coords_table.copy_(linear.sign() * torch.log2(linear.abs() + 1) / 3)

    def table(self) -> Tensor:
        table: Tensor = self.cpb_mlp(self.relative_coords_table)
        return table.view(-1, self.heads)

    def bias(self) -> Tensor:
        return 16 * torch.sigmoid(super().bias())

    def queries_keys_values(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv.bias.chunk(3)
        return nn.functional.linear(x, self.qkv.weight, torch.cat([q, torch.zeros_like(k), v]))

    def similarity(self, q: Tensor, k: Tensor) -> Tensor:
        q, k = nn.functional.normalize(q, dim=-1), nn.functional.normalize(k, dim=-1)
        largest = 4.605170185988092  # log(100)
        return (q @ k.transpose(-2, -1)) * self.logit_scale.clamp(max=largest).exp()


class Windows(nn.Module):
    """``N x C x H x W`` cut into windows, to ``N x windows x places x C``.

    With ``grid`` a window's places are spread evenly over the image. Tu et al. 2022,
    arXiv:2204.01697, section 3.2.
    """

    def __init__(self, window: tuple[int, int], grid: bool = False) -> None:
        super().__init__()
        self.window, self.grid = window, grid

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = self.window
        if self.grid:
            x = x.unflatten(3, (columns, -1)).unflatten(2, (rows, -1)).permute(0, 3, 5, 2, 4, 1)
        else:
            x = x.unflatten(3, (-1, columns)).unflatten(2, (-1, rows)).permute(0, 2, 4, 3, 5, 1)
        return x.flatten(3, 4).flatten(1, 2)

    def extra_repr(self) -> str:
        return f"{self.window}, grid={self.grid}"


class Unwindows(nn.Module):
    """The image of ``size`` H x W that Windows has cut: to ``N x C x H x W``."""

    def __init__(self, window: tuple[int, int], size: tuple[int, int], grid: bool = False) -> None:
        super().__init__()
        self.window, self.size, self.grid = window, size, grid

    def forward(self, x: Tensor) -> Tensor:
        down, across = (size // part for size, part in zip(self.size, self.window, strict=True))
        x = x.unflatten(2, self.window).unflatten(1, (down, across))
        x = x.permute(0, 5, 3, 1, 4, 2) if self.grid else x.permute(0, 5, 1, 3, 2, 4)
        return x.flatten(4, 5).flatten(2, 3)

    def extra_repr(self) -> str:
        return f"{self.window}, {self.size}, grid={self.grid}"


class RelativeAttention(RelativePositions):
    """Attention within each of the windows of ``N x windows x places x C``, same sizes.

    Keys are multiplied by ``C ** -0.5``, for any number of heads. Tu et al. 2022,
    arXiv:2204.01697, section 3.2.
    """

    def __init__(self, channels: int, heads: int, window: tuple[int, int]) -> None:
        super().__init__(heads, window)
        self.to_qkv = nn.Linear(channels, 3 * channels)
        self.merge = nn.Linear(channels, channels)
        self.make_table()
        self.make_index(self.places, self.places)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.to_qkv(x).chunk(3, dim=-1)
        k = self.split(k) * x.shape[-1] ** -0.5
        logits = torch.einsum("nghpc,nghqc->nghpq", self.split(q), k)
        weights = (logits + self.bias()).softmax(dim=-1)
        x = torch.einsum("nghpq,nghqc->nghpc", weights, self.split(v))
        merged: Tensor = self.merge(x.transpose(2, 3).flatten(3))
        return merged

    def split(self, x: Tensor) -> Tensor:
        """``N x windows x places x C`` to ``N x windows x heads x places x C / heads``."""
        parts: Tensor = x.unflatten(-1, (self.heads, -1))
        return parts.transpose(2, 3)
