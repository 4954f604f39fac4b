"""Steps get their names, and labelled groups, ``seq`` and sections their scopes."""

from __future__ import annotations

from archdsl.diagnostics import Label
from archdsl.elaborate.environment import DoneStep, Environment, Wires
from archdsl.elaborate.faults import Fault
from archdsl.elaborate.naming import Names, Place
from archdsl.elaborate.session import Session
from archdsl.graph import Scope, ScopeKind
from archdsl.source import Span


class Scopes:
    """Gives names, each once in its scope, and opens scopes."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def step_name(self, place: Place, kind: str, label: str | None, span: Span) -> str:
        """The name of a step in its scope. Raises Fault E203 where another step has it."""
        if label is not None:
            return self.claim(place, kind, label, span)
        name = place.names.automatic(kind)
        self._take(place, name, span, automatic=True)
        return name

    def claim(self, place: Place, kind: str, label: str, span: Span) -> str:
        """Takes a label for a step of this kind. Raises Fault E203."""
        place.names.labelled(kind)
        if "." in label:
            self.session.builder.dotted.append((place.names.full(label), span))
        self._take(place, label, span, automatic=False)
        return label

    def _take(self, place: Place, name: str, span: Span, automatic: bool) -> None:
        first = place.names.taken.get(name)
        if first is not None:
            raise self._duplicate(name, span, first, automatic)
        place.names.taken[name] = span

    def _duplicate(self, name: str, span: Span, first: Span, automatic: bool) -> Fault:
        how = f"the automatic name `{name}` is taken by a label" if automatic else f"two steps are named `{name}`"
        labels = (Label(first, "the first one"),) if first != span else ()
        again = 'number the labels of a loop or repeat: `"conv{i}": ...`' if first == span else "give it another label"
        return self.session.reporter.fault("E203", how, span, labels=labels, help=again)

    def collision(self, path: str, span: Span) -> Fault:
        """The fault for a dotted label that leads into another step's scope."""
        message = f"another step stands at `{path}` already"
        return self.session.reporter.fault("E203", message, span, help="give one of the two another label")

    def record(self, name: str, step: DoneStep, place: Place, environment: Environment) -> None:
        """Makes a finished step reachable by wires, here and where its layer was written."""
        place.names.wires.steps[name] = step
        if environment.wires is not place.names.wires:
            environment.wires.steps[name] = step

    def open(
        self,
        kind: ScopeKind,
        title: str,
        name: str,
        place: Place,
        environment: Environment,
        span: Span,
        *,
        positional: bool = False,
    ) -> tuple[Place, Wires]:
        """A new scope below ``place``; its wires reach outwards to where it is written."""
        scope = Scope(kind, title, place.names.full(name), place.scope, span)
        wires = Wires(environment.wires)
        names = self.session.builder.new_names(Names(scope.path, positional, wires))
        return Place(names, scope), wires
