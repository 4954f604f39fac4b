"""When to stop reading: there are enough problems."""

from __future__ import annotations

from typing_extensions import override

from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import Problems

MAX_PROBLEMS = 20


class GivenUpError(Exception):
    """No use in reading on: the problems found so far are all."""


class SyntaxProblems(Problems):
    """Stops the parser when there are enough of them."""

    @override
    def add(self, diagnostic: Diagnostic) -> None:
        super().add(diagnostic)
        if len(self) >= MAX_PROBLEMS:
            raise GivenUpError
