"""A module that was just built has no fx graph and no Python code yet; whatever needs them first gets them."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import weakref
from collections.abc import Callable
from typing import TypeVar

import pytest
import torch
from torch import Tensor, fx, nn

from archdsl.backends.torch.deferred_graph import EAGER_VARIABLE
from archdsl.backends.torch.fx import to_graph_module
from tests.backends.sample_networks import residual
from tests.running import inputs_of

T = TypeVar("T")


@pytest.fixture(autouse=True)
def deferred(monkeypatch: pytest.MonkeyPatch) -> None:
    """As without the variable, even where all tests are run with it."""
    monkeypatch.delenv(EAGER_VARIABLE, raising=False)


class Outer(nn.Module):
    """A model that holds ours, as a detector holds its backbone."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.inner(x)
        return result


def built() -> fx.GraphModule:
    """Without a graph."""
    torch.manual_seed(0)
    module = to_graph_module(residual()).eval()
    assert not {"_graph", "_code"} & set(vars(module))
    return module


def compiled(module: nn.Module) -> Callable[..., Tensor]:
    torch._dynamo.reset()
    result: Callable[..., Tensor] = torch.compile(module, backend="eager", fullgraph=True)
    return result


def exported(module: nn.Module) -> nn.Module:
    return torch.export.export(module, inputs_of(residual())).module()


def exported_strictly(module: nn.Module) -> nn.Module:
    torch._dynamo.reset()
    return torch.export.export(module, inputs_of(residual()), strict=True).module()


def traced_by_jit(module: nn.Module) -> Callable[..., Tensor]:
    result: Callable[..., Tensor] = torch.jit.trace(module, inputs_of(residual()))
    return result


def recompiled(module: fx.GraphModule) -> fx.GraphModule:
    module.recompile()
    return module


def with_its_graph_set_again(module: fx.GraphModule) -> fx.GraphModule:
    module.graph = module.graph
    return module


USES: dict[str, Callable[[nn.Module], Callable[..., Tensor]]] = {
    "call": lambda module: module,
    "forward": lambda module: module.forward,
    "hook": lambda module: lambda x: module(x) if module.register_forward_hook(lambda *_: None) else x,
    "functional_call": lambda module: lambda x: torch.func.functional_call(module, module.state_dict(), (x,)),
    "deepcopy": copy.deepcopy,
    "pickle": lambda module: pickle.loads(pickle.dumps(module)),
    "symbolic_trace": fx.symbolic_trace,
    "compile": compiled,
    "export": exported,
    "strict export": exported_strictly,
    "jit.trace": traced_by_jit,
}

USES_OF_A_GRAPH_MODULE: dict[str, Callable[[fx.GraphModule], Callable[..., Tensor]]] = {
    **USES,
    "class": lambda module: lambda x: type(module).forward(module, x),
    "interpreter": lambda module: fx.Interpreter(module).run,
    "recompile": recompiled,
    "graph": with_its_graph_set_again,
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("use", USES_OF_A_GRAPH_MODULE)
def test_the_first_use_may_be(use: str) -> None:
    inputs = inputs_of(residual())
    with torch.no_grad():
        found = USES_OF_A_GRAPH_MODULE[use](built())(*inputs)
        assert torch.equal(found, built()(*inputs))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("use", USES)
def test_inside_another_model_the_first_use_may_be(use: str) -> None:
    inputs = inputs_of(residual())
    with torch.no_grad():
        assert torch.equal(USES[use](Outer(built()))(*inputs), built()(*inputs))


def test_code_can_be_read() -> None:
    assert "def forward(self" in built().code
    assert "class residual" in built().print_readable(print_output=False)


def in_threads(call: Callable[[], T]) -> list[T]:
    """What four threads get that call at the same time."""
    results: list[T] = []
    barrier = threading.Barrier(4)

    def one() -> None:
        barrier.wait()
        results.append(call())

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    return results


def test_several_threads_may_be_the_first_to_call() -> None:
    module, inputs = built(), inputs_of(residual())
    results = in_threads(lambda: module(*inputs))
    assert all(torch.equal(result, results[0]) for result in results)


def test_several_threads_get_one_graph() -> None:
    module = built()
    assert all(graph is module.graph for graph in in_threads(lambda: module.graph))


def test_a_replica_may_be_first() -> None:
    """As ``nn.DataParallel`` makes them: a copy of the attributes, of a class below the module's own."""
    module, inputs = built(), inputs_of(residual())
    replica = module._replicate_for_data_parallel()
    assert replica.graph is module.graph
    with torch.no_grad():
        assert torch.equal(replica(*inputs), module(*inputs))


def test_a_graph_set_before_the_first_use_stays() -> None:
    module, other = built(), built().graph
    module.graph = other
    assert module.graph is other


def test_nothing_is_left_of_the_stand_ins() -> None:
    module = built()
    module(*inputs_of(residual()))
    assert not [name for name, value in vars(type(module)).items() if type(value).__name__ == "_GeneratesCode"]


# ---- the switch that turns it off ----------------------------------------------------------------


def eager(monkeypatch: pytest.MonkeyPatch) -> fx.GraphModule:
    monkeypatch.setenv(EAGER_VARIABLE, "1")
    torch.manual_seed(0)
    return to_graph_module(residual()).eval()


def test_graph_and_code_may_be_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module is then as torch makes it, with nothing of ours in its class."""
    deferred, module = built(), eager(monkeypatch)
    torchs = fx.GraphModule(deferred, copy.deepcopy(deferred.graph))
    assert {"_graph", "_code"} <= vars(module).keys()
    assert vars(type(module)).keys() == vars(type(torchs)).keys()
    assert module.code == deferred.code
    assert module.graph.owning_module is module
    assert type(module).__name__ == type(deferred).__name__


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("use", USES_OF_A_GRAPH_MODULE)
def test_a_module_with_a_graph_may_be_used_the_same_ways(use: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = inputs_of(residual())
    with torch.no_grad():
        expected = built()(*inputs)
        assert torch.equal(USES_OF_A_GRAPH_MODULE[use](eager(monkeypatch))(*inputs), expected)


@pytest.mark.parametrize("value", ["", "0"])
def test_other_values_do_not_turn_it_off(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EAGER_VARIABLE, value)
    built()


# ---- what a module that is dropped leaves behind -------------------------------------------------


def run(module: fx.GraphModule) -> fx.GraphModule:
    module(*inputs_of(residual()))
    return module


def optimized(module: fx.GraphModule) -> fx.GraphModule:
    """By a pass that asks the graph for its module."""
    assert module.graph.owning_module is module
    module.graph.eliminate_dead_code()
    module.recompile()
    return module


@pytest.mark.parametrize("use", [lambda module: module, run, copy.deepcopy, optimized])
@pytest.mark.parametrize("value", ["", "1"], ids=["deferred", "eager"])
def test_weights_are_free_as_soon_as_the_module_is_dropped(
    value: str, use: Callable[[fx.GraphModule], fx.GraphModule], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a module written in Python; fx's own wait until cycles are looked for."""
    monkeypatch.setenv(EAGER_VARIABLE, value)
    gc.disable()
    try:
        module = use(to_graph_module(residual()))
        weights = [weakref.ref(parameter) for parameter in module.parameters()]
        del module
        assert weights
        assert all(weight() is None for weight in weights)
    finally:
        gc.enable()


def test_a_graph_may_outlive_its_module() -> None:
    graph = built().graph
    gc.collect()
    assert graph.owning_module is None
    assert len(fx.GraphModule(built(), graph).graph.nodes) == len(graph.nodes)
