"""The command line `argosy`: its arguments are parsed, one command acts, errors are told without a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from argosy.cli.arguments import parse
from argosy.errors import ArgosyError

INTERRUPTED = 130  # what shells give for a command that Ctrl-C ended
_PIPE_CLOSED = 141  # and for one whose reader has gone


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` (default: this process's) say; gives the exit status.

    0: done, 1: failed, 2: used wrongly, 130: interrupted by Ctrl-C; `run` gives the application's own.
    """
    try:
        options = parse(sys.argv[1:] if arguments is None else list(arguments))
        status: int = options.act(options)
        sys.stdout.flush()
        return status
    except ArgosyError as error:
        print(f"argosy: error: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("argosy: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more at its end; give it a place where that succeeds.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
