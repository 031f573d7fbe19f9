"""The command `label-quality`. Its words are in `words_in` and `words_out`, which import what they do when they are called, so that it starts fast.

Exit codes: 0 within limits, 1 when a check is an ERROR, 2 for wrong usage or a run that failed.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys

from label_quality.cli import words_in, words_out
from label_quality.cli.group import cli

__all__ = ["cli", "main", "words_in", "words_out"]

# Objects between two searches for garbage in cycles. Python's 700 costs a fifth of a start, which makes hundred thousands.
_RARELY = 100_000


def main() -> None:
    """Entry point of the console script: the interpreter is set up for one command, and left at once when that is done.

    Taking an interpreter that has run Dagster apart takes more than a second, and nothing is left to be tidied up then.
    """
    gc.set_threshold(_RARELY)
    code: object = 0
    try:
        cli.main(prog_name="label-quality")
    except SystemExit as exit_:
        code = exit_.code
        if not isinstance(code, int | None):
            raise  # a message: Python prints it
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # closed, or nobody reads it any more
            stream.flush()
    os._exit(code or 0)
