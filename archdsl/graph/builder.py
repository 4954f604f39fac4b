"""Graphs by hand, without a spec: the same ops, shapes, names and refusals as in the language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from archdsl.base.wording import did_you_mean
from archdsl.diagnostics.codes import ErrorCode
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from archdsl.graph.growing import GrowingGraph
from archdsl.graph.model import SECTION_KINDS, Graph, Node, OutputRef, Scope, ScopeKind, Setting
from archdsl.graph.step_names import LABEL_RULE, StepNames, is_label
from archdsl.graph.verify import same_weights
from archdsl.ops import ALL_OPS, STRUCTURAL_OPS
from archdsl.ops.contract.base import Op, OpError
from archdsl.ops.contract.shapes import Layout, TensorType
from archdsl.ops.reshape import InputOp

_POSITIONAL: frozenset[str] = frozenset({*SECTION_KINDS, "sequence"})
"""Scopes with a label of their own whose steps are named 0, 1, ..."""


class GraphBuilder:
    """Adds nodes one after the other, and opens scopes around them.

    Steps are named as in the language: by their label, else ``conv1``, ``conv2`` by kind, or ``0``, ``1`` by position
    in stages and sequences. Sums, products and concatenations without a label are named by ``finish``, so that they
    never take a name from a step; until then their ``path`` is "". What an op refuses is an ArchError.
    """

    def __init__(self, name: str, *, settings: Mapping[str, Setting] | None = None, doc: str = "") -> None:
        self.name, self.settings, self.doc = name, dict(settings or {}), doc
        self._growing = GrowingGraph()
        self._root = self._scope = Scope("network", name, "", None)
        self._root_names = self._names = StepNames[None]("", positional=False)
        self._all_names = [self._root_names]

    def input(self, *sizes: int, name: str = "input", layout: Layout | None = None) -> Node:
        """A tensor that enters the network, by its sizes without the batch."""
        if not name.isidentifier():
            raise _refusal("E106", f"`{name}` cannot be the name of an input", help="it is letters, digits and `_`")
        if name in self._root_names.taken:
            raise _refusal("E202", f"two inputs or steps are named `{name}`")
        type_ = TensorType.of(sizes, layout)
        try:
            op = self._growing.op(InputOp, {"sizes": type_.sizes, "layout": type_.layout})
        except ValidationError as error:
            raise _refusal("E309", f"the input {type_} cannot be: {error.errors()[0]['msg']}") from None
        self._root_names.taken[name] = None
        return self._growing.add(op, (), name, self._root, None)

    def apply(self, op: str | type[Op] | Op, *inputs: Node, label: str | None = None, **arguments: object) -> Node:
        """An op on the outputs of earlier nodes: a kind as ``"conv"``, or a class, with its arguments, or an op."""
        made = self._made(op, arguments)
        self._check_inputs(made, inputs, label)
        if label is None and made.kind in STRUCTURAL_OPS:
            node = self._growing.add(made, inputs, "", self._scope, None)
            self._names.merges.append(node)
            return node
        return self._growing.add(made, inputs, self._claimed(made.step_name, label), self._scope, None)

    def apply_shared(self, first: Node, *inputs: Node, label: str | None = None) -> Node:
        """The op of ``first`` once more, with the weights of that node."""
        first = self._growing.nodes[self._known(first).id]
        if not first.path:
            raise ValueError("a merge has no weights to share")
        types = [tuple([self._growing.nodes[i].type for i in first.inputs]), tuple([node.type for node in inputs])]
        self._check_inputs(first.op, inputs, label)
        if not same_weights(first.op, types[0], first.op, types[1]):
            raise _refusal("E308", f"`{first.path}` is shared, but here its weights would have another shape")
        return self._growing.tie(self.apply(first.op, *inputs, label=label), first.module)

    @contextmanager
    def scope(self, kind: ScopeKind, label: str | None = None, *, block: str = "") -> Iterator[Scope]:
        """Steps inside stand in a scope and are named within it: ``layer1.conv1``.

        ``block`` is the name of a block, which its uses are named after. A section without a label, such as a stem,
        opens no names.
        """
        outer = self._scope, self._names
        try:
            self._open(kind, label, block)
            yield self._scope
        finally:
            self._scope, self._names = outer

    def finish(
        self, outputs: Node | Mapping[str, Node] | None = None, *, auxiliary: Mapping[str, Node] | None = None
    ) -> Graph:
        """The graph, verified. It returns ``outputs``, one or several by name; the last node, if none are given.

        Those of ``auxiliary`` are returned in training only. Raises GraphError for a graph that cannot be.
        """
        self._growing.name_merges(self._all_names)
        nodes = tuple(self._growing.nodes)
        if not isinstance(outputs, Mapping):
            outputs = {"output": outputs or nodes[-1]} if nodes else {}
        refs = [OutputRef(name, self._known(node).id) for name, node in outputs.items()]
        refs += [OutputRef(name, self._known(node).id, True) for name, node in (auxiliary or {}).items()]
        graph = Graph(self.name, nodes, tuple(refs), self._root, self.settings, self.doc)
        graph.verify()
        return graph

    # ---- ops and their inputs -------------------------------------------------------------------

    def _made(self, op: str | type[Op] | Op, arguments: Mapping[str, object]) -> Op:
        if isinstance(op, str):
            op = _op_of_kind(op)
        if isinstance(op, type):
            return self._op(op, {name: _as_tuple(value) for name, value in arguments.items()})
        if arguments:
            raise TypeError(f"{op!r} has its arguments already")
        return op

    def _op(self, op_type: type[Op], arguments: dict[str, Any]) -> Op:
        try:
            return self._growing.op(op_type, arguments)
        except ValidationError as error:
            raise ArchError([_argument_refusal(op_type.kind, each) for each in error.errors()]) from None

    def _check_inputs(self, op: Op, inputs: tuple[Node, ...], label: str | None) -> None:
        """Raises ArchError where the op cannot take these inputs, before anything has a name."""
        for node in inputs:
            self._known(node)
        if len(inputs) != op.arity and (op.arity is not None or len(inputs) < 2):
            wanted = "two or more tensors" if op.arity is None else f"{op.arity} tensor{'s' * (op.arity != 1)}"
            raise _refusal("E215", f"`{op.kind}` takes {wanted}, and here are {len(inputs)}")
        try:
            self._growing.infer(op, inputs)
        except OpError as error:
            at = f"while adding `{self._names.full(label or op.kind)}` to `{self.name}`"
            raise ArchError(Diagnostic(error.code, error.message, notes=(at,), help=error.help)) from None

    def _known(self, node: Node) -> Node:
        """The node, if it is of this builder."""
        nodes = self._growing.nodes
        if not (node.id < len(nodes) and nodes[node.id].op is node.op and nodes[node.id].scope is node.scope):
            raise ValueError(f"{node!r} is a node of another graph")
        return node

    # ---- names and scopes -----------------------------------------------------------------------

    def _claimed(self, kind: str, label: str | None) -> str:
        """The path of a step or scope of this kind, whose name nothing else in the open scope has."""
        if label is not None and not is_label(label):
            raise _refusal("E106", f"`{label}` cannot be a name", help=LABEL_RULE)
        if label is not None:
            self._names.labelled(kind)
        name = label if label is not None else self._names.automatic(kind)
        if name in self._names.taken or self._names.full(name) in self._growing.paths:
            raise _refusal("E203", f"two steps are named `{self._names.full(name)}`", help="give it another label")
        self._names.taken[name] = None
        return self._names.full(name)

    def _open(self, kind: ScopeKind, label: str | None, block: str) -> None:
        if kind == "network":
            raise ValueError("a network is built by a builder of its own")
        if kind in SECTION_KINDS and label is None:
            self._scope = Scope(kind, "", self._names.path, self._scope)
            return
        path = self._claimed(block or ("seq" if kind == "sequence" else kind), label)
        title = (label or "") if kind in SECTION_KINDS else block
        self._scope = Scope(kind, title, path, self._scope)
        self._names = StepNames[None](path, positional=kind in _POSITIONAL)
        self._all_names.append(self._names)


def _op_of_kind(kind: str) -> type[Op]:
    found = ALL_OPS.get(kind)
    if found is None:
        near = get_close_matches(kind, ALL_OPS, 1)
        help_ = did_you_mean(*near) or "an op of your own is given by its class"
        raise _refusal("E201", f"archdsl has no op `{kind}`", help=help_)
    return found


def _as_tuple(value: object) -> object:
    return tuple(map(_as_tuple, value)) if isinstance(value, list | tuple) else value


def _argument_refusal(kind: str, error: Any) -> Diagnostic:
    """One of pydantic's errors: E211 for a missing argument, E212 for an unknown one, else E215."""
    argument = ".".join(map(str, error["loc"]))
    if error["type"] == "missing":
        return Diagnostic("E211", f"`{kind}` needs the argument `{argument}`")
    if error["type"] == "extra_forbidden":
        return Diagnostic("E212", f"`{kind}` has no argument `{argument}`")
    return Diagnostic("E215", f"`{argument}` of `{kind}` {error['msg']}" if argument else f"`{kind}`: {error['msg']}")


def _refusal(code: ErrorCode, message: str, help: str = "") -> ArchError:
    return ArchError(Diagnostic(code, message, help=help))
