"""The command line. Adding a file to `commands` adds a command.

Only the command that was asked for is imported, so a slow one never delays another. Exit codes: 0 all done, 1 some of
the work failed, 2 wrong usage, 130 interrupted.
"""

import os
import sys
from io import TextIOWrapper


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code.

    Args:
        arguments: what follows the program's name; None takes `sys.argv`.
    """
    if sys.stderr is None:  # closed, and `print` would then take standard output, which may carry sound
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
    try:
        from voxfield.cli.app import run

        if isinstance(sys.stdout, TextIOWrapper):  # a terminal of another encoding gets escapes, not a traceback
            sys.stdout.reconfigure(errors="backslashreplace")
        code = run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:  # while packages were loading
        code = 130
    sys.exit(code)
