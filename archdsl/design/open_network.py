"""A network with some of its numbers left open: its parameters and the sizes of its input as variables."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction

from archdsl.analysis.cost import cost
from archdsl.analysis.memory import memory
from archdsl.analysis.symbolic.formulas import exact
from archdsl.base.wording import did_you_mean, quoted
from archdsl.diagnostics.codes import ErrorCode
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from archdsl.elaborate.help.suggestions import nearest
from archdsl.graph.model import Graph
from archdsl.language.bases import bases, open_parameters
from archdsl.request import Request

_NUMBER = re.compile(r"(?<![\w.])[0-9][0-9_]{0,9}(?:\.[0-9]{1,9})?(?![\w.])")
_COMMENT = re.compile(r"#[^\n]*")

METRICS = ("parameters", "macs")
"""What formulas are about; budgets also about memory."""


INPUT_AXES: dict[int, dict[str, tuple[int, ...]]] = {
    3: {"channels": (0,), "height": (1,), "width": (2,), "size": (1, 2)},
    2: {"length": (0,), "channels": (1,)},
    1: {"channels": (0,)},
}
"""Names of the input's sizes by their number; a parameter of the network of that name comes first.

``size`` is the side of a square image.
"""


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """For what use memory is counted: the arguments of ``archdsl.analysis.memory.memory``."""

    batch: int = 1
    dtype: str = "float32"
    training: bool = True
    optimizer: str = "sgd"
    device: str = "cpu"

    def bytes_of(self, graph: Graph) -> int:
        """The total for this use. Raises ArchError: E801 for a use that is none, E802 where an op does not say."""
        found = memory(graph, **asdict(self))
        if found.total is None:
            op = graph.nodes[found.unknown[0]].op.kind
            raise ArchError(Diagnostic("E802", f"`{op}` does not say how much memory it takes"))
        return found.total


@dataclass(frozen=True, slots=True)
class Counts:
    """What a network counts at one point; each metric's number stands under its name.

    ``memory`` is in bytes, None where it was not asked for; ``nodes`` are those of the graph.
    """

    parameters: int
    macs: int
    memory: int | None = None
    nodes: int = 0

    @classmethod
    def of(cls, graph: Graph, use: MemoryUse | None = None) -> Counts:
        """The graph's; its memory too where a use is given. Raises ArchError as ``MemoryUse.bytes_of`` does."""
        total = cost(graph)
        used = use.bytes_of(graph) if use is not None else None
        return cls(total.parameters, total.macs, used, len(graph.nodes))

    def __getitem__(self, metric: str) -> int:
        value: int = getattr(self, metric)
        return value


@dataclass(frozen=True, slots=True)
class Variable:
    """An open number: ``axes`` are the sizes of the input that it sets, none for a parameter of the network.

    ``value`` is what it is when nobody sets it, None for a parameter without default.
    """

    name: str
    value: Fraction | None
    is_whole: bool
    axes: tuple[int, ...] = ()

    def given(self, value: Fraction) -> int | float:
        """The value as the network takes it; a parameter that is declared as a whole number may take others."""
        return int(value) if self.is_whole and value.denominator == 1 else float(value)


class OpenNetwork:
    """A spec with variables, and what it counts where they have values; each point is elaborated once."""

    def __init__(self, request: Request, names: Iterable[str], use: MemoryUse | None = None) -> None:
        """Raises ArchError E409 for names that are no numeric parameter and no size, and what loading raises."""
        self.request = request
        self.use = use
        declared = request.chosen
        self.name, self.span = declared.name.name, declared.name.span
        listed = [_name(name) for name in names]
        self._open = open_parameters([network for _, network in bases(request.module, request.chosen)])
        self.graph = self._declared(listed)
        self.variables = tuple(self._variable(name) for name in listed)
        self._check_overlap()
        self._counts: dict[tuple[Fraction, ...], Counts | ArchError] = {}

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes of the input; () where it is not known, or where there are several, which are not varied."""
        inputs = self.graph.inputs if self.graph is not None else ()
        return tuple(inputs[0].type.sizes) if len(inputs) == 1 else ()

    def counts(self, point: Mapping[str, Fraction]) -> Counts | ArchError:
        """What the network counts at a point, or why it refuses the point. Raises ArchError E801 for a wrong use."""
        key = tuple(point[variable.name] for variable in self.variables)
        if key not in self._counts:
            try:
                self._counts[key] = Counts.of(self._load(point), self.use)
            except ArchError as error:
                if any(diagnostic.code == "E801" for diagnostic in error.diagnostics):
                    raise
                self._counts[key] = error.with_traceback(None)  # its frames would keep the half-made graph
        return self._counts[key]

    def numbers(self) -> tuple[Fraction, ...]:
        """The different numbers that the spec writes, with the files it imports from, smallest first."""
        modules = [self.request.module]
        for module in modules:
            modules += [found for found, _ in module.imports.values() if found not in modules]
        texts = {module.source.text for module in modules}
        written = (number for text in texts for number in _NUMBER.findall(_COMMENT.sub("", text)))
        return tuple(sorted({Fraction(number.replace("_", "")) for number in written}))

    def fault(self, code: ErrorCode, message: str, *help_: str) -> ArchError:
        """A diagnostic about the network as a whole."""
        return ArchError(Diagnostic(code, message, self.span, help=help_))

    def _load(self, point: Mapping[str, Fraction]) -> Graph:
        settings: dict[str, object] = {}
        sizes = list(self.sizes)
        resized = False
        for variable in self.variables:
            for axis in variable.axes:
                sizes[axis], resized = int(point[variable.name]), True
            if not variable.axes:
                settings[variable.name] = variable.given(point[variable.name])
        return self.request.varied(settings, tuple(sizes) if resized else None).graph()

    def _declared(self, names: Sequence[str]) -> Graph | None:
        """The graph when nobody sets the variables; None where the only one has no default."""
        try:
            return self.request.graph()
        except ArchError as error:
            needed = self._open.get(names[0]) if len(names) == 1 else None
            if needed is None or any((each.code, each.span) != ("E211", needed.span) for each in error.diagnostics):
                raise
            return None

    def _variable(self, name: str) -> Variable:
        if self.graph is None:
            return self._undeclared(name)
        if self._is_open(name):
            value = self.graph.settings[name]
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                hint = "a variable is a parameter that is a number"
                raise self.fault("E409", f"the parameter `{name}` is {_described(value)}, not a number", hint)
            return Variable(name, exact(value), isinstance(value, int))
        axes = INPUT_AXES.get(len(self.sizes), {}).get(name)
        if axes is None:
            raise self._unknown(name)
        sides = {self.sizes[axis] for axis in axes}
        if len(sides) > 1:
            shape = "x".join(map(str, self.sizes))
            raise self.fault("E409", f"`size` is the side of a square input, and this one is {shape}",
                             "vary `height` and `width`, or give a square `--input`")  # fmt: skip
        return Variable(name, Fraction(sides.pop()), True, axes)

    def _is_open(self, name: str) -> bool:
        """Whether it is a parameter that can be set: variants fix some of their bases', which then are none.

        A text is no number whether it is fixed or not, and that is what is said of it.
        """
        assert self.graph is not None
        settings = self.graph.settings
        return name in settings and (name in self._open or isinstance(settings[name], str))

    def _undeclared(self, name: str) -> Variable:
        """A variable of a network that has no value for one of them. Raises ArchError E409 for what is no parameter."""
        if name not in self._open:
            self.request.varied({name: 1}).graph()  # refuses the name, and says which there are
        return Variable(name, None, True)

    def _unknown(self, name: str) -> ArchError:
        assert self.graph is not None
        title = f"`{self.graph.name}` has no parameter or size `{name}`"
        if name == "batch":
            return self.fault("E409", title, "`archdsl stats --batch-for 24GiB` finds the largest batch that fits")
        if name in self.graph.settings:
            value = _described(self.graph.settings[name])
            return self.fault("E409", f"`{self.graph.name}` fixes `{name}`: it is {value}", self._where_open(name))
        numeric = [key for key, value in self.graph.settings.items() if type(value) in (int, float)]
        known = [*filter(self._is_open, numeric), *INPUT_AXES.get(len(self.sizes), {})]
        if not known:
            hint = "the sizes of several inputs are no variables" if len(self.graph.inputs) > 1 else "there is none"
        elif near := nearest(name, known):
            hint = did_you_mean(near)
        else:
            hint = f"there are {quoted(known)}"
        return self.fault("E409", title, hint)

    def _where_open(self, name: str) -> str:
        """Which of the networks that this one is built on leaves the parameter open."""
        chain = [network for _, network in bases(self.request.module, self.request.chosen)]
        bearers = (one.name.name for one in chain if any(p.name.name == name for p in one.parameters))
        return f"it is a parameter of `{next(bearers, self.name)}`, on which this network is built"

    def _check_overlap(self) -> None:
        seen: dict[int | str, str] = {}
        for variable in self.variables:
            for key in variable.axes or (variable.name,):
                if key in seen:
                    message = f"`{seen[key]}` and `{variable.name}` set the same size"
                    if seen[key] == variable.name:
                        message = f"`{variable.name}` is named twice"
                    raise self.fault("E409", message, "name each number once")
                seen[key] = variable.name


def names_of(variables: object) -> list[str]:
    """The names that a list or a text with commas has. Raises ArchError E409 for what is none."""
    if isinstance(variables, str):
        return [name.strip() for name in variables.split(",")]
    return [_name(name) for name in (variables if isinstance(variables, Iterable) else [variables])]


def _name(name: object) -> str:
    """The name of a variable. Raises ArchError E409 for what is no text."""
    if isinstance(name, str):
        return name
    raise ArchError(Diagnostic("E409", f"a variable is given by its name, not {name!r}", help='as in `"classes"`'))


def _described(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return f"`{value}`"


def base_point(variables: Iterable[Variable]) -> dict[str, Fraction]:
    """The values that variables have when nobody sets them; all of them must have one."""
    return {variable.name: variable.value for variable in variables if variable.value is not None}
