"""Ops written outside archdsl: what a module of them needs."""

from __future__ import annotations

from archdsl.extensions.user_ops import UserOp
from archdsl.ops.contract.argument_types import (
    NonNegativeInt,
    NonNegativeNumber,
    Number,
    Pair,
    PositiveInt,
    PositiveNumber,
    Probability,
    Sizes,
)
from archdsl.ops.contract.base import OpError, ParameterSpec, Tensors, Types, require_layout
from archdsl.ops.contract.init import (
    Constant,
    Initializer,
    KaimingNormal,
    KaimingUniform,
    Normal,
    Ones,
    TruncNormal,
    Uniform,
    VectorInit,
    WeightInit,
    XavierNormal,
    XavierUniform,
    Zeros,
)
from archdsl.ops.contract.shapes import Layout, TensorType
from archdsl.ops.contract.torch_call import FunctionCall, Input, ModuleCall, OwnParameter, TorchCall, X
from archdsl.ops.facts.reading import Reads
from archdsl.ops.memory.tape import Tape, Tensor

__all__ = [
    "Constant",
    "FunctionCall",
    "Initializer",
    "Input",
    "KaimingNormal",
    "KaimingUniform",
    "Layout",
    "ModuleCall",
    "NonNegativeInt",
    "NonNegativeNumber",
    "Normal",
    "Number",
    "Ones",
    "OpError",
    "OwnParameter",
    "Pair",
    "ParameterSpec",
    "PositiveInt",
    "PositiveNumber",
    "Probability",
    "Reads",
    "Sizes",
    "Tape",
    "Tensor",
    "TensorType",
    "Tensors",
    "TorchCall",
    "TruncNormal",
    "Types",
    "Uniform",
    "UserOp",
    "VectorInit",
    "WeightInit",
    "X",
    "XavierNormal",
    "XavierUniform",
    "Zeros",
    "require_layout",
]
