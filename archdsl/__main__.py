"""``python -m archdsl``: the command line."""

from archdsl.cli.process import run  # type: ignore[import-not-found]  # mypy sees the commands as `cli`

if __name__ == "__main__":
    run()
