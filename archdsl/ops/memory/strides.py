"""Where torch puts a tensor's elements: strides of what its functions make, and which views need no copy.

Sizes count the batch here. Strides are in elements, as torch states them. The rules are those of ATen: memory formats
(``c10/core/MemoryFormat.h``), ``TensorIterator.cpp`` for the results of pointwise functions, ``TensorUtils.cpp`` for
views. They are needed because a copy is made, or not, for a tensor whose elements lie in another order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

Sizes = tuple[int, ...]

_CHANNELS_LAST_ORDER = (1, 3, 2, 0)
"""Axes of ``N x C x H x W`` from the innermost."""


class Strided(NamedTuple):
    """Sizes and where the elements of such a tensor lie."""

    sizes: Sizes
    strides: Sizes


@lru_cache(maxsize=4096)
def contiguous(sizes: Sizes) -> Sizes:
    """Strides of a tensor whose last axis is the innermost."""
    strides = [1] * len(sizes)
    for axis in range(len(sizes) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * max(sizes[axis + 1], 1)
    return tuple(strides)


@lru_cache(maxsize=4096)
def channels_last(sizes: Sizes) -> Sizes:
    """Strides of ``N x C x H x W`` whose channels are innermost."""
    _, channels, height, width = sizes
    return (height * width * channels, 1, width * channels, channels)


def is_contiguous(sizes: Sizes, strides: Sizes) -> bool:
    """Whether the elements lie in order; axes of size 1 may have any stride."""
    return strides == contiguous(sizes) or 0 in sizes or _packs(sizes, strides, range(len(sizes) - 1, -1, -1))


def is_channels_last(sizes: Sizes, strides: Sizes) -> bool:
    """Whether the elements of an image lie channel by channel at each place, without gaps."""
    return len(sizes) == 4 and _packs(sizes, strides, _CHANNELS_LAST_ORDER)


def _packs(sizes: Sizes, strides: Sizes, order: Sequence[int]) -> bool:
    expected = 1
    for axis in order:
        if sizes[axis] != 1:
            if strides[axis] != expected:
                return False
            expected *= sizes[axis]
    return True


@lru_cache(maxsize=4096)
def suggests_channels_last(sizes: Sizes, strides: Sizes) -> bool:
    """torch's ``suggest_memory_format``: whether what is made of an image gets its channels innermost.

    Gaps do not matter. Where sizes of 1 leave the order open, the answer is no.
    """
    if len(sizes) != 4 or strides[1] == 0:
        return False
    least = 0
    for axis in _CHANNELS_LAST_ORDER:
        if sizes[axis] == 0 or strides[axis] < least or (axis == 0 and least == strides[1]):
            return False
        least = strides[axis] * max(sizes[axis], 1)
    return True


def suggested(sizes: Sizes, like: Strided) -> Sizes:
    """Strides of a new tensor of these sizes in the memory format that ``like`` suggests."""
    return channels_last(sizes) if suggests_channels_last(like.sizes, like.strides) else contiguous(sizes)


def of_concatenation(parts: Sequence[Strided], axis: int) -> Strided:
    """What ``cat`` makes: in the memory format that all parts suggest."""
    first = parts[0].sizes
    sizes = (*first[:axis], sum([part.sizes[axis] for part in parts]), *first[axis + 1 :])
    last = all(suggests_channels_last(*part) for part in parts)
    return Strided(sizes, channels_last(sizes) if last else contiguous(sizes))


def of_roll(x: Strided, shifts: Mapping[int, int]) -> Strided:
    """What the CPU's ``roll`` makes: axis by axis, of the two parts that change places, one of which may be empty."""
    for axis, shift in shifts.items():
        split = -shift % x.sizes[axis]
        parts = [(*x.sizes[:axis], size, *x.sizes[axis + 1 :]) for size in (x.sizes[axis] - split, split)]
        x = of_concatenation([Strided(sizes, x.strides) for sizes in parts], axis)
    return x


@lru_cache(maxsize=4096)
def _is_dense(sizes: Sizes, strides: Sizes) -> bool:
    """Whether the elements fill their memory, each its own place, in any order of the axes."""
    if len(sizes) == 1:
        return sizes[0] < 2 or strides[0] == 1
    return _packs(sizes, strides, sorted(range(len(sizes)), key=lambda axis: (sizes[axis] < 2, strides[axis])))


@lru_cache(maxsize=4096)
def of_copy(sizes: Sizes, strides: Sizes) -> Sizes:
    """Strides of ``empty_like`` and ``clone``: the same where they have no gaps, else the same order of axes."""
    return strides if _is_dense(sizes, strides) else _packed(sizes, (strides,))


@lru_cache(maxsize=4096)
def of_pointwise(operands: tuple[Strided, ...], with_number: bool = False) -> Strided:
    """What a pointwise function makes of tensors that broadcast; ``with_number``: of a number as well."""
    sizes = _broadcast(operands)
    if not with_number and all(operand.sizes == sizes for operand in operands):
        if all(is_contiguous(*operand) for operand in operands):
            return Strided(sizes, contiguous(sizes))
        if all(is_channels_last(*operand) for operand in operands):
            return Strided(sizes, channels_last(sizes))
        if len({operand.strides for operand in operands}) == 1 and _is_dense(*operands[0]):
            return Strided(sizes, operands[0].strides)
    return Strided(sizes, _packed(sizes, tuple([_expanded(operand, sizes) for operand in operands])))


def _broadcast(operands: tuple[Strided, ...]) -> Sizes:
    rank = max(len(operand.sizes) for operand in operands)
    padded = [(1,) * (rank - len(operand.sizes)) + operand.sizes for operand in operands]
    # an empty axis stays empty beside a 1
    return tuple([0 if 0 in axis else max(axis) for axis in zip(*padded, strict=True)])


def _expanded(operand: Strided, sizes: Sizes) -> Sizes:
    """Strides of the operand as a tensor of these sizes: 0 along what it is repeated along."""
    missing = len(sizes) - len(operand.sizes)
    own = zip(operand.sizes, operand.strides, sizes[missing:], strict=True)
    return (0,) * missing + tuple([0 if size == 1 and wanted != 1 else stride for size, stride, wanted in own])


def _packed(sizes: Sizes, operands: tuple[Sizes, ...]) -> Sizes:
    """Strides without gaps in the order of axes that the operands have, the first that tells counting most."""
    order = list(range(len(sizes) - 1, -1, -1))
    for position in range(1, len(order)):
        moving = position
        for other in range(position - 1, -1, -1):
            compared = _compare(order[other], order[moving], sizes, operands)
            if compared < 0:
                break
            if compared > 0:
                order[other], order[moving] = order[moving], order[other]
                moving = other
    strides, stride = [0] * len(sizes), 1
    for axis in order:
        strides[axis] = stride
        stride *= max(sizes[axis], 1)
    return tuple(strides)


def _compare(inner: int, outer: int, sizes: Sizes, operands: tuple[Sizes, ...]) -> int:
    """Above 0 if the two axes have to change places, below if they stand well, 0 if nothing tells."""
    for strides in operands:
        if strides[inner] == 0 or strides[outer] == 0:
            continue
        if strides[inner] != strides[outer]:
            return 1 if strides[inner] > strides[outer] else -1
        if sizes[inner] > sizes[outer]:
            return 1
    return 0


def of_view(sizes: Sizes, strides: Sizes, wanted: Sizes) -> Sizes | None:
    """Strides with which the same memory has other sizes, in the same order; None where a copy is needed."""
    if sizes == wanted:
        return strides
    if strides == contiguous(sizes):
        return contiguous(wanted)
    return _of_view(sizes, strides, wanted)


@lru_cache(maxsize=4096)
def _of_view(sizes: Sizes, strides: Sizes, wanted: Sizes) -> Sizes | None:
    """Axes that lie without gaps between them form a run; each run must be cut into whole new axes."""
    result, axis = [0] * len(wanted), len(wanted) - 1
    base, elements = strides[-1], 1
    for old in range(len(sizes) - 1, -1, -1):
        elements *= sizes[old]
        if old and (sizes[old - 1] == 1 or strides[old - 1] == elements * base):
            continue
        taken = 1
        while axis >= 0 and (taken < elements or wanted[axis] == 1):
            result[axis] = taken * base
            taken *= wanted[axis]
            axis -= 1
        if taken != elements:
            return None
        base, elements = strides[old - 1], 1
    return tuple(result) if axis < 0 else None
