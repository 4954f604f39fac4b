"""What ops refuse: arguments that mean nothing, inputs they would misread; and what they say then."""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from archdsl.ops import ALL_OPS, OPS
from archdsl.ops.contract.init import INITIALIZERS, KaimingNormal, Normal
from archdsl.ops.contract.shapes import Layout, TensorType, format_sizes
from tests.ops.op_refusals import READERS, SIZES, image, make, refusal

ACCEPTED = {kind: layouts for layouts, kinds in READERS.items() for kind in kinds}


@pytest.mark.parametrize("kind", sorted(ACCEPTED))
def test_each_op_reads_its_layouts_and_refuses_the_others(kind: str) -> None:
    op = make(kind)
    for layout, sizes in SIZES.items():
        type_ = TensorType(sizes, layout)
        if layout in ACCEPTED[kind]:
            assert op.infer((type_,)).sizes
        else:
            error = refusal(op, type_)
            assert error.code == "E306"
            assert str(type_) in error.message


@pytest.mark.parametrize("kind, layout, named", [
    ("linear", "CHW", "flatten"),
    ("linear", "CHW", "conv"),
    ("ln", "CHW", "ln2d"),
    ("ln2d", "HWC", "ln"),
    ("conv", "HWC", "channels_first"),
    ("bn", "LC", "channels_first"),
    ("attention", "CHW", "tokens"),
    ("select", "HWC", "tokens"),
    ("conv", "LC", "image"),
])  # fmt: skip
def test_a_refused_layout_names_the_op_to_use(kind: str, layout: Layout, named: str) -> None:
    assert f"`{named}" in refusal(make(kind), TensorType(SIZES[layout], layout)).help


@pytest.mark.parametrize("layout, sizes, wanted, named", [
    ("CHW", (8, 4, 2), (8, 8), "`tokens`"),
    ("LC", (8, 8), (8, 4, 2), "`image`"),
    ("HWC", (4, 2, 8), (8, 4, 2), "`channels_first`"),
])  # fmt: skip
def test_reshape_makes_no_channels_of_places(
    layout: Layout, sizes: tuple[int, ...], wanted: tuple[int, ...], named: str
) -> None:
    error = refusal(make("reshape", sizes=wanted), TensorType(sizes, layout))
    assert error.code == "E306"
    assert named in error.help
    assert f"flatten -> reshape({format_sizes(wanted)})" in error.help


@pytest.mark.parametrize("layout, sizes, wanted", [
    ("CHW", (8, 1, 1), (2, 4)), ("CHW", (1, 4, 2), (8, 1)), ("LC", (1, 8), (2, 2, 2)), ("CHW", (8, 4, 2), (64,)),
    ("CHW", (8, 4, 2), (4, 2, 8)), ("HWC", (4, 2, 8), (8, 8)), ("CL", (8, 4), (4, 8)), ("LC", (4, 8), (1, 4, 8)),
    ("CHW", (8, 4, 2), (1, 64)), ("LC", (4, 8), (32, 1, 1)),
])  # fmt: skip
def test_reshape_takes_what_has_one_order(layout: Layout, sizes: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    assert make("reshape", sizes=wanted).infer((TensorType(sizes, layout),)).sizes == wanted


def test_resize_takes_images_alone() -> None:
    error = refusal(make("resize"), image(4, 8, 8), TensorType((64, 4), "LC"))
    assert (error.code, error.operand) == ("E306", 1)
    assert "64x4" in error.message


def arguments_of(kind: str) -> list[str]:
    return list(ALL_OPS[kind].model_fields)


NONSENSE: list[object] = [math.nan, math.inf, -math.inf, 10**400, "three", object(), {"a": 1}]
NO_SIZES: list[object] = [(), (1, 2, 3, 4, 5)]
LISTS = frozenset({"sizes", "axes", "mean", "std"})


@pytest.mark.parametrize("kind, argument", [(kind, name) for kind in ALL_OPS for name in arguments_of(kind)])
def test_nonsense_is_refused_with_the_arguments_name(kind: str, argument: str) -> None:
    for value in NONSENSE if argument in LISTS else NONSENSE + NO_SIZES:
        with pytest.raises(ValidationError) as caught:
            make(kind, **{argument: value})
        assert argument in [error["loc"][0] for error in caught.value.errors() if error["loc"]]


WHOLE_NUMBERS = [
    ("conv", "out_channels"), ("conv", "kernel_size"), ("conv", "stride"), ("conv", "dilation"), ("conv", "groups"),
    ("conv1d", "kernel_size"), ("linear", "out_features"), ("maxpool", "kernel_size"), ("gn", "num_groups"),
    ("prelu", "num_parameters"), ("pixel_shuffle", "factor"), ("chunk", "chunks"), ("reshape", "sizes"),
]  # fmt: skip


@pytest.mark.parametrize("kind, argument", WHOLE_NUMBERS)
@pytest.mark.parametrize("value, said", [
    (0, "must be at least 1, got 0"),
    (-3, "must be at least 1, got -3"),
    (2.5, "must be a whole number, got 2.5"),
    (True, "must be a whole number, got true"),
    (None, "must be a whole number, got none"),
    (2**40, "must be at most 2147483647"),
])  # fmt: skip
def test_counts_are_whole_numbers_from_1(kind: str, argument: str, value: object, said: str) -> None:
    if value is None and argument in ("kernel_size", "stride", "dilation"):
        said = "must be"
    with pytest.raises(ValidationError) as caught:
        make(kind, **{argument: value})
    assert said in caught.value.errors()[0]["msg"]


@pytest.mark.parametrize("p", [-0.1, 1.1, True, "half"])
@pytest.mark.parametrize("kind", ["dropout", "dropout2d", "drop_path"])
def test_probabilities_lie_between_0_and_1(kind: str, p: object) -> None:
    with pytest.raises(ValidationError):
        make(kind, p=p)


def test_a_whole_float_serves_as_a_whole_number() -> None:
    assert make("conv", out_channels=8.0, kernel_size=3.0) == make("conv", out_channels=8, kernel_size=3)


@given(kernel=st.integers(1, 7), stride=st.integers(1, 4), dilation=st.integers(1, 3))
def test_default_padding(kernel: int, stride: int, dilation: int) -> None:
    arguments: dict[str, Any] = {"kernel_size": kernel, "stride": stride, "dilation": dilation}
    if kernel % 2 == 0 and stride != kernel:
        with pytest.raises(ValidationError, match=f"must be written for the even kernel {kernel}"):
            make("conv", **arguments)
        return
    op: Any = make("conv", **arguments)
    if stride == kernel:
        assert op.padding == (0, 0)
    else:
        unstrided = nn.Conv2d(1, 1, kernel, 1, op.padding, dilation)
        assert unstrided(torch.zeros(1, 1, 20, 20)).shape == (1, 1, 20, 20)


def test_default_padding_of_each_axis() -> None:
    op: Any = make("conv", kernel_size=(1, 7))
    assert op.padding == (0, 3)
    mixed: Any = make("conv", kernel_size=(2, 3), stride=(2, 1))
    assert mixed.padding == (0, 1)


def test_a_pools_stride_is_its_kernel() -> None:
    op: Any = make("maxpool", kernel_size=(2, 3))
    assert (op.stride, op.padding) == ((2, 3), (0, 0))


def test_a_kernel_larger_than_its_input_names_the_axis() -> None:
    error = refusal(make("conv", kernel_size=(1, 7), padding=(0, 1)), image(3, 9, 4))
    assert (error.code, error.argument) == ("E304", "kernel_size")
    assert "width" in error.message
    assert "7" in error.message
    assert "4 + 2 x 1 = 6" in error.message


def test_groups_that_do_not_divide_name_those_that_do() -> None:
    error = refusal(make("conv", out_channels=12, groups=5), image(18, 4, 4))
    assert (error.code, error.argument) == ("E305", "groups")
    assert "18 input channels" in error.message
    assert error.help.endswith("1, 2, 3, 6")
    assert refusal(make("conv", out_channels=9, groups=2), image(18, 4, 4)).message.endswith("9 output channels")


@pytest.mark.parametrize("kind, type_", [
    ("attention", TensorType((7, 12), "LC")),
    ("window_attention", TensorType((4, 4, 12), "HWC")),
    ("relative_attention", TensorType((4, 4, 12), "HWC")),
])  # fmt: skip
def test_heads_that_do_not_divide_name_those_that_do(kind: str, type_: TensorType) -> None:
    error = refusal(make(kind, heads=5), type_)
    assert (error.code, error.argument) == ("E305", "heads")
    assert "12 channels" in error.message
    assert error.help.endswith("1, 2, 3, 4, 6, 12")


def test_many_possible_groups_are_cut_short() -> None:
    error = refusal(make("gn", num_groups=7), image(720, 4, 4))
    assert error.help.endswith("1, 2, 3, 4, 5, 6, 8, ..., 720")


@pytest.mark.parametrize("other, help_", [
    (image(64, 56, 56), "`seq(conv(256, 1, bias = false) -> bn)`"),
    (image(128, 112, 112), "`seq(conv(256, 1, stride = 2, bias = false) -> bn)`"),
    (image(256, 111, 111), "`seq(conv(256, 1, stride = 2, bias = false) -> bn)`"),
    (image(256, 50, 50), "check the strides"),
    (image(64, 112, 56), "check the strides"),
])  # fmt: skip
def test_an_impossible_sum_offers_a_projection_that_works(other: TensorType, help_: str) -> None:
    wanted = image(256, 56, 56)
    error = refusal(make("add"), wanted, wanted, other)
    assert (error.code, error.operand) == ("E301", 2)
    assert error.message == f"cannot add 256x56x56 to {other}"
    assert help_ in error.help
    if "conv" in help_:
        projected = make("conv", out_channels=256, stride=2 if "stride" in help_ else 1).infer((other,))
        assert make("add").infer((wanted, projected)) == wanted


def test_merges_refuse_layouts_that_only_look_alike() -> None:
    alike = (TensorType((4, 4, 4), "CHW"), TensorType((4, 4, 4), "HWC"))
    for kind, code in (("add", "E301"), ("concat", "E302"), ("mul", "E303")):
        error = refusal(make(kind), *alike)
        assert error.code == code
        assert "channels_first" in error.help


def test_merges_refuse_other_ranks() -> None:
    inputs = (image(4, 4, 4), TensorType((4,), "C"))
    assert [refusal(make(kind), *inputs).code for kind in ("add", "concat", "mul")] == ["E301", "E302", "E303"]


def test_axes_without_names_take_the_others_layout() -> None:
    free, known = TensorType((4, 4, 4), "free"), TensorType((4, 4, 4), "HWC")
    assert make("add").infer((free, known)) == known
    assert make("mul").infer((free, known)) == known
    assert make("concat").infer((free, known)) == TensorType((4, 4, 8), "HWC")
    assert refusal(make("concat"), free, free).code == "E302"


REFUSED_INPUTS: list[tuple[str, dict[str, Any], TensorType, str]] = [
    ("conv", {"kernel_size": 5, "padding_mode": "reflect"}, image(4, 2, 2), "at most 1 on the height 2"),
    ("conv", {"kernel_size": 7, "padding_mode": "circular"}, image(4, 9, 2), "at most 2 on the width 2"),
    ("conv_transpose", {"kernel_size": 1, "padding": 1}, image(4, 2, 2), "0x0"),
    ("instance_norm", {}, image(4, 1, 1), "two pixels"),
    ("normalize", {}, image(3, 4, 4), "4 means"),
    ("prelu", {"num_parameters": 3}, image(4, 4, 4), "1 or 4"),
    ("prelu", {"num_parameters": 4}, TensorType((4, 4, 4), "HWC"), "takes 1 parameters"),
    ("blurpool", {}, image(4, 1, 4), "4x1x4"),
    ("reshape", {"sizes": (3, 5)}, image(4, 4, 4), "64 elements"),
    ("permute", {"axes": (1, 0)}, image(4, 4, 4), "has 3"),
    ("upsample", {"scale_factor": 0.1}, image(4, 4, 4), "0x0"),
    ("pixel_shuffle", {"factor": 3}, image(4, 4, 4), "multiple of 9"),
    ("space_to_depth", {"factor": 3}, image(4, 4, 4), "4x4x4"),
    ("pad", {"sizes": 4, "mode": "reflect"}, image(4, 4, 4), "at most 3"),
    ("crop", {"size": 5}, image(4, 4, 4), "4x4x4"),
    ("crop", {"size": 2, "offset": 3}, image(4, 4, 4), "row 3"),
    ("pad_channels", {"out_channels": 3}, image(4, 4, 4), "4x4x4"),
    ("chunk", {"chunks": 3}, image(4, 4, 4), "4 input channels"),
    ("chunk", {"index": 2}, image(4, 4, 4), "no part 2"),
    ("channel_slice", {"start": 4}, image(4, 4, 4), "4 channels"),
    ("channel_slice", {"start": 0, "stop": 5}, image(4, 4, 4), "4 channels"),
    ("select", {"index": -5}, TensorType((4, 8), "LC"), "4 tokens"),
]


@pytest.mark.parametrize("kind, arguments, type_, said", REFUSED_INPUTS)
def test_inputs_that_do_not_fit_are_named(kind: str, arguments: dict[str, Any], type_: TensorType, said: str) -> None:
    error = refusal(make(kind, **arguments), type_)
    assert error.code in ("E222", "E305", "E308")
    assert said in error.message


@pytest.mark.parametrize("kind, arguments, said", [
    ("maxpool", {"kernel_size": 2, "padding": 2}, "at most half the kernel"),
    ("maxpool", {"kernel_size": 3, "stride": 1, "dilation": 2}, "at most half the kernel"),
    ("maxpool", {"kernel_size": 2, "stride": 1}, "must be written"),
    ("conv_transpose", {"output_padding": 1}, "below the stride"),
    ("normalize", {"mean": (0.5, 0.5)}, "one length"),
    ("permute", {"axes": (0, 0, 1)}, "each axis from 0 once"),
    ("upsample", {"align_corners": True}, "not with `nearest`"),
    ("resize", {"align_corners": True}, "not with `nearest`"),
    ("bn", {"init": KaimingNormal()}, "two dimensions"),
    ("conv", {"init": 0.1}, "an initialiser such as"),
])  # fmt: skip
def test_arguments_that_contradict_each_other(kind: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        make(kind, **arguments)


def test_initialisers_reach_the_parameters() -> None:
    op = make("conv", init=KaimingNormal(mode="fan_out"), bias_init=Normal(std=0.1))
    parameters = op.parameters((image(3, 4, 4),))
    assert parameters["weight"].init == KaimingNormal(mode="fan_out")
    assert parameters["bias"].init == Normal(std=0.1)


def test_unknown_arguments_are_refused() -> None:
    for kind in OPS:
        with pytest.raises(ValidationError, match="unknown"):
            make(kind, unknown=1)


@pytest.mark.parametrize("kind, arguments", [
    ("normal", {"std": -1.0}),
    ("normal", {"mean": math.nan}),
    ("trunc_normal", {"std": 0.0}),
    ("trunc_normal", {"a": 2.0, "b": -2.0}),
    ("uniform", {"a": 1.0, "b": 0.0}),
    ("constant", {"value": math.inf}),
    ("constant", {"value": "one"}),
    ("kaiming_normal", {"mode": "fan_up"}),
    ("xavier_uniform", {"gain": 0}),
])  # fmt: skip
def test_initialisers_refuse_what_torch_could_not_draw(kind: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        INITIALIZERS[kind](**arguments)


@pytest.mark.parametrize("kind", sorted(INITIALIZERS))
def test_initialisers_are_torchs_with_its_defaults(kind: str) -> None:
    parameters = inspect.signature(getattr(nn.init, f"{kind}_")).parameters
    own = INITIALIZERS[kind](**({"value": 0.5} if kind == "constant" else {})).arguments()
    for name, value in own.items():
        assert kind == "constant" or parameters[name].default == value
