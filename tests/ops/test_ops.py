"""Every op against torch: what it refuses, the shapes it makes, its parameters, its MACs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from archdsl.ops import ALL_OPS, OPS, STRUCTURAL_OPS
from archdsl.ops.contract.base import Op, OpError, ParameterSpec, Types
from archdsl.ops.contract.shapes import TensorType
from archdsl.ops.norm import ScaleOp
from archdsl.ops.resample import CropOp
from tests.ops.op_cases import CASES
from tests.ops.op_strategies import Arguments, Case

BATCH = 2

each_op = pytest.mark.parametrize("kind", sorted(ALL_OPS))
quick = settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def test_every_op_has_a_case() -> None:
    assert CASES.keys() == ALL_OPS.keys()


def test_tables_hold_each_op_by_its_kind() -> None:
    listed = [*OPS.values(), *STRUCTURAL_OPS.values()]
    assert sorted(op.kind for op in listed) == sorted(ALL_OPS)
    assert set(listed) == {op for op in descendants(Op) if "kind" in vars(op)}


def descendants(base: Any) -> Iterator[Any]:
    """Subclasses that archdsl.ops defines."""
    for op in base.__subclasses__():
        if op.__module__.startswith("archdsl.ops."):
            yield op
            yield from descendants(op)


def ours(kind: str, arguments: Arguments, inputs: Types) -> tuple[Op, TensorType] | None:
    """The op and what it makes; None where it refuses."""
    try:
        op = ALL_OPS[kind](**arguments)
        return op, op.infer(inputs)
    except (ValidationError, OpError):
        return None


def theirs(case: Case, arguments: Arguments, inputs: Types) -> tuple[nn.Module, Tensor, int] | None:
    """The torch module, its output and its MACs for the whole batch; None where torch refuses or makes nothing."""
    tensors = [torch.zeros(BATCH, *type_.sizes) for type_ in inputs]
    counter = FlopCounterMode(display=False)
    try:
        module = case.module(arguments, inputs)
        # the counter knows no formula for the CPU's own kernel of attention
        with torch.no_grad(), counter, sdpa_kernel(SDPBackend.MATH):
            output = module(*tensors)
    except (RuntimeError, ValueError, IndexError, AssertionError):
        return None
    return (module, output, counter.get_total_flops() // 2) if output.numel() else None


def both(kind: str, data: st.DataObject) -> tuple[Op, TensorType, Types, nn.Module, Tensor, int]:
    """An example that neither refuses."""
    arguments, inputs = data.draw(CASES[kind].examples)
    own, torchs = ours(kind, arguments, inputs), theirs(CASES[kind], arguments, inputs)
    assert (own is None) == (torchs is None), f"only {'torch' if own else 'archdsl'} refuses {arguments} on {inputs}"
    assume(own is not None and torchs is not None)
    assert own is not None
    assert torchs is not None
    return *own, inputs, *torchs


@each_op
@given(data=st.data())
@quick
def test_shapes_and_refusals_are_torchs(kind: str, data: st.DataObject) -> None:
    _, type_, _, _, output, _ = both(kind, data)
    assert (BATCH, *type_.sizes) == tuple(output.shape)


@each_op
@given(data=st.data())
@quick
def test_parameters_and_buffers_are_torchs(kind: str, data: st.DataObject) -> None:
    op, _, inputs, module, _, _ = both(kind, data)
    names = CASES[kind].own_names
    parameters = [(names.get(name, name), *described(value)) for name, value in module.named_parameters()]
    state = [(names.get(name, name), *described(value)) for name, value in module.state_dict().items()]
    state.sort(key=lambda entry: entry not in parameters)  # torch lists a module's buffers before its children
    own_parameters = [(name, *of_spec(spec)) for name, spec in op.parameters(inputs).items()]
    own_buffers = [(name, *of_spec(spec)) for name, spec in op.buffers(inputs).items()]
    assert own_parameters == parameters
    assert own_parameters + own_buffers == state


def described(value: Tensor) -> tuple[tuple[int, ...], str]:
    return tuple(value.shape), str(value.dtype).removeprefix("torch.")


def of_spec(spec: ParameterSpec) -> tuple[tuple[int, ...], str]:
    return spec.shape, spec.dtype


@each_op
@given(data=st.data())
@quick
def test_macs_are_those_of_torchs_flop_counter(kind: str, data: st.DataObject) -> None:
    op, type_, inputs, _, _, macs = both(kind, data)
    assert BATCH * op.macs(inputs, type_) == macs


@each_op
@given(data=st.data())
@quick
def test_equal_arguments_make_equal_ops(kind: str, data: st.DataObject) -> None:
    arguments, inputs = data.draw(CASES[kind].examples)
    own = ours(kind, arguments, inputs)
    assume(own is not None)
    assert own is not None
    op = own[0]
    again = ALL_OPS[kind](**op.arguments())
    assert again == op
    assert hash(again) == hash(op)
    assert again.infer(inputs) == own[1]


def test_layer_scale_has_the_shape_of_torchvisions() -> None:
    convnext = pytest.importorskip("torchvision.models.convnext")
    block = convnext.CNBlock(6, layer_scale=1e-6, stochastic_depth_prob=0.0)
    spec = ScaleOp(value=1e-6).parameters((TensorType((6, 5, 5), "CHW"),))[""]
    assert spec.shape == tuple(block.layer_scale.shape)
    assert torch.all(block.layer_scale == spec.init.value)  # type: ignore[union-attr]


def test_centre_crop_is_torchvisions_where_the_margins_are_even() -> None:
    transforms = pytest.importorskip("torchvision.transforms.functional")
    image = torch.arange(3 * 12 * 10.0).reshape(1, 3, 12, 10)
    op = CropOp(size=(6, 4))
    row, column = op.start(TensorType((3, 12, 10), "CHW"))
    part = image[:, :, row : row + 6, column : column + 4]
    assert torch.equal(part, transforms.center_crop(image, [6, 4]))
