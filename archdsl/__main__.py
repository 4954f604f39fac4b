"""``python -m archdsl``: the command line."""

from archdsl.cli.main import run

if __name__ == "__main__":
    run()
