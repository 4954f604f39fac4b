"""``python -m archdsl``: the command line."""

from archdsl.cli.process import run

if __name__ == "__main__":
    run()
