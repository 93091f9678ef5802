"""The errors that a user can meet.

Each says what happened, to which thing, and what to do next. The command line prints it without a
traceback and exits with `status`.
"""

from __future__ import annotations

from collections.abc import Iterable


class ArgosyError(Exception):
    """What happened, to which thing; `advice` says what to do next."""

    status = 1

    def __init__(self, what: str, *, advice: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.what}\n  {self.advice}" if self.advice else self.what


class UsageError(ArgosyError):
    """The command, recipe or file was written wrongly by its user."""

    status = 2


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """A question naming the closest of `known`, or all of them when none is close."""
    import difflib  # takes longer to import than most commands take to start

    names = sorted(known)
    close = difflib.get_close_matches(wrong, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known here: {', '.join(names)}" if names else "nothing is known here"
