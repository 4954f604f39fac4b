"""The statements and declarations that comments are about."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from archdsl.base.source import Span
from archdsl.language import syntax
from archdsl.language.parser.trivia import Comment
from archdsl.language.walking import outermost_bodies


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment and what it is about: the statement or declaration ``node`` that it stands above, behind or inside.

    Below the last statement of a body and right behind its opening brace a comment is inside of what has that body; at
    the end of a file it is about None.
    """

    comment: Comment
    where: Literal["above", "behind", "inside"]
    node: syntax.Node | None


def remarks(module: syntax.Module, comments: Iterable[Comment]) -> Iterator[Remark]:
    """What each of the comments in the module's text is about."""
    bodies_of = cache(outermost_bodies)
    for comment in comments:
        yield _remark(comment, module, bodies_of)


def _remark(
    comment: Comment, module: syntax.Module, bodies_of: Callable[[syntax.Node], Sequence[syntax.Body]]
) -> Remark:
    at = comment.span.start
    owner: syntax.Node | None = None
    statements: Sequence[syntax.Node] = module.declarations
    while True:
        place = bisect_right(statements, at, key=lambda statement: statement.span.start)
        before = statements[place - 1] if place else None
        if before is None or before.span.end <= at:
            break
        body = next((body for body in bodies_of(before) if body.span.start < at < body.span.end), None)
        if body is None:
            return Remark(comment, "inside", before)
        owner, statements = before, body.statements
    if not comment.is_alone and before is not None and _on_one_line(before.span.end, comment.span):
        return Remark(comment, "behind", before)
    if comment.is_alone and place < len(statements):
        return Remark(comment, "above", statements[place])
    return Remark(comment, "inside", owner)


def _on_one_line(start: int, span: Span) -> bool:
    return "\n" not in span.source.text[start : span.start]
