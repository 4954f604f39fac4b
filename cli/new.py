"""``archdsl new``: a spec to start a variant from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError

from .common import LimitOption, NetworkOption, SpecArgument, parse_limits, parse_spec
from .output import say


def new(
    base: SpecArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE.arch", help="The spec to write.")],
    network: NetworkOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if there is one.")] = False,
    limit: LimitOption = None,
) -> None:
    """Write a spec that extends another one and shows what can be changed."""
    from archdsl.boundary.files import write_atomically
    from archdsl.design.starting_spec import starting_spec

    reference = parse_spec(base)
    text = starting_spec(reference.spec, file, network=network or reference.network, limits=parse_limits(limit or ()))
    if file.exists() and not force:
        raise ArchError(Diagnostic("E603", f"{file} is there already", help="`--force` replaces it"))
    write_atomically(file, text)
    say(f"wrote {file}, which extends {base}; `archdsl stats {base} {file}` compares the two\n")
