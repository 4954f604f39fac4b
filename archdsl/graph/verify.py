"""The rules that every graph keeps; run between passes, so that a broken one is found where it broke."""

from __future__ import annotations

from archdsl.graph.step_names import is_label
from archdsl.graph.structure import GraphError, GraphStructure, Node, Scope
from archdsl.ops import STRUCTURAL_OPS
from archdsl.ops.contract.base import Op, OpError, Types
from archdsl.ops.contract.shapes import TensorType


def verify(graph: GraphStructure) -> None:
    """Raises GraphError at the first rule that ``graph`` breaks."""
    _check_wiring(graph)
    _check_types(graph)
    _check_paths(graph)
    _check_names(graph)
    _check_modules(graph)
    _check_scopes(graph)
    _check_outputs(graph)


def _named(node: Node) -> str:
    return f"node {node.id} ({node.path}, {node.op.kind})"


def _check_wiring(graph: GraphStructure) -> None:
    for position, node in enumerate(graph.nodes):
        if node.id != position:
            raise GraphError(f"{_named(node)} stands at position {position}")
        for source in node.inputs:
            if not 0 <= source < node.id:
                raise GraphError(f"{_named(node)} reads node {source}, which does not stand before it")
        arity = node.op.arity
        fits = len(node.inputs) == arity if arity is not None else len(node.inputs) >= 2
        if not fits:
            wanted = "two or more" if arity is None else arity
            raise GraphError(f"{_named(node)} has {len(node.inputs)} inputs, but takes {wanted}")


def _check_types(graph: GraphStructure) -> None:
    known: dict[tuple[int, Types], TensorType] = {}
    for node in graph.nodes:
        types = graph.input_types(node)
        inferred = known.get((id(node.op), types))
        if inferred is None:
            inferred = known[id(node.op), types] = _inferred(node, types)
        if inferred != node.type:
            was = f"{node.type} {node.type.layout}"
            raise GraphError(f"{_named(node)} has type {was}, but makes {inferred} {inferred.layout}")


def _inferred(node: Node, types: Types) -> TensorType:
    try:
        return node.op.infer(types)
    except OpError as error:
        raise GraphError(f"{_named(node)} cannot take its inputs: {error.message}") from error


def _check_paths(graph: GraphStructure) -> None:
    """Paths are unique, and no op that may become a module has others inside it."""
    paths: set[str] = set()
    for node in graph.nodes:
        if not node.path or node.path in paths:
            raise GraphError(f"{_named(node)} has a path that " + ("another has" if node.path else "is empty"))
        paths.add(node.path)
    leaves = {node.module: node for node in graph.nodes if node.op.kind not in STRUCTURAL_OPS}
    checked: set[str] = set()
    for node in graph.nodes:
        outer = node.module.rpartition(".")[0]
        while outer and outer not in checked:
            checked.add(outer)
            if outer in leaves:
                raise GraphError(f"{_named(node)} stands inside {_named(leaves[outer])}")
            outer = outer.rpartition(".")[0]


def _check_names(graph: GraphStructure) -> None:
    """Every name is one that a spec can give: what is made of a graph may be code, and names stand in it."""
    if not graph.name.isidentifier():
        raise GraphError(f"`{graph.name}` cannot be the name of a network")
    for node in graph.inputs:
        if not node.path.isidentifier():
            raise GraphError(f"{_named(node)} has a path that no input can have")
    if not _seem_labels([node.path for node in graph.nodes]):
        for node in graph.nodes:
            if not is_label(node.path):
                raise GraphError(f"{_named(node)} has a path that no step can have")
    for output in graph.outputs:
        if not is_label(output.name):
            raise GraphError(f"`{output.name}` cannot be the name of an output")


def _seem_labels(names: list[str]) -> bool:
    """Whether all are labels, in a few passes over them as one text; where it says no they may be so still."""
    text = "\n".join(["", *names, ""])
    if text.count("\n") > len(names) + 1 or any(part in text for part in _NO_PARTS):
        return False
    return text.translate(_MARKS).isalnum()


_NO_PARTS = ("..", ".\n", "\n.", ".-", "\n-", "\n\n")
_MARKS = dict.fromkeys(map(ord, "._-\n"))


def _check_modules(graph: GraphStructure) -> None:
    """Where several nodes have one module, the first owns it, and all are one op on inputs that give it one shape."""
    owners: dict[str, Node] = {}
    for node in graph.nodes:
        if node.module == node.path:
            owners[node.module] = node
            continue
        owner = owners.get(node.module)
        if owner is None:
            raise GraphError(f"{_named(node)} shares the module {node.module}, which no node before it has")
        if not same_weights(node.op, graph.input_types(node), owner.op, graph.input_types(owner)):
            raise GraphError(f"{_named(node)} shares a module with {_named(owner)} that does not fit it")


def same_weights(op: Op, types: Types, other: Op, other_types: Types) -> bool:
    """Whether two ops on inputs of these types can have one module."""
    if op is other and types == other_types:
        return True
    return (
        op == other
        and op.parameters(types) == other.parameters(other_types)
        and op.buffers(types) == other.buffers(other_types)
    )


def _check_scopes(graph: GraphStructure) -> None:
    known: set[Scope] = {graph.root}
    _check_scope(graph.root)
    for node in graph.nodes:
        chain = []
        scope: Scope | None = node.scope
        while scope is not None and scope not in known:
            chain.append(scope)
            scope = scope.parent
        if scope is None:
            raise GraphError(f"{_named(node)} stands in a scope outside the network")
        for scope in chain:
            _check_scope(scope)
        known.update(chain)


def _check_scope(scope: Scope) -> None:
    for name in (scope.name, scope.path):
        if name and not is_label(name):
            raise GraphError(f"a {scope.kind} has the name `{name}`, which none can have")


def _check_outputs(graph: GraphStructure) -> None:
    names = [output.name for output in graph.outputs]
    if not any(not output.auxiliary for output in graph.outputs):
        raise GraphError("the network has no output")
    if len(set(names)) < len(names):
        raise GraphError(f"two outputs have one name: {', '.join(names)}")
    auxiliary = [output.auxiliary for output in graph.outputs]
    if auxiliary != sorted(auxiliary):
        raise GraphError("an auxiliary output stands before one that is not")
    for output in graph.outputs:
        if not 0 <= output.node < len(graph.nodes):
            raise GraphError(f"output {output.name} is node {output.node}, which does not exist")
