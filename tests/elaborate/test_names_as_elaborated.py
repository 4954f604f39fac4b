"""The binder says of each name what the interpreter, which looks it up while it builds, finds to be its meaning."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

import archdsl
from archdsl import ArchError
from archdsl.base.source import Source
from archdsl.elaborate.interpreter import application, functions
from archdsl.elaborate.interpreter.bodies import BodyRunner
from archdsl.elaborate.interpreter.environment import Environment
from archdsl.elaborate.interpreter.expressions import Evaluator
from archdsl.elaborate.interpreter.session import MISSING
from archdsl.elaborate.known import FINISHED, bound
from archdsl.elaborate.networks import NetworkBuilder
from archdsl.elaborate.plans import Planner
from archdsl.language import syntax
from archdsl.language.bases import bases
from archdsl.language.binding import Declaration
from archdsl.zoo.bundled import bundled
from tests.elaborate.programs import programs

GOLDENS = Path(__file__).parents[1] / "golden"


class Lookups:
    """Remembers what put each variable into an environment, and compares each lookup with what the binder says."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.origins: dict[int, tuple[object, dict[str, object]]] = {}
        self.seen = 0
        self.wrong: list[str] = []
        self._before(patch, BodyRunner, "_define", lambda _, statement, environment, *__: self.put(
            environment, {statement.name.name: statement}))  # fmt: skip
        self._before(patch, Planner, "_bind", lambda _, network, __, environment: self.put(
            environment, {each.name.name: each for each in network.parameters}))  # fmt: skip
        self._before(patch, Planner, "_variant_plan", self._inherit)
        for module in (application, functions):
            self._before(patch, module, "bind_parameters", lambda _, __, parameters, ___, inner, ____: self.put(
                inner, {each.name.name: each for each in parameters}))  # fmt: skip
        self._watch_loops(patch)
        self._watch_asserts(patch)
        self._watch_names(patch)

    def put(self, environment: Environment, origins: Mapping[str, object]) -> None:
        variables = environment.variables
        self.origins.setdefault(id(variables), (variables, {}))[1].update(origins)

    def _before(self, patch: pytest.MonkeyPatch, owner: Any, name: str, note: Any) -> None:
        original = getattr(owner, name)

        def watched(*arguments: Any) -> Any:
            note(*arguments)
            return original(*arguments)

        patch.setattr(owner, name, watched)

    def _inherit(self, planner: Planner, module: Any, network: syntax.Network, *rest: Any) -> None:
        environment = rest[1]
        own = self.origins[id(environment.variables)][1]
        for _, base in [*bases(module, network)][1:]:
            for parameter in base.parameters:
                own.setdefault(parameter.name.name, parameter)

    def _watch_loops(self, patch: pytest.MonkeyPatch) -> None:
        original = Evaluator.unpack

        def unpack(evaluator: Evaluator, names: tuple[syntax.Name, ...], *rest: Any) -> dict[str, object]:
            variables = original(evaluator, names, *rest)
            self.origins[id(variables)] = (variables, {name.name: name for name in names})
            return variables

        patch.setattr(Evaluator, "unpack", unpack)

    def _watch_asserts(self, patch: pytest.MonkeyPatch) -> None:
        original = NetworkBuilder._check_assert

        def check(builder: NetworkBuilder, statement: syntax.Assert, environment: Environment) -> None:
            if environment.parent is not None and environment.variables.keys() <= set(FINISHED):
                self.put(environment, {name: name for name in environment.variables})
            original(builder, statement, environment)

        patch.setattr(NetworkBuilder, "_check_assert", check)

    def _watch_names(self, patch: pytest.MonkeyPatch) -> None:
        original = Evaluator._name

        def name(evaluator: Evaluator, expression: syntax.Name, environment: Environment) -> object:
            self._compare(evaluator, expression, environment)
            return original(evaluator, expression, environment)

        patch.setattr(Evaluator, "_name", name)
        methods = Evaluator.__init__

        def start(evaluator: Evaluator, *arguments: Any) -> None:
            methods(evaluator, *arguments)
            evaluator._by_type[syntax.Name] = evaluator._name

        patch.setattr(Evaluator, "__init__", start)

    def _compare(self, evaluator: Evaluator, expression: syntax.Name, environment: Environment) -> None:
        session, module = evaluator.session, environment.module
        if expression.span.source is not module.source:
            return  # a parameter's text from outside
        use = bound(module, session.user_ops).use(expression)
        assert use is not None
        self.seen += 1
        meant = self._meant(evaluator, expression.name, environment)
        if meant and not any(_is(use.declaration, each) for each in meant):
            self.wrong.append(f"{expression.span.place}: {expression.name} is {use.declaration}, not {meant}")

    def _meant(self, evaluator: Evaluator, name: str, environment: Environment) -> list[object]:
        """What the name means: nodes, the name itself for what is known everywhere; nothing where it is unknown."""
        here: Environment | None = environment
        while here is not None:
            if name in here.variables:
                return [self.origins[id(here.variables)][1][name]]
            here = here.parent
        found, session = environment.module.find(name), evaluator.session
        known = [name] if session.known(name) is not MISSING else []
        own: list[object] = [found[1]] if found else [*known]
        override = session.overrides.get(name)
        if override is None or environment.overridden == name:
            return own
        beside = override.environment.module is environment.module
        return [*own, override.definition] if own or beside else []


def _is(declaration: Declaration | None, meant: object) -> bool:
    if declaration is None:
        return False
    if isinstance(meant, str):
        return declaration.node is None and declaration.name == meant
    if isinstance(meant, syntax.Name):
        return declaration.place is meant.span
    return declaration.node is meant


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> Lookups:
    return Lookups(monkeypatch)


SOME = sorted(bundled())[::4]
"""The others are compared in the exhaustive run."""


@pytest.mark.parametrize(
    "name", [each if each in SOME else pytest.param(each, marks=pytest.mark.exhaustive) for each in sorted(bundled())]
)
def test_bundled_networks(name: str, lookups: Lookups) -> None:
    archdsl.load(name)
    assert lookups.seen
    assert lookups.wrong == []


@pytest.mark.parametrize("path", sorted(GOLDENS.rglob("*.arch")), ids=lambda path: path.stem)
def test_goldens(path: Path, lookups: Lookups) -> None:
    archdsl.check(Source(path.name, path.read_text(encoding="utf-8")))
    assert lookups.wrong == []


@settings(max_examples=150, suppress_health_check=[*HealthCheck])
@given(programs(wrong=True))
def test_random_programs(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        lookups = Lookups(patch)
        with suppress(ArchError):
            archdsl.load(text)
        assert lookups.wrong == []
