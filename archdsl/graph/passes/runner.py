"""Passes one after the other, each verified."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from archdsl.graph.model import Graph, GraphError
from archdsl.graph.passes.rewrite import PassResult
from archdsl.graph.passes.weight_plan import WeightPlan, keys_of

Pass = Callable[[Graph], PassResult]


def run_passes(graph: Graph, passes: Iterable[Pass]) -> PassResult:
    """The graph after all passes, and what became of its weights on the whole way.

    Raises GraphError with the name of the pass that broke the graph, or whose weights are not the graph's.
    """
    result = PassResult(graph, WeightPlan.unchanged(graph))
    for each in passes:
        made = each(result.graph)
        try:
            made.graph.verify()
            _check_weights(made, result.graph)
        except GraphError as error:
            name = getattr(each, "__name__", repr(each))
            raise GraphError(f"the pass {name} broke the graph: {error}") from error
        result = PassResult(made.graph, result.weights.then(made.weights))
    return result


def _check_weights(made: PassResult, before: Graph) -> None:
    """Every entry of the new state_dict is accounted for, and every one of the old."""
    wanted = [entry.key for entry in made.graph.state_entries()]
    if list(made.weights.entries) != wanted:
        differing = sorted(set(wanted) ^ made.weights.entries.keys()) or "their order"
        raise GraphError(f"its weights are not those of the graph: {differing}")
    known = {entry.key for entry in before.state_entries()}
    used = {key for origin in made.weights.entries.values() for key in keys_of(origin)}
    if known != used | {*made.weights.dropped}:
        raise GraphError(f"not known what becomes of {sorted(known ^ (used | {*made.weights.dropped}))}")
