"""Writes docs/ops.md, the reference of the ops, from their classes.

``python -m tools.ops_page`` writes the page. Docstrings give the prose, fields the arguments; shapes, parameters and
MACs of the examples are what the compiler computes.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

from pydantic_core import PydanticUndefined

import archdsl
from archdsl.analysis.cost import cost
from archdsl.ops import OPS, STRUCTURAL_OPS
from archdsl.ops.contract.base import Op
from archdsl.ops.contract.init import INITIALIZERS, Initializer

PAGE = Path(__file__).parent.parent / "docs" / "ops.md"

FAMILIES = {
    "Convolutions": ("conv",),
    "Linear": ("linear",),
    "Normalisation and scale": ("norm",),
    "Activations": ("activation",),
    "Pooling": ("pooling",),
    "Noise in training": ("regularization",),
    "Shape and order of axes": ("reshape",),
    "Image size": ("resample",),
    "Channels and tokens": ("slicing",),
    "Attention and embeddings": ("attention",),
    "Attention within windows": ("image_windows", "local_attention"),
}
"""The modules of ``archdsl.ops`` that hold a family, by its title, in the page's order."""

TAKES = {
    "PositiveInt": "a whole number from 1",
    "OpenNonNegativeInt": "a whole number from 0, or `none`",
    "AnyInt": "a whole number",
    "OptionalInt": "a whole number or `none`",
    "Number": "a number",
    "PositiveNumber": "a number above 0",
    "NonNegativeNumber": "a number from 0",
    "Epsilon": "a number above 0 and below 1",
    "Probability": "a number from 0 to 1",
    "OptionalProbability": "a number from 0 to 1, or `none`",
    "Flag": "`true` or `false`",
    "Pair": "`3` or `1x7`, each from 1",
    "PaddingPair": "`1` or `0x3`, each from 0",
    "OptionalPaddingPair": "`1` or `0x3`, each from 0, or `none`",
    "NumberPair": "a number above 0, or a list of two",
    "OpenPair": "`3` or `1x7`, each from 1, or `none`",
    "OpenPaddingPair": "`1` or `0x3`, each from 0, or `none`",
    "Border": "a number, `height x width`, or a list of four",
    "Sizes": "`7` or `1x7x7`, each from 1",
    "Axes": "a list of whole numbers",
    "Numbers": "a list of numbers",
    "PositiveNumbers": "a list of numbers above 0",
    "WeightInit": "an initialiser or `none`",
    "VectorInit": "an initialiser without a fan, or `none`",
}
"""What may be written for an argument, by the type of its field."""

EXAMPLES = {
    "conv": ("3x224x224", "conv(64, 7, stride = 2)"),
    "dwconv": ("32x28x28", "dwconv(3, stride = 2)"),
    "conv1d": ("100x40", "channels_first -> conv1d(64, 5)"),
    "conv_transpose": ("64x14x14", "conv_transpose(32, 2, stride = 2)"),
    "linear": ("512", "linear(10)"),
    "bn": ("64x56x56", "bn"),
    "ln": ("49x96", "ln"),
    "ln2d": ("96x56x56", "ln2d"),
    "gn": ("64x56x56", "gn(32)"),
    "instance_norm": ("64x56x56", "instance_norm"),
    "normalize": ("3x224x224", "normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])"),
    "scale": ("96x56x56", "scale(1e-6)"),
    "leaky_relu": ("64x56x56", "leaky_relu(0.1)"),
    "prelu": ("64x56x56", "prelu(64)"),
    "gelu": ("64x56x56", 'gelu("tanh")'),
    "softmax": ("10", "softmax"),
    "maxpool": ("64x112x112", "maxpool(3, stride = 2)"),
    "avgpool": ("64x56x56", "avgpool(2)"),
    "lp_pool": ("64x56x56", "relu -> lp_pool(2, 3, stride = 2)"),
    "global_avgpool": ("512x7x7", "global_avgpool"),
    "global_maxpool": ("512x7x7", "global_maxpool"),
    "adaptive_avgpool": ("256x13x13", "adaptive_avgpool(6)"),
    "adaptive_maxpool": ("256x13x13", "adaptive_maxpool(6)"),
    "blurpool": ("64x56x56", "blurpool"),
    "dropout": ("4096", "dropout(0.2)"),
    "dropout2d": ("64x56x56", "dropout2d(0.1)"),
    "drop_path": ("64x56x56", "drop_path(0.1)"),
    "flatten": ("512x7x7", "flatten"),
    "reshape": ("512", "reshape(8x8x8)"),
    "permute": ("64x14x14", "permute([1, 2, 0])"),
    "channels_last": ("96x56x56", "channels_last"),
    "channels_first": ("49x96", "channels_first"),
    "tokens": ("192x14x14", "tokens"),
    "image": ("196x192", "image(14)"),
    "select": ("197x768", "select(0)"),
    "upsample": ("64x28x28", 'upsample(2, mode = "bilinear")'),
    "resize": ("64x28x28", "resize([avgpool(3, 2), id])"),
    "pixel_shuffle": ("64x28x28", "pixel_shuffle(2)"),
    "space_to_depth": ("3x224x224", "space_to_depth(4)"),
    "pad": ("3x224x224", "pad([0, 1, 0, 1])"),
    "crop": ("64x56x56", "crop(48)"),
    "pad_channels": ("16x32x32", "pad_channels(32)"),
    "chunk": ("64x28x28", "chunk(2, 0)"),
    "channel_slice": ("64x28x28", "channel_slice(0, 48)"),
    "channel_shuffle": ("58x28x28", "channel_shuffle(2)"),
    "attention": ("197x768", "attention(12)"),
    "dot_product_attention": ("196x64", "dot_product_attention([linear(64), linear(64), linear(64)], 4)"),
    "class_token": ("196x768", "class_token"),
    "position_embedding": ("197x768", "position_embedding"),
    "patch_merging": ("96x56x56", "channels_last -> patch_merging"),
    "window_attention": ("96x56x56", "channels_last -> window_attention(3, 7, shift = 3)"),
    "windows": ("64x56x56", "windows(7)"),
    "unwindows": ("64x56x56", "windows(7) -> unwindows(7, 56)"),
    "relative_attention": ("64x56x56", "windows(7) -> relative_attention(2, 7)"),
}
"""For each op an input and a use; ops that take any type and keep it need none."""

OPERATORS = {
    "add": ("64x56x56", "(conv(64, 3)) + id", "`f + g`, `sum([f, g])`"),
    "concat": ("64x56x56", "(conv(32, 3)) ++ id", "`f ++ g`, `concat([f, g])`"),
    "mul": ("64x56x56", "id * (global_avgpool -> sigmoid)", "`f * g`, `product([f, g])`"),
    "mul_scalar": ("64x56x56", "0.5 * id", "`0.5 * f`"),
    "add_scalar": ("64x56x56", "3 + id", "`3 + f`"),
    "rsub_scalar": ("64x56x56", "1 - sigmoid", "`1 - f`"),
}
"""What operators become: an input, a use, and how it is written. ``input`` is a statement, not an op."""

_HEAD = """\
<!-- written by `python -m tools.ops_page` from the op classes; edit their docstrings instead -->

# Ops

Every op that a spec may use. Names and defaults are PyTorch's, but the number of input channels is never written: it
is the input's. Shapes exclude the batch. `C x H x W` is an image, `H x W x C` an image after `channels_last`, `L x C`
tokens, `C x L` a signal, `C` features. "Any layout" means that the op does not care.

Arguments may be given by position, in the order shown, or by name. An op of whose arguments all have defaults may
stand bare: `bn` is `bn()`. `init` and `bias_init` take an [initialiser](#initialisers) for the weight and the bias;
with `none` they start as PyTorch's module does. MACs are multiply-accumulates for one example; ops whose example gives
none count none. [Codes of errors](errors.md) have a page of their own.

Where `padding` is `none`, it is filled in: 0 where the stride equals the kernel (patches, most pools), else
`dilation * (kernel - 1) / 2`, which keeps the size at stride 1. Even kernels have no such padding, so there it must be
written (E215).
"""

_SOURCE = re.compile(
    r"(?:^|(?<=\. ))(?=torch(?:vision)?\.|Slicing in torch|[A-Z][a-z]+(?: et al\.| and [A-Z][a-z]+)? \d{4}, arXiv)"
)


def render() -> str:
    """The whole page."""
    pieces = [_HEAD, _contents()]
    for title, modules in FAMILIES.items():
        pieces.append(f"## {title}\n")
        pieces.extend(_entry(name, op) for name, op in _family(modules))
    pieces.append("## What operators become\n\nThese are written as operators; graphs and tables show their names.\n")
    pieces.extend(_operator(name) for name in OPERATORS)
    pieces.append(_initializers())
    return "\n".join(pieces)


def _family(modules: tuple[str, ...]) -> list[tuple[str, type[Op]]]:
    return [(name, op) for name, op in OPS.items() if op.__module__.removeprefix("archdsl.ops.") in modules]


def _contents() -> str:
    lines = []
    for title, modules in FAMILIES.items():
        links = ", ".join(f"[`{name}`](#{name})" for name, _ in _family(modules))
        lines.append(f"- {title}: {links}\n")
    return "".join(lines)


def _entry(name: str, op: type[Op]) -> str:
    lines = [f"### {name}\n", f"`{_call(name, op, op.arity or 2)}`\n", *_prose(op)]
    if op.step_name != name:
        lines.append(f"Unlabelled steps are named `{op.step_name}1`, `{op.step_name}2`, ...\n")
    lines.extend(_arguments(op))
    lines.extend(_example(*EXAMPLES[name]) if name in EXAMPLES else ())
    return "\n".join(lines)


def _operator(name: str) -> str:
    given, layer, written = OPERATORS[name]
    return "\n".join([f"### {name}\n", f"Written {written}.\n", *_prose(STRUCTURAL_OPS[name]), *_example(given, layer)])


# ---- prose ---------------------------------------------------------------------------------------


def _prose(described: type[Op] | type[Initializer]) -> Iterator[str]:
    """The docstring's paragraphs, with the errors and the sources on lines of their own."""
    paragraphs = [" ".join(part.split()) for part in (inspect.getdoc(described) or "").split("\n\n")]
    for paragraph in paragraphs:
        text, source = _split(paragraph, _SOURCE)
        text, errors = _split(text, re.compile(r"(?:^|(?<=\. ))(?=Errors:? )"))
        yield from (f"{_marked(part)}\n" for part in (text, errors, _sources(source)) if part)


def _split(text: str, at: re.Pattern[str]) -> tuple[str, str]:
    found = at.search(text)
    return (text[: found.start()].strip(), text[found.start() :]) if found else (text, "")


def _sources(text: str) -> str:
    """``torch.nn.ReLU; Nair and Hinton 2010.`` as a line of its own."""
    if not text:
        return ""
    counterpart, _, literature = text.rstrip(".").partition("; ")
    if not counterpart.startswith(("torch", "Slicing")):
        return f"Source: {text}"
    shown = re.sub(r"\btorch(?:vision)?\.[\w.]+(?:\([^)]*\))?", r"``\g<0>``", counterpart)
    return f"PyTorch: {shown[0].lower()}{shown[1:]}." + (f" Source: {literature}." if literature else "")


def _marked(text: str) -> str:
    return text.replace("``", "`")


# ---- arguments -----------------------------------------------------------------------------------


def _call(name: str, made: type[Op] | type[Initializer], inputs: int = 1) -> str:
    """How it is written; an op of several ``inputs`` lists the layers f, g, ... that make them."""
    arguments = [_argument(field, info.default) for field, info in made.model_fields.items()]
    if inputs > 1:
        arguments.insert(0, f"[{', '.join('fghij'[:inputs])}]")
    return f"{name}({', '.join(arguments)})"


def _argument(name: str, default: object) -> str:
    return name if default is PydanticUndefined else f"{name} = {_written(default)}"


def _written(value: object) -> str:
    """A default as a spec writes it."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return _written(value[0]) if len(set(value)) == 1 else "x".join(map(str, value))
    return f'"{value}"' if isinstance(value, str) else f"{value:g}".replace("e-0", "e-")


def _arguments(op: type[Op]) -> Iterator[str]:
    if op.model_fields:
        yield "| argument | default | takes |\n|---|---|---|"
    for name, field in op.model_fields.items():
        default = "" if field.default is PydanticUndefined else f"`{_written(field.default)}`"
        yield f"| `{name}` | {default} | {_takes(op, name)} |"
    if op.model_fields:
        yield ""


def _takes(op: type[Op], name: str) -> str:
    written = next(found[name] for found in map(inspect.get_annotations, op.__mro__) if name in found)
    if written in TAKES:
        return TAKES[written]
    literal = get_type_hints(op)[name]
    if get_origin(literal) is not Literal:
        raise KeyError(f"{op.__name__}.{name}: TAKES says nothing of {written}")
    return ", ".join(f'`"{choice}"`' for choice in get_args(literal))


# ---- examples ------------------------------------------------------------------------------------


def _example(given: str, layer: str) -> Iterator[str]:
    graph = archdsl.load(f"network example {{\n input {given}\n {layer}\n}}\n")
    node = graph.nodes[-1]
    state = {entry.key.removeprefix(f"{node.path}."): entry.spec.shape for entry in graph.state_entries()}
    shapes = [f"`{name}` {_shape(shape)}" for name, shape in state.items()]
    total = cost(graph)
    facts = [f"`{layer}` makes {node.type} of {given}"]
    if shapes and len(graph.nodes) == 2:
        facts.append(f"and holds {', '.join(shapes)}")
    if total.macs:
        facts.append(f"in {total.macs:,} MACs")
    yield f"Example: {', '.join(facts)}.\n"


def _shape(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape)) or "(a number)"


def _initializers() -> str:
    lines = [
        "## Initialisers\n",
        'How weights start, as `init = kaiming_normal(mode = "fan_out")`. Each is PyTorch\'s function of that name in',
        "`torch.nn.init`, with its defaults. Those with a fan need a weight of two dimensions or more.\n",
    ]
    for name, initializer in INITIALIZERS.items():
        prose = " ".join(text.strip() for text in _prose(initializer)) if _has_docstring(initializer) else ""
        lines.append(f"- `{_call(name, initializer)}`{': ' if prose else ''}{prose}")
    return "\n".join(lines) + "\n"


def _has_docstring(initializer: type[Initializer]) -> bool:
    return bool(initializer.__dict__.get("__doc__"))


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
