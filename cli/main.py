"""The ``archdsl`` command: its subcommands, and how every run ends.

Exit codes: 0 all is well, 1 diagnostics were reported, 2 wrong usage, 70 a bug in archdsl (EX_SOFTWARE), 74 the output
cannot be written (EX_IOERR), 130 interrupted, 141 the reader of the output went away (as if by SIGPIPE).
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence
from typing import Any, cast

import typer

from archdsl.diagnostics.problems import ArchError

from .build import build
from .check import check
from .explain import explain
from .list import list_specs
from .new import new
from .output import OutputClosedError, OutputError, complain, discard, report, say
from .solve import solve
from .stats import stats

EXIT_DIAGNOSTICS = 1
EXIT_BUG = 70
EXIT_NO_OUTPUT = 74
EXIT_INTERRUPTED = 130
EXIT_OUTPUT_CLOSED = 141
TRACEBACK_VARIABLE = "ARCHDSL_TRACEBACK"

_UNWRITTEN = frozenset({errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, errno.EDQUOT})
"""What the system says of a stream that cannot be written."""

app = typer.Typer(
    name="archdsl",
    help="Convolutional networks from .arch specs.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from archdsl import __version__

        say(f"archdsl {__version__}\n")
        raise typer.Exit


@app.callback()
def _main(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """Convolutional networks from .arch specs."""


app.command("build")(build)
app.command("stats")(stats)
app.command("solve")(solve)
app.command("check")(check)
app.command("list")(list_specs)
app.command("new")(new)
app.command("explain")(explain)


def execute(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code; nothing but KeyboardInterrupt's kin escapes."""
    try:
        code = _invoke(arguments)
        if sys.stdout is not None:
            say("")  # what others have printed, as help does, is written now or refused
        return code
    except OutputClosedError:
        discard(sys.stdout)
        return EXIT_OUTPUT_CLOSED
    except OutputError as error:
        if sys.stdout is not None:
            discard(sys.stdout)
        complain(f"archdsl: cannot write the output: {error}\n")
        return EXIT_NO_OUTPUT


def _invoke(arguments: Sequence[str]) -> int:
    try:
        code = app(list(arguments), prog_name="archdsl", standalone_mode=False)
    except ArchError as error:
        report(error.diagnostics)
        return EXIT_DIAGNOSTICS
    except typer.TyperException as error:
        return _usage_error(error)
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED
    except (OutputClosedError, OutputError):
        raise
    except Exception as error:
        _raise_if_unwritten(error)
        _report_bug(error)
        return EXIT_BUG
    return code if isinstance(code, int) else 0


def _usage_error(error: typer.TyperException) -> int:
    text = io.StringIO()
    cast(Any, error).show(text)  # typer publishes its errors by their base class alone, which lacks this
    complain(text.getvalue())
    return error.exit_code


def _raise_if_unwritten(error: Exception) -> None:
    """Raises OutputClosedError or OutputError for what happens to those who write without ``say``, as help does."""
    if isinstance(error, BrokenPipeError):
        raise OutputClosedError from None
    if isinstance(error, OSError) and error.filename is None and error.errno in _UNWRITTEN:
        raise OutputError(error.strerror) from None


def _report_bug(error: Exception) -> None:
    import traceback

    if os.environ.get(TRACEBACK_VARIABLE):
        complain("".join(traceback.format_exception(error)))
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = "".join(f"  at {frame.filename}:{frame.lineno}, in {frame.name}\n" for frame in reversed(frames))
    complain(
        f"internal error: {type(error).__name__}: {error}\n{places}"
        "This is a bug in archdsl, not in your spec. Please report it with the spec and the command line;\n"
        f"{TRACEBACK_VARIABLE}=1 shows the whole traceback.\n"
    )
