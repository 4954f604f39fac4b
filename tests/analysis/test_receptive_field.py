"""What each op reads, against torch: which elements of its inputs an output element's gradient reaches."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from typing_extensions import override

import archdsl
from archdsl.analysis.axis_places import PLACE_AXES
from archdsl.analysis.receptive_field import AxisField, Field, ReceptiveFields, receptive_fields
from archdsl.diagnostics.problems import ArchError
from archdsl.extensions import FunctionCall, TorchCall, UserOp, X
from archdsl.graph.builder import GraphBuilder
from archdsl.graph.model import Graph
from archdsl.ops import ALL_OPS
from archdsl.ops.contract.base import Types
from archdsl.ops.contract.shapes import TensorType
from archdsl.ops.facts.reading import Reads, in_place
from tests.ops.op_cases import CASES
from tests.running import calls_made

MAX_POOLS = {"maxpool", "global_maxpool", "adaptive_maxpool"}
CONSTANT_IN_SMALL = {"ln", "ln2d", "gn", "instance_norm", "bn", "softmax", "dot_product_attention"}
"""They make of a group of one element the same number whatever it is, which no argument tells."""

Box = tuple[tuple[int, int], ...]

each_op = pytest.mark.parametrize("kind", sorted(ALL_OPS.keys() - {"input"}))
quick = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


# ---- every op ------------------------------------------------------------------------------------


@each_op
@given(data=st.data())
@quick
def test_gradients_reach_what_an_op_reads_and_nothing_else(kind: str, data: st.DataObject) -> None:
    arguments, inputs = data.draw(CASES[kind].examples)
    graph = one_op(kind, arguments, inputs)
    module = torch_module(kind, arguments, inputs)
    assume(graph is not None and module is not None)
    assert graph is not None
    assert module is not None
    assume(arguments.get("value") != 0)  # a number that is multiplied by
    output = graph.nodes[-1].type
    index = data.draw(st.tuples(*[st.integers(0, size - 1) for size in output.sizes]), label="index")
    fields = receptive_fields(graph).nodes[-1]
    assert fields is not None
    for position, type_ in enumerate(inputs):
        if not PLACE_AXES[type_.layout]:
            continue
        field = next((field for field in fields if field.input == position), None)
        seen = influence(kind, module, inputs, position, elements(field, index, output))
        expected = field.seen(*index) if field is not None else None
        if seen is None and kind in CONSTANT_IN_SMALL:
            continue
        assert seen is None if expected is None else seen == expected or is_within(seen, expected, field)


def is_within(seen: Box | None, expected: Box, field: Field | None) -> bool:
    """What is only bound from above may be smaller."""
    if field is None or not field.is_bound:
        return False
    pairs = zip(seen or (), expected, strict=False)
    return all(low <= first and last <= high for (first, last), (low, high) in pairs)


def one_op(kind: str, arguments: dict[str, Any], inputs: Types) -> Graph | None:
    """A network of this op alone; None where it refuses."""
    net = GraphBuilder("net")
    nodes = [net.input(*type_.sizes, name=f"input{i}", layout=type_.layout) for i, type_ in enumerate(inputs)]
    try:
        net.apply(kind, *nodes, label="op", **arguments)
    except ArchError:
        return None
    return net.finish()


def torch_module(kind: str, arguments: dict[str, Any], inputs: Types) -> nn.Module | None:
    """Torch's module with weights above 0, in evaluation mode; None where torch refuses."""
    try:
        module = CASES[kind].module(arguments, inputs).to(dtype_for(kind)).eval()
        module(*[torch.rand(1, *type_.sizes, dtype=dtype_for(kind)) for type_ in inputs])
    except (RuntimeError, ValueError, IndexError, AssertionError):
        return None
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(0.05, 0.15)
    return module


def dtype_for(kind: str) -> torch.dtype:
    """Double precision, but where the reference computes with a kernel of its own."""
    return torch.float32 if kind == "blurpool" else torch.float64


def elements(field: Field | None, index: tuple[int, ...], output: TensorType) -> list[tuple[int, ...]]:
    """The elements at the same place as this one, since channels are taken together."""
    if field is None:
        return [index]
    places = field.layout.at(index)
    if places is None:
        return [index]
    ranges = [range(size) for size in output.sizes]
    return [each for each in torch.cartesian_prod(*map(torch.tensor, ranges)).reshape(-1, len(ranges)).tolist()
            if field.layout.at(each) == places]  # fmt: skip


def influence(kind: str, module: nn.Module, inputs: Types, position: int, outputs: list[tuple[int, ...]]) -> Box | None:
    """The first and last place, along each axis of one input, of what these elements of the output depend on."""
    torch.manual_seed(0)
    tensors = [torch.rand(1, *type_.sizes, dtype=dtype_for(kind)) + 0.5 for type_ in inputs]
    reached = (
        by_steps(module, tensors[0], outputs) if kind in MAX_POOLS else by_gradient(module, tensors, position, outputs)
    )
    found = reached.nonzero()
    if not len(found):
        return None
    along = PLACE_AXES[inputs[position].layout]
    return tuple((int(found[:, axis].min()), int(found[:, axis].max())) for axis in along)


def by_gradient(module: nn.Module, tensors: list[Tensor], position: int, outputs: list[tuple[int, ...]]) -> Tensor:
    """Which elements of an input change a mixture of the outputs, those aside that do by rounding or masking alone."""
    tensors[position].requires_grad_()
    output = module(*tensors)[0]
    mixture = torch.stack([output[tuple(each)] * (1 + torch.rand(())) for each in outputs]).sum()
    if not mixture.requires_grad:
        return torch.zeros(())
    (gradient,) = torch.autograd.grad(mixture, tensors[position], allow_unused=True)
    if gradient is None:
        return torch.zeros(())
    size = gradient[0].abs()
    return size > 1e-12 * size.max()


def by_steps(module: nn.Module, tensor: Tensor, outputs: list[tuple[int, ...]]) -> Tensor:
    """The same of a max pool, whose gradient reaches the largest element alone: each in turn is made the largest."""
    sizes = tensor.shape[1:]
    changed = tensor + 9 * torch.eye(sizes.numel(), dtype=tensor.dtype).view(-1, *sizes)
    with torch.no_grad():
        before, after = module(tensor), module(changed)
    differs = torch.stack([(after != before)[(slice(None), *each)] for each in outputs]).any(0)
    return differs.view(sizes)


@each_op
@given(data=st.data())
@quick
def test_lines_are_what_is_seen_away_from_the_edges(kind: str, data: st.DataObject) -> None:
    arguments, inputs = data.draw(CASES[kind].examples)
    graph = one_op(kind, arguments, inputs)
    assume(graph is not None)
    assert graph is not None
    for field in receptive_fields(graph).nodes[-1] or ():
        for axis in field.axes:
            for place in range(axis.places):
                if axis.line is None:
                    continue
                first, last = axis.line.at(place)
                if first >= 0 and last < axis.pixels:
                    assert axis.seen(place) == ((first, last) if first <= last else None)


# ---- networks ------------------------------------------------------------------------------------


def height(text: str, path: str, **options: Any) -> AxisField:
    """The field of a node along the image's height."""
    graph = archdsl.load(text)
    node = next(node for node in graph.nodes if node.path == path)
    field = receptive_fields(graph, **options).of(node.id)
    assert field is not None
    return field.axes[0]


def network(body: str, image: str = "3x64x64") -> str:
    return f"network net {{\n input {image}\n {body}\n}}"


@pytest.mark.parametrize(
    ("name", "path", "size"),
    [
        ("alexnet", "features.12", 195),
        ("vgg16", "features.30", 212),
        ("inception_v3", "Mixed_7c.concat3", 1311),
    ],
)
def test_sizes_are_the_published_ones(name: str, path: str, size: int) -> None:
    """Araujo et al. 2019, table 1, of the networks that are built there as here."""
    assert height(name, path).size == size


def test_a_field_is_that_of_araujos_formulas() -> None:
    """Kernels 3, 3, 2, strides 1, 2, 2, paddings 1, 1, 0: equations 2 and 4 to 6 by hand."""
    field = height(network("conv(4, 3) -> conv(4, 3, 2) -> a: avgpool(2)"), "a")
    assert (field.size, field.stride, field.offset) == (7, Fraction(4), Fraction(1))


@pytest.mark.parametrize(
    ("layer", "size", "stride", "offset"),
    [
        ("conv(4, 3, dilation = 2, padding = 0)", 5, 1, Fraction(2)),
        ("conv(4, 5x1, padding = 2x0)", 5, 1, Fraction(0)),
        ("maxpool(2)", 2, 2, Fraction(1, 2)),
        ("blurpool(4)", 4, 2, Fraction(1, 2)),
        ("conv_transpose(4, 4, 2, padding = 1)", 2, Fraction(1, 2), Fraction(-1, 4)),
        ("conv_transpose(4, 1, 2, padding = 0)", 1, Fraction(1, 2), Fraction(0)),
        ("upsample(2)", 1, Fraction(1, 2), Fraction(-1, 4)),
        ('upsample(2, "bilinear")', 2, Fraction(1, 2), Fraction(-1, 4)),
        ('upsample(0.5, "bilinear")', 2, 2, Fraction(1, 2)),
        ("crop(60x60)", 1, 1, Fraction(2)),
        ("pad(3)", 1, 1, Fraction(-3)),
        ("space_to_depth(2)", 2, 2, Fraction(1, 2)),
        ("space_to_depth(2) -> pixel_shuffle(2)", 2, 1, Fraction(0)),
        ("adaptive_avgpool(16x1)", 4, 4, Fraction(3, 2)),
    ],
)
def test_size_stride_and_offset(layer: str, size: int, stride: int | Fraction, offset: Fraction) -> None:
    graph = archdsl.load(network(layer))
    field = receptive_fields(graph).of(graph.nodes[-1].id)
    assert field is not None
    axis = field.axes[0]
    assert (axis.size, axis.stride, axis.offset) == (size, stride, offset)


@pytest.mark.parametrize(
    "body",
    [
        "a: global_avgpool",
        "flatten -> a: linear(4)",
        "conv(4, 3) -> (id * (global_avgpool -> conv(4, 1) -> sigmoid)) -> a: relu",
        "channels_last -> reshape([4096, 3]) -> a: attention(1)",
        "a: adaptive_avgpool(1)",
    ],
)
def test_where_the_image_as_a_whole_decides(body: str) -> None:
    field = height(network(body), "a")
    assert (field.size, field.stride, field.offset, field.anchor) == (64, None, None, None)
    assert field.is_whole
    assert not field.is_clipped


@pytest.mark.parametrize("norm", ["gn(2)", "instance_norm", "bn(track_running_stats = false)"])
def test_statistics_of_the_image_count_unless_they_are_held_fixed(norm: str) -> None:
    text = network(f"conv(4, 3) -> a: {norm}")
    assert height(text, "a").is_whole
    assert height(text, "a", statistics=False) == height(network("a: conv(4, 3)"), "a")


def test_a_field_without_a_line_is_no_larger_than_what_is_seen() -> None:
    """Every other pixel of 8 is read, so that the last is not; the pool sees the first to the seventh."""
    field = height(network("conv(4, 1, 2) -> a: global_avgpool", "3x8x8"), "a")
    assert (field.size, field.seen(0), field.is_whole) == (7, (0, 6), False)


def test_each_branch_of_a_merge_has_its_own_field() -> None:
    graph = archdsl.load(network("conv(4, 1) ++ conv(4, 3) ++ (conv(4, 3) -> conv(4, 3))"))
    fields = receptive_fields(graph)
    branches = [fields.of(i) for i in graph.nodes[-1].inputs]
    assert [branch.axes[0].size for branch in branches if branch] == [1, 3, 5]
    merge = fields.of(graph.nodes[-1].id)
    assert merge is not None
    assert merge.axes[0].size == 5


@pytest.mark.parametrize(
    ("merge", "anchors"),
    [
        # He et al. 2015, option A: every other pixel, as the strided 3x3 is centred
        ("conv(4, 3, 2) + conv(4, 1, 2)", None),
        ("conv(4, 3, 2) ++ avgpool(3, 2, padding = 1)", None),
        # He, T. et al. 2018, ResNet-D: the mean of 2x2 pixels is centred between them
        ("conv(4, 3, 2) + (avgpool(2) -> conv(4, 1))", (0, Fraction(1, 2))),
        ("conv(4, 2, padding = 0) ++ crop(63x63, offset = 0x0)", (Fraction(1, 2), 0)),
        ("(avgpool(2) -> upsample(2)) ++ id", None),
        ("(conv(4, 3, 2) -> upsample(2)) ++ id", (Fraction(-1, 2), 0)),
        ("conv(3, 3) * global_avgpool", None),
    ],
)
def test_branches_that_are_centred_on_different_pixels(merge: str, anchors: tuple[Fraction, ...] | None) -> None:
    graph = archdsl.load(network(merge))
    found = receptive_fields(graph).misaligned
    assert [tuple(branch.anchor for branch in each.branches) for each in found] == ([anchors] * 2 if anchors else [])
    assert [each.axis for each in found] == ([0, 1] if anchors else [])
    for each in found:
        assert [branch.node for branch in each.branches] == list(graph.nodes[each.node].inputs)
        assert (each.path, each.span) == (graph.nodes[each.node].path, graph.nodes[each.node].span)


def test_each_input_has_its_fields() -> None:
    net = GraphBuilder("net")
    image, signal = net.input(3, 8, 8, name="image"), net.input(3, 1, 1, name="gate")
    near = net.apply("conv", image, label="near", out_channels=3, kernel_size=(3, 3))
    both = net.apply("mul", near, signal, label="both")
    fields = receptive_fields(net.finish())
    assert [field.input for field in fields.nodes[near.id] or ()] == [image.id]
    assert [field.input for field in fields.nodes[both.id] or ()] == [image.id, signal.id]
    assert fields.of(near.id, signal.id) is None
    field = fields.of(both.id, signal.id)
    assert field is not None
    assert field.seen(0, 5, 5) == ((0, 0), (0, 0))


def test_class_tokens_see_nothing_before_attention() -> None:
    tokens = network("class_token -> a: ln -> b: attention(1)", "16x4")
    graph = archdsl.load(tokens)
    fields = receptive_fields(graph)
    before, after = (fields.of(node.id) for node in graph.nodes[-2:])
    assert before is not None
    assert after is not None
    assert (before.seen(0, 0), before.seen(1, 0), after.seen(0, 0)) == (None, ((0, 0),), ((0, 15),))
    with pytest.raises(IndexError):
        before.seen(17, 0)


# ---- ops of one's own ----------------------------------------------------------------------------


class SilentOp(UserOp):
    kind = "silent"

    @override
    def infer(self, inputs: Types) -> TensorType:
        return inputs[0]

    @override
    def macs(self, inputs: Types, output: TensorType) -> int:
        return 0

    @override
    def torch_call(self, inputs: Types) -> TorchCall:
        return FunctionCall("torch.abs", (X,))


class SpokenOp(SilentOp):
    kind = "spoken"

    @override
    def reads(self, inputs: Types, output: TensorType) -> Reads:
        return in_place(len(output.sizes))


def fields_with(op: str) -> ReceptiveFields:
    text = network(f"conv(4, 3) -> {op} -> conv(4, 3)")
    return receptive_fields(archdsl.load(text, ops=[SilentOp, SpokenOp]))


def test_an_op_that_does_not_say_what_it_reads_leaves_the_rest_unknown() -> None:
    fields = fields_with("silent")
    assert fields.unknown == (2,)
    assert [found is None for found in fields.nodes] == [False, False, True, True]
    assert fields.of(3) is None


def test_an_op_may_say_what_it_reads() -> None:
    fields = fields_with("spoken")
    field = fields.of(3)
    assert field is not None
    assert (fields.unknown, field.axes[0].size) == ((), 5)


# ---- deep networks -------------------------------------------------------------------------------


def deep(layers: int) -> Graph:
    return archdsl.load(network(f"conv(8, 3) -> (id + seq(conv(8, 3) -> relu)) x {layers // 3}"))


@pytest.mark.parametrize("layers", [3_000, 30_000])
def test_a_deep_network_has_its_field(layers: int) -> None:
    fields = receptive_fields(deep(layers))
    assert max(field.axes[0].size for field in fields.nodes[-1] or ()) == 2 * (layers // 3 + 1) + 1


def test_work_grows_with_the_layers() -> None:
    few, many = deep(3_000), deep(12_000)
    assert calls_made(lambda: receptive_fields(many)) <= 4 * calls_made(lambda: receptive_fields(few))
