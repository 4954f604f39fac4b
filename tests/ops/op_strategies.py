"""Random arguments and input types of ops, and what a case of the tests on them holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from torch import Tensor, nn
from typing_extensions import override

from archdsl.ops.contract.base import Types
from archdsl.ops.contract.shapes import Layout, TensorType

Arguments = dict[str, Any]


class Function(nn.Module):
    """A function of tensors as a module without state."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    @override
    def forward(self, *tensors: Tensor) -> Tensor:
        return self.function(*tensors)


@dataclass(frozen=True, slots=True)
class Case:
    """How to try one op: examples of its arguments and inputs, and torch's module for an example.

    ``own_names`` maps names in torch's state_dict to ours, where they differ.
    """

    examples: st.SearchStrategy[tuple[Arguments, Types]]
    module: Callable[[Arguments, Types], nn.Module]
    own_names: Mapping[str, str] = field(default_factory=dict)


def small(least: int, most: int) -> st.SearchStrategy[int]:
    return st.integers(least, most)


CHANNELS = small(1, 8)


def per_axis(element: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An argument of an image's op: one number, or height and width."""
    return st.one_of(element, st.tuples(element, element))


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width of such an argument."""
    return value if isinstance(value, tuple) else (value, value)


def as_is(element: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An argument of a signal's op: one number."""
    return element


def types(layout: Layout, largest: int = 9, channels: st.SearchStrategy[int] = CHANNELS) -> Any:
    """One input of this layout."""
    rank = {"C": 1, "CL": 2, "LC": 2, "CHW": 3, "HWC": 3, "free": 3}[layout]
    axis = TensorType((1,) * rank, layout).channel_axis
    sizes = [small(1, largest) if i != axis else channels for i in range(rank)]
    return st.tuples(*sizes).map(lambda drawn: (TensorType(drawn, layout),))


def any_layout(*layouts: Layout) -> Any:
    return st.sampled_from(layouts or ("C", "CL", "CHW", "HWC", "LC", "free")).flatmap(types)


def examples(arguments: Mapping[str, st.SearchStrategy[Any]], inputs: Any) -> Any:
    """Arguments and inputs that are drawn independently."""
    return st.tuples(st.fixed_dictionaries(dict(arguments)), inputs)


IMAGE = types("CHW")
FLAG = st.booleans()
EPS = st.floats(1e-8, 1e-1)
