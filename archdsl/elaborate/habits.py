"""Arguments as PyTorch takes them and specs do not: what is written instead.

There an op's channels come first, as nothing else knows them. Here they are never written, so that the numbers which
follow slip into the places of others: ``conv(3, 64, 7)`` is a kernel of 64 with stride 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from typing_extensions import TypeIs

from archdsl.ops import OPS

_KERNEL_AT = {"conv": 1, "conv1d": 1, "conv_transpose": 1, "dwconv": 0}
"""Where the kernel stands among the arguments of each convolution."""

MIN_HIDING = 3
"""With fewer arguments no convolution hides channels among them (see ``hidden_channels``)."""

_BEHIND_CHANNELS = {"bn": 1, "ln": 1, "ln2d": 1, "instance_norm": 1, "gn": 2, "scale": 1, "attention": 1, "linear": 1}
"""The place of the channels, from 1, where PyTorch wants them: ``gn(groups, channels)``, ``linear(in, out)``."""

_SMALLEST_CHANNELS = 16
"""A kernel from this size on, with next to no padding, is a number of channels."""


class Written(NamedTuple):
    """A positional argument: what it is worth and its text."""

    value: object
    text: str


def refusal_help(callee: str, positional: Sequence[Written], error: Any, value: object) -> str:
    """What to write where an op refuses an argument. ``error`` is pydantic's, ``value`` what was refused."""
    context = error.get("ctx", {})
    argument = str(error["loc"][0]) if error["loc"] else ""
    if argument == "eps" and error["type"] in ("less_than", "float_type", "tuple_type"):
        return _known_channels(callee, positional) if len(positional) >= _BEHIND_CHANNELS.get(callee, 99) else ""
    if argument == "padding" and value in ("same", "valid"):
        return _padding_by_name(str(value))
    if error["type"] == "padding_open":
        return _kernel_behind_channels(callee, positional) or str(context.get("help", ""))
    if argument == "p" and isinstance(value, int | float) and 2 <= value <= 100:
        return f"it is a share: write `{callee}({value / 100})`"
    if callee in ("linear", "attention") and len(positional) > 1 and argument in ("bias", "dropout"):
        return _without_first(callee, positional) if _is_count(positional[1].value) else ""
    return ""


def repetition_help(callee: str, positional: Sequence[Written], argument: str) -> str:
    """What to write where a keyword names what channels stand for already: ``conv(3, 64, kernel_size = 7)``."""
    at = {"kernel_size": 1, "stride": 2, "padding": 3}.get(argument)
    if at is not None and len(positional) == _KERNEL_AT.get(callee, 99) + at:
        return _without_first(callee, positional, f"{argument} = ...")
    if argument == "eps" and len(positional) == _BEHIND_CHANNELS.get(callee, 99):
        return _known_channels(callee, positional, f"{argument} = ...")
    return ""


def surplus_help(callee: str, positional: Sequence[Written]) -> str:
    """What to write where an op gets more arguments than it takes."""
    if callee not in OPS:
        return ""
    if not OPS[callee].model_fields:
        return f"it stands bare: write `{callee}`"
    return _without_first(callee, positional) if callee in _BEHIND_CHANNELS else ""


def hidden_channels(callee: str, positional: Sequence[Written], padding: object, channels: int) -> str:
    """The help where a convolution is possible as written, but its arguments are those of PyTorch; else nothing.

    ``conv(64, 64, 3, padding = 1)`` on 64 channels would be a kernel of 64 with stride 3 and a padding of 1. That is
    told by all of these together: the first number is the input's channels, the kernel is large, and the padding,
    though written, a small part of it. Whoever means it names the kernel.
    """
    at = _KERNEL_AT.get(callee)
    if at is None or len(positional) < at + 2 or positional[0].value != channels:
        return ""
    kernel = positional[at].value
    if not (_is_count(kernel) and _is_count(padding)) or kernel < _SMALLEST_CHANNELS or 4 * padding >= kernel:
        return ""
    return _without_first(callee, positional)


def _kernel_behind_channels(callee: str, positional: Sequence[Written]) -> str:
    """For a kernel that looks like channels, as a smaller number stands behind it."""
    at = _KERNEL_AT.get(callee)
    if at is None or len(positional) < at + 2:
        return ""
    kernel, after = positional[at].value, positional[at + 1].value
    if not (_is_count(kernel) and _is_count(after)) or kernel < _SMALLEST_CHANNELS or after >= kernel:
        return ""
    return _without_first(callee, positional)


def _known_channels(callee: str, positional: Sequence[Written], *more: str) -> str:
    kept = [each.text for each in positional[: _BEHIND_CHANNELS[callee] - 1]]
    return f"the channels are known: write `{_call(callee, [*kept, *more])}`"


def _without_first(callee: str, positional: Sequence[Written], *more: str) -> str:
    """The call without the channels in front: those that come in, and for ``dwconv`` those that go out as well."""
    kept = positional[1:]
    if callee == "dwconv" and len(kept) > 1 and _is_count(kept[0].value) and kept[0].value >= _SMALLEST_CHANNELS:
        kept = kept[1:]
    return f"input channels are never written: `{_call(callee, [*[each.text for each in kept], *more])}`"


def _call(callee: str, arguments: list[str]) -> str:
    return f"{callee}({', '.join(arguments)})" if arguments else callee


def _padding_by_name(name: str) -> str:
    return "write `padding = 0`" if name == "valid" else "leave `padding` out: at stride 1, odd kernels keep the size"


def _is_count(value: object) -> TypeIs[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
