"""The ``archdsl`` process. It imports the commands last, so that what it sets holds for their imports."""

import gc
import os
import sys


def run() -> None:
    """The console script: runs the command line of this process and ends it."""
    # graphs grow and are not freed before the end: collecting as often as Python does takes a third of the time
    gc.set_threshold(100_000, 50, 100)
    # pydantic would look for plugins in every installed package
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from .main import execute

    code = execute(sys.argv[1:])
    gc.freeze()  # nothing is taken apart just before the process ends
    sys.exit(code)
