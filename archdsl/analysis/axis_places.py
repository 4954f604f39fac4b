"""Where the places of an image stand in a tensor made from it, and how an op moves or gathers them.

A reshape may put the rows and columns of an image into one axis of tokens, or cut them into windows. So each axis of a
tensor is written as digits, outermost first, as in a number of mixed radix: a digit counts steps along one axis of the
image's places, or something without a place, such as channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import NamedTuple

from archdsl.ops.contract.shapes import Layout, TensorType
from archdsl.ops.facts.reading import (
    ALL,
    SAME,
    All,
    AxisRule,
    FoldedLattice,
    Lattice,
    PerAxis,
    PerOperand,
    Picked,
    Prepended,
    Reads,
    Rearranged,
    Same,
    Some,
    Tiles,
    Window,
)

PLACE_AXES: dict[Layout, tuple[int, ...]] = {"C": (), "CL": (1,), "LC": (0,), "CHW": (1, 2), "HWC": (0, 1), "free": ()}
"""The axes of an input's tensor that are places: height and width, or the length; axes without names are none."""


class Digit(NamedTuple):
    """``size`` steps of ``step`` places along the place axis ``axis``; None for what has no place."""

    axis: int | None
    size: int
    step: int = 1


Digits = tuple[Digit, ...]


class Places(NamedTuple):
    """The digits of each axis of a tensor, and how many places there are along each place axis.

    A place axis that no digit counts is the same everywhere. The first ``extra`` positions of an axis depend on no
    input (class tokens); its digits count those behind. Fields are an upper bound where ``is_bound``: the op gathers
    places in a way that digits cannot say, so that all are taken to be read.
    """

    axes: tuple[Digits, ...]
    sizes: tuple[int, ...]
    extra: tuple[int, ...]
    is_bound: bool = False

    @property
    def tensor_sizes(self) -> tuple[int, ...]:
        """The sizes of the tensor's axes."""
        pairs = zip(self.axes, self.extra, strict=True)
        return tuple([prod(digit.size for digit in digits) + extra for digits, extra in pairs])

    def at(self, index: Sequence[int]) -> tuple[int, ...] | None:
        """The place along each place axis of an element; None for one that depends on no input. Raises IndexError."""
        found = [0] * len(self.sizes)
        axes = zip(index, self.axes, self.extra, self.tensor_sizes, strict=True)
        for position, digits, extra, size in axes:
            if not 0 <= position < size:
                raise IndexError(f"there is no element {tuple(index)}")
            if position < extra:
                return None
            left = position - extra
            for digit in reversed(digits):
                left, value = divmod(left, digit.size)
                if digit.axis is not None:
                    found[digit.axis] += value * digit.step
        return tuple(found)


class PlacesStep(NamedTuple):
    """What an op makes of the places of one operand: new places, and the rule along each place axis."""

    places: Places
    rules: tuple[AxisRule, ...]


def input_places(type_: TensorType) -> Places | None:
    """The places of a network's input; None for one without places."""
    along = PLACE_AXES[type_.layout]
    if not along:
        return None
    numbers = {axis: number for number, axis in enumerate(along)}
    axes = [(Digit(numbers.get(axis), size),) for axis, size in enumerate(type_.sizes)]
    return Places(tuple(axes), tuple([type_.sizes[axis] for axis in along]), (0,) * len(axes))


def step(reads: Reads, operand: int, places: Places, given: TensorType, output: TensorType) -> PlacesStep | None:
    """The places after an op that reads this operand; None where nothing of them is left to read."""
    if isinstance(reads, PerOperand):
        own = reads.operands[operand]
        return None if own is None else _per_axis(own, places, given.sizes, output.sizes)
    if isinstance(reads, Rearranged):
        return _rearranged(reads, places, output)
    if isinstance(reads, Picked):
        return _picked(reads, places)
    if isinstance(reads, Prepended):
        extra = [count + reads.count * (axis == reads.axis) for axis, count in enumerate(places.extra)]
        return PlacesStep(places._replace(extra=tuple(extra)), (SAME,) * len(places.sizes))
    return _per_axis(reads, places, given.sizes, output.sizes)


class _Draft:
    """A step in the making."""

    def __init__(self, places: Places) -> None:
        self.axes = list(places.axes)
        self.sizes = list(places.sizes)
        self.extra = list(places.extra)
        self.is_bound = places.is_bound
        self.rules: list[AxisRule] = [SAME] * len(places.sizes)

    def gather(self, place_axis: int, *, exact: bool = True) -> None:
        """All places along this axis are read; none of the digits counts them any more."""
        self.rules[place_axis] = ALL
        self.sizes[place_axis] = 1
        self.is_bound |= not exact
        self.axes = [
            tuple([Digit(None, digit.size) if digit.axis == place_axis else digit for digit in digits])
            for digits in self.axes
        ]

    def done(self) -> PlacesStep:
        axes = tuple([_merged(digits) for digits in self.axes])
        return PlacesStep(Places(axes, tuple(self.sizes), tuple(self.extra), self.is_bound), tuple(self.rules))


# ---- rules for each axis -------------------------------------------------------------------------


def _per_axis(reads: PerAxis, places: Places, given: tuple[int, ...], output: tuple[int, ...]) -> PlacesStep:
    draft = _Draft(places)
    for axis, rule in enumerate(reads.rules):
        if given[axis] == output[axis] and (isinstance(rule, Same) or (isinstance(rule, All) and output[axis] == 1)):
            continue
        if isinstance(rule, Same | All):
            _gather_axis(draft, axis, given[axis], output[axis], exact=not isinstance(rule, Some))
        else:
            _move_window(draft, axis, rule, output[axis])
    return draft.done()


def _gather_axis(draft: _Draft, axis: int, given: int, output: int, *, exact: bool) -> None:
    """All positions of an axis of the tensor are read together, or its one position everywhere."""
    digits = draft.axes[axis]
    keeps_places = exact and not draft.extra[axis] and (given == output or len(digits) == 1)
    for digit in digits:
        if digit.axis is None:
            continue
        size = draft.sizes[digit.axis]
        together = prod(other.size for other in digits if other.axis == digit.axis)
        if keeps_places and digit.size == size:
            _read_all(draft, axis, digit.axis, given, output)
        elif digit.size != together or digit.size == size or not exact or draft.extra[axis]:
            draft.gather(digit.axis, exact=exact and together >= size)
        elif given == output:
            draft.rules[digit.axis] = Tiles(digit.size) if digit.step == 1 else Lattice(digit.size, digit.step)
        else:
            _fold(draft, digit)
    if draft.extra[axis]:
        draft.axes[axis], draft.extra[axis] = (Digit(None, output),), 0
    if given != output and not any(digit.axis is not None and digit.size == output for digit in draft.axes[axis]):
        draft.axes[axis] = (Digit(None, output),)


def _read_all(draft: _Draft, axis: int, place_axis: int, given: int, output: int) -> None:
    """Each place reads all; places stay places, as a border around them may be read after."""
    draft.rules[place_axis] = ALL
    if given != output:
        draft.sizes[place_axis] = output
        draft.axes[axis] = (Digit(place_axis, output),)


def _fold(draft: _Draft, folded: Digit) -> None:
    """The places that differ in this digit alone become one."""
    axis, count, step = folded
    assert axis is not None
    draft.rules[axis] = Window(count, count) if step == 1 else FoldedLattice(count, step)
    draft.sizes[axis] //= count
    draft.axes = [
        tuple(
            [
                digit._replace(step=digit.step // count) if digit.axis == axis and digit.step > step else digit
                for digit in digits
                if digit != folded
            ]
        )
        for digits in draft.axes
    ]


def _move_window(draft: _Draft, axis: int, rule: AxisRule, output: int) -> None:
    """A rule along an axis of the tensor, which is one along places only where the axis counts just these."""
    digits = draft.axes[axis]
    placed = {digit.axis for digit in digits if digit.axis is not None}
    first = digits[0] if digits else Digit(None, 1)
    if len(digits) == 1 and first.axis is not None and first.size == draft.sizes[first.axis]:
        draft.rules[first.axis] = rule
        draft.sizes[first.axis] = output
        draft.axes[axis] = (Digit(first.axis, output),)
        return
    for place_axis in placed:
        draft.gather(place_axis, exact=False)
    draft.axes[axis] = (Digit(None, output),)


# ---- moves ---------------------------------------------------------------------------------------


def _rearranged(reads: Rearranged, places: Places, output: TensorType) -> PlacesStep:
    if reads.split == places.tensor_sizes:
        split: Sequence[Digits] | None = places.axes
        extra = [places.extra[axis] for axis in reads.axes]
    else:
        split = None if any(places.extra) else _regrouped(places.axes, reads.split)
        extra = [0] * len(reads.axes)
    if split is None:
        return _scattered(places, output)
    axes: Sequence[Digits] | None = [split[axis] for axis in reads.axes]
    if tuple([reads.split[axis] for axis in reads.axes]) != output.sizes:
        axes = None if any(extra) else _regrouped(axes or (), output.sizes)
        extra = [0] * len(output.sizes)
    return _scattered(places, output) if axes is None else _moved(places, axes, tuple(extra))


def _moved(places: Places, axes: Sequence[Digits], extra: tuple[int, ...]) -> PlacesStep:
    merged = tuple([_merged(digits) for digits in axes])
    return PlacesStep(places._replace(axes=merged, extra=extra), (SAME,) * len(places.sizes))


def _scattered(places: Places, output: TensorType) -> PlacesStep:
    """Places in an order that digits cannot say: each element is taken to read them all."""
    draft = _Draft(places)
    counted = {digit.axis for digits in places.axes for digit in digits if digit.axis is not None}
    for axis in counted:
        draft.gather(axis, exact=False)
    draft.axes = [(Digit(None, size),) for size in output.sizes]
    draft.extra = [0] * len(output.sizes)
    return draft.done()


def _regrouped(axes: Sequence[Digits], sizes: Sequence[int]) -> list[Digits] | None:
    """The same digits in order, in axes of other sizes; None where a size ends within a digit that cannot be cut."""
    pending = [digit for digits in reversed(axes) for digit in reversed(digits) if digit.size > 1]
    groups: list[Digits] = []
    for size in sizes:
        group: list[Digit] = []
        left = size
        while left > 1:
            digit = pending.pop()
            if left % digit.size == 0:
                group.append(digit)
                left //= digit.size
            elif digit.size % left == 0:
                inner = digit.size // left
                group.append(Digit(digit.axis, left, digit.step * inner))
                pending.append(digit._replace(size=inner))
                left = 1
            else:
                return None
        groups.append(tuple(group))
    return groups


def _merged(digits: Digits) -> Digits:
    """The digits with neighbours as one where they count on in the same axis, or have no place."""
    merged: list[Digit] = []
    for digit in digits:
        if merged and _continues(merged[-1], digit):
            merged[-1] = Digit(digit.axis, merged[-1].size * digit.size, digit.step)
        else:
            merged.append(digit)
    return tuple(merged)


def _continues(outer: Digit, inner: Digit) -> bool:
    return outer.axis == inner.axis and (outer.axis is None or outer.step == inner.size * inner.step)


def _picked(reads: Picked, places: Places) -> PlacesStep | None:
    position = reads.position - places.extra[reads.axis]
    if position < 0:
        return None
    draft = _Draft(places)
    for digit in reversed(places.axes[reads.axis]):
        position, chosen = divmod(position, digit.size)
        if digit.axis is None:
            continue
        if digit.size == places.sizes[digit.axis]:
            draft.rules[digit.axis] = Window(1, before=-chosen)
            draft.sizes[digit.axis] = 1
        else:
            draft.gather(digit.axis, exact=False)
    del draft.axes[reads.axis], draft.extra[reads.axis]
    return draft.done()


# ---- merges --------------------------------------------------------------------------------------


def merged(steps: Mapping[int, PlacesStep]) -> tuple[Places, dict[int, tuple[AxisRule, ...]]]:
    """The places after a merge of operands, and the rules of each, by the operand's index.

    An operand without some place axis is read at each place of the others, as the gate of a channel is.
    """
    if len(steps) == 1:
        ((operand, only),) = steps.items()
        return only.places, {operand: only.rules}
    if all(other.places == steps[next(iter(steps))].places for other in steps.values()):
        return next(iter(steps.values())).places, {operand: found.rules for operand, found in steps.items()}
    together = _Together([found.places for found in steps.values()])
    rules = {operand: tuple(together.rules(found)) for operand, found in steps.items()}
    return together.places(), rules


class _Together:
    """The places of operands that do not all have the same."""

    def __init__(self, operands: Sequence[Places]) -> None:
        self._operands = operands
        self._axes = [_widest(column) for column in zip(*[operand.axes for operand in operands], strict=True)]
        self._has_extra = any(operand.extra != operands[0].extra for operand in operands)
        numbers = range(len(operands[0].sizes))
        self._apart = {
            axis for axis in numbers if self._has_extra or not all(self._fit(each, axis) for each in operands)
        }

    def _fit(self, operand: Places, axis: int) -> bool:
        """Whether the operand counts this place axis as the merge does, or not at all."""
        counted = _counted(operand.axes, axis)
        return counted == _counted(self._axes, axis) or (not any(counted) and operand.sizes[axis] == 1)

    @property
    def _is_bound(self) -> bool:
        """Whether all places are taken to be read without need.

        There is need where attention has mixed class tokens with the others: all of its tokens see everything.
        """
        mixed = [operand for operand in self._operands if not any(operand.extra) and set(operand.sizes) == {1}]
        needed = self._has_extra and mixed
        return bool(self._apart and not needed) or any(operand.is_bound for operand in self._operands)

    def rules(self, step: PlacesStep) -> Iterator[AxisRule]:
        """The operand's rules, where the place axes that it lacks are read everywhere."""
        for axis, rule in enumerate(step.rules):
            is_counted = any(_counted(step.places.axes, axis))
            is_lacking = any(_counted(self._axes, axis)) and not is_counted
            yield ALL if axis in self._apart or is_lacking else rule

    def places(self) -> Places:
        sizes = [max(column) for column in zip(*[operand.sizes for operand in self._operands], strict=True)]
        first = self._operands[0]
        draft = _Draft(Places(tuple(self._axes), tuple(sizes), first.extra, self._is_bound))
        if self._has_extra:
            draft.axes = [(Digit(None, size),) for size in first.tensor_sizes]
            draft.extra = [0] * len(draft.axes)
        for axis in self._apart:
            draft.gather(axis)
        return draft.done().places


def _widest(column: Sequence[Digits]) -> Digits:
    """The digits of the first operand that has places along this axis of the tensor."""
    return next((digits for digits in column if any(digit.axis is not None for digit in digits)), column[0])


def _counted(axes: Sequence[Digits], place_axis: int) -> list[list[Digit]]:
    return [[digit for digit in digits if digit.axis == place_axis] for digits in axes]
