"""Syntax to Graph: modules and imports, names, blocks, shapes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from archdsl.base.collection import collection_paused
from archdsl.base.limits import Limits
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import in_order
from archdsl.elaborate.faults import Fault, Poisoned, Reporter, Stopped
from archdsl.elaborate.help.unused import unused_imports
from archdsl.elaborate.interpreter.bodies import BodyRunner
from archdsl.elaborate.interpreter.environment import Given
from archdsl.elaborate.interpreter.session import Session
from archdsl.elaborate.known import NO_OPS, FinishedNumbers
from archdsl.elaborate.loading import LoadedModule
from archdsl.elaborate.networks import NetworkBuilder
from archdsl.elaborate.plans import Planner
from archdsl.graph.model import Graph
from archdsl.language import syntax
from archdsl.ops.contract.base import Op

FRAMES_PER_CALL = 400
"""Python frames that one call of a block may need at the nesting limit; the stack is sized by it."""


def elaborate(
    module: LoadedModule,
    network: syntax.Network,
    settings: Mapping[str, Given | syntax.Expression],
    limits: Limits,
    sizes: tuple[int, ...] | None = None,
    ops: Mapping[str, type[Op]] = NO_OPS,
    *,
    measure: Callable[[Graph], FinishedNumbers],
) -> tuple[Graph | None, tuple[Diagnostic, ...]]:
    """The graph of one network with these parameters and this input, and everything found.

    ``sizes`` replaces the declared input; ``ops`` are ops of the user's own, ``measure`` says what asserts ask of
    the finished graph. The graph is None where there are errors; it has the warnings otherwise.
    """
    reporter = Reporter(limits)
    reporter.problems.extend(unused_imports(module))
    builder = NetworkBuilder(Session(limits, reporter, ops), measure)
    graph = None
    with collection_paused(), _deep_stack(limits):
        try:
            graph = builder.build(module, network, settings, sizes)
        except Fault as fault:
            reporter.problems.add(fault.diagnostic)
        except (Poisoned, Stopped):
            pass
        except RecursionError:
            message = "this nests deeper than the compiler can follow"
            reporter.problems.add(reporter.fault("E503", message, network.name.span).diagnostic)
    found = in_order(reporter.problems)
    if graph is None or reporter.problems.errors:
        return None, found
    return (replace(graph, diagnostics=found) if found else graph), found


def faulty_arguments(
    module: LoadedModule, network: syntax.Network, limits: Limits, ops: Mapping[str, type[Op]] = NO_OPS
) -> list[Diagnostic]:
    """What is wrong with the arguments of a network's bases, by their names and number; nothing is built."""
    reporter = Reporter(limits)
    try:
        Planner(BodyRunner(Session(limits, reporter, ops))).check_arguments(module, network)
    except Fault as fault:
        return [fault.diagnostic]
    return []


@contextmanager
def _deep_stack(limits: Limits) -> Iterator[None]:
    """Stack for the deepest program within the limits."""
    frames = sys.getrecursionlimit()
    sys.setrecursionlimit(max(frames, limits.calls * FRAMES_PER_CALL))
    try:
        yield
    finally:
        sys.setrecursionlimit(frames)
