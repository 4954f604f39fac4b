"""From which distribution a parameter starts: recorded while a model is made, and tested on its values."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any, Literal, NamedTuple
from unittest import mock

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


class _FillRecorder(TorchDispatchMode):
    """Notes the last distribution that each tensor's memory was filled from."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.filled: dict[int, tuple[Tensor, Distribution]] = {}

    @override
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        fill = _FILLS.get(func)
        if fill is not None:
            self.note(args[0], fill(*args[1:], **(kwargs or {})))
        return func(*args, **(kwargs or {}))

    def note(self, tensor: Tensor, distribution: Distribution) -> None:
        # the tensor is held, so that its memory is not given to another one
        self.filled[tensor.data_ptr()] = (tensor, distribution)

    def truncated_normal(
        self, tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0
    ) -> Tensor:
        """Stands in for ``nn.init.trunc_normal_``, whose way to draw is its own; where it hardly truncates."""
        if mean != 0 or -a < 7 * std or b < 7 * std:
            raise NotImplementedError("a normal distribution that is truncated")
        _truncate(tensor, mean, std, a, b)
        self.note(tensor, Distribution("normal", std))
        return tensor


_truncate = nn.init.trunc_normal_


def recorded(make: Callable[[], nn.Module]) -> tuple[nn.Module, dict[str, Distribution]]:
    """The model that ``make`` makes, and what each entry of its state_dict was filled from, by key.

    What was never filled, but came of arithmetic, must be constant.
    """
    with _FillRecorder() as recorder, mock.patch.object(nn.init, "trunc_normal_", recorder.truncated_normal):
        model = make()
    return model, {key: _start(recorder, tensor) for key, tensor in model.state_dict().items()}


def _start(recorder: _FillRecorder, tensor: Tensor) -> Distribution:
    if tensor.data_ptr() in recorder.filled:
        return recorder.filled[tensor.data_ptr()][1]
    value = float(tensor.flatten()[0])
    if not bool((tensor == value).all()):
        raise NotImplementedError("values that were not drawn at once")
    return Distribution("constant", value)


def misfit(values: Tensor, expected: Distribution) -> str:
    """Why ``values`` were hardly drawn from ``expected``, "" if they may have been.

    Bounds are 7 standard errors wide, so that among thousands of parameters no false alarm is to be expected.
    """
    if expected.kind == "constant":
        return "" if bool((values == expected.value).all()) else f"is not {expected.value} throughout"
    rounded = 1 + torch.finfo(values.dtype).eps if values.is_floating_point() else 1
    if expected.kind == "uniform" and float(values.abs().max()) > expected.value * rounded:
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
