"""Attention within windows of an image."""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt, log, prod
from typing import Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import override

from archdsl.ops.contract.argument_types import Flag, PaddingPair, Pair, PositiveInt, Probability
from archdsl.ops.contract.base import Op, OpError, ParameterSpec, Tensors, Types, require_layout
from archdsl.ops.contract.channels import check_heads
from archdsl.ops.contract.init import Constant, Initializer, Normal, TruncNormal, Zeros
from archdsl.ops.contract.shapes import TensorType, format_sizes
from archdsl.ops.contract.torch_call import ModuleCall, TorchCall
from archdsl.ops.facts.reading import ALL, PerAxis, Reads, Tiles, along
from archdsl.ops.memory.tape import Tape, Tensor
from archdsl.ops.memory.torch_memory import (
    contracted,
    dropped_out,
    flattened,
    keeping_result,
    linear,
    made_contiguous,
    multiplied,
    narrowed,
    padded,
    permuted,
    product,
    reshaped,
    rolled,
    softmax,
    transposed,
    unflattened,
)

_BIAS_NETWORK = 512
"""Hidden features of the network that computes Swin v2's biases."""


class WindowAttentionOp(Op):
    """Attention within windows: ``H x W x C``, same type.

    A place attends to the places of its window, with a learned bias for each head and each offset of two places.
    Windows tile the image from ``shift`` places inside its corner; what is cut off at an edge shares a window with
    what is cut off at the other, but does not attend to it. An axis that one window covers is not shifted. An image
    that windows do not divide is padded by zeros. ``dropout`` is the probability with which a weight is dropped in
    training. With ``cosine``, the weights come from cosines times a factor for each head, at first 10 and at most 100,
    the biases from a network of 512 hidden features, and keys have no bias (Swin v2).

    Parameters: ``relative_position_bias_table``, a row for each offset, (2 h - 1)(2 w - 1) by heads, for windows of h x
    w; with ``cosine`` instead ``logit_scale`` (heads, 1, 1) and ``cpb_mlp.0.weight``, ``cpb_mlp.0.bias``,
    ``cpb_mlp.2.weight``. Then ``qkv.weight`` (3 C, C), ``qkv.bias``, ``proj.weight`` (C, C), ``proj.bias``. Weights and
    table start from a truncated normal distribution of standard deviation 0.02, biases from zeros. Buffers:
    ``relative_position_index``, and with ``cosine`` ``relative_coords_table``. MACs, for T places, the padding
    included: ``4 T C C`` for the projections, ``2 T h w C`` for the products with the weights, and those of the network
    of biases. Errors: E305 heads that do not divide C, E306 another layout. Liu et al. 2021, arXiv:2103.14030, section
    3.2; for ``cosine`` Liu et al. 2021, arXiv:2111.09883, section 3.
    """

    kind = "window_attention"
    mac_formula = "4 * padded * in_channels ** 2 + 2 * padded * kernel * in_channels + bias_offsets * 512 * (2 + heads)"
    heads: PositiveInt
    window: Pair
    shift: PaddingPair = (0, 0)
    cosine: Flag = False
    dropout: Probability = 0.0

    @model_validator(mode="after")
    def _check_window(self) -> Self:
        if self.shift[0] >= self.window[0] or self.shift[1] >= self.window[1]:
            sizes = {"shift": format_sizes(self.shift), "window": format_sizes(self.window)}
            raise PydanticCustomError("shift", "`shift` must be below the window {window}, got {shift}", sizes)
        if self.cosine and 1 in self.window:
            window = {"window": format_sizes(self.window)}
            raise PydanticCustomError("window", "`cosine` takes windows from 2x2, got {window}", window)
        return self

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("window_attention", inputs[0], ("HWC",))
        check_heads("window_attention", self.heads, inputs[0].sizes[2])
        return inputs[0]

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        axes = zip(inputs[0].sizes, self.window, self.shift, strict=False)
        tiles = [Tiles(tile, shift if size > tile else 0) for size, tile, shift in axes]
        return PerAxis((*tiles, ALL))

    @override
    def macs(self, inputs: Types, output: TensorType) -> int:
        channels, places, padded = inputs[0].sizes[2], prod(self.window), self._padded_places(inputs[0])
        network = _offsets(self.window) * _BIAS_NETWORK * (2 + self.heads) if self.cosine else 0
        return 4 * padded * channels**2 + 2 * padded * places * channels + network

    @override
    def mac_variables(self, inputs: Types, output: TensorType) -> dict[str, int]:
        """``kernel`` are the places of a window, ``padded`` those of the image padded to whole windows.

        ``bias_offsets`` are the distances within a window for which Swin v2's network computes biases once for a batch.
        """
        return {
            **super().mac_variables(inputs, output),
            "kernel": prod(self.window),
            "padded": self._padded_places(inputs[0]),
            "heads": self.heads,
            "bias_offsets": _offsets(self.window) if self.cosine else 0,
        }

    def _padded_places(self, type_: TensorType) -> int:
        (height, width, _), (rows, columns) = type_.sizes, self.window
        return -(-height // rows) * rows * (-(-width // columns) * columns)

    @override
    def input_gradient_macs(self, inputs: Types, output: TensorType) -> int:
        return 3 * self._padded_places(inputs[0]) * inputs[0].sizes[2] ** 2

    @override
    def parameters(self, inputs: Types) -> Mapping[str, ParameterSpec]:
        channels = inputs[0].sizes[2]
        projections = _projection("qkv", channels, 3 * channels) | _projection("proj", channels, channels)
        init = TruncNormal(std=0.02)
        if not self.cosine:
            return _table(self.window, self.heads) | _drawn(projections, init)
        scale = ParameterSpec((self.heads, 1, 1), Constant(value=log(10)))
        network = _projection("cpb_mlp.0", 2, _BIAS_NETWORK) | {"cpb_mlp.2.weight": (self.heads, _BIAS_NETWORK)}
        return {"logit_scale": scale} | _drawn(projections | network, init)

    @override
    def buffers(self, inputs: Types) -> Mapping[str, ParameterSpec]:
        rows, columns = self.window
        index = {"relative_position_index": ParameterSpec((prod(self.window) ** 2,), dtype="int64")}
        table = {"relative_coords_table": ParameterSpec((1, 2 * rows - 1, 2 * columns - 1, 2))}
        return table | index if self.cosine else index

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        target = "layers.CosineWindowAttention" if self.cosine else "layers.WindowAttention"
        arguments = {"shift": self.shift, "dropout": self.dropout}
        return ModuleCall(target, (inputs[0].sizes[2], self.heads, self.window), arguments)

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (x,) = tensors
        (_, height, width, channels), (rows, columns) = x.sizes, self.window
        shifted = self.shift != (0, 0)
        down, right = self.shift[0] * (height > rows), self.shift[1] * (width > columns)
        x = padded(tape, x, (0, 0, 0, -width % columns, 0, -height % rows))
        _, tall, wide, _ = x.sizes
        if shifted:
            x = _replaced(tape, x, rolled(tape, x, {1: -down, 2: -right}))
        windows = self._partitioned(x, tape)
        mask = self._mask(x, down, right, tape) if shifted else None
        attended = self._attended(windows, windows.storage is not x.storage, mask, tape)
        tape.drop(x)
        if mask:
            tape.drop(mask)
        sizes = (x.sizes[0], tall // rows, wide // columns, rows, columns, channels)
        x = transposed(reshaped(tape, attended, sizes), 2, 3)
        x = _replaced(tape, x, flattened(tape, flattened(tape, x, 3, 4), 1, 2))
        if shifted:
            x = _replaced(tape, x, rolled(tape, x, {1: down, 2: right}))
        return made_contiguous(tape, narrowed(narrowed(x, 1, height), 2, width))

    def _partitioned(self, x: Tensor, tape: Tape) -> Tensor:
        """``N x H x W x C`` to ``N x windows x places x C``."""
        rows, columns = self.window
        _, height, width, _ = x.sizes
        x = unflattened(tape, x, 2, (width // columns, columns))
        x = unflattened(tape, x, 1, (height // rows, rows))
        return flattened(tape, flattened(tape, transposed(x, 2, 3), 3, 4), 1, 2)

    def _mask(self, x: Tensor, down: int, right: int, tape: Tape) -> Tensor:
        """``windows x places x places``: what keeps apart places that the shift alone made neighbours."""
        _, height, width, _ = x.sizes
        sides = []
        for kept in ((height - down, width), (height, width - right)):
            inner = tape.empty(kept)
            sides.append(tape.empty((height, width)))
            tape.drop(inner)
        both = tape.empty((1, height, width, 1))
        moved = _replaced(tape, both, self._partitioned(both, tape))
        sizes = (moved.sizes[1], moved.sizes[2], moved.sizes[2])
        apart, zeros = tape.empty(sizes, item=1), tape.empty(sizes)
        mask = tape.empty(sizes)
        tape.drop(*sides, both, moved, apart, zeros)
        return mask

    def _attended(self, x: Tensor, is_copy: bool, mask: Tensor | None, tape: Tape) -> Tensor:
        """``N x windows x places x C``, same sizes; nothing stays but the result, and the input if it is no copy."""
        batch, windows, places, channels = x.sizes
        rows = reshaped(tape, x, (batch * windows, places, channels))
        packed = self._queries_keys_values(rows, tape)
        _replaced(tape, rows, x)
        packed_heads = unflattened(tape, packed, 2, (3, self.heads, channels // self.heads))
        part = permuted(narrowed(packed_heads, 2, 1), 2, 0, 3, 1, 4)
        part = part.view(part.sizes[1:], part.strides[1:])
        similarity = self._similarity(part, tape)
        bias = self._bias(tape)
        logits = tape.pointwise(similarity, bias)
        tape.drop(similarity, bias)
        if mask:
            split = unflattened(tape, logits, 0, (batch, windows))
            apart = mask.view((windows, 1, places, places), (places**2, places**2, places, 1))
            logits = _replaced(tape, logits, flattened(tape, tape.pointwise(split, apart), 0, 1))
        weights = dropped_out(tape, softmax(tape, logits), self.dropout)
        means = multiplied(tape, weights, part)
        flat = _replaced(tape, means, flattened(tape, transposed(means, 1, 2), 2, 3))
        if is_copy:
            tape.drop(x)
        result = linear(tape, flat, channels)
        tape.drop(packed, logits, weights, flat)
        return result

    def _queries_keys_values(self, x: Tensor, tape: Tape) -> Tensor:
        channels = x.sizes[2]
        if self.cosine:
            # a bias whose part for the keys is zero
            zeros, bias = tape.empty((channels,)), tape.empty((3 * channels,))
            tape.drop(zeros)
        packed = linear(tape, x, 3 * channels)
        if self.cosine:
            tape.drop(bias)
        return packed

    def _similarity(self, part: Tensor, tape: Tape) -> Tensor:
        """Of queries and keys that lie in memory as ``part`` does."""
        if not self.cosine:
            queries = tape.pointwise(part, with_number=True)
            result = multiplied(tape, queries, transposed(part, 2, 3))
            tape.drop(queries)
            return result
        queries, keys = _unit(tape, part), _unit(tape, part)
        cosines = multiplied(tape, queries, transposed(keys, 2, 3))
        clamped, scale = (tape.empty((self.heads, 1, 1), grad=tape.grad) for _ in range(2))
        tape.drop(clamped)
        tape.keep(scale)
        result = product(tape, cosines, scale)
        tape.drop(queries, keys, cosines, scale)
        return result

    def _bias(self, tape: Tape) -> Tensor:
        """``heads x places x places``."""
        if not self.cosine:
            return _biases(tape, tape.empty((prod(self.window) ** 2, self.heads), grad=tape.grad))
        hidden = tape.empty((_offsets(self.window), _BIAS_NETWORK), grad=tape.grad)
        tape.keep(hidden)
        table = tape.empty((_offsets(self.window), self.heads), grad=tape.grad)
        tape.drop(hidden)
        picked = tape.empty((prod(self.window) ** 2, self.heads), grad=tape.grad)
        tape.drop(table)
        logits = _biases(tape, picked)
        bounded = _replaced(tape, logits, keeping_result(tape, logits))
        return _replaced(tape, bounded, tape.pointwise(bounded, with_number=True))


class RelativeAttentionOp(Op):
    """Attention within each row of ``H x W x C``, as of ``windows``: same type.

    The W places of a row are those of a ``window``, row by row. Each attends to all of them, with a learned bias for
    each head and each offset of two places. The products of queries and keys are multiplied by ``C ** -0.5``, whatever
    the number of heads.

    Parameters: ``relative_position_bias_table``, a row for each offset, (2 h - 1)(2 w - 1) by heads, for windows of h x
    w; ``to_qkv.weight`` (3 C, C), ``to_qkv.bias``, ``merge.weight`` (C, C), ``merge.bias``. Weights start from a normal
    distribution of standard deviation 0.02, the table from a truncated one, biases from zeros. Buffer:
    ``relative_position_index``. MACs: ``4 H W C C`` for the projections and ``2 H W W C`` for the products with the
    weights. Errors: E305 heads that do not divide C, E306 another layout, E308 rows of another length. Tu et al. 2022,
    arXiv:2204.01697, section 3.2.
    """

    kind = "relative_attention"
    mac_formula = "4 * in_places * in_channels ** 2 + 2 * in_places * kernel * in_channels"
    heads: PositiveInt
    window: Pair

    @override
    def infer(self, inputs: Types) -> TensorType:
        require_layout("relative_attention", inputs[0], ("HWC",), "write `windows` before it")
        check_heads("relative_attention", self.heads, inputs[0].sizes[2])
        places = inputs[0].sizes[1]
        if places != prod(self.window):
            message = f"`relative_attention` takes rows of {format_sizes(self.window)} = {prod(self.window)} places"
            side = isqrt(places)
            hint = f"the window of {places} places may be {side}x{side}" if side**2 == places else ""
            raise OpError("E308", f"{message}, but gets {inputs[0]}", help=hint, argument="window")
        return inputs[0]

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return along(3, {1: ALL, 2: ALL})

    @override
    def macs(self, inputs: Types, output: TensorType) -> int:
        windows, places, channels = inputs[0].sizes
        return 4 * windows * places * channels**2 + 2 * windows * places**2 * channels

    @override
    def mac_variables(self, inputs: Types, output: TensorType) -> dict[str, int]:
        """``kernel`` are the places of a window."""
        return {**super().mac_variables(inputs, output), "kernel": prod(self.window)}

    @override
    def input_gradient_macs(self, inputs: Types, output: TensorType) -> int:
        windows, places, channels = inputs[0].sizes
        return 3 * windows * places * channels**2

    @override
    def parameters(self, inputs: Types) -> Mapping[str, ParameterSpec]:
        channels = inputs[0].sizes[2]
        projections = _projection("to_qkv", channels, 3 * channels) | _projection("merge", channels, channels)
        return _table(self.window, self.heads) | _drawn(projections, Normal(std=0.02))

    @override
    def buffers(self, inputs: Types) -> Mapping[str, ParameterSpec]:
        return {"relative_position_index": ParameterSpec((prod(self.window),) * 2, dtype="int64")}

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return ModuleCall("layers.RelativeAttention", (inputs[0].sizes[2], self.heads, self.window))

    @override
    def memory(self, inputs: Types, tensors: Tensors, tape: Tape) -> Tensor:
        (x,) = tensors
        channels = x.sizes[3]
        packed = linear(tape, x, 3 * channels)
        by_head = unflattened(tape, narrowed(packed, 3, channels), 3, (self.heads, channels // self.heads))
        part = transposed(by_head, 2, 3)
        keys = tape.pointwise(part, with_number=True)
        logits = contracted(tape, part, transposed(keys, 3, 4))
        bias = _biases(tape, tape.empty((prod(self.window) ** 2, self.heads), grad=tape.grad))
        biased = tape.pointwise(logits, bias)
        tape.drop(bias)
        weights = softmax(tape, biased)
        tape.drop(biased)
        attended = contracted(tape, weights, part)
        flat = flattened(tape, transposed(attended, 2, 3), 3, 4)
        return linear(tape, flat, channels)


def _replaced(tape: Tape, old: Tensor, new: Tensor) -> Tensor:
    """The new tensor, after which the old one is not needed, unless they share their memory."""
    if new.storage is not old.storage:
        tape.drop(old)
    return new


def _biases(tape: Tape, picked: Tensor) -> Tensor:
    """Rows of the table for all pairs of places, as ``heads x places x places``."""
    pairs, heads = picked.sizes
    places = isqrt(pairs)
    by_head = permuted(reshaped(tape, picked, (places, places, heads)), 2, 0, 1)
    return _replaced(tape, picked, made_contiguous(tape, by_head))


def _unit(tape: Tape, x: Tensor) -> Tensor:
    """``F.normalize`` along the last axis."""
    norm = tape.empty((*x.sizes[:-1], 1), grad=x.grad)
    length = tape.empty(norm.sizes, grad=x.grad)
    for tensor in (x, norm, length):
        tape.keep(tensor, x.grad)
    tape.drop(norm)
    repeated = length.view(x.sizes, (*length.strides[:-1], 0))
    result = tape.pointwise(x, repeated)
    tape.drop(length)
    return result


def _offsets(window: tuple[int, int]) -> int:
    """Offsets between two of a window's places."""
    return (2 * window[0] - 1) * (2 * window[1] - 1)


def _table(window: tuple[int, int], heads: int) -> dict[str, ParameterSpec]:
    return {"relative_position_bias_table": ParameterSpec((_offsets(window), heads), TruncNormal(std=0.02))}


def _projection(name: str, in_features: int, out_features: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out_features, in_features), f"{name}.bias": (out_features,)}


def _drawn(shapes: Mapping[str, tuple[int, ...]], init: Initializer) -> dict[str, ParameterSpec]:
    """Weights that start from ``init``, and biases from zeros."""
    return {name: ParameterSpec(shape, init if name.endswith("weight") else Zeros()) for name, shape in shapes.items()}
