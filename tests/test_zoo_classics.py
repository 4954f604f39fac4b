"""The specs of torchvision's AlexNet, VGG, SqueezeNet, GoogLeNet and Inception v3 are torchvision's models."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch

import archdsl
from archdsl.analysis.cost import cost
from archdsl.backends.fx import to_graph_module
from tests import zoo
from tests.canonical import from_graph
from tests.torchvision_goldens import count_macs
from tests.traced import from_module

VGGS = tuple(f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn"))
PLAIN = ("alexnet", *VGGS, "squeezenet1_0", "squeezenet1_1")
NAMES = (*PLAIN, "googlenet", "inception_v3")
ORDINARY = {"alexnet", "vgg11_bn", "squeezenet1_1", "googlenet", "inception_v3"}
SMALL = {"alexnet": 64, "inception_v3": 299}
"""Image sizes near the smallest that the architecture takes, its auxiliary classifiers included; else 32."""


INIT_WEIGHTS = {"googlenet": {"init_weights": False}, "inception_v3": {"init_weights": False}}
"""Spares torchvision's constructors a warning."""


def sampled(names: tuple[str, ...], sample: set[str] = ORDINARY) -> pytest.MarkDecorator:
    marks = {name: [] if name in sample else [pytest.mark.exhaustive] for name in names}
    return pytest.mark.parametrize("name", [pytest.param(name, marks=marks[name]) for name in names])


# ---- state and costs -----------------------------------------------------------------------------


@sampled(tuple(name for name in NAMES if name != "googlenet"), sample=set(NAMES))
def test_same_state(name: str, torchvision_models: ModuleType) -> None:
    zoo.check_same_state(torchvision_models, name)


def test_googlenet_registers_its_auxiliary_classifiers_late(torchvision_models: ModuleType) -> None:
    """Torchvision's stand behind inception5b though they branch off before; apart from that all is the same."""
    with torch.device("meta"):
        theirs = torchvision_models.googlenet(init_weights=False).state_dict()
    ours = archdsl.build("googlenet", device="meta").state_dict()
    late = [key for key in theirs if key.startswith("aux")]
    assert late == [key for key in ours if key.startswith("aux")]
    assert [key for key in theirs if key not in late] == [key for key in ours if key not in late]
    assert {k: (v.shape, v.dtype) for k, v in ours.items()} == {k: (v.shape, v.dtype) for k, v in theirs.items()}


@pytest.mark.parametrize("name", INIT_WEIGHTS)
def test_same_state_without_auxiliary_classifiers(name: str, torchvision_models: ModuleType) -> None:
    with torch.device("meta"):
        theirs = torchvision_models.get_model(name, aux_logits=False, **INIT_WEIGHTS[name]).state_dict()
    ours = archdsl.build(name, aux_logits=False, device="meta").state_dict()
    assert [(k, v.shape) for k, v in ours.items()] == [(k, v.shape) for k, v in theirs.items()]


@sampled(tuple(name for name in NAMES if name != "googlenet"), sample=set(NAMES))
def test_costs(name: str, torchvision_models: ModuleType) -> None:
    zoo.check_costs(torchvision_models, name)


def test_googlenet_is_published_without_auxiliary_classifiers(torchvision_models: ModuleType) -> None:
    published = zoo.published(torchvision_models, "googlenet")
    whole, main = (archdsl.load("googlenet", aux_logits=kept) for kept in (True, False))
    assert cost(main).parameters == published["num_params"]
    for graph in (whole, main):
        assert round(cost(graph).macs / 1e9, 3) == published["_ops"]
        assert count_macs(to_graph_module(graph, device="meta"), (3, 224, 224)) == cost(graph).macs


@sampled(NAMES, sample=set(NAMES))
def test_graph_is_isomorphic(name: str, torchvision_models: ModuleType) -> None:
    with torch.device("meta"):
        theirs = torchvision_models.get_model(name, **INIT_WEIGHTS.get(name, {})).eval()
    graph = archdsl.load(name)
    assert from_graph(graph) == from_module(theirs, graph.inputs[0].type.sizes)


@sampled(NAMES, sample={"alexnet", "squeezenet1_1"})
def test_start(name: str, torchvision_models: ModuleType) -> None:
    zoo.check_start(torchvision_models, name)


# ---- outputs and gradients -----------------------------------------------------------------------


@sampled(NAMES)
def test_eval_outputs_are_equal(name: str, torchvision_models: ModuleType) -> None:
    zoo.check_eval(torchvision_models, name, SMALL.get(name, 32))


@sampled(NAMES, sample=set())
def test_eval_outputs_are_equal_at_full_size(name: str, torchvision_models: ModuleType) -> None:
    zoo.check_eval(torchvision_models, name, 299 if name == "inception_v3" else 224, batch=1)


@sampled(tuple(name for name in NAMES if name != "googlenet"))
def test_training_step_is_equal(name: str, torchvision_models: ModuleType) -> None:
    zoo.check_train(torchvision_models, name, SMALL.get(name, 32))


def test_googlenet_training_step_is_equal(torchvision_models: ModuleType) -> None:
    """Torchvision returns its auxiliary outputs last to first, and registers them late: compared by name here."""
    ours, theirs = zoo.pair(torchvision_models, "googlenet")
    images = zoo.images(32, batch=2)
    torch.manual_seed(0)
    outputs = ours.train()(images)
    torch.manual_seed(0)
    expected = theirs.train()(images)
    named = {"output": expected.logits, "aux1": expected.aux_logits1, "aux2": expected.aux_logits2}
    assert zoo.differing(outputs, named) == []
    gradients = []
    for model, made in ((ours, outputs), (theirs, named)):
        torch.stack([output.square().mean() for output in made.values()]).sum().backward()
        gradients.append({key: p.grad for key, p in sorted(model.named_parameters())})
    assert zoo.differing(*gradients) == []
    assert zoo.differing(*(dict(sorted(model.state_dict().items())) for model in (ours, theirs))) == []


@sampled(("googlenet", "inception_v3"))
def test_auxiliary_outputs_come_in_training_alone(name: str) -> None:
    module = archdsl.build(name, init=False, device="meta")
    images = torch.empty(2, 3, 299, 299, device="meta")
    side = {"googlenet": ["aux1", "aux2"], "inception_v3": ["AuxLogits"]}[name]
    assert list(module(images)) == ["output", *side]
    assert isinstance(module.eval()(images), torch.Tensor)
