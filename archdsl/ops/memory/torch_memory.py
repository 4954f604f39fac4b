"""torch's functions as far as memory goes: what each allocates, which inputs it keeps, where its result lies.

The rules are those of ATen's functions and of ``derivatives.yaml`` (PyTorch 2.13). A result has the gradient that its
inputs have; a product keeps a factor only for the gradient of the other. Parameters are kept as well, but are the
module's own: they are left out everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from archdsl.ops.memory.strides import Sizes, is_contiguous, of_concatenation, of_roll, of_view, suggested
from archdsl.ops.memory.tape import Tape, Tensor

# ---- views and copies ----------------------------------------------------------------------------


def permuted(x: Tensor, *axes: int) -> Tensor:
    """A view with the axes in another order."""
    return x.view(tuple([x.sizes[axis] for axis in axes]), tuple([x.strides[axis] for axis in axes]))


def transposed(x: Tensor, first: int, second: int) -> Tensor:
    """A view with two axes exchanged."""
    axes = list(range(len(x.sizes)))
    axes[first], axes[second] = axes[second], axes[first]
    return permuted(x, *axes)


def narrowed(x: Tensor, axis: int, size: int, step: int = 1) -> Tensor:
    """A view of ``size`` places along an axis, each ``step`` after the one before."""
    sizes, strides = list(x.sizes), list(x.strides)
    sizes[axis], strides[axis] = size, strides[axis] * step
    return x.view(tuple(sizes), tuple(strides))


def expanded(x: Tensor, sizes: Sizes) -> Tensor:
    """A view that repeats axes of size 1."""
    pairs = zip(x.sizes, x.strides, sizes, strict=True)
    return x.view(sizes, tuple([0 if own == 1 != size else stride for own, stride, size in pairs]))


def made_contiguous(tape: Tape, x: Tensor) -> Tensor:
    """``contiguous()``: itself, or a copy."""
    return x if is_contiguous(x.sizes, x.strides) else tape.empty(x.sizes, grad=x.grad)


def reshaped(tape: Tape, x: Tensor, sizes: Sizes) -> Tensor:
    """``reshape``: a view where one is possible, else a copy."""
    strides = of_view(x.sizes, x.strides, sizes)
    return tape.empty(sizes, grad=x.grad) if strides is None else x.view(sizes, strides)


def unflattened(tape: Tape, x: Tensor, axis: int, sizes: Sizes) -> Tensor:
    """One axis as several."""
    return reshaped(tape, x, (*x.sizes[:axis], *sizes, *x.sizes[axis + 1 :]))


def flattened(tape: Tape, x: Tensor, first: int, last: int) -> Tensor:
    """Axes ``first`` to ``last`` as one."""
    return reshaped(tape, x, (*x.sizes[:first], prod(x.sizes[first : last + 1]), *x.sizes[last + 1 :]))


def rolled(tape: Tape, x: Tensor, shifts: Mapping[int, int]) -> Tensor:
    """``roll`` of axes by so many places."""
    strides = None if tape.device == "cuda" else of_roll(x.place, shifts).strides
    return tape.empty(x.sizes, strides, grad=x.grad)


def concatenated(tape: Tape, tensors: Sequence[Tensor], axis: int) -> Tensor:
    """``cat``."""
    sizes, strides = of_concatenation([tensor.place for tensor in tensors], axis)
    return tape.empty(sizes, strides, grad=any(tensor.grad for tensor in tensors))


def padded(tape: Tape, x: Tensor, borders: Sizes, mode: str = "constant") -> Tensor:
    """``F.pad``: ``borders`` are those before and after the last axis, then those of the axes before it."""
    sizes = list(x.sizes)
    for i in range(0, len(borders), 2):
        sizes[-1 - i // 2] += borders[i] + borders[i + 1]
    if mode == "constant" and not any(borders):
        return tape.copy(x)
    strides = None if mode == "circular" or len(sizes) != 4 else suggested(tuple(sizes), x.place)
    result = tape.empty(tuple(sizes), strides, grad=x.grad)
    if mode in ("reflect", "replicate"):
        tape.keep(x, result.grad)
    return result


# ---- images --------------------------------------------------------------------------------------


def image(tape: Tape, x: Tensor, sizes: Sizes, *, item: int | None = None, grad: bool = False) -> Tensor:
    """A new image of these sizes (without the batch), its channels innermost if those of ``x`` seem to be."""
    whole = (x.sizes[0], *sizes)
    return tape.empty(whole, suggested(whole, x.place) if len(whole) == 4 else None, item=item, grad=grad)


def convolved(tape: Tape, x: Tensor, sizes: Sizes, trains: bool) -> Tensor:
    """A convolution, which keeps its input; ``trains``: its filters are parameters."""
    result = image(tape, x, sizes, grad=x.grad or trains)
    tape.keep(x, result.grad)
    return result


def averaged(tape: Tape, x: Tensor) -> Tensor:
    """The mean of each channel, which keeps nothing; laid out as the image is."""
    sizes = (*x.sizes[:2], 1, 1)
    return tape.empty(sizes, suggested(sizes, x.place), grad=x.grad)


def max_pooled(tape: Tape, x: Tensor, sizes: Sizes) -> Tensor:
    """A maximum per window; its place in the input, an int64, is always made as well, and kept with the input."""
    result = image(tape, x, sizes, grad=x.grad)
    places = image(tape, x, sizes, item=8)
    for tensor in (x, places):
        tape.keep(tensor, result.grad)
    tape.drop(places)
    return result


# ---- products ------------------------------------------------------------------------------------


def linear(tape: Tape, x: Tensor, features: int, bias: bool = True) -> Tensor:
    """``F.linear``, whose weight is a parameter: keeps its input, or the copy without gaps that it works on.

    The bias is added in place where the product comes first (what a dispatch mode shows is a tensor more).
    """
    rows = prod(x.sizes[:-1])
    flat = x if len(x.sizes) == 2 else reshaped(tape, x, (rows, x.sizes[-1]))
    tape.keep(flat, tape.grad)
    result = tape.empty((*x.sizes[:-1], features), grad=tape.grad)
    if flat.storage is not x.storage:
        tape.drop(flat)
    return result


def multiplied(tape: Tape, first: Tensor, second: Tensor) -> Tensor:
    """``matmul`` of batches of matrices, each factor copied if its batch axes are not one."""
    batch = prod(first.sizes[:-2])
    factors = [reshaped(tape, x, (batch, *x.sizes[-2:])) for x in (first, second)]
    tape.keep(factors[0], second.grad)
    tape.keep(factors[1], first.grad)
    result = tape.empty((*first.sizes[:-1], second.sizes[-1]), grad=first.grad or second.grad)
    for factor, x in zip(factors, (first, second), strict=True):
        if factor.storage is not x.storage:
            tape.drop(factor)
    return result


def contracted(tape: Tape, first: Tensor, second: Tensor) -> Tensor:
    """``einsum`` of batches of matrices; sums of a single product are taken element by element."""
    if first.sizes[-1] > 1:
        return multiplied(tape, first, second)
    return product(tape, expanded(first, (*first.sizes[:-1], 1)), second)


def product(tape: Tape, first: Tensor, second: Tensor) -> Tensor:
    """``first * second``, element by element."""
    tape.keep(first, second.grad)
    tape.keep(second, first.grad)
    return tape.pointwise(first, second)


# ---- what several ops do -------------------------------------------------------------------------


def keeping_input(tape: Tape, x: Tensor) -> Tensor:
    """An activation whose derivative is computed from its input; in place it keeps a copy of that."""
    if not tape.in_place:
        tape.keep(x, x.grad)
        return tape.pointwise(x)
    if tape.grad and x.grad:
        tape.keep(tape.copy(x))
    return x


def keeping_result(tape: Tape, x: Tensor) -> Tensor:
    """An activation whose derivative is computed from its result."""
    result = x if tape.in_place else tape.pointwise(x)
    tape.keep(result, x.grad)
    return result


def softmax(tape: Tape, x: Tensor) -> Tensor:
    """Keeps its result, which is contiguous."""
    result = tape.empty(x.sizes, grad=x.grad)
    tape.keep(result, x.grad)
    return result


def dropped_out(tape: Tape, x: Tensor, p: float) -> Tensor:
    """``F.dropout``: keeps its noise, numbers as large as the input's; on a GPU, a byte for each element."""
    if not tape.training or p == 0 or 0 in x.sizes:
        return x
    if p == 1:
        noise = tape.empty(())
    elif tape.device == "cuda":
        noise = tape.empty(x.sizes, x.strides, item=1)
    else:
        noise = tape.copy(x)
    return _noisy(tape, x, noise)


def dropped_groups(tape: Tape, x: Tensor, sizes: Sizes) -> Tensor:
    """Noise of these sizes that is the same for all it is repeated along."""
    return _noisy(tape, x, tape.empty(sizes))


def _noisy(tape: Tape, x: Tensor, noise: Tensor) -> Tensor:
    tape.keep(noise, x.grad)
    return tape.pointwise(x, noise)


def normalized(tape: Tape, x: Tensor, statistics: Sizes, grad: bool, strides: Sizes | None = None) -> Tensor:
    """A norm of the statistics of its input: keeps the input, a mean and an inverse deviation of these sizes."""
    result = tape.empty(x.sizes, strides, grad=grad)
    means, deviations = (tape.empty(statistics, item=tape.statistic_item) for _ in range(2))
    for tensor in (x, means, deviations):
        tape.keep(tensor, grad)
    tape.drop(means, deviations)
    return result
