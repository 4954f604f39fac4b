"""The private names of torch that archdsl leans on mean what they did; each failure says what breaks without them."""

from __future__ import annotations

import ast
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import fx, nn

from archdsl.backends import torch_private as private
from archdsl.backends.call_targets import resolve

ROOT = Path(__file__).parents[2]
HOME = ROOT / "archdsl" / "backends" / "torch_private.py"


def doubling() -> fx.GraphModule:
    """A GraphModule as torch makes it."""
    graph = fx.Graph()
    x = graph.placeholder("x")
    graph.output(graph.call_function(torch.add, (x, x)))
    return fx.GraphModule(nn.Module(), graph)


def untouched() -> fx.GraphModule:
    """One whose ``recompile`` did nothing, as archdsl makes them."""
    module = fx.GraphModule.__new__(fx.GraphModule)
    own_class: Any = type(module)
    own_class.recompile = lambda self: None
    module.__init__(nn.Module(), doubling().graph, class_name="Named")  # type: ignore[misc]
    del own_class.recompile
    return module


# ---- modules -------------------------------------------------------------------------------------


def test_submodules() -> None:
    by_torch, by_us, child = nn.Module(), nn.Module(), nn.ReLU()
    by_torch.add_module("act", child)
    private.own_modules(by_us)["act"] = child
    assert vars(by_us) == vars(by_torch), "`_modules` is not where children stand: built networks lack their layers"
    assert by_us.get_submodule("act") is child


def test_parameters() -> None:
    by_torch, by_us, weight = nn.Module(), nn.Module(), nn.Parameter(torch.ones(2))
    by_torch.register_parameter("weight", weight)
    private.own_parameters(by_us)["weight"] = weight
    assert vars(by_us) == vars(by_torch), "`_parameters` is not where parameters stand: built networks lack weights"
    assert list(by_us.state_dict()) == ["weight"]


def test_buffers() -> None:
    by_torch, by_us, mean = nn.BatchNorm2d(2), nn.BatchNorm2d(2), torch.ones(2)
    by_torch.register_buffer("running_mean", mean)
    private.own_buffers(by_us)["running_mean"] = mean
    message = "`_buffers` is not where buffers stand: copies of a norm share their running statistics"
    assert by_us.running_mean is by_torch.running_mean is mean, message


PROTOTYPES = [
    nn.Conv1d(2, 2, 1), nn.Conv2d(2, 2, 1), nn.ConvTranspose2d(2, 2, 1), nn.Linear(2, 2), nn.BatchNorm1d(2),
    nn.BatchNorm2d(2), nn.InstanceNorm2d(2, affine=True), nn.GroupNorm(1, 2), nn.LayerNorm(2), nn.PReLU(2), nn.ReLU(),
    nn.GELU(), nn.Softmax(1), nn.Dropout(), nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    nn.Upsample(scale_factor=2), nn.PixelShuffle(2), nn.ZeroPad2d(1), nn.LocalResponseNorm(2),
]  # fmt: skip
SHARED = (int, float, str, bool, type(None), tuple, torch.Size)
"""Types that nothing changes in place, so that a copy may have the same object."""


@pytest.mark.parametrize("module", PROTOTYPES, ids=lambda module: type(module).__name__)
def test_attributes_of_a_module(module: nn.Module) -> None:
    """What is not copied for each module of a network is the same object in all of them."""
    attributes = private.own_attributes(module)
    unknown = {name for name, value in attributes.items() if type(value) not in (*private.OWN_BY_EACH, *SHARED)}
    assert unknown == set(), "attributes of a new type: two layers of a built network share one, add it to OWN_BY_EACH"
    assert {"_parameters", "_buffers", "_modules", "training"} <= attributes.keys(), (
        "a module's state is not in its `__dict__`: the layers of built networks, copies of one another, are empty"
    )


def test_output_projection() -> None:
    message = "`nn.MultiheadAttention` has an `out_proj` of another class: the rule for its weights in files written by"
    message += " `archdsl build -o model.py` finds nothing, and they start otherwise than the network built here"
    assert type(nn.MultiheadAttention(2, 1).out_proj) is resolve(private.OUTPUT_PROJECTION), message


# ---- graph modules -------------------------------------------------------------------------------


def test_each_graph_module_has_a_class_of_its_own() -> None:
    assert type(doubling()) is not type(doubling()), (
        "GraphModules share a class: what defers the graph of one network defers that of all"
    )


def test_where_the_graph_is() -> None:
    module = doubling()
    assert vars(module).get(private.GRAPH) is module.graph, (
        "a GraphModule has its graph elsewhere than in `_graph`: the graphs of built networks are never made"
    )


def test_what_recompile_makes() -> None:
    module = untouched()
    before, of_class = set(vars(module)), set(vars(type(module)))
    module.recompile()
    made = set(vars(module)) - before | set(vars(type(module))) - of_class
    assert set(private.MADE_BY_RECOMPILE) <= made, (
        "`recompile` no longer sets all of MADE_BY_RECOMPILE: asking for one of them in a built network never ends"
    )
    called_through = {"__call__", "_wrapped_call"}  # calls reach `forward` through either, and without them
    assert made == called_through | set(private.MADE_BY_RECOMPILE), (
        "`recompile` sets more than MADE_BY_RECOMPILE: a network that was not called yet lacks it"
    )


def test_a_graph_module_without_code_can_be_called() -> None:
    """Until ``recompile`` has run, its class calls as nn.Module does, which asks for ``forward``."""
    assert "__call__" not in vars(type(untouched())), (
        "a GraphModule has its `__call__` before `recompile`: the first call of a built network does not make its code"
    )


@pytest.mark.parametrize("name", private.NEEDING_CODE)
def test_what_reads_all_attributes_at_once(name: str) -> None:
    assert name in vars(fx.GraphModule), (
        f"GraphModule has no `{name}`: copies or pickles of a network that was never called have no code"
    )


def test_the_name_of_an_unpickled_class() -> None:
    module = doubling()
    vars(module)[private.CLASS_NAME] = "Named"
    assert type(pickle.loads(pickle.dumps(module))).__name__ == "Named", (
        "unpickling does not look for the class's name in `_graphmodule_cls_name`: networks that are loaded lose theirs"
    )


def test_the_owner_of_a_graph() -> None:
    module = doubling()
    torchs = fx.Graph()
    torchs.owning_module = module
    assert vars(torchs).get("_owning_module") is module, (
        "a Graph has its module elsewhere than in `_owning_module`: built networks stay in memory until cycles are"
        " looked for"
    )
    ours = private.WeaklyOwnedGraph()
    ours.owning_module = module
    assert ours.owning_module is module
    assert module not in vars(ours).values()


def test_arguments_of_a_node() -> None:
    def made(graph: fx.Graph) -> tuple[fx.Node, fx.Node]:
        return graph.placeholder("x"), graph.create_node("call_function", torch.relu)

    (x, by_torch), (y, by_us) = made(fx.Graph()), made(fx.Graph())
    by_torch.args = (x,)
    private.set_arguments(by_us, (y,))
    message = "`Node.args` is no property that can be set by itself: the graphs of built networks do not say what"
    message += " a node reads"
    assert (by_us.args, list(y.users)) == ((y,), [by_us]), message
    assert (by_torch.args, list(x.users)) == ((x,), [by_torch])


# ---- nobody else ---------------------------------------------------------------------------------


def product_files() -> Iterator[Path]:
    """Those of the package and of its commands, but for the one that lists the names."""
    for folder in ("archdsl", "cli"):
        yield from (path for path in (ROOT / folder).rglob("*.py") if path != HOME)


def private_names() -> set[str]:
    """Of attributes and methods of torch's: those of a network's module, graph, nodes, weights and layers."""
    module = doubling()
    weight, node = nn.Parameter(torch.ones(1)), next(iter(module.graph.nodes))
    things = [module, module.graph, node, weight, nn.BatchNorm2d(1), nn.MultiheadAttention(1, 1)]
    names = {name for thing in things for name in (*dir(thing), *getattr(thing, "__dict__", {}))}
    return {name for name in names if name.startswith("_") and not name.endswith("__")}


def reached_for(tree: ast.AST, names: set[str]) -> Iterator[str]:
    """Private names of torch in attributes (but for those of ``self``) and in strings, and modules of torch's own."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                pass
            case ast.Attribute(value=ast.Name(id="torch" | "nn" | "fx"), attr=name) if name.startswith("_"):
                yield name
            case ast.Attribute(attr=name) | ast.Constant(value=str(name)) if name in names:
                yield name
            case ast.ImportFrom(module=str(module)) if module.startswith("torch."):
                imported = [*module.split("."), *(alias.name for alias in node.names)]
                yield from (name for name in imported if name.startswith("_"))
            case ast.Import():
                imported = [part for alias in node.names for part in alias.name.split(".") if "torch" in alias.name]
                yield from (name for name in imported if name.startswith("_"))


def test_no_other_file_reaches_for_them() -> None:
    names = private_names()
    assert {"_modules", "_parameters", "_buffers", "_graph", "_code", "_owning_module"} <= names
    found = {str(path.relative_to(ROOT)): [*reached_for(parsed(path), names)] for path in product_files()}
    assert {path: reached for path, reached in found.items() if reached} == {}, "go through torch_private"


def test_no_backend_reaches_into_modules() -> None:
    """As ``__dict__`` and ``vars`` do, which the last test does not see."""
    backend = [path for path in product_files() if path.is_relative_to(HOME.parent / "torch")]
    found = {path.name: [*pokes(parsed(path))] for path in backend}
    assert {name: poked for name, poked in found.items() if poked} == {}, "go through torch_private"


def pokes(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="vars"), args=[ast.Name(id="own_class")]):
                pass  # where stand-ins of ours are looked for
            case ast.Attribute(attr="__dict__") | ast.Call(func=ast.Name(id="vars")):
                yield ast.unparse(node)


def parsed(path: Path) -> ast.AST:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "source",
    ["module._modules['a'] = b", "vars(module)['_graph']", "torch._dynamo.reset()", "from torch._C import Node",
     "from torch.fx.graph import _Namespace", "import torch._inductor", "getattr(graph, '_owning_module')"],
)  # fmt: skip
def test_the_search_finds(source: str) -> None:
    assert [*reached_for(ast.parse(source), private_names())] != []
