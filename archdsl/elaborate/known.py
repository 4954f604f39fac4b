"""What every file knows without importing it, and the names of a file bound with that."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from archdsl.elaborate.interpreter.builtins import BUILTINS
from archdsl.elaborate.interpreter.values import (
    IDENTITY,
    BuiltinValue,
    IdentityValue,
    InitializerReference,
    OpReference,
)
from archdsl.elaborate.loading import LoadedModule
from archdsl.language.binder import bind
from archdsl.language.binding import Binding, Kind
from archdsl.ops import OPS
from archdsl.ops.contract.base import Op
from archdsl.ops.contract.init import INITIALIZERS


class FinishedNumbers(NamedTuple):
    """What asserts of a network may ask of the finished graph: what it costs, which others know."""

    params: int
    macs: int
    flops: int
    depth: int


FINISHED = FinishedNumbers._fields

UNIVERSE: dict[str, object] = {
    **{name: InitializerReference(name, initializer) for name, initializer in INITIALIZERS.items()},
    **BUILTINS,
    **{name: OpReference(name, op) for name, op in OPS.items()},
    "id": IDENTITY,
}
"""What every file knows without importing it, beside ops of one's own."""

NO_OPS: Mapping[str, type[Op]] = {}

_KINDS: dict[type, Kind] = {
    OpReference: "op",
    InitializerReference: "initialiser",
    BuiltinValue: "built-in function",
    IdentityValue: "layer",
}


def bound(module: LoadedModule, ops: Mapping[str, type[Op]] = NO_OPS) -> Binding:
    """What the names in a file mean; of ops of one's own, those that were given."""
    return _bound(module, tuple(ops))


@lru_cache(maxsize=1)
def _bound(module: LoadedModule, ops: tuple[str, ...]) -> Binding:
    everywhere: list[tuple[str, Kind]] = [(name, _KINDS[type(value)]) for name, value in UNIVERSE.items()]
    return bind(module, [*everywhere, *((name, "op") for name in ops)], FINISHED)
