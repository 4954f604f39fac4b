"""Pauses of garbage collection delay what Python does and lose nothing."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from archdsl.base import collection
from archdsl.base.collection import collection_paused


class Knot:
    """Holds itself, so that it goes by a search for cycles alone."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    gc.collect()
    gc.enable()
    yield
    gc.enable()


def knots(count: int) -> list[weakref.ref[Knot]]:
    """What is left of knots that were made, and dropped, in a pause."""
    with collection_paused(ages=True):
        made = [Knot() for _ in range(count)]
        return [weakref.ref(knot) for knot in made]


def test_nothing_is_collected_in_a_pause_or_at_its_end_where_it_ages() -> None:
    collections = sum(each["collections"] for each in gc.get_stats())
    left = knots(5_000)
    assert sum(each["collections"] for each in gc.get_stats()) == collections
    assert all(knot() is not None for knot in left)


def test_the_next_full_collection_finds_what_was_made() -> None:
    left = knots(10)
    gc.collect()
    assert not any(knot() is not None for knot in left)


def test_pauses_alone_lead_to_a_full_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that builds networks and does nothing else does not fill the memory with what it drops."""
    monkeypatch.setattr(collection, "_MOST_AGED", 10_000)
    left = knots(1_000)
    for _ in range(30):
        knots(1_000)
    assert not any(knot() is not None for knot in left)


def test_what_is_frozen_stays_frozen() -> None:
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        knots(10)
        assert gc.get_freeze_count() == frozen > 0
    finally:
        gc.unfreeze()


def test_it_stays_off_where_it_was_off() -> None:
    gc.disable()
    knots(1)
    assert not gc.isenabled()
