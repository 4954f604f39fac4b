"""The CIFAR networks compute what their papers say: the same outputs and gradients as plain torch, ``papers_cifar.py``.

Both are computed in float64, where different orders of the same sums agree to far more digits than a wrong term would.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archdsl
from archdsl.analysis.cost import cost
from archdsl.backends.layers import DropPath
from tests.zoo import papers_cifar as papers
from tests.zoo.zoo import calibrate, randomized

FAMILIES = {
    "resnet_cifar": "resnet_cifar",
    "plain_cifar": "resnet_cifar",
    "preact_resnet_cifar": "activation_study",
    "activation_study": "activation_study",
    "wide_resnet_cifar": "wide_resnet",
    "stochastic_depth_resnet_cifar": "stochastic_depth",
}
"""The file in ``specs/blocks`` of each network that has the depth for a parameter."""


def member(family: str, arguments: str) -> str:
    """A spec of one member of a family."""
    return f'from "blocks/{FAMILIES[family]}.arch" import {family}\nnetwork n = {family}({arguments})'


def same_weights(spec: str, theirs: nn.Module, **parameters: Any) -> tuple[nn.Module, nn.Module]:
    """Ours and theirs in float64, with norms that fit what reaches them and the same state, loaded strictly."""
    calibrate(randomized(theirs), size=16)
    theirs.double()
    ours = archdsl.build(spec, init=False, **parameters).double()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return ours, theirs


def images(batch: int = 4, size: int = 16) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, 3, size, size, generator=generator, dtype=torch.float64)


def training_step(model: nn.Module) -> dict[str, Tensor]:
    """Output, gradients and state of one step with seeded draws."""
    torch.manual_seed(0)
    output = model.train()(images())
    output.square().mean().backward()
    gradients = {f"gradient of {name}": p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {"output": output.detach(), **gradients, **model.state_dict()}


def check_same_function(ours: nn.Module, theirs: nn.Module) -> None:
    """The same training step, then the same outputs in evaluation mode, which tell images apart."""
    found, expected = training_step(ours), training_step(theirs)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-6, atol=1e-9, msg=f"another {name}")
    with torch.no_grad():
        output, wanted = ours.eval()(images()), theirs.eval()(images())
    torch.testing.assert_close(output, wanted, rtol=1e-8, atol=1e-10)
    assert not torch.allclose(wanted[0], wanted[1], rtol=0.01)


# ---- what the papers say -------------------------------------------------------------------------


@pytest.mark.parametrize("family, unit", [("resnet_cifar", papers.Unit), ("plain_cifar", papers.Plain)])
def test_resnet20_and_its_plain_counterpart(family: str, unit: type[papers.Unit]) -> None:
    check_same_function(*same_weights(member(family, "20"), papers.resnet(unit, 3)))


SHORTCUTS = {
    "resnet110_cifar": papers.Unit,
    "resnet110_constant_scaling": papers.ConstantScaling,
    "resnet110_exclusive_gating": papers.ExclusiveGating,
    "resnet110_shortcut_only_gating": papers.ShortcutOnlyGating,
    "resnet110_conv_shortcut": papers.ConvShortcut,
    "resnet110_dropout_shortcut": papers.DropoutShortcut,
}


@pytest.mark.parametrize("network", SHORTCUTS)
def test_shortcuts_of_figure_2(network: str) -> None:
    check_same_function(*same_weights(network, papers.resnet(SHORTCUTS[network], 18)))


ORDERS: dict[str, tuple[type[papers.Ordered], str, str]] = {
    "resnet110_bn_after_addition": (papers.BnAfterAddition, "bn relu", ""),
    "resnet110_relu_before_addition": (papers.ReluBeforeAddition, "bn relu", ""),
    "resnet110_relu_only_preactivation": (papers.ReluOnlyPreactivation, "bn", "relu"),
    "preact_resnet110_cifar": (papers.FullPreactivation, "", "bn relu"),
}
"""The unit, and what follows the first convolution and the last unit."""


@pytest.mark.parametrize("network", ORDERS)
def test_orders_of_figure_4(network: str) -> None:
    unit, opening, closing = ORDERS[network]
    check_same_function(*same_weights(network, papers.ordered_resnet(unit, 18, False, opening, closing)))


@pytest.mark.parametrize("network", [name for name in ORDERS if not name.startswith("preact")])
def test_orders_of_figure_4_with_bottlenecks(network: str) -> None:
    unit, opening, closing = ORDERS[network]
    theirs = papers.ordered_resnet(unit, 2, True, opening, closing)
    check_same_function(*same_weights(network, theirs, depth=20, bottleneck=True))


@pytest.mark.parametrize(
    "family, unit, opening, closing",
    [
        ("activation_study", papers.Original, "bn relu", ""),
        ("preact_resnet_cifar", papers.FullPreactivation, "", "bn relu"),
    ],
)
def test_bottlenecks(family: str, unit: type[papers.Ordered], opening: str, closing: str) -> None:
    theirs = papers.ordered_resnet(unit, 2, True, opening, closing)
    check_same_function(*same_weights(member(family, "20, bottleneck = true"), theirs))


@pytest.mark.parametrize("arguments, n, k, dropout", [("16, 1", 2, 1, 0.0), ("10, 2, dropout_rate = 0.3", 1, 2, 0.3)])
def test_wide_resnet(arguments: str, n: int, k: int, dropout: float) -> None:
    check_same_function(*same_weights(member("wide_resnet_cifar", arguments), papers.wide_resnet(n, k, dropout)))


# ---- what the papers' tables imply ---------------------------------------------------------------


def test_scaling_the_shortcut_by_0_makes_a_plain_net() -> None:
    plain = papers.resnet(papers.Plain, 18)
    check_same_function(*same_weights("resnet110_constant_scaling", plain, shortcut_scale=0.0, residual_scale=1.0))


@pytest.mark.parametrize("network", ["resnet110_exclusive_gating", "resnet110_shortcut_only_gating"])
@pytest.mark.parametrize("settings, bias", [({}, -6), ({"gate_bias": 0}, 0)])
def test_biases_of_gates_start_as_set(network: str, settings: dict[str, Any], bias: int) -> None:
    model = archdsl.build(network, **settings)
    biases = [parameter for name, parameter in model.named_parameters() if name.endswith("g.0.bias")]
    assert len(biases) == 54
    assert all(bool((tensor == bias).all()) for tensor in biases)


def test_the_count_of_resnet1001_is_that_of_table_4_without_batch_norm() -> None:
    model = archdsl.build("preact_resnet1001_cifar", device="meta")
    weights = [m.weight.numel() for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert round((sum(weights) + 10) / 1e6, 1) == 10.2


def test_convolutions_start_as_in_he_et_al() -> None:
    torch.manual_seed(0)
    for name, module in archdsl.build("preact_resnet164_cifar").named_modules():
        if isinstance(module, nn.Conv2d):
            fan_out = math.prod(module.kernel_size) * module.out_channels
            spread = float(module.weight.detach().std())
            assert spread == pytest.approx(math.sqrt(2 / fan_out), rel=5 / math.sqrt(module.weight.numel())), name


# ---- stochastic depth ----------------------------------------------------------------------------


@pytest.fixture
def resnet20() -> papers.Network:
    network = papers.resnet(papers.AveragedUnit, 3)
    randomized(network.double())
    return network


def stochastic_resnet20(theirs: nn.Module, p_last: float) -> nn.Module:
    model = archdsl.build(member("stochastic_depth_resnet_cifar", f"20, p_L = {p_last}"), init=False).double()
    model.load_state_dict(theirs.state_dict(), strict=True)
    return model


@pytest.mark.parametrize("network, units", [("stochastic_depth_resnet110", 54), ("stochastic_depth_resnet1202", 600)])
def test_units_survive_by_the_linear_rule(network: str, units: int) -> None:
    model = archdsl.build(network, device="meta")
    drops = [module.p for module in model.modules() if isinstance(module, DropPath)]
    assert drops == pytest.approx([l / units * (1 - 0.5) for l in range(1, units + 1)])  # noqa: E741


def test_in_evaluation_the_full_depth_runs() -> None:
    theirs = randomized(papers.resnet(papers.AveragedUnit, 18))
    ours = archdsl.build("stochastic_depth_resnet110", init=False)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    batch = images(batch=2).float()
    with torch.no_grad():
        assert torch.equal(ours.eval()(batch), theirs.eval()(batch))


@pytest.mark.parametrize("seed", range(4))
def test_in_training_whole_units_drop(resnet20: papers.Network, seed: int) -> None:
    """A dropped unit is its shortcut; one that is kept adds F / p. A mini-batch draws once for each."""
    torch.manual_seed(seed)
    output = stochastic_resnet20(resnet20, p_last=0.5).train()(images())
    torch.manual_seed(seed)
    assert_close_and_varied(output, *dropped_by_hand(resnet20.train(), images(), p_last=0.5))


def dropped_by_hand(network: papers.Network, x: Tensor, p_last: float) -> tuple[Tensor, list[Tensor]]:
    """Equation 2 of Huang et al. 2016, ``ReLU(b f(x) + id(x))``, with b / p for b, and the b of each unit."""
    x = torch.relu(network.bn1(network.conv1(x)))
    units = [unit for stage in network.stages for unit in getattr(network, stage)]
    gates = []
    for position, unit in enumerate(units, start=1):
        p = 1 - position / len(units) * (1 - p_last)
        residual = unit.residual(x)
        gates.append(residual.new_empty(1, 1, 1, 1).bernoulli_(p))
        x = torch.relu(gates[-1] / p * residual + unit.shortcut(x))
    return network.fc(x.mean((2, 3))), gates


def assert_close_and_varied(output: Tensor, expected: Tensor, gates: list[Tensor]) -> None:
    torch.testing.assert_close(output, expected, rtol=1e-8, atol=1e-10)
    values = torch.cat([gate.flatten() for gate in gates])
    assert bool((values == 0).any())
    assert bool((values == 1).any())


def test_with_no_unit_kept_the_shortcuts_remain(resnet20: papers.Network) -> None:
    """The last unit never survives where p_L is 0, so that its weights get no gradient."""
    model = stochastic_resnet20(resnet20, p_last=0.0).train()
    model(images()).square().mean().backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if name.startswith("layer3.2.conv")}
    assert len(gradients) == 2
    assert all(g is not None and not bool(g.any()) for g in gradients.values())


# ---- refusals ------------------------------------------------------------------------------------


REFUSED = [
    ("resnet_cifar", "27", "the depth is 6 n + 2, such as 26 or 32, not 27"),
    ("resnet_cifar", "2", "the depth is 6 n + 2, such as 8 or 14, not 2"),
    ("resnet_cifar", "-4", "the depth is 6 n + 2, such as 8 or 14, not -4"),
    ("plain_cifar", "21", "the depth is 6 n + 2, such as 20 or 26, not 21"),
    ("preact_resnet_cifar", "165", "the depth is 6 n + 2, such as 164 or 170, not 165"),
    ("preact_resnet_cifar", "1000, bottleneck = true", "the depth is 9 n + 2, such as 992 or 1001, not 1000"),
    ("activation_study", "111", "the depth is 6 n + 2, such as 110 or 116, not 111"),
    ("wide_resnet_cifar", "27, 10", "the depth is 6 n + 4, such as 22 or 28, not 27"),
    ("wide_resnet_cifar", "28, 0", "the widening factor k is a whole number from 1, not 0"),
    ("wide_resnet_cifar", "28, 2.5", "the widening factor k is a whole number from 1, not 2.5"),
    ("stochastic_depth_resnet_cifar", "20, p_L = -0.5", "p_L is a probability, from 0 to 1, not -0.5"),
    ("stochastic_depth_resnet_cifar", "100", "the depth is 6 n + 2, such as 98 or 104, not 100"),
]


@pytest.mark.parametrize("family, arguments, message", REFUSED)
def test_impossible_parameters_are_refused_with_the_possible(family: str, arguments: str, message: str) -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.load(member(family, arguments))
    assert message in [d.message.removeprefix("this does not hold: ") for d in caught.value.diagnostics]


@pytest.mark.parametrize(
    "family, arguments",
    [
        ("wide_resnet_cifar", "16, 1, dropout_rate = 1.5"),
        ("resnet_cifar", '"deep"'),
    ],
)
def test_other_nonsense_ends_in_a_diagnostic(family: str, arguments: str) -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.load(member(family, arguments))
    assert all(d.primary for d in caught.value.diagnostics)


@pytest.mark.parametrize(
    "family, arguments, depth",
    [("resnet_cifar", "8", 8), ("preact_resnet_cifar", "29, bottleneck = true", 29), ("wide_resnet_cifar", "10, 1", 8)],
)
def test_the_smallest_depths_are_built(family: str, arguments: str, depth: int) -> None:
    """Zagoruyko and Komodakis count WRN's depth so that its longest path has two layers fewer."""
    assert cost(archdsl.load(member(family, arguments))).depth == depth
