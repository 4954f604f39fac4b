"""Through syntax trees, without recursion: programs may nest deep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from typing import Any

from archdsl.language import syntax


def descendants(node: syntax.Node, *passed_over: type[syntax.Node]) -> Iterator[syntax.Node]:
    """The node and all nodes inside it, except nodes of some types with what is inside them."""
    pending: list[object] = [node]
    while pending:
        found = pending.pop()
        if isinstance(found, syntax.Node):
            if found is not node and isinstance(found, passed_over):
                continue
            yield found
            pending.extend(getattr(found, name) for name in field_names(found))
        elif isinstance(found, tuple):
            pending.extend(found)


def outermost_bodies(node: syntax.Node) -> list[syntax.Body]:
    """The bodies inside the node that stand in none of the others."""
    found: list[syntax.Body] = []
    pending: list[object] = [getattr(node, name) for name in field_names(node)]
    while pending:
        part = pending.pop()
        if isinstance(part, syntax.Body):
            found.append(part)
        elif isinstance(part, syntax.Node):
            pending.extend(getattr(part, name) for name in field_names(part))
        elif isinstance(part, tuple):
            pending.extend(part)
    return found


def field_names(node: syntax.Node) -> tuple[str, ...]:
    """The fields that may hold further nodes."""
    kind: Any = type(node)
    return _field_names(kind)


@cache
def _field_names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.name not in ("span", "doc"))
