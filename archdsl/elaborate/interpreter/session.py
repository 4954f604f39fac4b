"""What one elaboration shares: the report, the growing graph, overrides, and the meaning of names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

from archdsl.base.limits import Limits, how_to_raise
from archdsl.base.names import wire_text
from archdsl.base.source import Span
from archdsl.base.wording import quoted
from archdsl.diagnostics.model import Label
from archdsl.elaborate.faults import Fault, Reporter
from archdsl.elaborate.help.suggestions import nearest
from archdsl.elaborate.help.unknown import unknown_name
from archdsl.elaborate.interpreter.elaborated_nodes import ElaboratedNodes
from archdsl.elaborate.interpreter.environment import Defaults, Environment, Wires
from archdsl.elaborate.interpreter.values import (
    BlockValue,
    FunctionValue,
    LayerValue,
    NetworkValue,
    OpReference,
    TensorValue,
)
from archdsl.elaborate.known import NO_OPS, UNIVERSE, bound
from archdsl.elaborate.loading import LoadedModule
from archdsl.graph.model import Node, OutputRef
from archdsl.language import syntax
from archdsl.ops.contract.base import Op

MISSING = object()
MAX_WIRES_OFFERED = 8
MAX_WIRES_COMPARED = 1000


@dataclass(slots=True, eq=False)
class Override:
    """A ``let`` or ``block`` in a variant, which stands in for the file-level definition of its name."""

    definition: syntax.Let | syntax.Block
    environment: Environment
    used: bool = False
    replaced: dict[str, syntax.Node] = field(default_factory=dict)
    """The definitions it stood in for, by the file that holds them."""


@dataclass(slots=True, eq=False)
class SectionOverride:
    section: syntax.Section
    environment: Environment
    used: bool = False


class Session:
    """State of one elaboration; evaluation and application share it."""

    def __init__(self, limits: Limits, reporter: Reporter, ops: Mapping[str, type[Op]] = NO_OPS) -> None:
        self.limits = limits
        self.user_ops = ops
        self.reporter = reporter
        self.builder = ElaboratedNodes()
        self.overrides: dict[str, Override] = {}
        self.sections: dict[tuple[str, str], SectionOverride] = {}
        self.network_defaults = Defaults((), None)
        self.entry: Node | None = None
        self.bases: list[LoadedModule] = []
        self.check_demands = True
        self.demands_within: Span | None = None
        self.auxiliary: list[OutputRef] = []
        self.variant_defaults: list[tuple[tuple[syntax.Default, ...], Environment]] = []
        self.turns = 0
        self._roots: dict[int, Environment] = {}
        self._values: dict[int, object] = {}
        self.evaluating: list[syntax.Let] = []

    def root(self, module: LoadedModule) -> Environment:
        """The environment of a file's own definitions: no ``in``, no wires."""
        found = self._roots.get(id(module))
        if found is None:
            defaults = Defaults(module.defaults, self.network_defaults)
            found = self._roots[id(module)] = Environment(module, None, {}, None, Wires(), defaults)
            defaults.environment = found
        return found

    def take_turns(self, count: int, where: syntax.Node) -> None:
        """Counts loop turns, list items and calls against the limit that keeps elaboration finite."""
        self.turns += count
        if self.turns > self.limits.turns:
            raise self.reporter.fault(
                "E504",
                f"this takes more than {self.limits.turns} loop turns and calls",
                where.span,
                help=how_to_raise("turns", self.limits.turns),
            )

    def definition_value(self, name: str, environment: Environment) -> object:
        """What a file-level name means here: an override, a definition, or what every file knows."""
        module = environment.module
        found = module.find(name)
        override = self.overrides.get(name)
        if override is not None and environment.overridden != name:
            written_beside = environment.module is override.environment.module
            if found or written_beside or self.known(name) is not MISSING:
                return self._override_value(name, override, found)
        if found is not None:
            return self._defined(*found)
        return self.known(name)

    def known(self, name: str) -> object:
        """What every file knows by this name; MISSING if nothing."""
        value = UNIVERSE.get(name, MISSING)
        if value is MISSING and name in self.user_ops:
            value = OpReference(name, self.user_ops[name])
        return value

    def _override_value(
        self, name: str, override: Override, found: tuple[LoadedModule, syntax.Definition] | None
    ) -> object:
        if found is not None:
            override.replaced.setdefault(found[0].source.name, found[1])
            if len(override.replaced) > 1:
                raise self._ambiguous(name, override)
        override.used = True
        value = self._values.get(id(override.definition), MISSING)
        if value is MISSING:
            value = defined_value(override.definition, override.environment)
            self._values[id(override.definition)] = value
        return value

    def _ambiguous(self, name: str, override: Override) -> Fault:
        places = [
            Label(node.span, "one definition that it replaces" if i == 0 else "and another")
            for i, node in enumerate(override.replaced.values())
        ]
        return self.reporter.fault(
            "E407",
            f"`{name}` is defined by more than one file that this network uses: {', '.join(override.replaced)}",
            override.definition.name.span,
            labels=tuple(places),
            help="override the blocks that use it instead, each by its own name",
        )

    def _defined(self, module: LoadedModule, definition: syntax.Definition) -> object:
        value = self._values.get(id(definition), MISSING)
        if value is MISSING:
            value = self._values[id(definition)] = defined_value(definition, self.root(module))
        return value

    def remember(self, definition: syntax.Let, value: object) -> None:
        """Keeps the value of a file-level constant, or of an override, once it is known."""
        self._values[id(definition)] = value

    def unknown(self, name: syntax.Name, environment: Environment) -> Fault:
        """The fault for a name that nothing defines."""
        return unknown_name(self.reporter, name, environment.module, self.user_ops)


@dataclass(frozen=True, slots=True, eq=False)
class Unevaluated:
    """A constant ``let`` whose value is not known yet."""

    definition: syntax.Let
    environment: Environment


def defined_value(definition: syntax.Definition, environment: Environment) -> object:
    """What a declaration's name stands for."""
    match definition:
        case syntax.Block():
            return BlockValue(definition, environment)
        case syntax.Network():
            return NetworkValue(definition, environment)
        case syntax.Let(parameters=None):
            return Unevaluated(definition, environment)
        case syntax.Let():
            return FunctionValue(definition, environment)
    raise TypeError(f"no definition: {definition!r}")


def wire_help(session: Session, path: str, span: Span, environment: Environment) -> str:
    """Where a step is that ``@path`` does not reach, else the nearest of those that it does."""
    known = dict(islice(environment.wires.paths(), MAX_WIRES_COMPARED))
    if bound(environment.module, session.user_ops).has_label(path, span, before=False):
        return "it stands further down: a wire leads to a step above"
    if session.builder.is_done_around(path, {what for what, _ in session.reporter.chain}):
        return "a block or function does not see the wires of its user: give it the tensor as an argument"
    value = variable(environment, path)
    if isinstance(value, TensorValue):
        return f"`{path}` is a tensor that has a name: write it without the `@`"
    if isinstance(value, LayerValue):
        return f"`{path}` is a layer with a name, and a wire leads to a step: where that is made, write `{path}: ...`"
    if inside := [each for each in known if each.endswith(f".{path}")]:
        return f"inside other steps there is {_wires(inside)}"
    if near := nearest(path, known):
        return f"did you mean {_wires([near])}?"
    scope = path.rpartition(".")[0]
    done = [each for each, step in known.items() if step.node.id >= 0]
    beside = [each for each in done if scope and each.rpartition(".")[0] == scope]
    offered = beside or [each for each in done if each in {*environment.wires.names()}]
    return f"steps done so far: {_wires(offered)}" if offered else ""


def _wires(paths: list[str]) -> str:
    return quoted([wire_text(path) for path in paths[-MAX_WIRES_OFFERED:]])


def variable(environment: Environment, name: str) -> object:
    """The value of a ``let``, parameter or loop variable; MISSING if none of the name is seen."""
    scope: Environment | None = environment
    while scope is not None:
        value = scope.variables.get(name, MISSING)
        if value is not MISSING:
            return value
        scope = scope.parent
    return MISSING
