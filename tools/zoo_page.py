"""Makes docs/zoo.md: every bundled network, what it was compared with and with which result.

``python -m tools.zoo_page`` builds each beside its judge and compares them; it takes minutes.
"""

from __future__ import annotations

import inspect
import itertools
import math
import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

import archdsl
from archdsl.analysis.cost import cost
from archdsl.graph.model import Graph
from archdsl.zoo.bundled import bundled_file
from archdsl.zoo.citations import Citation, citation
from tests.zoo import literature, torchvision_import
from tests.zoo.literature import Reference, Rename
from tests.zoo.zoo import calibrate, check_costs, check_same_state, images, randomized
from tests.zoo.zoo_models import MODELS, initialised

PAGE = Path(__file__).parent.parent / "docs" / "zoo.md"
MOST_MACS = 60_000_000_000
"""MACs for an image up to which outputs are compared at the spec's size; beyond, at the smallest of the tests."""
LARGEST_DIFFERENCE = 1e-10
"""Of outputs in float64, as a part of the largest: what sums in another order can explain."""

TORCHVISION = "torchvision"
ALTERED = "torchvision, altered"
FROM_PAPER = "torch, by the paper"

HEADER = f"""# The bundled networks

Made by `python -m tools.zoo_page`, which builds each network beside a torch model that archdsl did not make and
compares the two. `archdsl list` shows the same networks with filters.

Outputs are those of two images in evaluation mode, with the same random weights. "Equal" means to the bit, at the side
of the images that is named: the spec's own, unless that takes too long. Where the other model sums in another order,
the largest difference stands there as a part of the largest output, in float32 and again in float64. Evaluation leaves
out what only training does, such as dropout; `tests/zoo/test_zoo.py` and `tests/zoo/test_literature*.py` say what the
tests compare.

Networks are compared with

- {TORCHVISION}: its model of the same name. The `state_dict` has the same keys, shapes and dtypes, in the same order
  but where remarks say; the number of parameters is the published one, and so are the MACs, rounded as torchvision's
  `_ops` are.
- timm: what `timm.create_model` makes of the name and the arguments that stand there. The `state_dict` has the same
  keys, shapes and dtypes, in any order; "renamed": once our keys are renamed, one for one.
- {ALTERED}: a network that both libraries lack, made of one of torchvision's by
  `tests/zoo/torchvision_variants.py`. The `state_dict` as with timm.
- {FROM_PAPER}: one written in plain torch by the paper's text, in `tests/zoo/papers_cifar.py` or
  `tests/zoo/test_literature_imagenet.py`. The `state_dict` as with timm.

Of networks that torchvision lacks, remarks say where the paper has them, or what they are made by, and how many
parameters it prints where ours, rounded alike, are as many; where they are not, the spec says why. torch itself counts
the parameters and MACs that stand here.

Lines are those with code: of the spec itself, of the files it imports, and of torchvision's Python module of the
family where it has the network.
"""
COLUMNS = (
    "| network | parameters | MACs | compared with | outputs | spec | blocks | torchvision | remarks |\n"
    "|---|--:|--:|---|---|--:|--:|--:|---|\n"
)


@dataclass(frozen=True)
class Judge:
    """What a network is compared with: its name on the page, and how to make it.

    ``rename`` gives its names of our parameters. ``size`` is the side of images where the spec's own takes too long.
    """

    name: str
    make: Callable[[], nn.Module]
    rename: Rename = str
    size: int = 64


def main() -> None:
    torchvision_import.install()
    import torchvision.models as models

    # its own loader takes a checkpoint without torchvision's mark for one of an old version; see the tests
    del models.MNASNet._load_from_state_dict
    PAGE.write_text(HEADER + "".join(_sections(models)), encoding="utf-8")


def _sections(models: ModuleType) -> Iterator[str]:
    graphs = sorted(map(archdsl.load, archdsl.bundled()), key=_position)
    for family, members in itertools.groupby(graphs, lambda graph: citation(graph.doc).family):
        yield f"\n## {family}\n"
        for published, members_of_paper in itertools.groupby(members, lambda graph: _published(citation(graph.doc))):
            yield f"\n{published}\n\n{COLUMNS}"
            for graph in members_of_paper:
                yield f"| {' | '.join(_cells(models, graph))} |\n"
                print(graph.name, flush=True)


def _position(graph: Graph) -> tuple[str, str, int]:
    said = citation(graph.doc)
    return said.family.lower(), _published(said), cost(graph).macs


def _published(said: Citation) -> str:
    return ", ".join(str(detail) for detail in (said.year, said.paper) if detail)


def _cells(models: ModuleType, graph: Graph) -> list[str]:
    if graph.name in MODELS:
        _check_torchvisions(models, graph.name)
        python_lines = str(_python_lines(models, graph.name))
    else:
        _check_reference(graph.name)
        python_lines = ""
    *before, spec, blocks, remarks = known_cells(graph)
    return [*before, _outputs(graph), spec, blocks, python_lines, remarks]


def known_cells(graph: Graph) -> list[str]:
    """A row's cells but for its outputs and for torchvision's lines, which its versions differ in."""
    total, judge = cost(graph), judge_of(graph.name)
    compared = f"{judge.name}, renamed" if _renames(judge, graph.name) else judge.name
    lines = map(str, spec_lines(graph.name))
    return [graph.name, f"{total.parameters:,}", f"{total.macs:,}", compared, *lines, _remarks(graph.name)]


def _renames(judge: Judge, name: str) -> bool:
    """Whether the judge has another name for any of the network's parameters."""
    if judge.rename is str:
        return False
    return any(judge.rename(key) != key for key in archdsl.build(name, device="meta").state_dict())


def _remarks(name: str) -> str:
    if name in MODELS:
        return MODELS[name].apart
    reference = references()[name]
    place = re.split(r"arXiv:[\d.]+\W*", reference.source)[-1]
    return ": ".join(part.replace("_", ",") for part in (place, reference.params) if part)


# ---- judges --------------------------------------------------------------------------------------


def judge_of(name: str) -> Judge:
    """What the page compares the network with."""
    if name in MODELS:
        from torchvision import models

        make, model = partial(models.get_model, name, **initialised(name, False)), MODELS[name]
        # a transformer takes images of one size
        return Judge(TORCHVISION, make, size=model.sizes[0] if model.convolutional else model.evaluated)
    return _timms(references()[name]) if references()[name].timm else _hand_made()[name]


def _timms(reference: Reference) -> Judge:
    settings = ", ".join(f"{name}={value!r}" for name, value in reference.arguments.items())
    name = f"timm `{reference.timm}`" + (f" with `{settings}`" if settings else "")
    return Judge(name, partial(literature.timm_model, reference), reference.rename or str, reference.size)


@cache
def references() -> dict[str, Reference]:
    """Those of the networks that torchvision lacks, by network."""
    from tests.zoo.test_literature import REFERENCES

    return {reference.network: reference for reference in REFERENCES}


@cache
def _hand_made() -> dict[str, Judge]:
    """Of the networks for which ``references`` names no model of timm's."""
    from tests.zoo import test_literature_imagenet as imagenet

    altered = {name: Judge(ALTERED, make, imagenet.torchvisions) for name, make in imagenet.JUDGES.items()}
    from_paper = {name: Judge(FROM_PAPER, make) for name, make in _from_papers().items()}
    return {**altered, **from_paper, imagenet.SELECTIVE.network: _timms(imagenet.SELECTIVE)}


def _from_papers() -> dict[str, Callable[[], nn.Module]]:
    """The tests' models at the bundled networks' depths and widths; rates of dropout are of no matter here."""
    from tests.zoo import papers_cifar as papers
    from tests.zoo import test_literature_cifar as cifar
    from tests.zoo import test_literature_imagenet as imagenet

    def resnet(unit: type[papers.Unit], depth: int) -> Callable[[], nn.Module]:
        return partial(papers.resnet, unit, (depth - 2) // 6)

    def preactivation(depth: int) -> Callable[[], nn.Module]:
        return partial(papers.ordered_resnet, papers.FullPreactivation, (depth - 2) // 9, True, "", "bn relu")

    def wide(depth: int, k: int) -> Callable[[], nn.Module]:
        return partial(papers.wide_resnet, (depth - 4) // 6, k, 0.0)

    def dense(depth: int, growth_rate: int) -> Callable[[], nn.Module]:
        return partial(imagenet.DenseNet, (depth - 4) // 3, growth_rate, 0.0)

    orders = cifar.ORDERS.items()
    return {
        **{f"resnet{depth}_cifar": resnet(papers.Unit, depth) for depth in (20, 32, 44, 56, 1202)},
        **{f"stochastic_depth_resnet{depth}": resnet(papers.AveragedUnit, depth) for depth in (110, 1202)},
        **{f"plain{depth}_cifar": resnet(papers.Plain, depth) for depth in (20, 56)},
        **{name: resnet(unit, 110) for name, unit in cifar.SHORTCUTS.items()},
        **{name: partial(papers.ordered_resnet, unit, 18, False, *ends) for name, (unit, *ends) in orders},
        **{f"preact_resnet{depth}_cifar": preactivation(depth) for depth in (164, 1001)},
        **{f"wide_resnet{depth}_{k}": wide(depth, k) for depth, k in ((16, 8), (28, 10), (40, 4))},
        **{f"densenet{depth}_k{rate}": dense(depth, rate) for depth, rate in ((40, 12), (100, 12), (100, 24))},
    }


# ---- checks --------------------------------------------------------------------------------------


def _check_torchvisions(models: ModuleType, name: str) -> None:
    model = MODELS[name]
    check_same_state(models, name, model.moved)
    check_costs(models, name, model.weights, **dict(model.published_settings))


def _check_reference(name: str) -> None:
    if references()[name].params:
        literature.check_params(references()[name])
    literature.check_torch_counts(references()[name])
    check_keys(name)


def check_keys(name: str) -> None:
    """The judge's state has the keys (after renaming), shapes and dtypes of ours, in any order."""
    judge, ours = judge_of(name), archdsl.build(name, device="meta").state_dict()
    with torch.device("meta"):
        theirs = judge.make().state_dict()
    found = {judge.rename(key): (tensor.shape, tensor.dtype) for key, tensor in ours.items()}
    assert len(found) == len(ours)
    assert found == {key: (tensor.shape, tensor.dtype) for key, tensor in theirs.items()}


def _outputs(graph: Graph) -> str:
    judge = judge_of(graph.name)
    size = graph.inputs[0].type.sizes[-1] if cost(graph).macs <= MOST_MACS else judge.size
    models = _pair(graph.name, judge, size)
    single = _difference(models, images(size, 2))
    if single == 0:
        return f"equal at {size}"
    double = _difference([model.double() for model in models], images(size, 2).double())
    assert double <= LARGEST_DIFFERENCE, f"{graph.name} differs from {judge.name} by {double}"
    return f"within {_power_above(single)}, in float64 {_power_above(double)}, at {size}"


def _power_above(difference: float) -> str:
    """The next power of ten: threads add in an order of their own each time, which changes the digits."""
    return f"1e{math.ceil(math.log10(difference))}" if difference else "0"


def _pair(name: str, judge: Judge, size: int) -> list[nn.Module]:
    """Ours and the judge's in evaluation mode, with the same weights and norms that fit what reaches them."""
    theirs = randomized(judge.make())
    if any(isinstance(module, nn.BatchNorm2d) for module in theirs.modules()):
        calibrate(theirs, size)
    ours, state = archdsl.build(name, init=False), theirs.state_dict()
    ours.load_state_dict({key: state[judge.rename(key)] for key in ours.state_dict()}, strict=True)
    return [ours.eval(), theirs.eval()]


def _difference(models: list[nn.Module], batch: Tensor) -> float:
    """The largest of the two models' outputs, as a part of the largest output. Raises where images give the same."""
    with torch.no_grad():
        output, expected = (model(batch) for model in models)
    assert not torch.allclose(expected[0], expected[1], rtol=0.1)
    return float((output - expected).abs().max() / expected.abs().max())


# ---- lines ---------------------------------------------------------------------------------------


def spec_lines(name: str) -> tuple[int, int]:
    """Lines of code of a bundled spec, and of all the files that it imports, directly or not."""
    pending, seen, lines = [f"{name}.arch"], set[str](), []
    while pending:
        path = pending.pop(0)
        file = bundled_file(path)
        assert file is not None
        text = file.read_text(encoding="utf-8")
        seen.add(path)
        lines.append(_code_lines(text))
        for named in re.findall(r'^from "([^"]+)"', text, re.MULTILINE):
            beside = posixpath.join(posixpath.dirname(path), named)
            found = beside if bundled_file(beside) else named
            if found not in {*seen, *pending}:
                pending.append(found)
    return lines[0], sum(lines[1:])


def _python_lines(models: ModuleType, name: str) -> int:
    return _code_lines(inspect.getsource(inspect.getmodule(models.get_model_builder(name)) or models))


def _code_lines(text: str) -> int:
    lines = (line.strip() for line in text.splitlines())
    return sum(1 for line in lines if line and not line.startswith("#"))


if __name__ == "__main__":
    main()
