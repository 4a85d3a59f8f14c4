"""`python -m labkit`, and `labkit` where it is installed: the command line."""

import sys

if sys.version_info < (3, 11):
    from . import doctor  # noqa: F401  which says so, and ends: nothing below is written for it

from .base.command import command


def main() -> int:
    """Do what the command line says; the exit status."""
    return command(_commands)


def _commands():
    from .cli import main  # here, where Ctrl-C is a line already

    return main()


if __name__ == "__main__":
    raise SystemExit(main())
