"""Where names of steps are given, and the places in scopes where layers are applied."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from archdsl.base.source import Span
from archdsl.elaborate.interpreter.environment import Wires
from archdsl.graph.model import Scope, ScopeKind
from archdsl.graph.step_names import StepNames


class StepLabel(str):
    """The name that a label gives, with the place where the label is written."""

    __slots__ = ("span",)

    def __new__(cls, name: str, span: Span) -> StepLabel:
        label = super().__new__(cls, name)
        label.span = span
        return label

    span: Span


class Taken(NamedTuple):
    """Where a name was given: by a label or a step, in a function that is used at ``use``."""

    span: Span
    use: Span | None = None


@dataclass(slots=True, eq=False)
class Names(StepNames[Taken]):
    """The names given so far within one scope, and its steps by them."""

    wires: Wires = field(kw_only=True)


@dataclass(slots=True, eq=False)
class Place:
    """Where a layer is applied: the names it adds to and the scope its nodes belong to."""

    names: Names
    scope: Scope

    def section(self, kind: ScopeKind, title: str, span: Span) -> Place:
        """An unnamed section: a scope for reports that adds no name."""
        return Place(self.names, Scope(kind, title, self.names.path, self.scope, span))
