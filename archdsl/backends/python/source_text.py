"""Python text from expression trees: flat where it fits, else an item a line."""

from __future__ import annotations

from dataclasses import dataclass
from keyword import iskeyword

from archdsl.ops.contract.torch_call import FoldCall, FunctionCall, Input, OwnParameter, local_name, parts

WIDTH = 92
"""Columns of a line in a method's body, which is indented by 8."""
_INFIX = {"torch.add": "+", "torch.mul": "*"}
_LONGEST_CHAIN = 8


@dataclass(frozen=True, slots=True)
class Listing:
    """``opening``, items, ``closing``: a call, a list."""

    opening: str
    items: tuple[str | Listing, ...]
    closing: str

    def flat(self) -> str:
        items = ", ".join(item if isinstance(item, str) else item.flat() for item in self.items)
        return f"{self.opening}{items}{self.closing}"


Text = str | Listing


def flat_text(text: Text) -> str:
    """The text in one line."""
    return text if isinstance(text, str) else text.flat()


def lines(text: Text, indent: int = 0, before: str = "", after: str = "") -> list[str]:
    """``before``, the text and ``after``, indented, in lines of at most ``WIDTH`` columns where that can be."""
    margin = " " * indent
    flat = text if isinstance(text, str) else text.flat()
    if isinstance(text, str) or len(margin) + len(before) + len(flat) + len(after) <= WIDTH or not text.items:
        return [f"{margin}{before}{flat}{after}"]
    comma = "" if len(text.items) == 1 and isinstance(text.items[0], Listing) else ","
    inner = [line for item in text.items for line in lines(item, indent + 4, after=comma)]
    return [f"{margin}{before}{text.opening}", *inner, f"{margin}{text.closing}{after}"]


def function_text(call: FunctionCall | FoldCall, inputs: tuple[str, ...], own: str | None) -> Text:
    """A function call as a person writes it; ``own`` is how the op's own parameter is read."""
    if isinstance(call, FoldCall):
        return _fold_text(call.target, inputs)
    args = [_argument_text(argument, inputs, own) for argument in call.args]
    keywords = [prefixed(f"{name}=", _argument_text(value, inputs, own)) for name, value in call.kwargs.items()]
    if len(args) == 2 and not keywords:
        if call.target == "operator.getitem" and not any(map(_stands_for_tensor, parts(call.args[1]))):
            return f"{_operand(args[0])}[{_subscript(call.args[1])}]"
        if call.target in _INFIX:
            return f" {_INFIX[call.target]} ".join(map(_operand, args))
        if call.target == "torch.rsub":
            return f"{_operand(args[1])} - {_operand(args[0])}"
    if call.target.startswith("Tensor."):
        method = call.target.removeprefix("Tensor.")
        return f"{_operand(args[0])}.{method}({', '.join(map(flat_text, (*args[1:], *keywords)))})"
    return Listing(f"{_function_name(call.target)}(", (*args, *keywords), ")")


def _function_name(target: str) -> str:
    return f"nn.functional.{target.removeprefix('F.')}" if target.startswith("F.") else local_name(target)


def _fold_text(target: str, inputs: tuple[str, ...]) -> Text:
    if len(inputs) <= _LONGEST_CHAIN and target in _INFIX:
        return f" {_INFIX[target]} ".join(map(_operand, inputs))
    return Listing("functools.reduce(", (_function_name(target), Listing("[", inputs, "]")), ")")


def _argument_text(argument: object, inputs: tuple[str, ...], own: str | None) -> Text:
    match argument:
        case Input(index):
            return inputs[index]
        case OwnParameter():
            assert own is not None
            return own
        case FunctionCall():
            return function_text(argument, inputs, own)
        case list():
            return Listing("[", tuple(_argument_text(item, inputs, own) for item in argument), "]")
        case tuple() if any(map(_stands_for_tensor, parts(argument))):
            items = tuple(_argument_text(item, inputs, own) for item in argument)
            return Listing("(", items, ")") if len(items) > 1 else f"({flat_text(items[0])},)"
    return repr(argument)


def _stands_for_tensor(argument: object) -> bool:
    return isinstance(argument, Input | OwnParameter | FunctionCall)


def _subscript(index: object) -> str:
    if isinstance(index, tuple):
        return ", ".join(map(_subscript, index))
    if isinstance(index, slice):
        step = "" if index.step is None else f" : {index.step}"
        return ":" if index == slice(None) else f"{index.start} : {index.stop}{step}"
    return repr(index)


def prefixed(prefix: str, text: Text) -> Text:
    """The text with something written before it."""
    return prefix + text if isinstance(text, str) else Listing(prefix + text.opening, text.items, text.closing)


def _operand(text: Text) -> str:
    """In parentheses where it holds an operator of its own."""
    flat = flat_text(text)
    return f"({flat})" if has_operator(flat) else flat


def has_operator(text: str) -> bool:
    """Whether the text has an operator outside all brackets."""
    level = 0
    for character in text:
        level += (character in "([") - (character in ")]")
        if character == " " and level == 0:
            return True
    return False


def is_attribute(name: str) -> bool:
    """Whether ``self.<name>`` is Python."""
    return name.isidentifier() and not iskeyword(name)
