"""Arguments as PyTorch takes them and specs do not: what is written instead.

There an op's channels come first, as nothing else knows them. Here they are never written, so that the numbers which
follow slip into the places of others: ``conv(3, 64, 7)`` is a kernel of 64 with stride 7.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args, get_origin

from typing_extensions import TypeIs

from archdsl.base.wording import either
from archdsl.elaborate.help.suggestions import nearest
from archdsl.ops import OPS
from archdsl.ops.contract.init import INITIALIZERS, Initializer
from archdsl.ops.norm import ScaleOp

_MIN_HIDING = 3
"""With fewer arguments no convolution hides channels among them (see ``hidden_channels``)."""

_SMALLEST_CHANNELS = 16
"""A kernel from this size on, with next to no padding, is a number of channels."""

_LARGEST_SCALE = 8
"""A learned factor that starts above this, and at the number of channels, is a number of channels."""

_TORCHS_CHANNELS = (1, -3)
"""The axis of the channels, the batch before it or from the end: ``torch.cat([a, b], 1)``."""


def _kernel_at(callee: str) -> int | None:
    """Where the kernel stands among the arguments of a convolution, from 0; None for what is none."""
    op = OPS.get(callee)
    if op is None or op.torch_channels_at is None or "kernel_size" not in op.model_fields:
        return None
    return list(op.model_fields).index("kernel_size")


def _channels_at(callee: str) -> int | None:
    """Where PyTorch wants the channels of an op without a kernel, from 1: ``gn(groups, channels)``."""
    return OPS[callee].torch_channels_at if callee in OPS and _kernel_at(callee) is None else None


def _begins_with_size(callee: str) -> bool:
    """Whether an op that PyTorch gives the channels first takes another size first: ``linear(in, out)``."""
    return _channels_at(callee) == 1 and next(iter(OPS[callee].model_fields.values())).is_required()


class Written(NamedTuple):
    """A positional argument: what it is worth and its text."""

    value: object
    text: str


def refusal_help(
    callee: str, positional: Sequence[Written], error: Any, refused: Written | None, channels: int | None
) -> str:
    """What to write where an op refuses an argument. ``error`` is pydantic's, ``channels`` are those that come in."""
    context = error.get("ctx", {})
    argument = str(error["loc"][0]) if error["loc"] else ""
    value = refused.value if refused else None
    if error["type"] == "literal_error" and refused and not isinstance(value, str):
        return _text_in_quotes(argument, refused.text, re.findall("'([^']*)'", context.get("expected", "")))
    if argument == "eps" and error["type"] in ("less_than", "float_type", "tuple_type"):
        at = _channels_at(callee)
        return _known_channels(callee, positional) if at is not None and len(positional) >= at else ""
    if argument == "padding" and value in ("same", "valid"):
        return _padding_by_name(str(value))
    if error["type"] == "padding_open":
        return _kernel_behind_channels(callee, positional, channels) or str(context.get("help", ""))
    if argument == "p" and isinstance(value, int | float) and 2 <= value <= 100:
        return f"it is a share: write `{callee}({value / 100})`"
    if _begins_with_size(callee) and len(positional) > 1 and argument in ("bias", "dropout"):
        return _without_first(callee, positional) if _is_count(positional[1].value) else ""
    return ""


def repetition_help(callee: str, positional: Sequence[Written], argument: str) -> str:
    """What to write where a keyword names what channels stand for already: ``conv(3, 64, kernel_size = 7)``."""
    kernel_at, behind = _kernel_at(callee), {"kernel_size": 1, "stride": 2, "padding": 3}.get(argument)
    if kernel_at is not None and behind is not None and len(positional) == kernel_at + behind:
        return _without_first(callee, positional, f"{argument} = ...")
    if argument == "eps" and len(positional) == _channels_at(callee):
        return _known_channels(callee, positional, f"{argument} = ...")
    return ""


def surplus_help(callee: str, positional: Sequence[Written]) -> str:
    """What to write where an op gets more arguments than it takes."""
    if callee not in OPS:
        return ""
    fields = list(OPS[callee].model_fields.values())
    if not fields:
        return f"it stands bare: write `{callee}`"
    if len(fields) == 1 and get_origin(fields[0].annotation) is tuple:
        takes = get_args(fields[0].annotation)
        return _as_sizes(callee, positional) if ... in takes or len(takes) == len(positional) else ""
    return _without_first(callee, positional) if _channels_at(callee) is not None else ""


def axis_help(function: str, layers: str, axis: object) -> str:
    """What to write where a merge of a list of layers is given the axis as well: ``concat([a, b], 1)``."""
    if function == "concat" and axis in _TORCHS_CHANNELS:
        return f"`concat` joins along the channels, and takes no axis: write `concat({layers})`"
    does = {"concat": "joins along the channels", "sum": "adds at each place", "product": "multiplies at each place"}
    return f"`{function}` {does[function]}, and takes no axis"


def text_help(argument: str, written: str, annotation: object, known: Sequence[str]) -> str:
    """What to write where ``written`` is none of the ``known`` names, and the argument takes texts or initialisers."""
    if texts := _texts(annotation):
        return _text_in_quotes(argument, written, texts) if nearest(written, texts) else ""
    if Initializer not in get_args(annotation):
        return ""
    near = [f"`{name}`" for name in INITIALIZERS if name.startswith(written)]
    if near:
        return f"did you mean {either(near)}?"
    return "" if nearest(written, known) else f"the initialisers are {', '.join(INITIALIZERS)}"


def _texts(annotation: object) -> list[str]:
    if get_origin(annotation) is Literal:
        return [text for text in get_args(annotation) if isinstance(text, str)]
    return [text for each in get_args(annotation) for text in _texts(each)]


def _text_in_quotes(argument: str, written: str, texts: Sequence[str]) -> str:
    near = nearest(written, texts)
    return f'a text stands in quotes: `{argument} = "{near}"`' if near else "a text stands in quotes"


def may_hide(callee: str, arguments: int) -> bool:
    """Whether so many arguments may hide channels among them; a first look, as every call passes here."""
    return arguments >= _MIN_HIDING or (arguments == 1 and OPS.get(callee) is ScaleOp)


def channels_as_value(positional: Sequence[Written], channels: int) -> bool:
    """Whether ``scale(64)``, on 64 channels, gives the channels where its learned factors' start is meant."""
    if not positional or positional[0].value != channels:
        return False
    return channels > _LARGEST_SCALE or positional[0].text.endswith(".channels")


def hidden_channels(callee: str, positional: Sequence[Written], padding: object, channels: int) -> str:
    """The help where a convolution is possible as written, but its arguments are those of PyTorch; else nothing.

    ``conv(64, 64, 3, padding = 1)`` on 64 channels would be a kernel of 64 with stride 3 and a padding of 1. That is
    told by all of these together: the first number is the input's channels, the kernel is large, and the padding,
    though written, a small part of it. Whoever means it names the kernel.
    """
    at = _kernel_at(callee)
    if at is None or len(positional) < at + 2 or positional[0].value != channels:
        return ""
    kernel = positional[at].value
    if not (_is_count(kernel) and _is_count(padding)) or kernel < _SMALLEST_CHANNELS or 4 * padding >= kernel:
        return ""
    return _without_first(callee, positional)


def _kernel_behind_channels(callee: str, positional: Sequence[Written], channels: int | None) -> str:
    """For a kernel that looks like channels: it is large or as many as come in, and a smaller number stands behind it.

    ``dwconv(64)`` has none behind it, as its kernel is forgotten.
    """
    at = _kernel_at(callee)
    if at is None or len(positional) <= at or not _is_count(kernel := positional[at].value):
        return ""
    is_large, is_known = kernel >= _SMALLEST_CHANNELS, positional[0].value == channels
    if_meant = f"; if a kernel of {kernel} is meant, write its `padding`"
    if len(positional) == at + 1:
        lacks_kernel = at == 0 and (is_large or is_known)
        first = f"channels are never written, and the kernel comes first: `{callee}(3)`"
        return f"{first}{if_meant}" if lacks_kernel else ""
    after = positional[at + 1].value
    if not _is_count(after):
        return ""
    if is_large and after < kernel:
        return _without_first(callee, positional)
    if is_known and after % 2 == 1 and 1 < after < kernel:
        return _without_first(callee, positional) + if_meant
    return ""


def _known_channels(callee: str, positional: Sequence[Written], *more: str) -> str:
    kept = [each.text for each in positional[: (_channels_at(callee) or 1) - 1]]
    return f"the channels are known: write `{_call(callee, [*kept, *more])}`"


def _without_first(callee: str, positional: Sequence[Written], *more: str) -> str:
    """The call without the channels in front: those that come in, and for ``dwconv`` those that go out as well."""
    kept = positional[1:]
    if _kernel_at(callee) == 0 and len(kept) > 1 and _is_count(kept[0].value) and kept[0].value >= _SMALLEST_CHANNELS:
        kept = kept[1:]
    return f"input channels are never written: `{_call(callee, [*[each.text for each in kept], *more])}`"


def _as_sizes(callee: str, positional: Sequence[Written]) -> str:
    """``reshape(8x1024)`` and ``permute([1, 2, 0])``, where each number stands on its own."""
    if not all(isinstance(each.value, int) and not isinstance(each.value, bool) for each in positional):
        return ""
    texts = [each.text for each in positional]
    if not all(_is_count(each.value) for each in positional):
        return f"they are one list: `{callee}([{', '.join(texts)}])`"
    return f"they are one argument: `{callee}({joined_sizes(texts)})`"


def joined_sizes(sizes: Sequence[str]) -> str:
    """``8x1024``, ``8 x width``, ``8 x (height * width)``"""
    if all(size.isdigit() for size in sizes):
        return "x".join(sizes)
    return " x ".join(size if re.fullmatch(r"[\w.@]+", size) else f"({size})" for size in sizes)


def _call(callee: str, arguments: list[str]) -> str:
    return f"{callee}({', '.join(arguments)})" if arguments else callee


def _padding_by_name(name: str) -> str:
    return "write `padding = 0`" if name == "valid" else "leave `padding` out: at stride 1, odd kernels keep the size"


def _is_count(value: object) -> TypeIs[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
