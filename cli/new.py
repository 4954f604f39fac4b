"""``archdsl new``: a spec to start a variant from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError

from .options import FileOptions, SpecArgument, grouped
from .output import say


@grouped
def new(
    base: SpecArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE.arch", help="The spec to write.")],
    *,
    options: FileOptions,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if there is one.")] = False,
) -> None:
    """Write a spec that extends another one and shows what can be changed."""
    from archdsl.boundary.files import write_atomically
    from archdsl.design.starting_spec import starting_spec

    text = starting_spec(options.request(base), file)
    if file.exists() and not force:
        raise ArchError(Diagnostic("E603", f"{file} is there already", help="`--force` replaces it"))
    write_atomically(file, text)
    command = " ".join(["archdsl stats", base, str(file), *(f"--ops {module}" for module in options.ops or ())])
    say(f"wrote {file}, which extends {base}; `{command}` compares the two\n")
