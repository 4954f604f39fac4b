"""A graph as canonical text, and as a digest of its structure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from archdsl.graph.structure import GraphStructure, Node
from archdsl.ops.contract.base import Op
from archdsl.ops.contract.init import Initializer
from archdsl.ops.contract.shapes import TensorType
from archdsl.ops.reshape import InputOp


def to_text(graph: GraphStructure) -> str:
    """A header, a line per node with the arguments that are not defaults, and the outputs."""
    settings = ", ".join(f"{name}={_written(value)}" for name, value in graph.settings.items())
    calls: dict[int, str] = {}
    lines = [f"network {graph.name}({settings})"]
    lines.extend(_line(node, calls) for node in graph.nodes)
    outputs = [f"{'aux ' * output.auxiliary}{output.name}: %{output.node}" for output in graph.outputs]
    return "\n".join([*lines, f"return {', '.join(outputs)}", ""])


def _line(node: Node, calls: dict[int, str]) -> str:
    call = calls.get(id(node.op))
    if call is None:
        call = calls[id(node.op)] = _call(node.op)
    inputs = "".join(f" %{source}" for source in node.inputs)
    shared = f" (weights of {node.module})" if node.module != node.path else ""
    return f"%{node.id} = {call}{inputs} : {_type(node.type)}  # {node.path}{shared}"


def _type(type_: TensorType) -> str:
    usual = TensorType.of(type_.sizes).layout
    return str(type_) if type_.layout == usual else f"{type_} {type_.layout}"


def _call(op: Op | Initializer) -> str:
    fields = type(op).model_fields
    changed = {name: value for name, value in op.arguments().items() if value != fields[name].default}
    return f"{op.kind}({', '.join(f'{name}={_written(value)}' for name, value in changed.items())})"


def _written(value: object) -> str:
    """An argument, much as a spec writes it."""
    if isinstance(value, Initializer):
        return _call(value)
    if isinstance(value, tuple):
        if all(isinstance(element, int) for element in value):
            return "x".join(map(str, value))
        return f"[{', '.join(map(_written, value))}]"
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def digest(graph: GraphStructure) -> str:
    """See ``Graph.digest``. Nodes that no output needs do not count, except inputs."""
    numbers = _canonical_numbers(graph)
    positions = {node.id: position for position, node in enumerate(graph.inputs)}
    ops: dict[int, str] = {}
    owners: dict[str, int] = {}
    hash_ = hashlib.sha256()
    for number, id_ in enumerate(numbers):
        node = graph.nodes[id_]
        op = ops.get(id(node.op))
        if op is None:
            op = ops[id(node.op)] = _structure(node.op)
        inputs = ",".join([str(numbers[source]) for source in node.inputs])
        position = positions.get(id_, "")
        hash_.update(f"{op}|{inputs}|{position}|{owners.setdefault(node.module, number)}\n".encode())
    for output in graph.outputs:
        hash_.update(f"{json.dumps(output.name)}|{numbers[output.node]}|{output.auxiliary}\n".encode())
    return hash_.hexdigest()


def _structure(op: Op) -> str:
    return f"{op.kind}({op.arguments()!r})"


def _canonical_numbers(graph: GraphStructure) -> dict[int, int]:
    """Ids of the nodes that count to their numbers, in an order that the wiring alone decides.

    Depth first from the inputs and the outputs, a node after all it reads.
    """
    numbers: dict[int, int] = {}
    for root in _roots(graph):
        pending = [(root, iter(graph.nodes[root].inputs))]
        while pending:
            id_, unread = pending[-1]
            missing = next((source for source in unread if source not in numbers), None)
            if missing is not None:
                pending.append((missing, iter(graph.nodes[missing].inputs)))
            else:
                pending.pop()
                numbers.setdefault(id_, len(numbers))
    return numbers


def _roots(graph: GraphStructure) -> Iterator[int]:
    for node in graph.nodes:
        if isinstance(node.op, InputOp):
            yield node.id
    for output in graph.outputs:
        yield output.node
