"""Tools that count MACs, each run on one of torchvision's classifiers."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode
from typing_extensions import override

from tests.zoo import torchvision_import
from tests.zoo.zoo import without_weights
from tests.zoo.zoo_models import MODELS

torchvision_import.install()
from torchvision import models  # noqa: E402


class Count(NamedTuple):
    """What a tool says: MACs for one image in eval mode, and parameters."""

    macs: int
    parameters: int


# ---- networks ------------------------------------------------------------------------------------


def names() -> Iterator[str]:
    yield from sorted(MODELS)


def network(name: str, device: str = "meta") -> nn.Module:
    """torchvision's model in eval mode, every weight zero: counts depend on shapes alone."""
    model = without_weights(models, name).eval()
    if ("aux_logits", False) in MODELS[name].published_settings:
        model.aux1 = model.aux2 = None  # type: ignore[assignment]
    if device != "meta":
        model = model.to_empty(device=device)
        with torch.no_grad():
            for tensor in (*model.parameters(), *model.buffers()):
                tensor.zero_()
    return model


def size(name: str) -> tuple[int, int, int]:
    """The image of the published evaluation."""
    return 3, MODELS[name].evaluated, MODELS[name].evaluated


def image(name: str, device: str = "meta") -> Tensor:
    return torch.zeros(1, *size(name), device=device)


def published(name: str) -> tuple[float, int]:
    """torchvision's ``_ops``, in units of 1e9, and its number of parameters."""
    every = models.get_model_weights(name)
    weights = every[MODELS[name].weights] if MODELS[name].weights else next(iter(every))
    return weights.meta["_ops"], weights.meta["num_params"]


# ---- tools ---------------------------------------------------------------------------------------


def flop_counter_mode(name: str, device: str = "meta") -> Count:
    model = network(name, device)
    with FlopCounterMode(display=False) as counter:
        model(image(name, device))
    assert counter.get_total_flops() % 2 == 0
    return Count(counter.get_total_flops() // 2, sum(parameter.numel() for parameter in model.parameters()))


def fvcore(name: str) -> Count:
    from fvcore.nn import FlopCountAnalysis, parameter_count

    model = network(name, "cpu")
    analysis = FlopCountAnalysis(model, image(name, "cpu"))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
    return Count(int(analysis.total()), parameter_count(model)[""])


def ptflops(name: str, backend: str) -> Count:
    from ptflops import get_model_complexity_info

    found = get_model_complexity_info(
        network(name, "cpu"), size(name), as_strings=False, print_per_layer_stat=False, backend=backend
    )
    if found[0] is None:  # it prints what went wrong and returns none
        raise RuntimeError("no result")
    return Count(*map(int, found))


def thop(name: str) -> Count:
    from thop import profile

    return Count(*map(int, profile(network(name), (image(name),), verbose=False)))


def torchinfo(name: str) -> Count:
    found = _summary(name)
    return Count(found.total_mult_adds, found.total_params)


def torchinfo_by_class(name: str) -> dict[str, int]:
    """torchinfo's MACs by the class of module."""
    found: dict[str, int] = {}
    for layer in _summary(name).summary_list:
        if layer.is_leaf_layer:
            found[layer.class_name] = found.get(layer.class_name, 0) + layer.macs
    return found


def _summary(name: str) -> Any:
    from torchinfo import summary

    return summary(network(name), input_data=image(name), device="meta", verbose=0)


def calflops(name: str) -> Count:
    from calflops import calculate_flops

    model = network(name, "cpu")
    _, macs, parameters = calculate_flops(model, (1, *size(name)), print_results=False, output_as_string=False)
    return Count(int(macs), int(parameters))


TOOLS: Mapping[str, Callable[[str], Count]] = {
    "FlopCounterMode": flop_counter_mode,
    "fvcore": fvcore,
    "ptflops": partial(ptflops, backend="pytorch"),
    "ptflops aten": partial(ptflops, backend="aten"),
    "thop": thop,
    "torchinfo": torchinfo,
    "calflops": calflops,
}


class _ShapesOnly(TorchDispatchMode):
    """On the CPU, but convolutions and matrix products give zeros of the right shape, which takes no time.

    The meta device would not do: its kernels are in part written in Python, where tools that replace functions count
    what they call.
    """

    @override
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        shape = _SHAPES.get(func._overloadpacket)
        if shape is None or args[0].device.type == "meta":
            return func(*args, **(kwargs or {}))
        return torch.zeros(shape(*args))


def _convolved(read: Tensor, weight: Tensor, _: Any, stride: Any, padding: Any, dilation: Any, *__: Any) -> list[int]:
    sizes = zip(read.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
    places = [(size + 2 * pad - gap * (kernel - 1) - 1) // step + 1 for size, kernel, step, pad, gap in sizes]
    return [read.shape[0], weight.shape[0], *places]


_SHAPES: Mapping[Any, Callable[..., list[int]]] = {
    torch.ops.aten.convolution: _convolved,
    torch.ops.aten.mm: lambda left, right: [left.shape[0], right.shape[1]],
    torch.ops.aten.addmm: lambda _, left, right: [left.shape[0], right.shape[1]],
    torch.ops.aten.bmm: lambda left, right: [*left.shape[:2], right.shape[2]],
}


_TRACERS = ("fvcore",)
"""Their traces do not go with other modes, so they compute everything."""


def run(tool: str, name: str) -> Count | str:
    """The tool's count, or why there is none."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        try:
            with contextlib.nullcontext() if tool in _TRACERS else _ShapesOnly():  # type: ignore[no-untyped-call]
                return TOOLS[tool](name)
        except Exception as error:  # whatever a tool fails with stands on the page
            return f"{type(error).__name__}: {error}".splitlines()[0]
