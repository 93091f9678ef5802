"""Questions to whoever sits at the terminal."""

from __future__ import annotations

import getpass
import sys

from argosy.errors import ArgosyError


def ask(question: str, *, advice: str, hidden: bool = True) -> str:
    """What is typed; with `hidden` it is not shown.

    Raises ArgosyError, which advises how to do without the question, where there is no terminal or no answer.
    """
    if not sys.stdin.isatty():
        raise ArgosyError(f"there is no terminal to ask: {question}", advice=advice)
    try:
        return getpass.getpass(f"{question}: ") if hidden else input(f"{question}: ")
    except EOFError as error:
        print(file=sys.stderr)
        raise ArgosyError(f"no answer to: {question}", advice=advice) from error
