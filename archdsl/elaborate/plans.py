"""Networks taken apart before they are built: parameters, bases, and what variants change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from archdsl.base.wording import quoted
from archdsl.diagnostics.model import Label
from archdsl.elaborate.faults import Level
from archdsl.elaborate.help.suggestions import suggestion
from archdsl.elaborate.interpreter.arguments import match_names, split_arguments
from archdsl.elaborate.interpreter.bodies import BodyRunner, section_key
from archdsl.elaborate.interpreter.environment import Environment, Given, Wires
from archdsl.elaborate.interpreter.session import MISSING, Override, SectionOverride
from archdsl.elaborate.interpreter.values import describe
from archdsl.elaborate.known import FINISHED
from archdsl.elaborate.loading import LoadedModule
from archdsl.language import syntax
from archdsl.language.bases import bases, open_parameters
from archdsl.language.binder import free_names, own_names
from archdsl.language.walking import descendants


@dataclass(frozen=True, slots=True)
class NetworkAssert:
    """An ``assert`` in a network's body; ``finished`` are the names by which it asks for the finished graph."""

    statement: syntax.Assert
    environment: Environment
    finished: frozenset[str]

    @property
    def waits(self) -> bool:
        """Whether it can be checked at the end only; one on arguments is checked before anything goes wrong."""
        return bool(self.finished) or _has_wire(self.statement)


def _has_wire(statement: syntax.Assert) -> bool:
    return any(isinstance(node, syntax.Wire) for node in descendants(statement))


@dataclass(slots=True, eq=False)
class Plan:
    """A network taken apart: the one body that is built, and what its variants change."""

    body: syntax.Body
    environment: Environment
    settings: dict[str, object]
    """The values of all parameters, the base's included."""
    input: tuple[syntax.Input, Environment] | None = None
    asserts: list[NetworkAssert] = field(default_factory=list)
    changed: frozenset[str] = frozenset()
    """The parameters that do not have the value of their declaration."""
    outputs: list[tuple[syntax.Output, Environment]] = field(default_factory=list)
    """What a variant returns in place of all that its base does."""
    variant_input: syntax.Network | None = None
    """The variant whose ``input`` replaced the base's: there the base's shape demands rest."""


class Planner:
    """Makes the plan of a network from its own text and that of its bases."""

    def __init__(self, bodies: BodyRunner) -> None:
        self.session = bodies.session
        self.fault = bodies.session.reporter.fault
        self.bodies = bodies
        self.applier = bodies.applier
        self.evaluator = bodies.evaluator

    def open_parameters(self, module: LoadedModule, network: syntax.Network) -> dict[str, syntax.Parameter]:
        """What may be set from outside. Raises Fault where a base is no network or the network's own variant."""
        chain = list(bases(module, network))
        file, last = chain[-1]
        if last.base is not None:  # what it extends is no network, or stands in the chain already
            self._base(file, last)
            raise self.fault("E411", f"`{network.name.name}` extends itself", last.base.span)
        return open_parameters([each for _, each in chain])

    def _base(
        self, module: LoadedModule, network: syntax.Network
    ) -> tuple[LoadedModule, syntax.Network, tuple[syntax.Argument, ...]]:
        base = network.base
        arguments: tuple[syntax.Argument, ...] = ()
        if isinstance(base, syntax.Call):
            arguments, base = base.arguments, base.callee
        if not isinstance(base, syntax.Name):
            span = network.base.span if network.base else network.span
            raise self.fault("E411", "a base is a network's name with arguments: `resnet50(classes = 10)`", span)
        found = module.find(base.name)
        if found is None or not isinstance(found[1], syntax.Network):
            value = self.session.definition_value(base.name, self.session.root(module))
            if value is MISSING:
                raise self.session.unknown(base, self.session.root(module))
            raise self.fault("E411", f"`{base.name}` is {describe(value)}, not a network", base.span)
        return found[0], found[1], arguments

    def check_settings(self, module: LoadedModule, network: syntax.Network, settings: Mapping[str, Given]) -> None:
        """Raises Fault E409 where a parameter is set that the network does not have."""
        known = self.open_parameters(module, network)
        for name, given in settings.items():
            if name not in known:
                listed = quoted(known)
                hint = suggestion(name, known) or (f"its parameters: {listed}" if known else "it has no parameters")
                message = f"`{network.name.name}` has no parameter `{name}`"
                raise self.fault("E409", message, given.span or network.name.span, help=hint)

    def check_arguments(self, module: LoadedModule, network: syntax.Network) -> None:
        """Raises Fault where a base is no network or has no such parameters; evaluates none of the arguments."""
        self.open_parameters(module, network)
        for file, each in bases(module, network):
            if each.base is not None:
                base_module, base, arguments = self._base(file, each)
                written = split_arguments(self.evaluator, arguments, None)
                names = tuple(self.open_parameters(base_module, base))
                match_names(self.evaluator, base.name.name, names, written, each.base.span)

    def plan(self, module: LoadedModule, network: syntax.Network, settings: dict[str, Given]) -> Plan | None:
        """The plan with these parameters; None for a network without a body, which the parser refuses."""
        header = network.base.span if network.base else None
        self.session.reporter.networks.append(Level(network.name.name, network.span, header))
        root = self.session.root(module)
        environment = Environment(module, root, {}, None, Wires(), root.defaults)
        changed = self._bind(network, settings, environment)
        if network.base is None:
            if network.body is None:
                return None
            return self._base_plan(module, network, network.body, environment, changed)
        return self._variant_plan(module, network, settings, environment, changed)

    def _bind(self, network: syntax.Network, settings: Mapping[str, Given], environment: Environment) -> frozenset[str]:
        """Gives the network's own parameters their values; which are not the declared ones."""
        changed = set()
        for parameter in network.parameters:
            name = parameter.name.name
            declared = None
            if parameter.default is not None:
                declared = self.evaluator.evaluate(parameter.default, environment)
            elif name not in settings:
                hint = f"set it: `--set {name}=...`"
                raise self.fault(
                    "E211", f"`{network.name.name}` needs the parameter `{name}`", parameter.span, help=hint
                )
            environment.variables[name] = settings[name].value if name in settings else declared
            if name in settings and settings[name].value != declared:
                changed.add(name)
        return frozenset(changed)

    def _base_plan(
        self,
        module: LoadedModule,
        network: syntax.Network,
        body: syntax.Body,
        environment: Environment,
        changed: frozenset[str],
    ) -> Plan:
        plan = Plan(body, environment, dict(environment.variables), changed=changed)
        for statement in body.statements:
            if isinstance(statement, syntax.Input):
                if plan.input is not None:
                    raise self.fault("E202", "a network has one `input`", statement.span)
                plan.input = (statement, environment)
            elif isinstance(statement, syntax.Assert):
                plan.asserts.append(self._assert(module, network, statement, environment))
        return plan

    def _assert(
        self, module: LoadedModule, network: syntax.Network, statement: syntax.Assert, environment: Environment
    ) -> NetworkAssert:
        """A network's own names win over those of the finished graph."""
        asked = {name for name in free_names(statement, module) if name in FINISHED}
        return NetworkAssert(statement, environment, frozenset(asked - own_names(module, network)))

    def _variant_plan(
        self,
        module: LoadedModule,
        network: syntax.Network,
        settings: dict[str, Given],
        environment: Environment,
        changed: frozenset[str],
    ) -> Plan | None:
        base_module, base, arguments = self._base(module, network)
        self.session.bases.append(base_module)
        given = self._base_arguments(base_module, base, arguments, network, settings, environment)
        if network.body is not None:
            self.bodies.open_defaults(network.body, environment)
            self._note_overrides(network.body, environment)
        own = dict(environment.variables)
        plan = self.plan(base_module, base, given)
        if plan is None:
            return None
        plan.settings |= own
        for name, value in plan.settings.items():
            environment.variables.setdefault(name, value)
        if network.body is None:
            plan.changed |= changed
        else:
            plan.changed = changed | (plan.changed & settings.keys())
            self._apply_variant(module, network, network.body, environment, plan)
        return plan

    def _base_arguments(
        self,
        base_module: LoadedModule,
        base: syntax.Network,
        arguments: tuple[syntax.Argument, ...],
        network: syntax.Network,
        settings: Mapping[str, Given],
        environment: Environment,
    ) -> dict[str, Given]:
        """The base's settings: the arguments written, then what is set from outside or declared anew."""
        open_names = tuple(self.open_parameters(base_module, base))
        written = split_arguments(self.evaluator, arguments, environment)
        call = network.base.span if network.base else network.span
        given = match_names(self.evaluator, base.name.name, open_names, written, call)
        for name in open_names:
            if name not in given and name in environment.variables:
                given[name] = Given(environment.variables[name], None)
            elif name not in given and name in settings:
                given[name] = settings[name]
        return given

    def _note_overrides(self, body: syntax.Body, environment: Environment) -> None:
        """An outer variant's override of a name beats an inner one's."""
        for statement in body.statements:
            if isinstance(statement, syntax.Let | syntax.Block):
                self._note_override(statement, environment)
            elif isinstance(statement, syntax.Section):
                name = self.bodies.section_name(statement, environment)
                self._note_section(section_key(statement, name), statement, environment)
            elif not isinstance(statement, syntax.Input | syntax.Output | syntax.Default | syntax.Assert):
                kinds = "`let`, `block`, sections, `input`, `output`, `default`, `assert`"
                raise self.fault(
                    "E106",
                    f"a variant's body holds what it changes: {kinds}",
                    statement.span,
                    help="put the step into a section of the base, or write a network of its own",
                )

    def _note_section(self, key: tuple[str, str], section: syntax.Section, environment: Environment) -> None:
        existing = self.session.sections.setdefault(key, SectionOverride(section, environment))
        if existing.environment is environment and existing.section is not section:
            first = Label(existing.section.span, "first here")
            raise self.fault("E202", "this section is replaced twice", section.span, labels=(first,))

    def _note_override(self, statement: syntax.Let | syntax.Block, environment: Environment) -> None:
        name = statement.name.name
        existing = self.session.overrides.get(name)
        if existing is not None and existing.environment.parent is environment:
            raise self.fault(
                "E202",
                f"`{name}` is overridden twice",
                statement.name.span,
                labels=(Label(existing.definition.name.span, "first here"),),
            )
        if existing is None:
            own = environment.child()
            own.overridden = name
            self.session.overrides[name] = Override(statement, own)

    def _apply_variant(
        self,
        module: LoadedModule,
        network: syntax.Network,
        body: syntax.Body,
        environment: Environment,
        plan: Plan,
    ) -> None:
        plan.asserts = [each for each in plan.asserts if not each.waits]
        if outputs := [(each, environment) for each in body.statements if isinstance(each, syntax.Output)]:
            plan.outputs = outputs
        defaults = []
        for statement in body.statements:
            if isinstance(statement, syntax.Input):
                plan.input, plan.variant_input = (statement, environment), network
            elif isinstance(statement, syntax.Assert):
                plan.asserts.append(self._assert(module, network, statement, environment))
            elif isinstance(statement, syntax.Default):
                self.applier.op_calls.defaults.check(statement, environment)
                defaults.append(statement)
        if defaults:
            self.session.variant_defaults.append((tuple(defaults), environment))
