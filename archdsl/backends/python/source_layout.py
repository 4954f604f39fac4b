"""From the module tree to classes: which containers are ``nn.Sequential``, which loops, which classes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any

from archdsl.backends.python.source_classes import BlockUse, Class, ClassNames, construction, group
from archdsl.backends.python.source_expressions import (
    Construction,
    Expression,
    Items,
    leaves,
    map_leaves,
    module_expression,
    shape,
)
from archdsl.backends.python.source_forward import RESERVED_NAMES, Finish, ForwardWriter, namespace_style, returned
from archdsl.backends.python.source_text import is_attribute
from archdsl.backends.python.source_tree import Container, ModuleLeaf, Statement
from archdsl.graph.model import Graph
from archdsl.ops.contract.init import Constant
from archdsl.ops.contract.torch_call import ModuleCall

_FEWEST_TURNS = 3


class FileLayout:
    """The classes of a file: ``classes`` in an order in which each stands after those it uses."""

    def __init__(self, graph: Graph, root: Container, finish: Finish | None, taken: Sequence[str]) -> None:
        self.classes: list[Class] = []
        self.defaults: dict[str, dict[str, Any]] = {}
        self._graph = graph
        self._root = root
        self._finish = finish
        self._made: dict[Container, Expression] = {}
        levels = _levels(root)
        self._names = ClassNames(taken, chain.from_iterable(levels))
        for level in levels:
            self._make_level(level)

    def _make_level(self, containers: list[Container]) -> None:
        uses = []
        for container in containers:
            simple = self._without_class(container)
            if simple is not None:
                self._made[container] = simple
            else:
                uses.append(self._use(container))
        for made in group(uses, self._names, self.defaults):
            self.classes.append(made)
            for position, use in enumerate(made.uses):
                self._made[use.container] = construction(made, position)

    def _without_class(self, container: Container) -> Items | None:
        """The container as one of torch's, if it is a namespace or a plain sequence."""
        if container is self._root:
            return None
        names = list(container.children)
        if not container.is_caller:
            style = namespace_style(container)
            target = {"list": "nn.ModuleList", "dict": "nn.ModuleDict"}.get(style)
            return Items(target, self._children(container), style == "dict") if target else None
        if not _is_sequence(container) or RESERVED_NAMES.intersection(names):
            return None
        numbered = names == [str(i) for i in range(len(names))]
        is_block = container.scope is not None and container.scope.kind == "block"
        return None if is_block and not numbered else Items("nn.Sequential", self._children(container), not numbered)

    def _children(self, container: Container) -> tuple[tuple[str, Expression], ...]:
        return tuple((name, self._child(child)) for name, child in container.children.items())

    def _child(self, child: ModuleLeaf | Container) -> Expression:
        if isinstance(child, Container):
            return self._made[child]
        if isinstance(child.call, ModuleCall):
            return module_expression(child.call)
        (spec,) = child.node.op.parameters(self._graph.input_types(child.node)).values()
        sizes = Construction("", tuple((f"size{i}", size) for i, size in enumerate(spec.shape)), len(spec.shape))
        value = spec.init.value if isinstance(spec.init, Constant) else 0.0
        return Construction(
            "nn.Parameter", (("data", Construction("torch.full", (("size", sizes), ("fill_value", value)), 2)),), 1
        )

    def _use(self, container: Container) -> BlockUse:
        arguments = tuple(self._argument_names(container))
        children = self._children(container)
        if not container.is_caller:
            return BlockUse(container, children, (), (), (None, None))
        rolled = self._rolled(container, children) if container is not self._root else None
        if rolled is not None:
            return rolled
        finish = self._finish if container is self._root and self._finish else returned
        # only the network itself knows that its caller takes no auxiliary outputs in eval mode
        training_only = self._graph.auxiliary_nodes() if container is self._root else frozenset[int]()
        writer = ForwardWriter(container, arguments, training_only=training_only)
        forward = writer.run(container.statements, finish)
        return BlockUse(container, children, tuple(forward), arguments, self._channels(container))

    def _argument_names(self, container: Container) -> list[str]:
        if len(container.inputs) == 1:
            return ["x"]
        if container is self._root:
            return [_identifier(self._graph.nodes[value].path) for value in container.inputs]
        return [f"x{i}" for i in range(1, len(container.inputs) + 1)]

    def _channels(self, container: Container) -> tuple[int | None, int | None]:
        """Channels of the first input and the first output."""
        ends = [next(iter(values), None) for values in (container.inputs, container.outputs)]
        types = [None if value is None else self._graph.nodes[value].type for value in ends]
        counts = [t.sizes[t.channel_axis] if t is not None and t.channel_axis is not None else None for t in types]
        return counts[0], counts[1]

    # ---- loops -----------------------------------------------------------------------------------

    def _rolled(self, container: Container, children: tuple[tuple[str, Expression], ...]) -> BlockUse | None:
        """The container as a loop over its children, if all are called alike, one after the other."""
        naming = _numbered_names([name for name, _ in children])
        turns = len(children)
        if naming is None or turns < _FEWEST_TURNS or not _turns_are_alike(container, turns):
            return None
        item = _progression([child for _, child in children])
        if item is None:
            return None
        per_turn = len(container.statements) // turns
        writer = ForwardWriter(_first_turn(container, per_turn), ["x"], lambda caller, path: "layer")
        body = writer.run(container.statements[:per_turn], lambda outputs: returned_to_x(outputs))
        forward = ("for layer in self.children():", *[f"    {line}" for line in body], "return x")
        loop = Construction("range", (("depth", turns),), 1)
        return BlockUse(container, (("", loop), ("layer", item)), forward, ("x",), self._channels(container), naming)


def returned_to_x(outputs: list[Any]) -> list[str]:
    """``x = ...``, the end of a loop's turn."""
    return ["x = " + line.removeprefix("return ") if i == 0 else line for i, line in enumerate(returned(outputs))]


def _levels(root: Container) -> list[list[Container]]:
    """All containers by height above the leaves: each level needs only those before."""
    heights: dict[Container, int] = {}
    stack = [(root, False)]
    while stack:
        container, done = stack.pop()
        inner = [child for child in container.children.values() if isinstance(child, Container)]
        if done:
            heights[container] = 1 + max((heights[child] for child in inner), default=-1)
        else:
            stack += [(container, True), *((child, False) for child in reversed(inner))]
    levels: list[list[Container]] = [[] for _ in range(heights[root] + 1)]
    for container, height in heights.items():
        levels[height].append(container)
    return levels


def _is_sequence(container: Container) -> bool:
    """Whether each statement calls the next child with nothing but the result of the one before."""
    carried = tuple(container.inputs)
    called: list[Any] = []
    for statement in container.statements:
        child = _called_child(container, statement)
        if len(carried) != 1 or statement.inputs != carried or child is None:
            return False
        called.append(child)
        carried = statement.outputs
    return called == list(container.children.values()) and carried == tuple(container.outputs)


def _called_child(container: Container, statement: Statement) -> ModuleLeaf | Container | None:
    """The direct child that a statement calls."""
    if statement.callee is not None:
        return statement.callee if statement.callee.parent is container else None
    if not isinstance(statement.call, ModuleCall):
        return None
    outer, _, name = statement.node.module.rpartition(".")
    return container.children.get(name) if outer == container.path else None


def _numbered_names(names: Sequence[str]) -> str | None:
    """``denselayer{i + 1}`` for ``denselayer1``, ``denselayer2``, ...; None for other names."""
    match = re.fullmatch(r"(.*?)(\d+)", names[0]) if names else None
    if match is None:
        return None
    prefix, start = match[1], int(match[2])
    if list(names) != [f"{prefix}{start + i}" for i in range(len(names))]:
        return None
    return f"{prefix}{{i + {start}}}" if start else f"{prefix}{{i}}"


def _first_turn(container: Container, per_turn: int) -> Container:
    """A caller of the first turn's statements alone."""
    statements = container.statements[:per_turn]
    turn = Container(container.path, container.scope, True, container.parent, container.children, statements)
    turn.inputs = container.inputs
    turn.outputs = dict.fromkeys(statements[-1].outputs)
    return turn


def _turns_are_alike(container: Container, turns: int) -> bool:
    """Whether the statements are as many equal turns, each calling one child and reading the turn before."""
    per_turn, rest = divmod(len(container.statements), turns)
    if rest or len(container.inputs) != 1:
        return False
    carried = tuple(container.inputs)
    patterns = set()
    for turn, child in enumerate(container.children.values()):
        statements = container.statements[turn * per_turn : (turn + 1) * per_turn]
        patterns.add(_pattern(container, statements, carried[0], child))
        carried = statements[-1].outputs
    return len(patterns) == 1 and None not in patterns and carried == tuple(container.outputs)


def _pattern(
    container: Container, statements: list[Statement], carried: int, child: ModuleLeaf | Container
) -> str | None:
    """What a turn does, in numbers of its own; None if it reads other values or calls other children."""
    numbers = {carried: 0}
    written = []
    for statement in statements:
        callee = _called_child(container, statement)
        if len(statement.outputs) != 1 or any(value not in numbers for value in statement.inputs):
            return None
        calls_module = statement.callee is not None or isinstance(statement.call, ModuleCall)
        if statement.holds_parameter or callee is not (child if calls_module else None):
            return None
        call = "layer" if calls_module else repr(statement.call)
        written.append(f"{call}{[numbers[value] for value in statement.inputs]}")
        numbers[statement.outputs[0]] = len(numbers)
    return ";".join(written) if any(line.startswith("layer") for line in written) else None


def _progression(items: list[Expression]) -> Expression | None:
    """One construction for all turns, in which channel counts may grow evenly with ``i``."""
    if any(shape(item) != shape(items[0]) for item in items):
        return None
    columns = list(zip(*([leaf for _, leaf in leaves(item)] for item in items), strict=True))
    written: list[Any] = []
    for column in columns:
        if all(value == column[0] and type(value) is type(column[0]) for value in column):
            written.append(column[0])
        elif all(type(value) is int for value in column) and _grows_evenly(column):
            written.append(Construction("+", (("in_channels", column[0]), ("growth", column[1] - column[0])), 2))
        else:
            return None
    replacements = iter(written)
    return map_leaves(items[0], lambda slot, leaf: next(replacements))  # type: ignore[no-any-return]


def _grows_evenly(column: tuple[Any, ...]) -> bool:
    step = column[1] - column[0]
    return step > 0 and all(after - before == step for before, after in pairwise(column))


def _identifier(path: str) -> str:
    name = re.sub(r"\W", "_", path)
    return name if is_attribute(name) and name != "self" else f"{name}_"
