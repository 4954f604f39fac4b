"""Rules on channels that several ops share."""

from __future__ import annotations

from math import gcd

from archdsl.ops.contract.base import OpError
from archdsl.ops.contract.shapes import TensorType

_MOST_LISTED = 8
_MOST_TRIED = 4096


def check_groups(kind: str, groups: int, in_channels: int, out_channels: int, argument: str = "groups") -> None:
    """Refuse groups that do not divide both channel counts. Raises OpError E305."""
    for channels, which in ((in_channels, "input"), (out_channels, "output")):
        if channels % groups:
            raise OpError(
                "E305",
                f"{groups} groups of `{kind}` do not divide its {channels} {which} channels",
                help=f"possible group counts are {divisors(gcd(in_channels, out_channels))}",
                argument=argument,
            )


def check_heads(kind: str, heads: int, channels: int) -> None:
    """Refuse heads of an attention that do not divide its channels. Raises OpError E305."""
    if channels % heads:
        message = f"{heads} heads of `{kind}` do not divide its {channels} channels"
        raise OpError("E305", message, help=f"possible numbers of heads are {divisors(channels)}", argument="heads")


def divisors(number: int) -> str:
    """The divisors as a message lists them: all if they are few."""
    found = [d for d in range(1, min(number, _MOST_TRIED) + 1) if number % d == 0]
    if len(found) > _MOST_LISTED:
        return ", ".join(map(str, found[: _MOST_LISTED - 1])) + f", ..., {number}"
    return ", ".join(map(str, found))


def channel_axis(kind: str, type_: TensorType) -> int:
    """The axis of the channels. Raises OpError E306 where the layout does not say."""
    axis = type_.channel_axis
    if axis is None:
        raise OpError("E306", f"`{kind}` works along the channels, and nothing says which axis of {type_} holds them")
    return axis


def with_size(type_: TensorType, axis: int, size: int) -> TensorType:
    """The type with another size along one axis."""
    return TensorType((*type_.sizes[:axis], size, *type_.sizes[axis + 1 :]), type_.layout)
