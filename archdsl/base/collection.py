"""Garbage collection, paused where it only costs time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_MOST_AGED = 2_000_000
"""Objects that may grow old unlooked at between two full collections: some tens of networks."""


@contextmanager
def collection_paused(*, ages: bool = False) -> Iterator[None]:
    """No search for cycles while a great many objects are made that all stay: each would be looked through again.

    With ``ages``, what was made counts as old at once, as otherwise the next collection would begin with a look through
    all of it: for what leaves little behind.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            if ages:
                _ages.let_age()
            gc.enable()


class _Ages:
    """Lets new objects count as old.

    That sets Python's counts back, by which it decides when to look through everything; so they are kept here.
    """

    def __init__(self) -> None:
        self._aged = 0
        self._full_collections = 0

    def let_age(self) -> None:
        if gc.get_freeze_count():
            return  # what somebody has frozen would thaw
        full_collections = gc.get_stats()[2]["collections"]
        if full_collections != self._full_collections:
            self._aged, self._full_collections = 0, full_collections
        self._aged += gc.get_count()[0]
        if self._aged > _MOST_AGED:
            gc.collect()
        else:
            gc.freeze()
            gc.unfreeze()  # into the oldest generation


_ages = _Ages()
