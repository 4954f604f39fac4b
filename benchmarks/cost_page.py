"""Makes docs/cost.md: how MACs are counted here, and what other tools count for torchvision's classifiers.

``python -m benchmarks.cost_page`` runs all of them, which takes minutes and needs the extra ``bench``.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, conv_backward_flop

import archdsl
from archdsl.analysis.cost import cost, training_macs
from archdsl.graph.model import Graph
from archdsl.ops import ALL_OPS
from archdsl.ops.contract.base import CostFreeOp
from benchmarks import counters
from benchmarks.counters import TOOLS, Count
from benchmarks.differences import causes
from tests.zoo.zoo_models import MODELS

PAGE = Path(__file__).parent.parent / "docs" / "cost.md"
OURS = "archdsl"
PACKAGES = ("torch", "torchvision", "fvcore", "ptflops", "thop", "torchinfo", "calflops")
ATTENTIONS = ("vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32", "vit_h_14")
TRAINED = ("resnet50", "densenet121", "resnext50_32x4d", "mobilenet_v2", "efficientnet_b0", "convnext_tiny")
"""With and without convolutions in groups."""

_PARAMETERS = {"thop": "only those of modules that are called, and whose class it has a rule for, are counted"}

HEADER = """# How MACs are counted

Made by `python -m benchmarks.cost_page`, which runs every tool on torchvision's classifiers and takes the differences
apart.

- [What counts](#what-counts), [formulas](#formulas), [a training step](#a-training-step)
- [Other tools](#other-tools): [what they count otherwise](#what-they-count-otherwise),
  [attention on the CPU](#attention-on-the-cpu), [every network](#every-network)

## What counts

A MAC is one multiplication whose product is added to a sum. Counted are those of convolutions, of linear layers, and of
attention, where queries meet keys and weights meet values: all for one example, in evaluation mode, without auxiliary
outputs. FLOPs are two for each MAC, one to multiply and one to add.

Nothing else counts. Adding a bias, normalisation, activations, pooling, softmax, additions, scaling and resampling read
each element a few times; none sums products over channels or places, their time is that of memory, and in deployment
many are folded into their neighbours. torch's `FlopCounterMode` draws the line in the same place and reports FLOPs;
torchvision's `_ops`, in units of 10^9, are MACs by the same rule. What a convolution multiplies with padding counts, as
it does there.

Parameters are the trainable elements of the whole network, auxiliary branches included; weights used twice count once.

## Formulas

`archdsl stats --explain-cost` prints these for the ops of a network. `in_places` and `out_places` are the elements of a
channel, `keys` the tokens that queries are compared with, `kernel` the elements of a kernel or window. `padded` are the
places of a feature map padded to whole windows. `bias_offsets` are the distances within a window for which Swin v2's
network, of 512 hidden units, computes biases, once for a batch; 0 without `cosine`. Every other op counts 0.

"""
TRAINING = """
## A training step

Each product is computed once forward, once for the gradient of its weights, and once for the gradient of its input,
which the first layer does not need. A product without weights, as of queries and keys, has two inputs, hence two
gradients. Auxiliary branches count, since training computes them.

`FlopCounterMode` counts the same, but for convolutions in groups: its formula for `convolution_backward` ignores
`groups` when it counts the gradient of the weights, and so overcounts that part as many times as there are groups.
MACs for one image; in the last column that part was divided by `groups`.

| network | archdsl | FlopCounterMode | FlopCounterMode, groups respected |
|---|--:|--:|--:|
"""
COMPARISON = """
## Other tools

Each ran on torchvision's {count} classifiers, one image of the size that the published weights were evaluated with,
in evaluation mode. Versions:
{versions}.

`FlopCounterMode`, thop and torchinfo ran on the meta device, the others on the CPU. There convolutions and matrix
products were computed only for fvcore, which traces; to the others they gave zeros of the right shape. ptflops has two
backends, "ptflops" here being `pytorch`, its default. `FlopCounterMode`'s FLOPs were halved; the others give MACs.
GoogLeNet is built without its auxiliary classifiers, as its published numbers are. In the columns "equal": how many
networks have the published `_ops` to three decimals, and the published number of parameters.

| tool | ran | MACs equal | parameters equal | every difference to archdsl explained below |
|---|--:|--:|--:|--:|
"""
DIFFERENCES = """
### What they count otherwise

Causes were read in the tools' sources and then computed from what each network calls, apart from the tool; for
torchinfo they are its own sums by module. A network is explained if they add up to the tool's difference to the last
unit. The example is the network in which the cause weighs most against its MACs.
"""
ON_CPU = """
### Attention on the CPU

`scaled_dot_product_attention` is one op on the CPU, with a kernel for which neither `FlopCounterMode` nor ptflops'
`aten` backend has a formula; on the meta device it falls apart into matrix products, which both count. So the same
network has fewer MACs on the CPU.

| network | FlopCounterMode, meta device | FlopCounterMode, CPU | published |
|---|--:|--:|--:|
"""
EVERY = """
### Every network

MACs in units of 10^9, but for archdsl's; **bold** differs from the published `_ops`.

"""


@dataclass(frozen=True)
class Row:
    """All that is known of one network."""

    name: str
    ours: Count
    published: tuple[float, int]
    counts: Mapping[str, Count | str]
    causes: Mapping[str, Mapping[str, int]]
    """By tool: MACs more than ours, by cause."""

    def unexplained(self, tool: str) -> int:
        """What the tool counts more than archdsl beyond its causes; 0 where it did not run."""
        count = self.counts[tool]
        return 0 if isinstance(count, str) else count.macs - self.ours.macs - sum(self.causes[tool].values())


# ---- measuring -----------------------------------------------------------------------------------


def graph(name: str) -> Graph:
    """The bundled network with what its published numbers are of."""
    settings: dict[str, Any] = dict(MODELS[name].published_settings)
    return archdsl.load(name, **settings)


def measured(name: str) -> Row:
    total = cost(graph(name))
    counts = {tool: counters.run(tool, name) for tool in TOOLS}
    return Row(name, Count(total.macs, total.parameters), counters.published(name), counts, causes(name))


def _training_flops(name: str, **options: Any) -> int:
    """FlopCounterMode's FLOPs of one image's training step; of two together, as batch norm demands."""
    model = counters.network(name).train()
    images = torch.zeros(2, *counters.size(name), device="meta")
    with FlopCounterMode(display=False, **options) as counter:
        model(images).sum().backward()
    return int(counter.get_total_flops()) // 2


def _backward_in_groups(*arguments: Any, out_shape: Any, **options: Any) -> int:
    """``conv_backward_flop`` with the weights' part divided by the groups."""
    *shapes, groups, (for_input, for_weight, _) = arguments
    both = [
        conv_backward_flop.__wrapped__(*shapes, groups, mask, out_shape, **options)  # type: ignore[attr-defined]
        for mask in ((for_input, False, False), (False, for_weight, False))
    ]
    return int(both[0] + both[1] // groups)


# ---- the page ------------------------------------------------------------------------------------


def main() -> None:
    rows = []
    for name in counters.names():
        rows.append(measured(name))
        print(name, {tool: rows[-1].unexplained(tool) for tool in TOOLS}, flush=True)
    PAGE.write_text("".join(_page(rows)), encoding="utf-8")


def _formulas() -> list[list[str]]:
    return [[f"`{kind}`", f"`{op.mac_formula}`"] for kind, op in ALL_OPS.items() if not issubclass(op, CostFreeOp)]


def _page(rows: Sequence[Row]) -> Iterator[str]:
    yield HEADER + _table(["op", "MACs"], _formulas())
    yield TRAINING + _lines(map(_training_cells, TRAINED))
    versions = ", ".join(f"{package} {version(package).partition('+')[0]}" for package in PACKAGES)
    yield COMPARISON.format(count=len(rows), versions=textwrap.fill(versions, 110)) + _lines(_agreement(rows))
    yield DIFFERENCES
    for tool in TOOLS:
        yield f"\n**{tool}**:{_difference_text(tool, rows)}"
    yield ON_CPU + _lines(map(_cpu_cells, ATTENTIONS))
    heads = ["network", "image", "parameters", OURS, "published", *TOOLS]
    yield EVERY + _table(heads, [_network_cells(row) for row in rows], left=1)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int = 9) -> str:
    rules = ["---" if number < left else "--:" for number in range(len(heads))]
    return f"| {' | '.join(heads)} |\n|{'|'.join(rules)}|\n{_lines(rows)}"


def _lines(rows: Any) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _training_cells(name: str) -> list[str]:
    respected = {torch.ops.aten.convolution_backward: _backward_in_groups}
    told = [_training_flops(name) // 2, _training_flops(name, custom_mapping=respected) // 2]
    return [name, *(f"{macs:,}" for macs in (training_macs(archdsl.load(name)), *told))]


def _cpu_cells(name: str) -> list[str]:
    macs = [counters.flop_counter_mode(name, device).macs for device in ("meta", "cpu")]
    return [name, *(f"{number:,}" for number in macs), f"{counters.published(name)[0]:.3f}"]


def _agreement(rows: Sequence[Row]) -> Iterator[list[str]]:
    yield [OURS, str(len(rows)), *_equals(rows, [row.ours for row in rows]), ""]
    for tool in TOOLS:
        ran = [(row, count) for row in rows if not isinstance(count := row.counts[tool], str)]
        explained = sum(row.unexplained(tool) == 0 for row, _ in ran)
        equals = _equals([row for row, _ in ran], [count for _, count in ran])
        yield [tool, str(len(ran)), *equals, f"{explained} of {len(ran)}"]


def _equals(rows: Sequence[Row], counts: Sequence[Count]) -> list[str]:
    macs = sum(rounded(count.macs) == f"{row.published[0]:.3f}" for row, count in zip(rows, counts, strict=True))
    parameters = sum(count.parameters == row.published[1] for row, count in zip(rows, counts, strict=True))
    return [str(macs), str(parameters)]


def rounded(macs: int) -> str:
    """As torchvision rounds its ``_ops``."""
    return f"{macs / 1e9:.3f}"


def _difference_text(tool: str, rows: Sequence[Row]) -> str:
    texts = dict.fromkeys(text for row in rows for text in row.causes[tool])
    table = _table(["cause", "networks", "example", "MACs more"], [_cause_cells(tool, text, rows) for text in texts])
    told = f"\n\n{table}" if texts else " no difference in MACs.\n"
    return told + _parameter_text(tool, rows) + _left_text(tool, rows)


def _cause_cells(tool: str, text: str, rows: Sequence[Row]) -> list[str]:
    found = [row for row in rows if text in row.causes[tool]]
    most = max(found, key=lambda row: abs(row.causes[tool][text]) / row.ours.macs)
    more = most.causes[tool][text]
    return [text, _named(found, rows), most.name, f"{more:+,} ({more / most.ours.macs:+.1%})"]


def _named(found: Sequence[Row], rows: Sequence[Row]) -> str:
    """The networks by name, or those without if these are fewer; large families together."""
    if len(found) == len(rows):
        return "all"
    without = [row for row in rows if row not in found]
    if len(without) < len(found):
        return f"all but {_listed(without, rows)}"
    return _listed(found, rows)


def _listed(found: Sequence[Row], rows: Sequence[Row]) -> str:
    parts: dict[str, None] = {}
    for row in found:
        ends = [end.start() for end in re.finditer(r"_|(?<=[a-z]{3})\d", row.name)]
        families = [row.name[:end] for end in ends if _members(row.name[:end], found) == _members(row.name[:end], rows)]
        parts[f"{families[0]}*" if families and len(_members(families[0], rows)) > 1 else row.name] = None
    return ", ".join(f"`{part}`" for part in parts)


def _members(family: str, rows: Sequence[Row]) -> list[str]:
    return [row.name for row in rows if row.name.startswith(family)]


def _parameter_text(tool: str, rows: Sequence[Row]) -> str:
    counts = [(row, count) for row in rows if isinstance(count := row.counts[tool], Count)]
    found = [(row, count) for row, count in counts if count.parameters != row.ours.parameters]
    if not found:
        return ""
    most, count = min(found, key=lambda pair: pair[1].parameters / pair[0].ours.parameters)
    missing = count.parameters - most.ours.parameters
    return (
        f"\nParameters differ in {_listed([row for row, _ in found], rows)}, most in {most.name} ({missing:+,}): "
        f"{_PARAMETERS.get(tool, 'not explained')}.\n"
    )


def _left_text(tool: str, rows: Sequence[Row]) -> str:
    failed = [f"{row.name} ({row.counts[tool]})" for row in rows if isinstance(row.counts[tool], str)]
    left = [f"{row.name} ({row.unexplained(tool):+,})" for row in rows if row.unexplained(tool)]
    told = f"\nNot run: {', '.join(failed)}.\n" if failed else ""
    return told + (f"\nNot explained: {', '.join(left)}.\n" if left else "")


def _network_cells(row: Row) -> list[str]:
    published = f"{row.published[0]:.3f}"
    image = str(MODELS[row.name].evaluated)
    cells = [row.name, image, f"{row.ours.parameters:,}", f"{row.ours.macs:,}", published]
    for tool in TOOLS:
        count = row.counts[tool]
        text = "not run" if isinstance(count, str) else rounded(count.macs)
        cells.append(text if text in (published, "not run") else f"**{text}**")
    return cells


if __name__ == "__main__":
    main()
