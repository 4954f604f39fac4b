"""Expressions to values. Layers stay closed here; ``application.py`` applies them when the flow reaches them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from archdsl.base.limits import how_to_raise
from archdsl.base.names import wire_text
from archdsl.base.source import Span
from archdsl.elaborate.faults import Fault, Poisoned
from archdsl.elaborate.help.suggestions import suggestion
from archdsl.elaborate.interpreter.calls import Initializers
from archdsl.elaborate.interpreter.environment import DoneStep, Environment
from archdsl.elaborate.interpreter.functions import Functions
from archdsl.elaborate.interpreter.operators import Operators, length_of
from archdsl.elaborate.interpreter.session import MISSING, Session, Unevaluated, variable, wire_help
from archdsl.elaborate.interpreter.values import (
    FAILED,
    LAYERS,
    BlockValue,
    DimsValue,
    LayerValue,
    OpReference,
    Rounded,
    TensorValue,
    describe,
    is_number,
    whole,
)
from archdsl.graph.model import Node
from archdsl.language import syntax

_TENSOR_ATTRIBUTES = ("channels", "height", "width", "length", "shape")


class Evaluator:
    """What an expression is worth in an environment."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.fault = session.reporter.fault
        self.initializers = Initializers()
        self.operators = Operators(session)
        self.functions = Functions(self, self.initializers)
        self._by_type: dict[type, Callable[[Any, Environment], object]] = {
            syntax.Name: self._name,
            syntax.Constant: self._constant,
            syntax.RoundedNumber: self._rounded,
            syntax.String: self.text,
            syntax.Dims: self._dims,
            syntax.BlockInput: self._entry,
            syntax.Wire: self._wire,
            syntax.ListOf: self._list,
            syntax.Comprehension: self._comprehension,
            syntax.Call: self._call,
            syntax.Attribute: self._attribute,
            syntax.Index: self._index,
            syntax.Unary: self._unary,
            syntax.Binary: self._binary,
            syntax.Chain: self._chain,
            syntax.Ternary: self._ternary,
            syntax.Flow: LayerValue,
            syntax.Labelled: LayerValue,
            syntax.Group: self._group,
            syntax.Braces: LayerValue,
            syntax.Sequence: LayerValue,
        }

    def evaluate(self, expression: syntax.Expression, environment: Environment) -> object:
        """The value. Raises Fault, or Poisoned where it rests on something that failed before."""
        return self._by_type[type(expression)](expression, environment)

    # ---- names and tensors -----------------------------------------------------------------------

    def _name(self, expression: syntax.Name, environment: Environment) -> object:
        value = variable(environment, expression.name)
        if value is MISSING:
            value = self.session.definition_value(expression.name, environment)
            if value is MISSING:
                raise self.session.unknown(expression, environment)
        if value.__class__ is Unevaluated:
            return self._evaluate_constant(value)
        if value is FAILED:
            raise Poisoned
        return value

    def _evaluate_constant(self, constant: Unevaluated) -> object:
        definition = constant.definition
        if definition in self.session.evaluating:
            name = definition.name.name
            raise self.fault("E206", f"`{name}` is defined by itself", definition.name.span)
        self.session.evaluating.append(definition)
        try:
            value = self.evaluate(definition.value, constant.environment)
        except Fault as fault:
            self.session.remember(definition, FAILED)
            self.session.reporter.report(fault)
            raise Poisoned from None
        finally:
            self.session.evaluating.pop()
        self.session.remember(definition, value)
        return value

    def entry(self, expression: syntax.BlockInput, environment: Environment) -> Node:
        """The node that ``in`` means."""
        node = environment.entry
        if node is None:
            raise self.fault(
                "E106",
                "`in` stands for the tensor that entered a block, and there is none here",
                expression.span,
                help="give the tensor to the function as an argument: `f(in)`",
            )
        return node

    def wire(self, expression: syntax.Wire, environment: Environment) -> DoneStep:
        """The finished step that ``@name`` means."""
        path = self.text(expression.path, environment)
        step = environment.wires.find(path)
        if step is None:
            if environment.wires.fails(path):
                raise Poisoned
            help_ = wire_help(self.session, path, expression.span, environment)
            raise self.fault("E204", f"no step named `{path}` is done here", expression.span, help=help_)
        return step

    def _entry(self, expression: syntax.BlockInput, environment: Environment) -> object:
        return TensorValue(self.entry(expression, environment))

    def _wire(self, expression: syntax.Wire, environment: Environment) -> object:
        return TensorValue(self.wire(expression, environment).node)

    def _attribute(self, expression: syntax.Attribute, environment: Environment) -> object:
        value = self.evaluate(expression.value, environment)
        name = expression.name.name
        if not isinstance(value, TensorValue):
            raise self.fault(
                "E205",
                f"{describe(value)} has no `.{name}`",
                expression.span,
                help="shapes are asked of tensors: `in.channels`, `@label.height`",
            )
        if value.node.id < 0:
            raise Poisoned
        found = _tensor_attribute(value.node, name)
        if found is None:
            type_ = value.node.type
            has = [each for each in _TENSOR_ATTRIBUTES if _tensor_attribute(value.node, each) is not None]
            raise self.fault(
                "E205",
                f"a tensor of shape {type_} ({type_.layout}) has no `.{name}`",
                expression.name.span,
                help=self._path_help(expression, environment)
                or suggestion(name, has)
                or f"it has {', '.join(f'`.{each}`' for each in has)}",
            )
        return found

    def _path_help(self, expression: syntax.Attribute, environment: Environment) -> str:
        """``@h.a`` where a step ``a`` stands inside the step ``h``."""
        if not isinstance(expression.value, syntax.Wire):
            return ""
        path = f"{self.text(expression.value.path, environment)}.{expression.name.name}"
        return f"the step inside it is `{wire_text(path)}`" if environment.wires.find(path) else ""

    # ---- literals --------------------------------------------------------------------------------

    def _constant(self, expression: syntax.Constant, environment: Environment) -> object:
        value = expression.value
        if isinstance(value, int) and value.bit_length() > self.session.limits.number_bits:
            raise self.operators.too_large(expression.span)
        return value

    def _rounded(self, expression: syntax.RoundedNumber, environment: Environment) -> object:
        return Rounded(expression.value, expression.scale, expression.decimals)

    def _dims(self, expression: syntax.Dims, environment: Environment) -> object:
        return DimsValue(expression.sizes)

    def _group(self, expression: syntax.Group, environment: Environment) -> object:
        return self.evaluate(expression.value, environment)

    def text(self, expression: syntax.String, environment: Environment) -> str:
        """A string with its interpolations filled in."""
        parts = expression.parts
        if len(parts) == 1 and isinstance(parts[0], str):
            return parts[0]
        text = "".join([self._part(part, environment) for part in parts])
        if len(text) > self.session.limits.text_length:
            limit = self.session.limits.text_length
            raise self.fault(
                "E505",
                f"this string is longer than {limit} characters",
                expression.span,
                help=how_to_raise("text_length", limit),
            )
        return text

    def _part(self, part: str | syntax.Expression, environment: Environment) -> str:
        if isinstance(part, str):
            return part
        value = self.evaluate(part, environment)
        if isinstance(value, str):
            return value
        if is_number(value):
            return str(whole(value))
        raise self.fault("E221", f"{describe(value)} cannot be written into a string", part.span)

    def _list(self, expression: syntax.ListOf, environment: Environment) -> object:
        self.session.take_turns(len(expression.items), expression)
        return tuple([self.evaluate(item, environment) for item in expression.items])

    def _comprehension(self, expression: syntax.Comprehension, environment: Environment) -> object:
        items = self.iterate(expression.iterable, environment)
        self.operators.check_length(len(items), expression.span)
        values = []
        for item in items:
            self.session.take_turns(1, expression)
            variables = self.unpack(expression.names, item, expression.iterable.span)
            values.append(self.evaluate(expression.item, environment.child(variables)))
        return tuple(values)

    def iterate(self, expression: syntax.Expression, environment: Environment) -> Sequence[object]:
        """The items of a list or range."""
        value = self.evaluate(expression, environment)
        if not isinstance(value, tuple | range):
            raise self.fault(
                "E227",
                f"`for` goes through a list or a range, and this is {describe(value)}",
                expression.span,
                help="count with `0..n`" if is_number(value) else "",
            )
        if isinstance(value, range) and length_of(value) > self.session.limits.turns:
            self.session.take_turns(length_of(value), expression)
        return value

    def unpack(self, names: tuple[syntax.Name, ...], item: object, span: Span) -> dict[str, object]:
        """Loop variables with their values."""
        if len(names) == 1:
            return {names[0].name: item}
        if not isinstance(item, tuple | range) or len(item) != len(names):
            wanted = ", ".join(name.name for name in names)
            raise self.fault(
                "E227", f"{describe(item)} cannot be taken apart into `{wanted}` ({len(names)} values)", span
            )
        return {name.name: value for name, value in zip(names, item, strict=True)}

    def _index(self, expression: syntax.Index, environment: Environment) -> object:
        items = self.evaluate(expression.value, environment)
        index = whole(self.evaluate(expression.index, environment))
        if not isinstance(items, tuple | range | str):
            raise self.fault("E227", f"{describe(items)} has no items", expression.value.span)
        if isinstance(index, range):
            return items[_end(index.start, items) : _end(index.stop, items)]
        if not isinstance(index, int) or isinstance(index, bool):
            raise self.fault("E223", f"an index is a whole number, not {describe(index)}", expression.index.span)
        try:
            return items[index]
        except IndexError:
            raise self.fault(
                "E222",
                f"there is no item {index} in a list of {len(items)}",
                expression.index.span,
                help="indices count from 0, negative ones from the end",
            ) from None

    # ---- operators -------------------------------------------------------------------------------

    def _ternary(self, expression: syntax.Ternary, environment: Environment) -> object:
        return self.evaluate(self.branch(expression, environment), environment)

    def branch(self, expression: syntax.Ternary, environment: Environment) -> syntax.Expression:
        """The side of a conditional that holds."""
        return expression.value if self.condition(expression.condition, environment) else expression.otherwise

    def condition(self, expression: syntax.Expression, environment: Environment) -> bool:
        """A truth value; numbers and lists are none."""
        value = self.evaluate(expression, environment)
        if not isinstance(value, bool):
            raise self.fault(
                "E221",
                f"a condition is true or false, and this is {describe(value)}",
                expression.span,
                help="compare it: `n > 0`, `name != none`",
            )
        return value

    def _unary(self, expression: syntax.Unary, environment: Environment) -> object:
        if expression.operator == "not":
            return not self.condition(expression.operand, environment)
        value = self.number(expression.operand, environment, "to change a layer's sign write `-1.0 * {}`")
        return -value

    def number(self, expression: syntax.Expression, environment: Environment, layer_help: str = "") -> int | float:
        """A number. Raises Fault E225 for layers, E221 for the rest; in ``layer_help``, ``{}`` stands for the layer."""
        value = self.evaluate(expression, environment)
        if is_number(value):
            return value  # type: ignore[return-value]
        if isinstance(value, LAYERS) and not isinstance(value, DimsValue):
            help_ = layer_help.format(expression.span.text)
            message = f"a number is needed here, and this is {describe(value)}"
            raise self.fault("E225", message, expression.span, help=help_)
        raise self.fault("E221", f"a number is needed here, and this is {describe(value)}", expression.span)

    def integer(self, expression: syntax.Expression, environment: Environment, what: str) -> int:
        """A whole number (a float that is whole serves). ``what`` names it in the message."""
        value = whole(self.number(expression, environment))
        if not isinstance(value, int):
            raise self.fault("E223", f"{what} is a whole number, not {value}", expression.span)
        return value

    def _binary(self, expression: syntax.Binary, environment: Environment) -> object:
        if expression.operator == "..":
            start = self.integer(expression.left, environment, "the start of a range")
            return range(start, self.integer(expression.right, environment, "the end of a range"))
        if expression.operator == "**":
            is_square = isinstance(expression.right, syntax.Constant) and expression.right.value == 2
            squared = "the square of what a layer makes is `({} -> (id * id))`" if is_square else ""
            base = self.number(expression.left, environment, squared)
            return self.operators.power(base, self.number(expression.right, environment), expression.span)
        left = self.evaluate(expression.left, environment)
        right = self.evaluate(expression.right, environment)
        return self.operators.compare(expression, left, right)

    def _chain(self, expression: syntax.Chain, environment: Environment) -> object:
        level = expression.operators[0]
        if level in ("and", "or"):
            return self._logic(expression, environment)
        if level == "x":
            return self._times(expression, environment)
        value = self.evaluate(expression.operands[0], environment)
        if isinstance(value, LAYERS):
            return LayerValue(expression, environment)
        for position in range(len(expression.operators)):
            right = self.evaluate(expression.operands[position + 1], environment)
            if isinstance(right, LAYERS):
                if isinstance(value, tuple | range):
                    raise self._list_with_layer(expression, position, right)
                return LayerValue(expression, environment)
            value = self.operators.apply(expression, position, value, right)
        return value

    def _list_with_layer(self, expression: syntax.Chain, position: int, layer: object) -> Fault:
        operator, operand = expression.operators[position], expression.operands[position + 1]
        message = f"`{operator}` has a list on its left and {describe(layer)} on its right"
        help_ = f"to add it to the list write `++ [{operand.span.text}]`" if operator == "++" else ""
        return self.fault("E221", message, operand.span, help=help_)

    def _logic(self, expression: syntax.Chain, environment: Environment) -> bool:
        stop = expression.operators[0] == "or"
        for operand in expression.operands:
            if self.condition(operand, environment) is stop:
                return stop
        return not stop

    def _times(self, expression: syntax.Chain, environment: Environment) -> object:
        first = self.evaluate(expression.operands[0], environment)
        if not is_number(first) and not (isinstance(first, DimsValue) and self._sizes_follow(expression, environment)):
            return LayerValue(expression, environment)
        sizes = [*first] if isinstance(first, DimsValue) else [self._size(expression.operands[0], environment)]
        sizes += [self._size(operand, environment) for operand in expression.operands[1:]]
        return DimsValue(sizes)

    def _sizes_follow(self, expression: syntax.Chain, environment: Environment) -> bool:
        return all(is_number(self.evaluate(operand, environment)) for operand in expression.operands[1:])

    def _size(self, expression: syntax.Expression, environment: Environment) -> int:
        return self.integer(expression, environment, "a size")

    def _call(self, expression: syntax.Call, environment: Environment) -> object:
        callee = self.evaluate(expression.callee, environment)
        if isinstance(callee, OpReference | BlockValue):
            return LayerValue(expression, environment)
        return self.functions.call(callee, expression, environment)


def _end(bound: int, items: Sequence[object]) -> int:
    return bound + len(items) if bound < 0 else bound


def _tensor_attribute(node: Node, name: str) -> object | None:
    sizes, layout = node.type
    if name == "shape":
        return DimsValue(sizes)
    if name == "channels":
        axis = node.type.channel_axis
        return None if axis is None else sizes[axis]
    axes = {
        "CHW": {"height": 1, "width": 2},
        "HWC": {"height": 0, "width": 1},
        "LC": {"length": 0},
        "CL": {"length": 1},
    }
    axis = axes.get(layout, {}).get(name)
    return None if axis is None else sizes[axis]
