"""`make ... ARGS="-k 'a or b'"`: this Python with more arguments, split as a shell would, and nothing in them is run.

python -I labkit/base/arguments.py -m pytest             the words in the variable ARGS are added
"""

import os
import shlex
import sys


def main() -> None:
    """Become the Python that the command line and ARGS describe."""
    try:
        words = shlex.split(os.environ.get("ARGS", ""))
    except ValueError as error:
        raise SystemExit(f"labkit: ARGS = {ascii(os.environ['ARGS'])}: {str(error).lower()}") from None
    os.execv(sys.executable, [sys.executable, *sys.argv[1:], *words])


if __name__ == "__main__":
    main()
