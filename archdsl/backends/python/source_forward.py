"""The statements of a ``forward``, with the variables a person would use."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain, count, islice
from typing import NamedTuple

from archdsl.backends.python.source_text import Text, flat_text, function_text, is_attribute, lines
from archdsl.backends.python.source_tree import Container, Statement
from archdsl.graph.model import SECTION_KINDS, Scope
from archdsl.ops.contract.torch_call import FoldCall, FunctionCall, Input, ModuleCall, local_name, parts

_LONGEST_INLINED = 64
_MOST_NESTED = 3

_IMPORTED = frozenset({"self", "torch", "nn", "F", "functools", "operator"})

Refer = Callable[[Container, str], str]
"""How a caller writes the module or parameter at a path."""
Finish = Callable[[list[Text]], list[str]]
"""The last lines of a ``forward``, from the texts of its outputs."""


def returned(outputs: list[Text]) -> list[str]:
    """``return`` with one output or a tuple."""
    text = outputs[0] if len(outputs) == 1 else ", ".join(map(flat_text, outputs))
    return lines(text, before="return ")


def namespace_style(container: Container) -> str:
    """``list`` or ``dict`` for what nn.ModuleList or nn.ModuleDict can hold, else ``plain``."""
    names = list(container.children)
    holds_parameter = any(
        not isinstance(child, Container) and not isinstance(child.call, ModuleCall)
        for child in container.children.values()
    )
    if holds_parameter:
        return "plain"
    if names == [str(i) for i in range(len(names))]:
        return "list"
    return "dict" if not RESERVED_NAMES.intersection(names) else "plain"


RESERVED_NAMES = frozenset({"keys", "values", "items", "pop", "clear", "update", "append", "extend", "insert"})
"""Names that torch's containers use themselves; those of all modules are refused before."""


def reference(caller: Container, path: str) -> str:
    """``self.conv1``, ``self.convs[0]``, ... for what stands at ``path`` below ``caller``."""
    below = path[len(caller.path) + 1 :] if caller.path else path
    written, container = "self", caller
    for name in below.split("."):
        written = _member(written, container, name, caller)
        child = container.children[name]
        if isinstance(child, Container):
            container = child
    return written


def is_list(container: Container) -> bool:
    """Whether the container is an ``nn.ModuleList``, or a class derived from it: its children are 0, 1, ..."""
    return container.parent is not None and namespace_style(container) == "list"


def _member(written: str, container: Container, name: str, caller: Container) -> str:
    if is_list(container):
        return f"{written}[{name}]"
    style = "plain" if container.is_caller else namespace_style(container)
    if style == "dict":
        return f'{written}["{name}"]'
    child = container.children[name]
    if is_attribute(name) and container is caller:
        return f"{written}.{name}"
    is_module = isinstance(child, Container) or isinstance(child.call, ModuleCall)
    return f'{written}.get_{"submodule" if is_module else "parameter"}("{name}")'


_REUSED = re.compile(r"x|out\d*")
"""Variables that take any value; others are named for what they hold."""


def _label(statement: Statement) -> str:
    """What the spec calls the step, unless that is an automatic name such as ``conv1``."""
    path = statement.callee.path if statement.callee else statement.node.path
    name = path.rpartition(".")[2]
    return "" if re.fullmatch(rf"{statement.node.op.kind}\d+", name) and not statement.callee else name


class _Nested(NamedTuple):
    """A call that is written as an argument: its depth, and the variables that it read last."""

    depth: int
    free: tuple[str, ...]


class ForwardWriter:
    """Writes one ``forward``: names for values, short calls nested into the next.

    Statements that make nothing but ``training_only`` values, by node id, are put under ``if self.training``.
    """

    def __init__(
        self,
        caller: Container,
        arguments: Sequence[str],
        refer: Refer = reference,
        training_only: frozenset[int] = frozenset(),
    ) -> None:
        self._caller = caller
        self._refer = refer
        self._texts: dict[int, Text] = dict(zip(caller.inputs, arguments, strict=True))
        self._nested: dict[int, _Nested] = {}
        self._reads = Counter(value for statement in caller.statements for value in statement.inputs)
        self._reads.update(list(caller.outputs))
        self._functions = {
            local_name(part.target)
            for statement in caller.statements
            for part in parts(statement.call)
            if isinstance(part, FoldCall | FunctionCall) and ":" in part.target
        }
        self._lines: list[str] = []
        self._section: Scope | None = None
        self._training_only = training_only
        self._in_training = False

    def run(self, statements: Sequence[Statement], finish: Finish = returned) -> list[str]:
        """Lines without indentation; ``finish`` writes the last, from the texts of the caller's outputs."""
        for position, statement in enumerate(statements):
            self._comment(statement)
            following = statements[position + 1] if position + 1 < len(statements) else None
            self._write(statement, following)
        return self._lines + finish([self._texts[value] for value in self._caller.outputs])

    def _write(self, statement: Statement, following: Statement | None) -> None:
        inputs, outputs = statement.inputs, statement.outputs
        text = self._call(statement)
        for value in inputs:
            self._reads[value] -= 1
        nested = self._nesting(inputs)
        if self._is_result(outputs, following) or self._goes_into(outputs, text, nested, statement, following):
            self._texts[outputs[0]], self._nested[outputs[0]] = text, nested
        else:
            names = nested.free[:1] if len(outputs) == 1 and nested.free else self._names(statement, len(outputs))
            self._assign(statement, names, text)
            self._texts.update(zip(outputs, names, strict=True))
        for value in inputs:
            if not self._reads[value]:
                self._texts.pop(value, None)

    def _assign(self, statement: Statement, names: Sequence[str], text: Text) -> None:
        """``names = text``, next to the line before if both are for training only."""
        in_training = self._training_only.issuperset(statement.outputs)
        if in_training and not self._in_training:
            self._lines.append("if self.training:")
        self._lines += lines(text, 4 * in_training, before=", ".join(names) + " = ")
        self._in_training = in_training

    def _nesting(self, inputs: tuple[int, ...]) -> _Nested:
        """How deep a call of these values is, and the variables that are not read after it."""
        depth = 0
        free: list[str] = []
        for value in inputs:
            inner = self._nested.pop(value, None)
            if inner is not None:
                depth = max(depth, inner.depth)
                free += inner.free
            elif not self._reads[value] and _REUSED.fullmatch(flat_text(self._texts[value])):
                free.append(flat_text(self._texts[value]))
        return _Nested(depth + 1, tuple(free))

    def _is_result(self, outputs: tuple[int, ...], following: Statement | None) -> bool:
        """Whether the call is written behind ``return``."""
        return following is None and outputs == tuple(self._caller.outputs) and len(outputs) == 1

    def _goes_into(
        self, outputs: tuple[int, ...], text: Text, nested: _Nested, statement: Statement, following: Statement | None
    ) -> bool:
        """Whether the call is written as an argument of the next."""
        if following is None or len(outputs) > 1 or self._reads[outputs[0]] != 1 or outputs[0] not in following.inputs:
            return False
        if _writes_twice(following, following.inputs.index(outputs[0])):
            return False
        if self._section_of(following) is not self._section:
            return False
        # a line ends as `x = self.relu(self.bn(self.conv(x)))` does
        ends = statement.call is not None and statement.node.op.ends_unit
        return isinstance(text, str) and not ends and nested.depth < _MOST_NESTED and len(text) <= _LONGEST_INLINED

    def _call(self, statement: Statement) -> Text:
        arguments = tuple(flat_text(self._texts[value]) for value in statement.inputs)
        if statement.callee is not None:
            return _called(self._refer(self._caller, statement.callee.path), arguments)
        module = statement.node.module
        if isinstance(statement.call, ModuleCall):
            return _called(self._refer(self._caller, module), arguments)
        assert statement.call is not None
        own = self._refer(self._caller, module) if statement.holds_parameter else None
        text = function_text(statement.call, arguments, own)
        flat = flat_text(text)
        return flat if len(flat) <= _LONGEST_INLINED else text

    def _names(self, statement: Statement, wanted: int) -> list[str]:
        """Variables that hold nothing: that of the branch, ``out``, ``out2``, ..."""
        live = {flat_text(text) for value, text in self._texts.items() if self._reads[value]}
        label = _label(statement).lower()  # `Conv2d_1a_3x3` is no name for a variable
        own = [label] if is_attribute(label) and label not in _IMPORTED else []
        candidates = chain(own, ["out"], (f"out{number}" for number in count(2)))
        return list(islice((name for name in candidates if name not in live | self._functions), wanted))

    def _comment(self, statement: Statement) -> None:
        """The unnamed section that begins here."""
        section = self._section_of(statement)
        begun = heading(section, self._section, bool(self._lines))
        self._lines += begun
        self._in_training = self._in_training and not begun
        self._section = section

    def _section_of(self, statement: Statement) -> Scope | None:
        callee = statement.callee
        return unnamed_section(callee.scope if callee else statement.node.scope, self._caller)


def heading(section: Scope | None, before: Scope | None, follows: bool) -> list[str]:
    """The lines between steps of two sections: a blank one, and a comment where a new one begins."""
    if section is before:
        return []
    return [*([""] if follows else []), *([f"# {section.title}"] if section else [])]


def unnamed_section(scope: Scope | None, caller: Container) -> Scope | None:
    """The stem, stage or head without a name, in the caller's own body, in which ``scope`` stands."""
    while scope is not None and scope is not caller.scope:
        if scope.kind in SECTION_KINDS and scope.path == caller.path:
            return scope
        scope = scope.parent
    return None


def _writes_twice(statement: Statement, position: int) -> bool:
    """Whether the call has its input of this position in several places."""
    return Counter(part.index for part in parts(statement.call) if isinstance(part, Input))[position] > 1


def _called(function: str, arguments: tuple[str, ...]) -> str:
    return f"{function}({', '.join(arguments)})"
