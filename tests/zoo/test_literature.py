"""The bundled networks that torchvision lacks are what timm or their papers say; see ``literature.py``."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest

from tests.zoo import references_cifar, references_imagenet
from tests.zoo.literature import (
    Reference,
    bundled_beyond_torchvision,
    check_eval,
    check_params,
    check_state,
    check_torch_counts,
    check_train,
)

REFERENCES: tuple[Reference, ...] = (*references_cifar.REFERENCES, *references_imagenet.REFERENCES)


def each(wanted: Callable[[Reference], object], sampled: bool = False) -> pytest.MarkDecorator:
    """Parametrises over the references of a kind; ``sampled``: exhaustive ones only where all are asked for."""
    chosen = [
        pytest.param(r, id=r.network, marks=[pytest.mark.exhaustive] if sampled and r.exhaustive else [])
        for r in REFERENCES
        if wanted(r)
    ]
    return pytest.mark.parametrize("reference", chosen)


def test_each_network_has_one_reference(torchvision_models: ModuleType) -> None:
    assert sorted(r.network for r in REFERENCES) == sorted(bundled_beyond_torchvision())


@each(lambda r: not (r.params or r.timm))
def test_without_printed_count_the_comment_derives_it(reference: Reference) -> None:
    import archdsl

    assert "parameters" in archdsl.load(reference.network).doc


@each(lambda r: r.params)
def test_parameters_are_those_printed(reference: Reference) -> None:
    check_params(reference)


@each(lambda r: True)
def test_torch_counts_the_same(reference: Reference) -> None:
    check_torch_counts(reference)


@each(lambda r: r.timm)
def test_names_and_shapes_are_timms(reference: Reference) -> None:
    check_state(reference)


@each(lambda r: r.timm and not r.meta, sampled=True)
def test_eval_outputs_are_timms(reference: Reference) -> None:
    check_eval(reference)


@each(lambda r: r.timm and not r.meta, sampled=True)
def test_training_step_is_timms(reference: Reference) -> None:
    check_train(reference)
