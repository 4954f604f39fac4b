"""Nodes as elaboration makes them: ops interned, output types inferred once for each op and inputs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from archdsl.elaborate.naming import Names, Place
from archdsl.elaborate.values import InitializerValue
from archdsl.graph import Node, Scope
from archdsl.ops.base import Op, OpError, ParameterSpec, Types
from archdsl.shapes import TensorType
from archdsl.source import Span


class GraphBuilder:
    """The growing list of nodes."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.paths: set[str] = set()
        self.dotted: list[tuple[str, Span]] = []
        """Labels with dots, which may lead into another step's place."""
        self._ops: dict[object, Op] = {}
        self._types: dict[tuple[int, Types], TensorType] = {}
        self._names: list[Names] = []

    def new_names(self, names: Names) -> Names:
        """Remembers the scope, so that its merges are named at the end."""
        self._names.append(names)
        return names

    def is_done_around(self, path: str, built: Iterable[str]) -> bool:
        """Whether a step at ``path`` is done in a scope around those that are being built (none: nowhere)."""
        return any(
            names.wires.find(path) is not None
            for names in self._names
            for inner in built
            if not names.path or inner.startswith(f"{names.path}.")
        )

    def op(self, op_type: type[Op], arguments: dict[str, Any]) -> Op:
        """The op with these arguments; equal ones are one object. Raises pydantic's ValidationError.

        The types are part of the key: ``1``, ``1.0`` and ``true`` are equal but not the same argument.
        """
        values = tuple(arguments.values())
        key = (op_type, tuple(arguments), values, tuple(map(type, values)))
        found = self._ops.get(key)
        if found is None:
            plain = {name: _plain(value) for name, value in arguments.items()}
            found = self._ops[key] = op_type(**plain)
        return found

    def infer(self, op: Op, inputs: tuple[Node, ...]) -> TensorType:
        """The output's type. Raises OpError."""
        types = tuple([node.type for node in inputs])
        key = (id(op), types)
        found = self._types.get(key)
        if found is None:
            found = _checked_infer(op, types) if op.is_user_op else op.infer(types)
            if min(found.sizes, default=1) < 1:
                raise OpError("E308", f"`{op.kind}` would make a tensor of shape {found}, which is empty")
            self._types[key] = found
        return found

    def add(self, op: Op, inputs: tuple[Node, ...], path: str, place: Place, span: Span | None) -> Node:
        """Appends a node. Raises OpError where the op cannot take these inputs."""
        type_ = self.infer(op, inputs)
        node = Node(len(self.nodes), op, tuple([n.id for n in inputs]), type_, path, path, place.scope, span)
        self.nodes.append(node)
        self.paths.add(path)
        return node

    def add_merge(self, op: Op, inputs: tuple[Node, ...], place: Place, span: Span) -> Node:
        """Appends a node without a label, named once all steps of its scope are."""
        node = self.add(op, inputs, "", place, span)
        place.names.merges.append(node)
        return node

    def weights(self, node: Node) -> list[tuple[str, tuple[int, ...]]]:
        """Names and shapes of a node's parameters."""
        types = tuple([self.nodes[i].type for i in node.inputs])
        return [(name, spec.shape) for name, spec in node.op.parameters(types).items()]

    def finish(self) -> tuple[Node, ...]:
        for names in self._names:
            if names.merges:
                names.name_merges()
        return tuple(self.nodes)


def _checked_infer(op: Op, types: Types) -> TensorType:
    """The output's type of an op of one's own, all of whose other answers are tried too.

    Raises OpError E702 where a method fails or answers with something else than it promises.
    """
    try:
        output = op.infer(types)
        state = {**op.parameters(types), **op.buffers(types)}
        macs = op.macs(types, output)
    except OpError:
        raise
    except Exception as error:
        raise OpError(
            "E702", f"the code of `{op.kind}` failed: {type(error).__name__}: {error}", help=_at(error)
        ) from error
    if not isinstance(output, TensorType):
        raise OpError("E702", f"`infer` of `{op.kind}` gave {output!r}, which is no TensorType")
    if not isinstance(macs, int) or macs < 0:
        raise OpError("E702", f"`macs` of `{op.kind}` gave {macs!r}, which is no count")
    if not all(isinstance(name, str) and isinstance(spec, ParameterSpec) for name, spec in state.items()):
        raise OpError("E702", f"`parameters` and `buffers` of `{op.kind}` do not map names to ParameterSpecs")
    return output


def _at(error: Exception) -> str:
    """The line of Python that failed."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f"it happened at {traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}" if traceback else ""


def _plain(value: object) -> object:
    if isinstance(value, InitializerValue):
        return value.initializer
    return tuple(value) if isinstance(value, tuple) else value


INVALID = Node(-1, None, (), TensorType((), "free"), "", "", Scope("network", "", "", None), None)  # type: ignore[arg-type]
"""What a failed step leaves: whatever reads it fails silently, so that one mistake gives one error."""
