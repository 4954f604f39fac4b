"""``default`` statements: what they say for the ops and blocks that are used after them."""

from __future__ import annotations

from archdsl.elaborate.help.suggestions import suggestion
from archdsl.elaborate.interpreter.arguments import Arguments, match_names, split_arguments, unknown_argument
from archdsl.elaborate.interpreter.environment import Defaults, Environment, Given
from archdsl.elaborate.interpreter.protocols import ExpressionEvaluator
from archdsl.elaborate.interpreter.values import BlockValue, OpReference
from archdsl.language import syntax
from archdsl.ops import OPS
from archdsl.ops.contract.base import Op


class DefaultArguments:
    """What ``default`` statements say for a use of an op or a block: inner ones beat outer ones."""

    def __init__(self, evaluator: ExpressionEvaluator) -> None:
        self.evaluator = evaluator
        self._fields: dict[type[Op], tuple[str, ...]] = {}

    def fields(self, op_type: type[Op]) -> tuple[str, ...]:
        """The op's arguments in order."""
        found = self._fields.get(op_type)
        if found is None:
            found = self._fields[op_type] = tuple(op_type.model_fields)
        return found

    def add(self, name: str, parameters: tuple[syntax.Parameter, ...], given: Arguments, defaults: Defaults) -> None:
        """Fills in what a block's use leaves open and ``default`` statements say.

        A variant's block in place of another may lack some of its parameters: then these are passed over.
        """
        found = self.of(name, None, defaults)
        if found:
            for parameter in parameters[len(given.positional) :]:
                if parameter.name.name in found:
                    given.named.setdefault(parameter.name.name, found[parameter.name.name])

    def of(self, name: str, op_type: type[Op] | None, defaults: Defaults | None) -> dict[str, Given]:
        """Those for this block, or op of type ``op_type``."""
        if defaults is None:
            return {}
        found = defaults.merged.get(name)
        if found is None:
            found = dict(self.of(name, op_type, defaults.outer))
            if op_type is not None and op_type.defaults_of is not None:
                found.update(self._general_defaults(op_type.defaults_of, self.fields(op_type), defaults))
            for statement in defaults.statements:
                if statement.op.name == name:
                    given = self._default_arguments(statement, defaults)
                    found.update(
                        given.named
                        if op_type is None
                        else match_names(self.evaluator, name, self.fields(op_type), given, statement.span)
                    )
            defaults.merged[name] = found
        return found

    def _general_defaults(self, op: str, fields: tuple[str, ...], defaults: Defaults) -> dict[str, Given]:
        """What the statements say for a more general op, of these arguments. A block may have the op's name."""
        found: dict[str, Given] = {}
        for statement in defaults.statements:
            if statement.op.name == op and defaults.environment and self._block(op, defaults.environment) is None:
                given = self._default_arguments(statement, defaults).named
                found.update({name: value for name, value in given.items() if name in fields})
        return found

    def _default_arguments(self, statement: syntax.Default, defaults: Defaults) -> Arguments:
        assert defaults.environment is not None
        given = split_arguments(self.evaluator, statement.arguments, defaults.environment)
        if given.positional:
            name = statement.op.name
            fields = self._arguments(statement.op, defaults.environment)
            hint = f"write `default {name}({fields[0]} = ...)`" if fields else ""
            message = "the arguments of a default are named"
            raise self.evaluator.session.reporter.fault("E213", message, given.positional[0].span, help=hint)
        return given

    def check(self, statement: syntax.Default, environment: Environment) -> None:
        """Raises Fault where a ``default`` names no op or block, or an argument that it does not have."""
        known = self._arguments(statement.op, environment)
        for argument in statement.arguments:
            if argument.name is not None and argument.name.name not in known:
                raise unknown_argument(self.evaluator, statement.op.name, argument.name.name, known, argument.name.span)

    def _arguments(self, name: syntax.Name, environment: Environment) -> tuple[str, ...]:
        """The arguments of the op or block of this name."""
        session = self.evaluator.session
        block = self._block(name.name, environment)
        if block is not None:
            return tuple([parameter.name.name for parameter in block.parameters])
        known = session.known(name.name)
        if isinstance(known, OpReference):
            return self.fields(known.op)
        hint = suggestion(name.name, [*OPS, *session.user_ops, *environment.module.names()])
        message = f"`default` is for ops and blocks, and `{name.name}` is none"
        raise self.evaluator.session.reporter.fault("E201", message, name.span, help=hint)

    def _block(self, name: str, environment: Environment) -> syntax.Block | None:
        """The block that is written under this name: here, in this file, or in that of a base."""
        session = self.evaluator.session
        override = session.overrides.get(name)
        local = environment.variables.get(name)
        if isinstance(local, BlockValue):
            return local.definition
        if override is not None and override.environment.parent is environment:
            return override.definition if isinstance(override.definition, syntax.Block) else None
        found = (module.find(name) for module in (environment.module, *session.bases))
        return next((f[1] for f in found if f is not None and isinstance(f[1], syntax.Block)), None)
