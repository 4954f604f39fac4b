"""What the papers of the ImageNet networks say beyond ``references_imagenet.py``: judges that timm lacks, equivalences
that they state, and members that their families refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import archdsl
from archdsl.analysis.cost import cost
from tests.zoo import torchvision_variants as variants
from tests.zoo.literature import Reference, check_state, pair
from tests.zoo.references_imagenet import REFERENCES
from tests.zoo.zoo import calibrate, differing, images, randomized

DENSENET = 'from "blocks/dense_cifar.arch" import densenet_cifar\nnetwork n = densenet_cifar({})'

# ---- torchvision, altered ------------------------------------------------------------------------

JUDGES: dict[str, Callable[[], nn.Module]] = {
    "plain18": lambda: variants.plain(18),
    "plain34": lambda: variants.plain(34),
    "resnet34_a": lambda: variants.option_a(34),
    "resnet34_c": lambda: variants.option_c(34),
    "resnet50_a": lambda: variants.option_a(50),
    "resnet50_c": lambda: variants.option_c(50),
    "resnet50_v1": lambda: variants.v1(50),
    "resnet101_v1": lambda: variants.v1(101),
    "resnet152_v1": lambda: variants.v1(152),
    "resnext29_8x64d": lambda: variants.resnext29(8, 64),
    "resnext29_16x64d": lambda: variants.resnext29(16, 64),
    "densenet_bc100_k12": lambda: variants.densenet_bc(16, 12),
    "densenet_bc250_k24": lambda: variants.densenet_bc(41, 24),
    "densenet_bc190_k40": lambda: variants.densenet_bc(31, 40),
}
ORDINARY = {"plain18", "resnet34_a", "resnet34_c", "resnet50_a", "resnet50_v1", "resnext29_8x64d", "densenet_bc100_k12"}
SAMPLED = [pytest.param(name, marks=[] if name in ORDINARY else [pytest.mark.exhaustive]) for name in JUDGES]


def torchvisions(name: str) -> str:
    """torchvision's name of our parameter: all its DenseNets end with a fifth norm."""
    return name.replace("features.norm.", "features.norm5.")


def size_for(network: str) -> int:
    """A side of images that leaves something to every stage; the networks for CIFAR shrink them less."""
    return 16 if network.startswith(("resnext29", "densenet")) else 32


def ours_and_theirs(network: str) -> tuple[nn.Module, nn.Module]:
    """With the same weights and statistics, loaded strictly."""
    theirs = randomized(JUDGES[network]())
    calibrate(theirs, size_for(network))
    ours = archdsl.build(network, init=False)
    state = {torchvisions(name): tensor for name, tensor in ours.state_dict().items()}
    assert sorted(state) == sorted(theirs.state_dict())
    ours.load_state_dict({name: theirs.state_dict()[torchvisions(name)] for name in ours.state_dict()})
    return ours, theirs


@pytest.mark.parametrize("network", SAMPLED)
def test_outputs_are_altered_torchvisions(network: str) -> None:
    ours, theirs = (model.eval() for model in ours_and_theirs(network))
    batch = images(size_for(network), 2)
    with torch.no_grad():
        output, expected = ours(batch), theirs(batch)
    assert torch.equal(output, expected)
    assert not torch.allclose(expected[0], expected[1], rtol=0.1)


@pytest.mark.parametrize("network", SAMPLED)
def test_training_step_is_altered_torchvisions(network: str) -> None:
    ours, theirs = ours_and_theirs(network)
    batch = images(size_for(network), 4)
    found, expected = training_step(ours, batch, torchvisions), training_step(theirs, batch)
    assert differing({name: found[name] for name in expected}, expected) == []


def training_step(model: nn.Module, batch: Tensor, rename: Callable[[str], str] = str) -> dict[str, Tensor | None]:
    """Output, gradients and state after a forward and a backward pass."""
    output = model.train()(batch)
    output.square().mean().backward()
    gradients = {f"gradient of {rename(name)}": p.grad for name, p in model.named_parameters()}
    return {
        "output": output.detach(),
        **gradients,
        **{rename(name): value for name, value in model.state_dict().items()},
    }


def test_compression_rounds_odd_widths_down() -> None:
    ours = archdsl.build(DENSENET.format("22, 5, bottleneck = true, compression = 0.5"), device="meta").state_dict()
    theirs = variants.densenet_bc(3, 5).state_dict()
    assert {torchvisions(name): tensor.shape for name, tensor in ours.items()} == {
        name: tensor.shape for name, tensor in theirs.items()
    }


# ---- DenseNet without bottlenecks and compression, from the paper's text -------------------------


class Composite(nn.Module):
    """Norm, ReLU, convolution. Huang et al. 2016, section 3, "Composite function"."""

    def __init__(self, channels: int, out: int, kernel: int, number: str, dropout: float) -> None:
        super().__init__()
        self.number, self.dropout = number, dropout
        self.add_module(f"norm{number}", nn.BatchNorm2d(channels))
        self.add_module(f"conv{number}", nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        norm, conv = self.get_submodule(f"norm{self.number}"), self.get_submodule(f"conv{self.number}")
        result: Tensor = conv(F.relu(norm(x)))
        return F.dropout(result, self.dropout, self.training)


class DenseNet(nn.Module):
    """Of three blocks, with the spec's names. Huang et al. 2016, section 3, "Implementation Details"."""

    def __init__(self, layers: int, growth_rate: int, dropout: float) -> None:
        super().__init__()
        self.layers, self.features = layers, nn.ModuleDict({"conv0": nn.Conv2d(3, 16, 3, padding=1, bias=False)})
        channels = 16
        for block in (1, 2, 3):
            dense = {
                f"denselayer{i + 1}": Composite(channels + growth_rate * i, growth_rate, 3, "1", dropout)
                for i in range(layers)
            }
            self.features[f"denseblock{block}"] = nn.ModuleDict(dense)
            channels += growth_rate * layers
            if block < 3:
                self.features[f"transition{block}"] = Composite(channels, channels, 1, "", dropout)
        self.features["norm"], self.classifier = nn.BatchNorm2d(channels), nn.Linear(channels, 10)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.features["conv0"](x)
        for block in (1, 2, 3):
            for layer in self.features[f"denseblock{block}"].children():
                maps = torch.cat([maps, layer(maps)], 1)
            if block < 3:
                maps = F.avg_pool2d(self.features[f"transition{block}"](maps), 2)
        result: Tensor = self.classifier(F.relu(self.features["norm"](maps)).mean((2, 3)))
        return result


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_densenet_is_the_papers(dropout: float) -> None:
    theirs = randomized(DenseNet(layers=4, growth_rate=6, dropout=dropout))
    ours = archdsl.build(DENSENET.format(f"16, 6, dropout_rate = {dropout}"), init=False)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    steps = []
    for model in (ours, theirs):
        torch.manual_seed(0)
        steps.append(training_step(model, images(16, 4)))
    assert differing({name: steps[0][name] for name in steps[1]}, steps[1]) == []
    with torch.no_grad():
        assert torch.equal(ours.eval()(images(16, 2)), theirs.eval()(images(16, 2)))


# ---- what torch computes in another order than timm's modules ------------------------------------

SELECTIVE = Reference("skresnext50_32x4d", "", timm="skresnext50_32x4d")


def test_names_of_selective_kernels_are_timms() -> None:
    check_state(SELECTIVE)


@pytest.mark.parametrize(
    "reference",
    [SELECTIVE, *(r for r in REFERENCES if r.network == "ecaresnet50")],
    ids=lambda reference: reference.network,
)
def test_a_training_step_of_attention_is_timms_in_float64(reference: Reference) -> None:
    """Where a softmax's axis or the strides of a convolution's input differ, so do the last bits."""
    found, expected = (training_step(model.double(), images(64, 4).double()) for model in pair(reference))
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert tensor is not None
        largest = float(tensor.abs().max())
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=1e-10 * largest, msg=f"another {name}")


# ---- how they start ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "network, fan",
    [
        *[(name, 0) for name in ("plain34", "resnet34_c", "resnet50_v1", "resnet50d", "seresnet50", "ecaresnet50")],
        *[(name, 0) for name in ("resnetblur18", "resnext29_8x64d")],
        *[(name, 1) for name in ("densenet_bc100_k12", "densenet40_k12")],
    ],
)
def test_convolutions_start_by_hes_rule(network: str, fan: int) -> None:
    """He et al. 2015, arXiv:1502.01852, section 2.2: a variance of 2 / fan, the channels that go out (0) or come in."""
    torch.manual_seed(0)
    convolutions = [m for m in archdsl.build(network).modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) > 10
    for weight in (conv.weight.detach() for conv in convolutions):
        deviation = (2 / (weight.shape[fan] * weight[0, 0].numel())) ** 0.5
        error = deviation / weight.numel() ** 0.5
        assert float(weight.mean()) == pytest.approx(0, abs=5 * error)
        assert float(weight.std()) == pytest.approx(deviation, abs=5 * error)


# ---- what the papers state -----------------------------------------------------------------------


@pytest.mark.parametrize("family", ["resnet34_shortcuts", "resnet50_shortcuts"])
def test_shortcut_options_give_the_same_shapes(family: str) -> None:
    spec = f'from "blocks/shortcut_options.arch" import {family}\nnetwork n = {family}'
    a, b, c = (shapes_of_blocks(archdsl.load(spec, option=option)) for option in "ABC")
    assert a == b == c
    assert list(b.values()) == list(shapes_of_blocks(archdsl.load(family.partition("_")[0])).values())
    assert len(b) == 16


def shapes_of_blocks(graph: archdsl.Graph) -> Mapping[str, tuple[int, ...]]:
    """What each residual block makes: the last of its nodes."""
    return {node.scope.path: node.type.sizes for node in graph.nodes if node.scope.kind == "block"}


@pytest.mark.parametrize("depth", [34, 50])
def test_option_b_is_the_network_that_the_options_vary(depth: int) -> None:
    spec = f'from "blocks/shortcut_options.arch" import resnet{depth}_shortcuts\nnetwork n = resnet{depth}_shortcuts'
    ours, base = archdsl.load(spec), archdsl.load(f"resnet{depth}")
    assert [(node.op, node.inputs, node.path) for node in ours.nodes] == [
        (node.op, node.inputs, node.path) for node in base.nodes
    ]


RESNEXT = 'from "blocks/resnext_cifar.arch" import resnext_cifar\nnetwork n = resnext_cifar({})'


@pytest.mark.parametrize("form", ["a", "b"])
def test_forms_of_resnexts_block_are_equivalent(form: str) -> None:
    """Xie et al. 2016, figure 3: with the weights of (c) in their places, (a) and (b) compute what it does."""
    grouped = randomized(archdsl.build(RESNEXT.format("20, 4, 8"))).double()
    other = archdsl.build(RESNEXT.format(f'20, 4, 8, form = "{form}"'), init=False).double()
    other.load_state_dict({name: from_grouped(grouped.state_dict(), name) for name in other.state_dict()}, strict=True)
    batch = images(16, 4).double()
    with torch.no_grad():
        for model in (grouped, other):
            model.eval()
        torch.testing.assert_close(other(batch), grouped(batch), rtol=1e-9, atol=1e-11)
        torch.testing.assert_close(other.train()(batch), grouped.train()(batch), rtol=1e-9, atol=1e-11)
    sizes = [sum(parameter.numel() for parameter in model.parameters()) for model in (grouped, other)]
    assert sizes[0] == sizes[1]


def from_grouped(state: Mapping[str, Tensor], name: str, cardinality: int = 4) -> Tensor:
    """The share of form (c)'s parameters that is called ``name`` in form (a) or (b)."""
    block, found, rest = name.partition(".paths.")
    if not found:
        late = {".conv1.": ".conv3.", ".bn1.": ".bn3."} if name.startswith("layer") and "downsample" not in name else {}
        return state[next((name.replace(old, new) for old, new in late.items() if old in name), name)]
    number, _, parameter = rest.partition(".")
    whole = state[f"{block}.{parameter}"]
    if whole.dim() == 0:
        return whole
    return whole.chunk(cardinality, dim=1 if parameter.startswith("conv3") else 0)[int(number)]


def test_forms_of_resnext29_have_the_same_size() -> None:
    sizes = {form: cost(archdsl.load(RESNEXT.format(f'29, 8, 64, form = "{form}"'))) for form in "abc"}
    assert sizes["a"].parameters == sizes["b"].parameters == sizes["c"].parameters
    assert sizes["a"].macs == sizes["b"].macs == sizes["c"].macs


def test_v1_and_v1_5_differ_in_nothing_but_work() -> None:
    paper, later = cost(archdsl.load("resnet50_v1")), cost(archdsl.load("resnet50"))
    assert paper.parameters == later.parameters
    assert paper.macs < later.macs


# ---- members that there are not ------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec, possible",
    [
        pytest.param(DENSENET.format("27, 12"), "the depth is 3 n + 4, such as 25 or 28, not 27", id="depth"),
        pytest.param(
            DENSENET.format("40.5, 12"), "the depth is 3 n + 4, such as 40 or 43, not 40.5", id="fraction of a layer"
        ),
        pytest.param(
            DENSENET.format("99, 12, bottleneck = true"),
            "the depth is 6 n + 4, such as 94 or 100, not 99",
            id="depth with bottlenecks",
        ),
        pytest.param(
            DENSENET.format("40, 12, compression = 1.5"), "a compression is above 0 and at most 1, not 1.5", id="more"
        ),
        pytest.param(RESNEXT.format("30, 8, 64"), "the depth is 9 n + 2, such as 29 or 38, not 30", id="ResNeXt"),
        pytest.param(RESNEXT.format('29, 8, 64, form = "d"'), "the forms of figure 3 are a, b and c, not d", id="form"),
        pytest.param(
            'from "blocks/shortcut_options.arch" import resnet34_shortcuts\n'
            'network n = resnet34_shortcuts(option = "D")',
            "the shortcut options are A, B and C, not D",
            id="shortcut option",
        ),
    ],
)
def test_impossible_members_are_refused_with_what_is_possible(spec: str, possible: str) -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.load(spec)
    assert [(diagnostic.code, diagnostic.message) for diagnostic in caught.value.diagnostics] == [
        ("E408", f"this does not hold: {possible}")
    ]
