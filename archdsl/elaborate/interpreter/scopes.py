"""Steps get their names, and labelled groups, ``seq`` and sections their scopes."""

from __future__ import annotations

from archdsl.base.source import Span
from archdsl.diagnostics.model import Label
from archdsl.elaborate.faults import Fault
from archdsl.elaborate.interpreter.environment import DoneStep, Environment, Wires
from archdsl.elaborate.interpreter.place import Names, Place, StepLabel, Taken
from archdsl.elaborate.interpreter.session import Session
from archdsl.graph.model import Scope, ScopeKind


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
        span = label.span if isinstance(label, StepLabel) else span
        name = str(label)
        place.names.labelled(kind)
        if "." in name:
            self.session.builder.dotted.append((place.names.full(name), span))
        self._take(place, name, span, automatic=False)
        return name

    def _take(self, place: Place, name: str, span: Span, automatic: bool) -> None:
        chain = self.session.reporter.chain
        now = Taken(span, chain[-1][1] if chain else None)
        first = place.names.taken.setdefault(name, now)
        if first is not now:
            raise self._duplicate(name, now, first, automatic)

    def _duplicate(self, name: str, now: Taken, first: Taken, automatic: bool) -> Fault:
        how = f"the automatic name `{name}` is taken by a label" if automatic else f"two steps are named `{name}`"
        mark, help_ = "", "give it another label"
        labels: tuple[Label, ...] = ()
        if first.span != now.span:
            labels = (Label(first.span, "the first one"),)
        elif first.use is not None and first.use != now.use:
            labels = (Label(first.use, "the first one is made here"),)
            help_ = "label the uses apart: a function opens no scope, a block does"
        else:
            mark = "the first one is written here, too"
            help_ = 'number the labels of a loop or repeat: `"conv{i}": ...`'
        return self.session.reporter.fault("E203", how, now.span, mark=mark, labels=labels, help=help_)

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
        names = self.session.builder.new_names(Names(scope.path, positional, wires=wires))
        return Place(names, scope), wires
