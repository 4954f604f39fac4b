"""The pipeline, from a spec's name or text to its graph and its module. Nothing here prints."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.analysis.cost import cost
from archdsl.base.limits import DEFAULT_LIMITS, Limits
from archdsl.base.source import Source
from archdsl.base.wording import quoted
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError, Problems
from archdsl.elaborate import elaborate, faulty_arguments
from archdsl.elaborate.help.faults import nearest, suggestion
from archdsl.elaborate.interpreter.session import FinishedNumbers
from archdsl.elaborate.interpreter.values import Given
from archdsl.elaborate.loading import LoadedModule, Location, ModuleLoader, bundled_location
from archdsl.elaborate.resolve import unknown_names
from archdsl.elaborate.settings import from_value
from archdsl.extensions.user_ops import OpSource, UserOps
from archdsl.graph.model import Graph
from archdsl.language import syntax
from archdsl.language.bases import bases, open_parameters
from archdsl.language.parser import parse_expression
from archdsl.zoo.bundled import bundled

if TYPE_CHECKING:
    import torch
    from torch.fx import GraphModule

    from archdsl.views.stats import Stats

Spec = str | os.PathLike[str] | Source
InputSize = tuple[int, ...] | str


def load(
    spec: Spec | Graph,
    /,
    *,
    network: str | None = None,
    input: InputSize | None = None,
    limits: Limits = DEFAULT_LIMITS,
    set_texts: Mapping[str, str] | None = None,
    ops: Iterable[OpSource] = (),
    **parameters: object,
) -> Graph:
    """The graph of a network, with shapes inferred and every rule checked; never imports torch.

    ``spec`` is a path, a bundled name (``"resnet50"``) or source text, bare or as a ``Source`` with
    the name that diagnostics show. ``network`` names one of
    several in a file. ``input`` builds at another size than the declared one: ``(3, 32, 32)`` or
    ``"3x32x32"``, without the batch. ``parameters`` are the network's parameters as numbers,
    strings, booleans, None or lists; ``set_texts`` are such values as a spec would write them.
    ``ops`` are ops of one's own: Python files, modules or classes, see ``archdsl.extensions.user_ops``. A graph
    that is there already comes back as it is.

    Raises ArchError with every diagnostic found; E001 for a graph with arguments, as it is finished.
    """
    if isinstance(spec, Graph):
        if network is not None or input is not None or set_texts or parameters:
            raise _finished(spec)
        return spec
    module = load_module(spec, limits)
    return graph_of(module, choose_network(module, network), UserOps(ops), input, limits, set_texts or {}, parameters)


def graph_of(
    module: LoadedModule,
    network: syntax.Network,
    ops: UserOps,
    input: InputSize | None,
    limits: Limits,
    set_texts: Mapping[str, str],
    parameters: Mapping[str, object],
) -> Graph:
    """What ``load`` gives, of a file that is read already. Raises ArchError."""
    settings = _settings(network, set_texts, parameters, limits)
    graph, problems = elaborate(module, network, settings, limits, _sizes(input), ops, measure=_finished_numbers)
    if graph is None:
        raise ArchError(problems)
    graph.verify()
    return graph


def _finished_numbers(graph: Graph) -> FinishedNumbers:
    total = cost(graph)
    return FinishedNumbers(total.parameters, total.macs, total.flops, total.depth)


def build(
    spec: Spec | Graph,
    /,
    *,
    network: str | None = None,
    input: InputSize | None = None,
    limits: Limits = DEFAULT_LIMITS,
    set_texts: Mapping[str, str] | None = None,
    init: bool = True,
    device: str | torch.device = "cpu",
    weights: str | os.PathLike[str] | None = None,
    ops: Iterable[OpSource] = (),
    **parameters: object,
) -> GraphModule:
    """The network as a ``torch.fx.GraphModule``, in training mode; takes the arguments of ``load``.

    ``init=False`` leaves the parameters as empty memory, for weights that are loaded next.
    ``weights`` is a checkpoint (.pth, .pt or .safetensors) to load strictly.

    Raises ArchError: what ``load`` raises, E601 to E607 for weights, device and backend, and E702.
    """
    graph = load(spec, network=network, input=input, limits=limits, set_texts=set_texts, ops=ops, **parameters)
    from archdsl.backends.torch.devices import usable_device
    from archdsl.backends.torch.fx import to_graph_module

    module = to_graph_module(graph, init=init and weights is None, device=usable_device(device))
    if weights is not None:
        from archdsl.weights.read import load_weights

        load_weights(module, Path(weights))
    return module


def stats(
    spec: Spec | Graph,
    /,
    *,
    network: str | None = None,
    input: InputSize | None = None,
    limits: Limits = DEFAULT_LIMITS,
    set_texts: Mapping[str, str] | None = None,
    ops: Iterable[OpSource] = (),
    batch: int = 1,
    dtype: str = "float32",
    optimizer: str = "sgd",
    device: str = "cpu",
    **parameters: object,
) -> Stats:
    """What a network costs, without torch; takes the arguments of ``load``.

    ``batch``, ``dtype``, ``optimizer`` and ``device`` are for its memory. Raises ArchError: what ``load`` raises.
    """
    from archdsl.views.stats import Stats

    graph = load(spec, network=network, input=input, limits=limits, set_texts=set_texts, ops=ops, **parameters)
    return Stats(graph, batch, dtype, optimizer, device)


def check(
    spec: Spec,
    /,
    *,
    network: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
    ops: Iterable[OpSource] = (),
) -> list[Diagnostic]:
    """Everything that is wrong with a file: its text, its imports, and each network as declared.

    A network whose parameters have no defaults is not elaborated: of it the names are checked and what it gives to
    its base; of blocks that no network uses, the names. Never imports torch.
    """
    return list(examine(spec, network=network, limits=limits, ops=ops).diagnostics)


@dataclass(frozen=True, slots=True)
class Unbuilt:
    """A network that is not built, as parameters have no value: its own, and those that it leaves open in its base."""

    network: syntax.Network
    own: tuple[str, ...]
    inherited: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong with a file, and which of its networks were not built."""

    diagnostics: tuple[Diagnostic, ...]
    unbuilt: tuple[Unbuilt, ...] = ()


def examine(spec: Spec, /, *, network: str | None, limits: Limits, ops: Iterable[OpSource]) -> Findings:
    """What ``check`` finds, and what it leaves out."""
    try:
        user_ops = UserOps(ops)
        module = load_module(spec, limits)
        networks = [choose_network(module, network)] if network else list(module.networks().values())
    except ArchError as error:
        return Findings(error.diagnostics)
    problems = Problems()
    problems.extend(unknown_names(module, limits, user_ops))
    unbuilt = []
    for declared in networks:
        settable = open_parameters([network for _, network in bases(module, declared)])
        waiting = [name for name, parameter in settable.items() if parameter.default is None]
        if not waiting:
            problems.extend(elaborate(module, declared, {}, limits, ops=user_ops, measure=_finished_numbers)[1])
        elif faults := faulty_arguments(module, declared, limits, user_ops):
            problems.extend(faults)
        else:
            own = {parameter.name.name for parameter in declared.parameters}
            inherited = tuple(name for name in waiting if name not in own)
            unbuilt.append(Unbuilt(declared, tuple(name for name in waiting if name in own), inherited))
    return Findings(ArchError(problems).diagnostics, tuple(unbuilt))


def load_module(spec: Spec, limits: Limits = DEFAULT_LIMITS) -> LoadedModule:
    """The parsed file with its imports. Raises ArchError with all faults of all files."""
    loader = ModuleLoader(limits)
    if isinstance(spec, str) and _is_text(spec):
        spec = Source("<string>", spec)
    if not isinstance(spec, str | Source | os.PathLike):
        raise _no_spec(spec)
    module = loader.load_text(spec) if isinstance(spec, Source) else loader.load(locate(spec))
    loader.problems.raise_if_any()
    assert module is not None
    return module


def _no_spec(spec: object) -> ArchError:
    message = f"a spec is a path, a bundled name or a text, not a {type(spec).__name__}"
    hint = "a graph has its numbers, and a spec its formulas: give the spec" if isinstance(spec, Graph) else ""
    return ArchError(Diagnostic("E001", message, help=hint))


def _finished(graph: Graph) -> ArchError:
    message = f"the graph of `{graph.name}` is finished: network, input and parameters are for a spec"
    return ArchError(Diagnostic("E001", message, help="load the spec with them"))


def locate(spec: str | os.PathLike[str]) -> Location:
    """Where a path or a bundled name leads. Raises ArchError E001 with the nearest names."""
    name = os.fspath(spec)
    path = Path(name)
    if path.suffix == ".arch" or path.exists():
        return Location(name, path)
    if name in bundled():
        location = bundled_location(f"{name}.arch")
        assert location is not None
        return location
    beside = f"{name}.arch"
    near = beside if _is_file(beside) else nearest(name, [*bundled(), *(str(file) for file in Path().glob("*.arch"))])
    help_ = f"did you mean `{near}`?" if near else "`archdsl list` shows the bundled specs"
    raise ArchError(Diagnostic("E001", f"`{name}` is neither a file nor a bundled spec", help=help_))


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # a name too long, a null byte
        return False


def choose_network(module: LoadedModule, name: str | None) -> syntax.Network:
    """The network to build: by name, the only one, or the one named as its file. Raises ArchError."""
    networks = module.networks()
    if name is not None and name in networks:
        return networks[name]
    listed = quoted(networks)
    span = module.parsed.declarations[0].span if module.parsed.declarations else None
    if name is not None:
        hint = suggestion(name, networks) or (f"it has {listed}" if listed else "")
        message = f"`{module.source.name}` has no network `{name}`"
        raise ArchError(Diagnostic("E404", message, span, help=hint))
    if not networks:
        hint = "a network is declared as `network name { input 3x224x224 ... }`"
        raise ArchError(Diagnostic("E404", f"`{module.source.name}` declares no network", span, help=hint))
    stem = Path(module.source.name).stem
    if len(networks) > 1 and stem not in networks:
        hint = f"choose one with `--network`, or write `{module.source.name}:NAME`: {listed}"
        raise ArchError(Diagnostic("E405", f"`{module.source.name}` has several networks", span, help=hint))
    return networks[stem] if stem in networks else next(iter(networks.values()))


def _is_text(spec: str) -> bool:
    return "\n" in spec or "{" in spec


def _settings(
    network: syntax.Network,
    texts: Mapping[str, str],
    values: Mapping[str, object],
    limits: Limits,
) -> dict[str, Given | syntax.Expression]:
    settings: dict[str, Given | syntax.Expression] = {
        name: parse_expression(Source(f"--set {name}", text), limits) for name, text in texts.items()
    }
    settings.update((name, from_value(name, value, network)) for name, value in values.items())
    return settings


def _sizes(size: InputSize | None) -> tuple[int, ...] | None:
    if size is None:
        return None
    parts = tuple(size.split("x")) if isinstance(size, str) else tuple(size)
    try:
        sizes = tuple(int(part) for part in parts)
        if sizes and all(size == part or isinstance(part, str) for size, part in zip(sizes, parts, strict=True)):
            return sizes
    except (TypeError, ValueError, OverflowError):
        pass
    message = f"`{size}` is no input size"
    raise ArchError(Diagnostic("E309", message, help="write sizes without the batch, such as `3x32x32`"))
