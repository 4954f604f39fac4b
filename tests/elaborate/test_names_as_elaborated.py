"""The binder says of each name what the interpreter, which looks it up while it builds, finds to be its meaning."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import archdsl
from archdsl import ArchError
from archdsl.base.source import Source
from archdsl.elaborate.interpreter import application, functions
from archdsl.elaborate.interpreter.bodies import BodyRunner
from archdsl.elaborate.interpreter.environment import Environment
from archdsl.elaborate.interpreter.expressions import Evaluator
from archdsl.elaborate.interpreter.session import MISSING
from archdsl.elaborate.interpreter.values import FAILED
from archdsl.elaborate.known import FINISHED, bound
from archdsl.elaborate.networks import NetworkBuilder
from archdsl.elaborate.plans import Planner
from archdsl.language import syntax
from archdsl.language.bases import bases
from archdsl.language.binding import Declaration, NameUse
from archdsl.zoo.bundled import bundled
from tests.elaborate.programs import programs

GOLDENS = Path(__file__).parents[1] / "golden"


class Lookups:
    """Remembers what put each variable into an environment, and compares each lookup with what the binder says."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.origins: dict[int, tuple[object, dict[str, object]]] = {}
        self.meanings: dict[NameUse, list[object]] = {}
        """What each use has meant; a layer that is closed over a name may look at it before and after it is hidden."""
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
        self.meanings.setdefault(use, []).extend(self._meant(evaluator, expression.name, environment))

    @property
    def wrong(self) -> list[str]:
        return [
            f"{use.place.place}: {use.name} is {use.declaration}, not {meant}"
            for use, meant in self.meanings.items()
            if meant and not any(_is(use.declaration, each) for each in meant)
        ]

    def _meant(self, evaluator: Evaluator, name: str, environment: Environment) -> list[object]:
        """What the name means: nodes, the name itself for what is known everywhere; nothing where it is unknown."""
        here: Environment | None = environment
        while here is not None:
            if here.variables.get(name) is FAILED:
                return []  # defined twice, say: nothing is left to be meant
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
    assert any(lookups.meanings.values())
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


NAMES = st.sampled_from("abc")
NUMBERS = st.recursive(
    st.one_of(NAMES, NAMES, st.integers(1, 3).map(str)),
    lambda inner: st.one_of(
        st.builds("({} + {})".format, inner, inner),
        st.builds("({} if {} > 1 else {})".format, inner, inner, inner),
        st.builds("sum([{} for {} in [{}, 2]])".format, inner, NAMES, inner),
        st.builds("{}({})".format, NAMES, inner),
    ),
    max_leaves=4,
)
LAYERS = st.one_of(
    NAMES,
    st.builds("conv({}, 1)".format, NUMBERS),
    st.builds("(relu -> conv({}, 1))".format, NUMBERS),
    st.builds("{}({})".format, NAMES, NUMBERS),
)
LINES = st.one_of(
    st.builds("let {} = {}".format, NAMES, NUMBERS),
    st.builds("let {} = {}".format, NAMES, NUMBERS),
    st.builds("let {}({}) = {}".format, NAMES, NAMES, NUMBERS),
    st.builds("let {} = (relu -> conv({}, 1))".format, NAMES, NUMBERS),
    st.builds("block {}({} = {}) {{ {} }}".format, NAMES, NAMES, NUMBERS, LAYERS),
    LAYERS,
    LAYERS,
)
BODIES = st.recursive(
    st.lists(LINES, max_size=4).map("\n".join),
    lambda inner: st.lists(
        st.one_of(
            LINES,
            LINES,
            st.builds("for {} in [{}, 2] {{ {}\n }}".format, NAMES, NUMBERS, inner),
            st.builds("if {} > 1 {{ {}\n }}".format, NUMBERS, inner),
            st.builds("{{ {}\n relu }}".format, inner),
            st.builds("block {}({}) {{ {}\n relu }}".format, NAMES, NAMES, inner),
        ),
        max_size=4,
    ).map("\n".join),
    max_leaves=4,
)
SHADOWING = st.builds(
    "let a = 2\nlet b = a + 1\nblock c({}) {{ {}\n relu }}\n"
    "network net({} = {}) {{\n input 4x4x4\n {}\n assert a > 0\n}}\n"
    "network mine({} = {}) extends net {{\n let {} = 3\n head {{ {} }}\n}}\n".format,
    NAMES, BODIES, NAMES, NUMBERS, BODIES, NAMES, NUMBERS, NAMES, LAYERS,
)  # fmt: skip
"""Three names for everything: numbers, functions, layers, loops and blocks that hide one another."""


@settings(max_examples=150, suppress_health_check=[*HealthCheck])
@given(SHADOWING)
def test_names_that_hide_one_another(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        lookups = Lookups(patch)
        archdsl.check(text)
        assert lookups.wrong == []
