"""From which distribution a parameter starts: recorded while a model is made, and tested on its values."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from typing_extensions import override

SAMPLE = 100_000
"""About how many values of a parameter its moments are taken from."""


class Distribution(NamedTuple):
    """``value`` is the standard deviation (mean 0), the bound (from -bound to bound), or the constant."""

    kind: Literal["normal", "uniform", "constant"]
    value: float


class _Recorder(TorchDispatchMode):
    """Notes the last distribution that each tensor was filled from."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.filled: dict[int, tuple[Tensor, Distribution]] = {}

    @override
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        fill = _FILLS.get(func)
        if fill is not None:
            self.filled[id(args[0])] = (args[0], fill(*args[1:], **(kwargs or {})))
        return func(*args, **(kwargs or {}))


def recorded(make: Callable[[], nn.Module]) -> dict[str, Distribution]:
    """What ``make`` fills each entry of its model's state_dict from, by key."""
    with _Recorder() as recorder:
        model = make()
    return {key: recorder.filled[id(tensor)][1] for key, tensor in model.state_dict(keep_vars=True).items()}


def misfit(values: Tensor, expected: Distribution) -> str:
    """Why ``values`` were hardly drawn from ``expected``, "" if they may have been.

    Bounds are 7 standard errors wide, so that among thousands of parameters no false alarm is to be expected.
    """
    if expected.kind == "constant":
        return "" if bool((values == expected.value).all()) else f"is not {expected.value} throughout"
    if expected.kind == "uniform" and float(values.abs().max()) > expected.value:
        return f"exceeds the bound {expected.value}"
    sample = values.flatten()[:: max(1, values.numel() // SAMPLE)].double() / expected.value
    if expected.kind == "uniform":
        return _moments_misfit(sample, spread=1 / sqrt(3), kurtosis=1.8)
    return _moments_misfit(sample, spread=1.0, kurtosis=3.0)


def _moments_misfit(values: Tensor, spread: float, kurtosis: float) -> str:
    """Mean, variance and kurtosis against those of a symmetric distribution; standard errors for many values."""
    count = values.numel()
    mean, variance = float(values.mean()), float(values.square().mean())
    if abs(mean) > 7 * spread / sqrt(count):
        return f"has mean {mean:.4g}"
    if abs(variance / spread**2 - 1) > 7 * sqrt((kurtosis - 1) / count):
        return f"has {sqrt(variance) / spread:.4f} times the expected standard deviation"
    found = float(values.pow(4).mean()) / variance**2
    if count >= 10_000 and abs(found - kurtosis) > 7 * sqrt(24 / count):
        return f"has kurtosis {found:.3f} for {kurtosis}"
    return ""


def _normal(mean: float = 0.0, std: float = 1.0, **_: object) -> Distribution:
    if mean != 0:
        raise NotImplementedError("a normal distribution with a mean")
    return Distribution("normal", std)


def _uniform(low: float = 0.0, high: float = 1.0, **_: object) -> Distribution:
    if low != -high:
        raise NotImplementedError("an asymmetric uniform distribution")
    return Distribution("uniform", high)


_FILLS: dict[Any, Callable[..., Distribution]] = {
    torch.ops.aten.normal_.default: _normal,
    torch.ops.aten.uniform_.default: _uniform,
    torch.ops.aten.fill_.Scalar: lambda value: Distribution("constant", float(value)),
    torch.ops.aten.zero_.default: lambda: Distribution("constant", 0.0),
}
