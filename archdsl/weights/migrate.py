"""Weights of a network before its graph was rewritten, made into those after."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from archdsl.graph.passes.weight_plan import Computed, Kept, New, WeightPlan, keys_of

NOTHING: Mapping[str, Tensor] = {}


def migrate_weights(
    plan: WeightPlan, state: Mapping[str, Tensor], new: Mapping[str, Tensor] = NOTHING
) -> dict[str, Tensor]:
    """The state_dict of the rewritten network, from that of the network before.

    What nothing before determines is taken from ``new``: the state_dict of the rewritten network as it starts. Raises
    ArchError E602 where either lacks what the plan needs.
    """
    _require_all(plan, state, new)
    with torch.no_grad():
        return {
            key: new[key] if isinstance(origin, New) else _value(origin, state) for key, origin in plan.entries.items()
        }


def _value(origin: Kept | Computed, state: Mapping[str, Tensor]) -> Tensor:
    if isinstance(origin, Kept):
        return state[origin.key]
    value: Tensor = origin.function(*[_value(operand, state) for operand in origin.operands])
    return value


def _require_all(plan: WeightPlan, state: Mapping[str, Tensor], new: Mapping[str, Tensor]) -> None:
    needed = {key for origin in plan.entries.values() for key in keys_of(origin)}
    undetermined = {key for key, origin in plan.entries.items() if isinstance(origin, New)}
    lacking = sorted(needed - state.keys()) + sorted(undetermined - new.keys())
    if lacking:
        message = f"the weights cannot be migrated: {len(lacking)} are missing, the first is {lacking[0]}"
        raise ArchError(Diagnostic("E602", message, help="give the whole state_dict of the network before"))
