"""What the calls of ops name, in torch, among our layers and in modules of the user's own."""

from __future__ import annotations

import operator
from functools import cache
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from archdsl.backends import layers
from archdsl.graph.model import Node, refused
from archdsl.ops.contract.base import Op, OpError, Types
from archdsl.ops.contract.torch_call import FoldCall, FunctionCall, ModuleCall, TorchCall, overwriting, parts

_LIBRARIES: dict[str, Any] = {
    "nn": nn, "F": nn.functional, "torch": torch, "operator": operator, "layers": layers, "Tensor": Tensor
}  # fmt: skip


@cache
def resolve(target: str) -> Any:
    """What a call's target names: ``nn.Conv2d``, ``torch.add``, ``my_ops:GlobalResponseNorm``, ..."""
    if ":" in target:
        module, _, name = target.partition(":")
        return getattr(import_module(module), name)
    library, _, name = target.partition(".")
    return operator.attrgetter(name)(_LIBRARIES[library])


def call_of(node: Node, types: Types, *, in_place: bool = False) -> TorchCall:
    """The node's call; ``in_place``: an activation that overwrites its input.

    Raises ArchError E702 for an op of the user's own whose call names what is not there.
    """
    try:
        call = node.op.torch_call(types)
        if node.op.is_user_op:
            for part in parts(call):
                if isinstance(part, ModuleCall | FunctionCall | FoldCall):
                    _check_target(node.op, part)
    except OpError as error:
        raise refused(error, node) from error
    return overwriting(call) if in_place else call


def _check_target(op: Op, call: TorchCall) -> None:
    try:
        found = resolve(call.target)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise OpError(
            "E702", f"`torch_call` of `{op.kind}` gave `{call.target}`, which cannot be had: {why}"
        ) from error
    is_module = isinstance(found, type) and issubclass(found, nn.Module)
    if not callable(found):
        raise OpError("E702", f"`torch_call` of `{op.kind}` gave `{call.target}`, which cannot be called")
    if is_module and not isinstance(call, ModuleCall):
        message = f"`torch_call` of `{op.kind}` gave the module `{call.target}` as a function"
        raise OpError("E702", message, help=f'write `ModuleCall("{call.target}", ...)`')
