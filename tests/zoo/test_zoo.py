"""The bundled specs of torchvision's classifiers are torchvision's models.

The ordinary run takes a model of every family; ``-m exhaustive`` takes all of them, at their own image sizes. How each
is compared stands in ``zoo_models.py``, what "equal" means in ``zoo.py``. What only one family has is tested in a file
of that family.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

import pytest

import archdsl
from tests.zoo import zoo
from tests.zoo.torchvision_goldens import GOLDENS
from tests.zoo.zoo_models import MODELS, TABLE, Model


def each(models: Iterable[Model]) -> pytest.MarkDecorator:
    """The ordinary ones in the ordinary run."""
    exhaustive = [pytest.mark.exhaustive]
    cases = [pytest.param(model, id=model.name, marks=[] if model.ordinary else exhaustive) for model in models]
    return pytest.mark.parametrize("model", cases)


def at_sizes(cases: Iterable[tuple[Model, Iterable[int]]]) -> pytest.MarkDecorator:
    """The ordinary ones at the first of their sizes in the ordinary run."""
    params = [
        pytest.param(model, size, id=f"{model.name}-{size}", marks=[] if first else [pytest.mark.exhaustive])
        for model, sizes in cases
        for size, first in ((size, model.ordinary and turn == 0) for turn, size in enumerate(sizes))
    ]
    return pytest.mark.parametrize(("model", "size"), params)


IN_MEMORY = [model for model in MODELS.values() if model.in_memory]


@pytest.fixture
def models(torchvision_models: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """torchvision's models; MNASNet loads state as any module does.

    Its own loader asks which of its versions saved a checkpoint. PyTorch's mark for any other module means its first
    one there, whose stem was not scaled. ``test_mnasnet_loads_what_bears_its_version`` is about that loader.
    """
    monkeypatch.delattr(torchvision_models.MNASNet, "_load_from_state_dict")
    return torchvision_models


# ---- the table -----------------------------------------------------------------------------------


def test_the_table_has_every_classifier_of_torchvision(torchvision_models: ModuleType) -> None:
    assert sorted(model.name for model in TABLE) == torchvision_models.list_models(module=torchvision_models)


def test_every_classifier_has_a_spec() -> None:
    assert set(MODELS) - set(archdsl.bundled()) == set()


@pytest.mark.parametrize("name", MODELS)
def test_declared_size_is_the_published_one(name: str, torchvision_models: ModuleType) -> None:
    model = MODELS[name]
    transforms = zoo.published(torchvision_models, name, model.weights).transforms
    size = archdsl.load(name).inputs[0].type.sizes[-1]
    assert size == model.evaluated == transforms.keywords["crop_size"]


# ---- without weights -----------------------------------------------------------------------------


@each(MODELS.values())
def test_state_is_the_same(model: Model, models: ModuleType) -> None:
    zoo.check_same_state(models, model.name, model.moved)


@each(MODELS.values())
def test_costs_are_the_published_ones(model: Model, models: ModuleType) -> None:
    zoo.check_costs(models, model.name, model.weights, **dict(model.published_settings))


@each(model for model in MODELS.values() if model.convolutional)
def test_graph_is_isomorphic(model: Model, models: ModuleType) -> None:
    zoo.check_isomorphic(models, model.name)


# ---- with weights --------------------------------------------------------------------------------


@each(IN_MEMORY)
def test_checkpoints_load_both_ways(model: Model, models: ModuleType) -> None:
    zoo.check_loads(models, model.name)


@at_sizes((model, sorted({*model.sizes, model.evaluated})) for model in IN_MEMORY)
def test_eval_outputs_are_equal(model: Model, size: int, models: ModuleType) -> None:
    zoo.check_eval(models, model.name, size)


@at_sizes((model, model.sizes) for model in IN_MEMORY)
def test_training_step_is_equal(model: Model, size: int, models: ModuleType) -> None:
    zoo.check_train(models, model.name, size, model.batch, model.outputs)


@pytest.mark.parametrize(
    "name",
    [
        # golden files say how theirs start
        pytest.param(model.name, marks=[] if model.ordinary and model.name not in GOLDENS else [pytest.mark.exhaustive])
        for model in IN_MEMORY
    ],
)
def test_start_is_the_same(name: str, models: ModuleType) -> None:
    zoo.check_start(models, name)
