"""Bodies: statements in order, each applied to the tensor that the one before made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archdsl.diagnostics.model import Label
from archdsl.elaborate.faults import Fault, Poisoned
from archdsl.elaborate.help.unused import UnusedLayers
from archdsl.elaborate.interpreter.application import Applier
from archdsl.elaborate.interpreter.elaborated_nodes import INVALID
from archdsl.elaborate.interpreter.environment import Defaults, Environment
from archdsl.elaborate.interpreter.place import Place
from archdsl.elaborate.interpreter.session import MISSING, SectionOverride, Session, variable
from archdsl.elaborate.interpreter.values import FAILED, BlockValue, FunctionValue
from archdsl.elaborate.loading import LoadedModule
from archdsl.graph.model import Node, OutputRef
from archdsl.language import syntax
from archdsl.language.binder import free_names

_REACHED = 'what a section makes is reached by its path: `output features: @"layer1.0"`'


class BodyRunner:
    """Runs statements; a fault in one is reported and the rest goes on."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.applier = Applier(session)
        self.evaluator = self.applier.evaluator
        self.unused = UnusedLayers(session.reporter)
        self._read_themselves: dict[syntax.For, tuple[syntax.Let, ...]] = {}
        self.applier.bodies = self
        self._by_type: dict[type, Callable[[Any, Environment, Place, Node], Node]] = {
            syntax.Step: self._step,
            syntax.Let: self._define,
            syntax.Block: self._define,
            syntax.Default: self._nothing,
            syntax.Section: self._section,
            syntax.For: self._for,
            syntax.If: self._if,
            syntax.Assert: self._assert,
            syntax.Input: self._misplaced,
            syntax.Output: self._misplaced,
        }

    def run(self, body: syntax.Body, environment: Environment, place: Place, tensor: Node) -> Node:
        """The last tensor of the body; ``environment`` takes the body's definitions."""
        self.open_defaults(body, environment)
        for statement in body.statements:
            tensor = self.run_statement(statement, environment, place, tensor)
        self.unused.check(body, environment)
        return tensor

    def run_statement(self, statement: syntax.Statement, environment: Environment, place: Place, tensor: Node) -> Node:
        """The tensor after one statement; an invalid one where it failed."""
        try:
            return self._by_type[type(statement)](statement, environment, place, tensor)
        except Fault as fault:
            self.session.reporter.report(fault)
        except Poisoned:
            pass
        if isinstance(statement, syntax.Let | syntax.Block):
            environment.variables[statement.name.name] = FAILED
            return tensor
        return tensor if isinstance(statement, syntax.Default) else INVALID

    def open_defaults(self, body: syntax.Body, environment: Environment) -> None:
        """Puts the body's ``default`` statements before those around it."""
        statements = [s for s in body.statements if s.__class__ is syntax.Default]
        if statements:
            environment.defaults = Defaults(tuple(statements), environment.defaults, environment)

    def _step(self, statement: syntax.Step, environment: Environment, place: Place, tensor: Node) -> Node:
        return self.applier.apply(statement.layer, environment, place, tensor)

    def _define(
        self, statement: syntax.Let | syntax.Block, environment: Environment, place: Place, tensor: Node
    ) -> Node:
        name = statement.name
        if name.name in environment.variables:
            raise self._redefined(name, environment)
        if isinstance(statement, syntax.Block):
            environment.variables[name.name] = BlockValue(statement, environment)
        elif statement.parameters is not None:
            environment.variables[name.name] = FunctionValue(statement, environment)
        else:
            environment.variables[name.name] = self.evaluator.evaluate(statement.value, environment)
        return tensor

    def _redefined(self, name: syntax.Name, environment: Environment) -> Fault:
        return self.session.reporter.fault(
            "E202",
            f"`{name.name}` is defined already in this body",
            name.span,
            help="a name keeps its value; give the new value another name",
        )

    def _nothing(self, statement: syntax.Default, environment: Environment, place: Place, tensor: Node) -> Node:
        self.applier.op_calls.defaults.check(statement, environment)
        return tensor

    def _for(self, statement: syntax.For, environment: Environment, place: Place, tensor: Node) -> Node:
        self._refuse_starting_over(statement, environment)
        for item in self.evaluator.iterate(statement.iterable, environment):
            self.session.take_turns(1, statement)
            variables = self.evaluator.unpack(statement.names, item, statement.iterable.span)
            tensor = self.run(statement.body, environment.child(variables), place, tensor)
        return tensor

    def _refuse_starting_over(self, statement: syntax.For, environment: Environment) -> None:
        """Raises Fault E202 for ``let c = c * 2`` in a loop that has a ``c`` around it: no turn sees another's."""
        found = self._read_themselves.get(statement)
        if found is None:
            found = self._read_themselves[statement] = _lets_that_read_themselves(statement, environment.module)
        for let in found:
            name = let.name.name
            outside = environment.module.find(name)
            if variable(environment, name) is MISSING and (outside is None or not isinstance(outside[1], syntax.Let)):
                continue
            raise self.session.reporter.fault(
                "E202",
                f"this `{name}` starts over at each turn: on the right stands the `{name}` from outside of the loop",
                let.name.span,
                help="name it otherwise; what changes from turn to turn is computed from the loop's variable, as in "
                "`8 * 2 ** (i + 1)`",
            )

    def _if(self, statement: syntax.If, environment: Environment, place: Place, tensor: Node) -> Node:
        for condition, body in statement.branches:
            if self.evaluator.condition(condition, environment):
                return self.run(body, environment.child(), place, tensor)
        if statement.otherwise is not None:
            return self.run(statement.otherwise, environment.child(), place, tensor)
        return tensor

    def _assert(self, statement: syntax.Assert, environment: Environment, place: Place, tensor: Node) -> Node:
        self.check_assert(statement, environment)
        return tensor

    def check_assert(self, statement: syntax.Assert, environment: Environment) -> None:
        """Raises Fault E408 where the condition does not hold, with the values of its two sides."""
        if self.evaluator.condition(statement.condition, environment):
            return
        why = f": {self.evaluator.text(statement.message, environment)}" if statement.message else ""
        raise self.session.reporter.fault(
            "E408",
            f"this does not hold{why}",
            statement.condition.span,
            labels=self._sides(statement.condition, environment),
        )

    def _sides(self, condition: syntax.Expression, environment: Environment) -> tuple[Label, ...]:
        if not isinstance(condition, syntax.Binary):
            return ()
        sides = [side for side in (condition.left, condition.right) if not isinstance(side, syntax.Constant)]
        found = [(side, self.evaluator.evaluate(side, environment)) for side in sides]
        return tuple(Label(side.span, f"is {value:_}") for side, value in found if isinstance(value, int | float))

    def _misplaced(self, statement: syntax.Statement, environment: Environment, place: Place, tensor: Node) -> Node:
        word = "input" if isinstance(statement, syntax.Input) else "output"
        raise self.session.reporter.fault(
            "E106",
            f"`{word}` stands in the body of a network",
            statement.span,
            help=f"put it there; {_REACHED}" if word == "output" else "",
        )

    # ---- sections --------------------------------------------------------------------------------

    def _section(self, statement: syntax.Section, environment: Environment, place: Place, tensor: Node) -> Node:
        name = self.section_name(statement, environment)
        override = self.session.sections.get(section_key(statement, name))
        if override is not None and override.section is not statement:
            return self._replacement(override, place, tensor)
        return self._run_section(statement, name, environment, place, tensor)

    def _replacement(self, override: SectionOverride, place: Place, tensor: Node) -> Node:
        override.used = True
        environment = override.environment.inside(place.names.wires)
        environment.entry = self.session.entry
        section = override.section
        name = self.section_name(section, environment)
        result = self._run_section(section, name, environment, place, tensor)
        what = f"{section.kind} {name or ''}".strip()
        self.session.reporter.replaced = f"the `{what}` that replaces the base's", section.span
        return result

    def _run_section(
        self, section: syntax.Section, name: str | None, environment: Environment, place: Place, tensor: Node
    ) -> Node:
        if name is None:
            inner = place.section(section.kind, "", section.span)
            result = self.run(section.body, environment.child(), inner, tensor)
        else:
            result = self.applier.named_section(section, name, environment, place, tensor)
        if section.kind != "aux":
            return result
        if result.id >= 0:
            title = name or f"aux{len(self.session.auxiliary) + 1}"
            self.session.auxiliary.append(OutputRef(title, result.id, auxiliary=True))
        return tensor

    def section_name(self, section: syntax.Section, environment: Environment) -> str | None:
        """The section's label with its interpolations filled in."""
        return None if section.label is None else self.evaluator.text(section.label, environment)


def _lets_that_read_themselves(loop: syntax.For, module: LoadedModule) -> tuple[syntax.Let, ...]:
    turns = {name.name for name in loop.names}
    lets = [s for s in loop.body.statements if isinstance(s, syntax.Let) and s.parameters is None]
    return tuple(let for let in lets if let.name.name not in turns and let.name.name in free_names(let.value, module))


def section_key(section: syntax.Section, name: str | None) -> tuple[str, str]:
    """What a replacement is matched by: the kind, and for stages and side branches the name."""
    return section.kind, "" if section.kind in ("stem", "head") else name or ""
