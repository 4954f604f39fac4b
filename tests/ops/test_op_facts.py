"""What an op says about itself is true, and nothing else says it a second time."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from archdsl.backends.call_targets import resolve
from archdsl.backends.torch.module_factory import ModuleFactory
from archdsl.elaborate.help.suggestions import ALIASES
from archdsl.ops import ALL_OPS, STRUCTURAL_OPS
from archdsl.ops.contract.base import ModuleOp, Op, OpError, Types
from archdsl.ops.contract.init import INITIALIZERS
from archdsl.ops.contract.torch_call import ModuleCall
from tests.ops.op_cases import CASES

ROOT = Path(__file__).parents[2]

NAMES_OF_THE_LANGUAGE = {"sum", "id", "true", "false", "none", "in"}
USUAL_PARAMETERS = {"classes"}


def taken(kind: str, data: st.DataObject) -> tuple[Op, Types]:
    arguments, inputs = data.draw(CASES[kind].examples)
    try:
        op = ALL_OPS[kind](**arguments)
        op.infer(inputs)
    except (ValidationError, OpError):
        assume(False)
    return op, inputs


few = settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


# ---- defaults ------------------------------------------------------------------------------------

OF_TORCH = [op for op in ALL_OPS.values() if issubclass(op, ModuleOp) and op.torch_module.startswith("nn.")]


@pytest.mark.parametrize("op", OF_TORCH, ids=lambda op: op.kind)
def test_defaults_are_those_of_the_module(op: type[ModuleOp]) -> None:
    """Cases give every argument, and so do calls: nothing else would notice another default."""
    theirs = inspect.signature(resolve(op.torch_module)).parameters
    ours = {name: field.default for name, field in op.model_fields.items() if not field.is_required()}
    assert {name: default for name, default in ours.items() if theirs[name].default != default} == {}


# ---- what people type ----------------------------------------------------------------------------


def test_each_alias_stands_for_one_op_and_is_none_itself() -> None:
    aliases = [alias for op in ALL_OPS.values() for alias in op.aliases]
    assert len(aliases) == len(set(aliases))
    assert not ALL_OPS.keys() & set(aliases)


def test_other_aliases_stand_for_what_there_is() -> None:
    of_ops = {alias for op in ALL_OPS.values() for alias in op.aliases}
    others = {ALIASES[alias] for alias in ALIASES.keys() - of_ops}
    arguments = {name for op in ALL_OPS.values() for name in op.model_fields}
    assert others <= arguments | INITIALIZERS.keys() | NAMES_OF_THE_LANGUAGE | USUAL_PARAMETERS
    assert not others & ALL_OPS.keys()


# ---- torch's modules -----------------------------------------------------------------------------

SIZED = [kind for kind, op in ALL_OPS.items() if op.size_attributes]


@pytest.mark.parametrize("kind", SIZED)
@given(data=st.data())
@few
def test_copies_with_other_sizes_are_what_torch_makes(kind: str, data: st.DataObject) -> None:
    """Modules of one factory are copies of one another; their plain attributes are those of torch's own."""
    factory = ModuleFactory(torch.device("cpu"), None)
    for _ in range(3):
        op, inputs = taken(kind, data)
        call = op.torch_call(inputs)
        assert isinstance(call, ModuleCall)
        copy = factory.maker(op, call, {**op.parameters(inputs), **op.buffers(inputs)})()
        torchs = resolve(call.target)(*call.args, **call.kwargs)
        assert plain_attributes(copy) == plain_attributes(torchs)


def plain_attributes(module: torch.nn.Module) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if not name.startswith("_")}


@pytest.mark.parametrize("kind", [kind for kind, op in ALL_OPS.items() if op.torch_channels_at and kind != "scale"])
@given(data=st.data())
@few
def test_channels_stand_where_torch_wants_them(kind: str, data: st.DataObject) -> None:
    """Layer scale, ``scale``, is no module of torch's, but where it is one it takes the channels first."""
    op, inputs = taken(kind, data)
    call, channels = op.torch_call(inputs), inputs[0].sizes[inputs[0].channel_axis or 0]
    assert op.torch_channels_at is not None
    assert call.args[op.torch_channels_at - 1] == channels  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", [kind for kind, op in ALL_OPS.items() if op.can_overwrite_input])
def test_activations_that_overwrite_have_torchs_switch(kind: str) -> None:
    call = ALL_OPS[kind]().torch_call(())
    assert "inplace" in inspect.signature(resolve(call.target)).parameters


# ---- tables elsewhere ----------------------------------------------------------------------------


IN_CANONICAL_FORMS = {"identity", "dropout", "drop_path"}
"""Ops that a canonical form may leave out, by the names that it shares with traces: each must be a kind."""


def test_no_table_outside_the_ops_is_kept_by_their_kinds() -> None:
    """No collection of two kinds or more, and no comparison with one: an op's class says what is true of it."""
    kinds = ALL_OPS.keys() - STRUCTURAL_OPS.keys()
    found: dict[str, set[str]] = {}
    for path in [*(ROOT / "archdsl").rglob("*.py"), *(ROOT / "cli").rglob("*.py")]:
        if not path.is_relative_to(ROOT / "archdsl" / "ops"):
            for named in tables(path, kinds):
                found.setdefault(str(path.relative_to(ROOT)), set()).update(named)
    assert found == {"archdsl/graph/canonical.py": IN_CANONICAL_FORMS}


def tables(path: Path, kinds: set[str]) -> Iterator[set[str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Dict | ast.Set | ast.List | ast.Tuple | ast.Compare | ast.MatchValue):
            constants = {child.value for child in ast.iter_child_nodes(node) if isinstance(child, ast.Constant)}
            named = {value for value in constants if isinstance(value, str)} & kinds
            if len(named) >= (1 if isinstance(node, ast.Compare | ast.MatchValue) else 2):
                yield named
