"""The pipeline, from what is asked for to its graph and its module. Nothing here prints.

``Request`` ─ read_spec ▶ a file ─ choose_network ▶ a network ─ elaborate ▶ ``Graph`` ─ to_graph_module ▶ a module
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archdsl.base.limits import DEFAULT_LIMITS, Limits
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError, Problems, in_order
from archdsl.elaborate import faulty_arguments
from archdsl.elaborate.finding import Spec, called
from archdsl.elaborate.help.unbuilt import not_built, waiting_for
from archdsl.elaborate.help.unknown import unknown_names
from archdsl.elaborate.help.unused import unused_imports
from archdsl.elaborate.settings import InputSize
from archdsl.extensions.user_ops import OpSource
from archdsl.graph.model import Graph
from archdsl.language import syntax
from archdsl.request import Request, asked

if TYPE_CHECKING:
    import torch
    from torch.fx import GraphModule

    from archdsl.views.comparison import Comparison
    from archdsl.views.stats import Stats


def load(
    spec: Spec | Graph | Request,
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
    ``ops`` are ops of one's own: Python files, modules or classes, see ``archdsl.UserOp``. A graph
    that is there already comes back as it is. A ``Request`` holds all of these; others beside it replace its own.

    Raises ArchError with every diagnostic found, if there is an error among them; else the graph's ``diagnostics`` has
    the warnings. E001 for a graph with arguments, as it is finished.
    """
    request = asked(spec, network=network, input=input, limits=limits, set_texts=set_texts, ops=ops, **parameters)
    return request.graph()


def build(
    spec: Spec | Graph | Request,
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
    request = asked(spec, network=network, input=input, limits=limits, set_texts=set_texts, ops=ops, **parameters)
    graph = request.graph()
    from archdsl.backends.torch.devices import usable_device
    from archdsl.backends.torch.fx import to_graph_module

    module = to_graph_module(graph, init=init and weights is None, device=usable_device(device))
    if weights is not None:
        from archdsl.weights.read import load_weights

        load_weights(module, weights)
    return module


def stats(
    spec: Spec | Graph | Request,
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

    request = asked(spec, network=network, input=input, limits=limits, set_texts=set_texts, ops=ops, **parameters)
    return Stats(request.graph(), batch, dtype, optimizer, device)


def compare(
    *specs: Spec | Graph | Request | Stats,
    titles: Sequence[str] | None = None,
    columns: Sequence[str] | str = ("params", "macs"),
    with_sections: bool = True,
    **arguments: Any,
) -> Comparison:
    """What networks cost, side by side, and by how much each differs from the first; without torch.

    Takes what ``stats`` takes, with its ``arguments`` for each of them, or what it gave. ``columns`` are those that
    are told of the outermost sections, which are left out ``with_sections`` false. ``titles`` are what the networks are
    called; else their names, or the specs as given where names are not enough.

    Raises ArchError: what ``stats`` raises, of all specs; E001 without specs, or with another number of titles; E804
    for a column that there is not.
    """
    from archdsl.views.columns import column_names
    from archdsl.views.comparison import compared

    if not specs or (titles is not None and len(titles) != len(specs)):
        raise _uneven(len(specs), titles)
    found, names = _each_stats(specs, **arguments), [called(spec) for spec in specs]
    return compared(names, found, column_names(columns), titles, with_sections=with_sections)


def _each_stats(specs: Iterable[Spec | Graph | Request | Stats], **arguments: Any) -> list[Stats]:
    """``stats`` of each spec. Raises ArchError with what is wrong with any of them."""
    from archdsl.views.stats import Stats

    found: list[Stats] = []
    faults: list[Diagnostic] = []
    for spec in specs:
        try:
            if isinstance(spec, Stats) and arguments:
                raise _analysed_already(spec)
            found.append(spec if isinstance(spec, Stats) else stats(spec, **arguments))
        except ArchError as error:
            faults.extend(fault for fault in error.diagnostics if fault not in faults)
    if faults:
        raise ArchError(faults)
    return found


def _uneven(count: int, titles: Sequence[str] | None) -> ArchError:
    if not count:
        return ArchError(Diagnostic("E001", "there is nothing to compare", help="give the specs of two networks"))
    message = f"the number of titles is {len(titles or ()):,}, that of networks {count:,}"
    return ArchError(Diagnostic("E001", message, help="give each network its title, in the order of the networks"))


def _analysed_already(found: Stats) -> ArchError:
    message = f"the stats of `{found.name}` are there already: further arguments are for specs"
    return ArchError(Diagnostic("E001", message, help="call `archdsl.stats` with them"))


def check(
    spec: Spec | Request,
    /,
    *,
    network: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
    ops: Iterable[OpSource] = (),
) -> list[Diagnostic]:
    """Everything found in a file, sorted by place: in its text, its imports, and each network as declared.

    Errors, warnings and notes, as ``severity`` says. A network whose parameters have no defaults is not elaborated (a
    note says so): of it the names are checked and what it gives to its base; of blocks that no network uses, the names.
    A ``Request`` with an input or parameters asks for its network with these. Never imports torch.
    """
    problems = Problems()
    try:
        request = asked(spec, network=network, limits=limits, ops=ops)
        module = request.module
        networks = list(module.networks().values()) if request.network is None else [request.chosen]
        problems.extend(unknown_names(module, request.limits, request.user_ops))
        problems.extend(unused_imports(module))
        if request.is_changed:
            networks = []
            problems.extend(request.elaborated()[1])
    except ArchError as error:
        return list(error.diagnostics)
    for declared in networks:
        problems.extend(_as_declared(request, declared))
    return list(in_order(problems))


def _as_declared(request: Request, network: syntax.Network) -> Iterable[Diagnostic]:
    """What is found in a network of the file; a note where it cannot be built, as parameters have no value."""
    if waiting := waiting_for(request.module, network):
        faults = faulty_arguments(request.module, network, request.limits, request.user_ops)
        return faults or [not_built(network, waiting)]
    return request.declared(network).elaborated()[1]
