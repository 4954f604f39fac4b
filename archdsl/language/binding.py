"""What names mean: for each use of a name its declaration, and for each place what is visible there.

Nothing is evaluated. Two things are decided while a network is built, and here by their text: a definition in a
variant's body takes the place of others of its name wherever the base uses them (here each use means what stands in
its own file), and steps without a label have names of their own (here a wire to them has no declaration).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

from archdsl.base.source import Span
from archdsl.language import syntax

Kind = Literal[
    "parameter", "inherited parameter", "let", "function", "block", "network", "import", "loop variable",
    "comprehension variable", "label", "section", "input", "finished number", "op", "initialiser", "built-in function",
    "layer",
]  # fmt: skip

END = 1 << 62
"""Behind every text: who looks back from here sees all of it."""

NEVER = END + 1
"""From nowhere is this seen; its name means it only where it would mean nothing else."""


@dataclass(frozen=True, slots=True, eq=False)
class Declaration:
    """What gives a name its meaning; ``place`` is where the name is written, None for what every file knows.

    ``node`` declares it: a parameter, a definition, a loop; for an import it is the definition in the other file.
    """

    kind: Kind
    name: str
    place: Span | None = None
    node: syntax.Node | None = None
    seen_from: int = 0
    """The place in the text from which it is seen; before, its name means what it means outside."""

    @property
    def identity(self) -> object:
        """Equal for what is one thing: a parameter, and the same where a variant inherits it."""
        return (self.node or self, self.name)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"


class NameUse(NamedTuple):
    """A name that stands for something: in an expression, as a keyword, in ``default``, as a wire.

    ``declaration`` is None where nothing is named so, and for keywords and wires where it is known only in building.
    """

    name: str
    place: Span
    declaration: Declaration | None
    visible: VisibleNames
    role: Literal["name", "keyword", "default", "wire"]
    node: syntax.Name | syntax.Wire


@dataclass(slots=True, eq=False)
class VisibleNames:
    """The names that one part of a text declares for itself; ``outer`` are those around it."""

    outer: VisibleNames | None = None
    declared: Mapping[str, Declaration] = field(default_factory=dict)
    span: Span | None = None
    as_of: int | None = None
    """Where one stands in the outer parts, if not where the name is written: what runs later sees all of them."""
    until: int = END
    """Where all of it has run, seen from the outer parts: what a body defines to be run later does not outlive it."""
    hidden: str = ""
    """The name that means something further out: a replacement may use what it replaces."""
    is_value: bool = False
    """Whether this is the value of a ``let``: the layers in it run later."""

    def find(self, name: str, offset: int = END) -> Declaration | None:
        """What a name at ``offset`` means: what is declared by then, or nowhere but later."""
        later: Declaration | None = None
        here: VisibleNames | None = self
        while here is not None:
            found = here.declared.get(name)
            if found is not None and name != here.hidden:
                if found.seen_from <= offset:
                    return found
                later = later or found
            offset = min(offset, here.until) if here.as_of is None else here.as_of
            here = here.outer
        return later

    def names(self, offset: int | None = None) -> dict[str, Declaration]:
        """What is seen at ``offset`` by its name, the innermost first; without it also what is declared later."""
        found: dict[str, Declaration] = {}
        here: VisibleNames | None = self
        while here is not None:
            for name, declaration in here.declared.items():
                if name != here.hidden and (offset is None or declaration.seen_from <= offset):
                    found.setdefault(name, declaration)
            if offset is not None:
                offset = min(offset, here.until) if here.as_of is None else here.as_of
            here = here.outer
        return found


@dataclass(frozen=True, slots=True, eq=False)
class BlockLabels:
    """The labels of one block or network, not those of blocks inside it."""

    span: Span
    places: dict[str, list[int]] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class NamedSteps:
    """The steps of one scope that have names in the text; ``outer`` are those of the scope around it."""

    outer: NamedSteps | None = None
    named: dict[str, list[tuple[Declaration, NamedSteps]]] = field(default_factory=dict)
    """For each name the steps in the order of the text, each with those inside it."""
    labels: BlockLabels | None = None
    """All labels of the block or network around."""

    def find(self, path: str, offset: int) -> Declaration | None:
        """The step that a wire at ``offset`` leads to, from the innermost scope outwards."""
        here: NamedSteps | None = self
        while here is not None:
            found = here._inside(path, offset)
            if found is not None:
                return found
            here = here.outer
        return None

    def _inside(self, path: str, offset: int) -> Declaration | None:
        """``a.b.c`` may be the step ``a.b`` and in it ``c``: the longest name wins."""
        here, rest = self, path
        while True:
            head = rest
            while head not in here.named and "." in head:
                head = head.rpartition(".")[0]
            before = here.named.get(head, [])
            count = bisect_right(before, offset, key=lambda step: step[0].seen_from)
            if not count or head == rest:
                return before[count - 1][0] if count else None
            here, rest = before[count - 1][1], rest[len(head) + 1 :]


@dataclass(frozen=True, eq=False)
class Binding:
    """The names of one text."""

    top: VisibleNames
    """What the file declares, and what every file knows."""
    uses: Sequence[NameUse]
    declarations: Sequence[Declaration]
    """Those that stand in this text."""
    parts: Sequence[VisibleNames]
    """The parts of the text that declare names for themselves, outer ones before those inside."""
    labels: Sequence[BlockLabels]

    @cached_property
    def _by_node(self) -> dict[syntax.Node, NameUse]:
        return {use.node: use for use in self.uses}

    @cached_property
    def _by_declaration(self) -> dict[object, list[NameUse]]:
        found: dict[object, list[NameUse]] = {}
        for use in self.uses:
            if use.declaration is not None:
                found.setdefault(use.declaration.identity, []).append(use)
        return found

    @cached_property
    def _by_place(self) -> list[tuple[Span, Declaration]]:
        used = [(use.place, use.declaration) for use in self.uses if use.declaration is not None]
        own = [(each.place, each) for each in self.declarations if each.place is not None]
        return sorted([*used, *own], key=lambda item: item[0][1:])

    def use(self, node: syntax.Name | syntax.Wire) -> NameUse | None:
        """The use that is written as this node; None for what is no use, or of another text."""
        return self._by_node.get(node)

    def uses_of(self, declaration: Declaration) -> Sequence[NameUse]:
        """Where a name means this, in the order of the text; its own place is none of them."""
        return self._by_declaration.get(declaration.identity, ())

    def definition_at(self, offset: int) -> Declaration | None:
        """What the name means that is written at ``offset``, also where it is declared."""
        count = bisect_right(self._by_place, offset, key=lambda item: item[0].start)
        if not count or self._by_place[count - 1][0].end < offset:
            return None
        return self._by_place[count - 1][1]

    def visible_at(self, offset: int) -> dict[str, Declaration]:
        """What may be written at ``offset``, by name, the innermost first."""
        around = [part for part in self.parts if part.span is not None and part.span.start <= offset < part.span.end]
        return (around[-1] if around else self.top).names(offset)

    def has_label(self, label: str, place: Span, *, before: bool) -> bool:
        """Whether a step of this label stands before (else behind) a place, in the same block or network."""
        around = [each for each in self.labels if _holds(each.span, place)]
        return any((start < place.start) is before for start in (around[-1].places.get(label, ()) if around else ()))


def _holds(outer: Span, inner: Span) -> bool:
    return outer.source is inner.source and outer.start <= inner.start < outer.end


def known_everywhere(names: Iterable[tuple[str, Kind]]) -> dict[str, Declaration]:
    """What every file knows without declaring it."""
    return {name: Declaration(kind, name) for name, kind in names}
