"""Syntax trees as text: a dump with the place of each node, the tree without its places, and .arch text again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from archdsl.base.source import Span
from archdsl.language import syntax


def dump(module: syntax.Module) -> str:
    """A line for each node: its place, its type, and those of its fields that are no nodes."""
    return "".join(f"{line}\n" for declaration in module.declarations for line in _dumped(declaration, "", 0))


def _dumped(node: syntax.Node, role: str, depth: int) -> Iterator[str]:
    plain = {name: value for name, value in _fields(node) if not any(True for _ in _nodes(value))}
    shown = ", ".join(f"{name}={_plain(value)}" for name, value in plain.items() if value not in (None, (), ""))
    if isinstance(node, syntax.String) and "parts" not in plain:
        shown = repr("".join(part if isinstance(part, str) else "{}" for part in node.parts))
    yield f"{'  ' * depth}{role}{type(node).__name__}{f'({shown})' if shown else ''}  {place(node.span)}"
    for name, value in _fields(node):
        if name not in plain:
            for child in _nodes(value):
                yield from _dumped(child, f"{name}: ", depth + 1)


def _plain(value: object) -> str:
    if isinstance(value, tuple) and value and isinstance(value[0], Span):
        return " ".join(place(span) for span in value)
    return place(value) if isinstance(value, Span) else repr(value)


def _fields(node: syntax.Node) -> Iterator[tuple[str, Any]]:
    return ((field.name, getattr(node, field.name)) for field in fields(node) if field.name != "span")


def children(node: syntax.Node) -> list[syntax.Node]:
    """The nodes right below one."""
    return [child for _, value in _fields(node) for child in _nodes(value)]


def _nodes(value: object) -> Iterator[syntax.Node]:
    """The nodes in a field: itself, or those in its tuples."""
    if isinstance(value, syntax.Node):
        yield value
    elif isinstance(value, tuple) and not isinstance(value, Span):
        for item in value:
            yield from _nodes(item)


def place(span: Span) -> str:
    """``line:column-line:column``, the second behind the last character."""
    start, end = (span.source.position(offset) for offset in (span.start, span.end))
    return f"{start[0]}:{start[1]}-{end[0]}:{end[1]}"


def without_places(value: Any) -> Any:
    """Nested tuples of type names and values: equal for trees that differ in their places alone."""
    if isinstance(value, Span):
        return None
    if is_dataclass(value):
        parts = (without_places(getattr(value, field.name)) for field in fields(value) if field.name != "source")
        return type(value).__name__, *parts
    if isinstance(value, tuple):
        return tuple(without_places(item) for item in value)
    # so that 1, 1.0 and true are told apart
    return type(value).__name__, value


# ---- .arch text again ----------------------------------------------------------------------------


def text_of(module: syntax.Module) -> str:
    """Text that parses to this module. Groups are nodes, so it adds no parentheses of its own."""
    return "".join(f"{_documented(declaration, '')}\n\n" for declaration in module.declarations)


def _documented(node: syntax.Declaration | syntax.Statement, indent: str) -> str:
    doc = node.doc if isinstance(node, syntax.Let | syntax.Block | syntax.Network) else ""
    comment = "".join(f"{indent}# {line}\n" for line in doc.split("\n")) if doc else ""
    return f"{comment}{indent}{_statement(node, indent)}"


def _statement(node: syntax.Declaration | syntax.Statement, indent: str) -> str:
    match node:
        case syntax.Import():
            return f"from {_string(node.path)} import {_listed(node.names)}"
        case syntax.Let():
            return f"let {node.name.name}{_parameters(node.parameters)} = {_text(node.value, indent)}"
        case syntax.Block():
            parameters = _parameters(node.parameters or None)
            return f"block {node.name.name}{parameters} {_body_or_value(node.body, indent)}"
        case syntax.Network():
            return f"network {node.name.name}{_parameters(node.parameters or None)} {_network_rest(node, indent)}"
        case syntax.Default():
            return f"default {node.op.name}({_listed(node.arguments, indent)})"
        case syntax.Step():
            return _text(node.layer, indent)
        case syntax.Section():
            label = f" {_string(node.label)}" if node.label else ""
            return f"{node.kind}{label} {_body(node.body, indent)}"
        case syntax.For():
            return f"for {_listed(node.names)} in {_text(node.iterable, indent)} {_body(node.body, indent)}"
        case syntax.If():
            return _if(node, indent)
        case syntax.Input():
            return f"input {_listed(node.shapes, indent)}"
        case syntax.Output():
            return f"output {_listed(node.outputs, indent)}"
        case syntax.Assert():
            why = f", {_string(node.message)}" if node.message else ""
            return f"assert {_text(node.condition, indent)}{why}"


def _body_or_value(body: syntax.Body | syntax.Expression, indent: str) -> str:
    return _body(body, indent) if isinstance(body, syntax.Body) else f"= {_text(body, indent)}"


def _network_rest(node: syntax.Network, indent: str) -> str:
    if node.body is None:
        assert node.base is not None
        return f"= {_text(node.base, indent)}"
    return f"{f'extends {_text(node.base, indent)} ' if node.base else ''}{_body(node.body, indent)}"


def _if(node: syntax.If, indent: str) -> str:
    branches = [f"if {_text(condition, indent)} {_body(body, indent)}" for condition, body in node.branches]
    return "\n    else ".join(branches + ([_body(node.otherwise, indent)] if node.otherwise else []))


def _body(body: syntax.Body, indent: str) -> str:
    inner = indent + "    "
    statements = "".join(f"\n{_documented(statement, inner)}" for statement in body.statements)
    return f"{{{statements}\n{indent}}}"


def _parameters(parameters: tuple[syntax.Parameter, ...] | None) -> str:
    return "" if parameters is None else f"({_listed(parameters)})"


def _listed(nodes: Iterable[syntax.Node], indent: str = "") -> str:
    return ", ".join(_text(node, indent) for node in nodes)


def _string(node: syntax.String) -> str:
    parts = (
        part.replace("{", "{{").replace("}", "}}") if isinstance(part, str) else f"{{{_text(part, '')}}}"
        for part in node.parts
    )
    return f'"{"".join(parts)}"'


def _text(node: syntax.Node, indent: str) -> str:
    if isinstance(node, syntax.Chain | syntax.Binary | syntax.Unary | syntax.Ternary | syntax.Flow):
        return _operation(node, indent)
    if isinstance(node, syntax.Call | syntax.Attribute | syntax.Index | syntax.Labelled | syntax.Group):
        return _applied(node, indent)
    return _atom(node, indent)


def _operation(node: syntax.Node, indent: str) -> str:
    match node:
        case syntax.Flow():
            return f"\n{indent}-> ".join(_text(step, indent) for step in node.steps)
        case syntax.Ternary(value=value, condition=condition, otherwise=otherwise):
            return f"{_text(value, indent)} if {_text(condition, indent)} else {_text(otherwise, indent)}"
        case syntax.Binary():
            return f"{_text(node.left, indent)} {node.operator} {_text(node.right, indent)}"
        case syntax.Unary():
            return f"{node.operator} {_text(node.operand, indent)}"
        case syntax.Chain(operands=(first, *operands)):
            rest = zip(node.operators, operands, strict=True)
            return _text(first, indent) + "".join(f" {operator} {_text(each, indent)}" for operator, each in rest)
    raise TypeError(node)


def _applied(node: syntax.Node, indent: str) -> str:
    match node:
        case syntax.Call():
            return f"{_text(node.callee, indent)}({_listed(node.arguments, indent)})"
        case syntax.Attribute():
            return f"{_text(node.value, indent)}.{node.name.name}"
        case syntax.Index():
            return f"{_text(node.value, indent)}[{_text(node.index, indent)}]"
        case syntax.Labelled():
            return f"{_string(node.label)}: {_text(node.layer, indent)}"
        case syntax.Group():
            return f"({_text(node.value, indent)})"
    raise TypeError(node)


def _atom(node: syntax.Node, indent: str) -> str:
    match node:
        case syntax.Name():
            return node.name
        case syntax.Constant():
            return str(node.value).lower() if node.value is None or isinstance(node.value, bool) else repr(node.value)
        case syntax.RoundedNumber():
            return f"{node.value:.{node.decimals}f}{ {10**3: 'K', 10**6: 'M', 10**9: 'G', 10**12: 'T'}[node.scale] }"
        case syntax.String():
            return _string(node)
        case syntax.Dims():
            return "x".join(str(size) for size in node.sizes)
        case syntax.BlockInput():
            return "in"
        case syntax.Wire():
            return f"@{_string(node.path)}"
        case syntax.ListOf():
            return f"[{_listed(node.items, indent)}]"
        case syntax.Comprehension():
            return f"[{_text(node.item, indent)} for {_listed(node.names)} in {_text(node.iterable, indent)}]"
        case syntax.Braces():
            return _body(node.body, indent)
        case syntax.Sequence(content=content):
            return (
                f"seq {_body(content, indent) if isinstance(content, syntax.Body) else f'({_text(content, indent)})'}"
            )
    return _piece(node, indent)


def _piece(node: syntax.Node, indent: str) -> str:
    match node:
        case syntax.Argument() | syntax.Parameter():
            value = node.value if isinstance(node, syntax.Argument) else node.default
            given = [node.name.name] if node.name else []
            return " = ".join(given + ([_text(value, indent)] if value else []))
        case syntax.Named():
            return f"{node.name.name}: {_text(node.value, indent)}"
    raise TypeError(node)
