"""Networks: parameters from outside, bases and variants, input, outputs, asserts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic import ValidationError

from archdsl.elaborate.faults import Fault, Poisoned
from archdsl.elaborate.interpreter.bodies import BodyRunner
from archdsl.elaborate.interpreter.environment import Defaults, DoneStep, Environment, Given, Wires
from archdsl.elaborate.interpreter.place import Names, Place, Taken
from archdsl.elaborate.interpreter.session import Session
from archdsl.elaborate.interpreter.values import DimsValue, LayerValue, describe
from archdsl.elaborate.known import FINISHED, FinishedNumbers
from archdsl.elaborate.loading import LoadedModule
from archdsl.elaborate.plans import Plan, Planner
from archdsl.graph.model import Graph, Node, OutputRef, Scope, Setting
from archdsl.language import syntax
from archdsl.ops.contract.shapes import TensorType, format_sizes
from archdsl.ops.reshape import InputOp


class NetworkBuilder:
    """Elaborates one network to a Graph."""

    def __init__(self, session: Session, measure: Callable[[Graph], FinishedNumbers]) -> None:
        self.session = session
        self.measure = measure
        self.fault = session.reporter.fault
        self.bodies = BodyRunner(session)
        self.applier = self.bodies.applier
        self.evaluator = self.bodies.evaluator
        self.planner = Planner(self.bodies)
        self.input_changed = False

    def build(
        self,
        module: LoadedModule,
        network: syntax.Network,
        settings: Mapping[str, Given | syntax.Expression],
        sizes: tuple[int, ...] | None,
    ) -> Graph | None:
        """The graph; None where something failed (the reporter has it)."""
        for statement in module.defaults:
            self.applier.op_calls.defaults.check(statement, self.session.root(module))
        given = {name: self._given(value, module) for name, value in settings.items()}
        self.planner.check_settings(module, network, given)
        self.session.reporter.settings = ", ".join(
            f"`{name}` set to {_written(value)}" for name, value in given.items()
        )
        plan = self.planner.plan(module, network, given)
        if plan is None:
            return None
        root = Scope("network", network.name.name, "", None, network.name.span, network.name.span)
        wires = Wires()
        place = Place(self.session.builder.new_names(Names("", False, wires=wires)), root)
        environment = plan.environment
        environment.wires = wires
        tensor = self._inputs(plan, place, sizes)
        self.session.reporter.shape_help = _channels_last_help(tensor.type)
        outputs = self._run(plan, environment, place, tensor)
        self._check_overrides()
        self._check_dotted_labels()
        if self.session.reporter.problems.errors or not outputs:
            return None
        values = {name: _setting(value) for name, value in plan.settings.items()}
        graph = Graph(network.name.name, self.session.builder.finish(), tuple(outputs), root, values, network.doc)
        self._check_asserts(plan, graph)
        return graph

    def _given(self, value: Given | syntax.Expression, module: LoadedModule) -> Given:
        """A parameter set from outside; a text is evaluated where it may use what the file defines."""
        if isinstance(value, Given):
            return value
        return Given(self.evaluator.evaluate(value, self.session.root(module)), value.span)

    # ---- running ---------------------------------------------------------------------------------

    def _inputs(self, plan: Plan, place: Place, sizes: tuple[int, ...] | None) -> Node:
        if plan.input is None:
            hint = "write `input 3x224x224` at the top of its body"
            raise self.fault("E410", "this network declares no input", plan.body.span, help=hint)
        statement, environment = plan.input
        named = len(statement.shapes) > 1
        if named and sizes is not None:
            raise self.fault("E309", "a network of several inputs cannot be given one input size", statement.span)
        nodes = [self._input(shape, environment, place, sizes, plan, named) for shape in statement.shapes]
        plan.environment.entry = environment.entry = self.session.entry = nodes[0]
        return nodes[0]

    def _input(
        self,
        shape: syntax.Expression | syntax.Named,
        environment: Environment,
        place: Place,
        sizes: tuple[int, ...] | None,
        plan: Plan,
        named: bool,
    ) -> Node:
        expression = shape.value if isinstance(shape, syntax.Named) else shape
        if named and not isinstance(shape, syntax.Named):
            raise self.fault("E309", "several inputs need a name each", shape.span, help="`input left: 3x64x64, ...`")
        declared = self._declared_sizes(expression, environment)
        built = declared if sizes is None else self._given_sizes(sizes, declared, expression)
        if built != declared:
            self.session.check_demands, self.input_changed = False, True
        elif plan.variant_input is not None:
            self.session.demands_within = plan.variant_input.span
        name = shape.name.name if isinstance(shape, syntax.Named) else "input"
        type_ = TensorType.of(built)
        try:
            op = self.session.builder.op(InputOp, {"sizes": type_.sizes, "layout": type_.layout})
        except ValidationError as error:
            message = f"the input {type_} cannot be: {error.errors()[0]['msg']}"
            raise self.fault("E309", message, expression.span) from None
        if name in place.names.taken:
            raise self.fault("E202", f"two inputs are named `{name}`", shape.span)
        node = self.session.builder.add(op, (), name, place.scope, expression.span)
        if isinstance(shape, syntax.Named):
            place.names.taken[name] = Taken(shape.name.span)
            place.names.wires.steps[name] = DoneStep(node)
        return node

    def _declared_sizes(self, expression: syntax.Expression, environment: Environment) -> tuple[int, ...]:
        value = self.evaluator.evaluate(expression, environment)
        if isinstance(value, int) and not isinstance(value, bool):
            value = DimsValue([value])
        if not isinstance(value, DimsValue):
            message = f"an input is sizes such as `3x224x224`, not {describe(value)}"
            raise self.fault("E309", message, expression.span)
        if min(value) < 1:
            raise self.fault("E309", f"sizes are at least 1, and this is {format_sizes(value)}", expression.span)
        return tuple(value)

    def _given_sizes(
        self, sizes: tuple[int, ...], declared: tuple[int, ...], expression: syntax.Expression
    ) -> tuple[int, ...]:
        if len(sizes) != len(declared) or min(sizes, default=0) < 1:
            message = f"the input {format_sizes(sizes)} does not fit the declared {format_sizes(declared)}"
            hint = f"give {len(declared)} sizes of at least 1"
            raise self.fault("E309", message, expression.span, help=hint)
        return sizes

    def _run(self, plan: Plan, environment: Environment, place: Place, tensor: Node) -> list[OutputRef]:
        self.bodies.open_defaults(plan.body, environment)
        self._open_network_defaults(plan, environment)
        outputs: dict[str, OutputRef] = {}
        early = {each.statement: each for each in plan.asserts if not each.waits}
        for each in early.values():
            if each.statement not in plan.body.statements:
                self.bodies.check_assert(each.statement, each.environment)
        for statement in plan.body.statements:
            if isinstance(statement, syntax.Input):
                continue
            if isinstance(statement, syntax.Assert):
                if statement in early:
                    self.bodies.check_assert(statement, environment)
            elif isinstance(statement, syntax.Output):
                if not plan.outputs:
                    self._outputs(statement, environment, place, tensor, outputs)
            else:
                tensor = self.bodies.run_statement(statement, environment, place, tensor)
        for output, where in plan.outputs:
            inside = where.inside(place.names.wires)
            inside.entry = self.session.entry
            self._outputs(output, inside, place, tensor, outputs)
        self.bodies.unused.check(plan.body, environment)
        if not outputs:
            outputs["output"] = OutputRef("output", tensor.id)
        self._check_auxiliary(set(outputs), plan)
        return [output for output in (*outputs.values(), *self.session.auxiliary) if output.node >= 0]

    def _check_auxiliary(self, names: set[str], plan: Plan) -> None:
        for output in self.session.auxiliary:
            if output.name in names:
                message = f"the side branch `{output.name}` has the name of another output"
                place = self.session.builder.nodes[output.node].scope.span or plan.body.span
                raise self.fault("E412", message, place, help="give the section another name")
            names.add(output.name)

    def _open_network_defaults(self, plan: Plan, environment: Environment) -> None:
        """Defaults of the network reach everything built in it, variants' before the base's."""
        own = tuple(s for s in plan.body.statements if isinstance(s, syntax.Default))
        chain = Defaults(own, None, environment)
        for statements, where in self.session.variant_defaults:
            chain = Defaults(statements, chain, where)
        self.session.network_defaults.outer = chain

    def _outputs(
        self,
        statement: syntax.Output,
        environment: Environment,
        place: Place,
        tensor: Node,
        found: dict[str, OutputRef],
    ) -> None:
        for named in statement.outputs:
            name = named.name.name
            if name in found:
                raise self.fault("E412", f"two outputs are named `{name}`", named.name.span)
            node = self.applier.apply_or_fail(_labelled(named), environment, place, tensor)
            found[name] = OutputRef(name, node.id)

    # ---- checks at the end -----------------------------------------------------------------------

    def _check_overrides(self) -> None:
        if self.session.reporter.problems.errors:
            return
        for name, override in self.session.overrides.items():
            if not override.used:
                hint = "it must name an op or a file-level definition that the base or its blocks use, not a local one"
                span = override.definition.name.span
                self.session.reporter.report(self.fault("E406", f"nothing uses the override `{name}`", span, help=hint))
        for (kind, name), section in self.session.sections.items():
            if not section.used:
                what = f"{kind} {name}".strip()
                message = f"the base has no `{what}` to replace"
                self.session.reporter.report(self.fault("E406", message, section.section.span))

    def _check_dotted_labels(self) -> None:
        """No step may stand inside another that is an op: `a: relu -> "a.b": relu`."""
        for path, span in self.session.builder.dotted:
            outer = path
            while "." in outer:
                outer = outer.rpartition(".")[0]
                if outer in self.session.builder.paths:
                    self.session.reporter.report(self.applier.scopes.collision(outer, span))

    def _check_asserts(self, plan: Plan, graph: Graph) -> None:
        """Equalities on the finished graph state the declared network's published numbers: elsewhere they rest."""
        if not plan.asserts:
            return
        values = self.measure(graph)._asdict()
        for each in plan.asserts:
            if not each.waits:
                continue
            if (plan.changed or self.input_changed) and _states_a_number(each.statement.condition):
                continue
            asked: dict[str, object] = {name: value for name, value in values.items() if name in each.finished}
            self._check_assert(each.statement, each.environment.child(asked))

    def _check_assert(self, statement: syntax.Assert, environment: Environment) -> None:
        try:
            self.bodies.check_assert(statement, environment)
        except Fault as fault:
            self.session.reporter.report(fault)
        except Poisoned:
            pass


def _labelled(named: syntax.Named) -> syntax.Expression:
    """An output's layer under the output's name, where a label can stand before it."""
    layer = named.value
    is_call = isinstance(layer, syntax.Call | syntax.Sequence)
    if not is_call and not (isinstance(layer, syntax.Name) and layer.name != "id"):
        return layer
    return syntax.Labelled(named.span, syntax.String(named.name.span, (named.name.name,)), layer)


def _states_a_number(condition: syntax.Expression) -> bool:
    """Whether it is an equality over the finished graph: ``params == 25_557_032``."""
    if not isinstance(condition, syntax.Binary) or condition.operator != "==":
        return False
    return any(isinstance(side, syntax.Name) and side.name in FINISHED for side in (condition.left, condition.right))


def _setting(value: object) -> Setting:
    if value is None or isinstance(value, int | float | str):
        return value
    if isinstance(value, LayerValue):
        return value.expression.span.text
    return getattr(value, "name", None) or describe(value)


def _written(given: Given) -> str:
    return f"`{given.span.text}`" if given.span else describe(given.value)


def _channels_last_help(type_: TensorType) -> str:
    """For an image whose sizes look like height, width and colours, which is possible but seldom meant."""
    sizes = type_.sizes
    if type_.layout != "CHW" or sizes[2] not in (1, 3, 4) or sizes[0] != sizes[1] or sizes[0] <= sizes[2]:
        return ""
    meant = format_sizes((sizes[2], sizes[0], sizes[1]))
    return f"the input has {sizes[0]} channels: if an image of {sizes[2]} is meant, write `input {meant}`"
