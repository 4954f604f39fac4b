"""``archdsl explain``: what a code means and what to do about it."""

from __future__ import annotations

from typing import Annotated

import typer

from .output import say


def explain(
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="Such as E301; without it, all codes are listed.")
    ] = None,
) -> None:
    """Explain a code by an example, and how to mend what it says."""
    from archdsl.diagnostics import explanations

    if code is None:
        say("".join(f"{known}  {title}\n" for known, title in explanations.titles().items()))
        return
    try:
        say(explanations.explain(code))
    except explanations.UnknownCodeError as error:
        raise typer.BadParameter(str(error), param_hint="CODE") from None
