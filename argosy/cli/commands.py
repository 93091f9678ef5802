"""How a command is added to the command line: one line of help, a longer one, examples, and the function that acts."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, Protocol

Act = Callable[[argparse.Namespace], int]


class Commands(Protocol):
    """What `add_subparsers` gives."""

    def add_parser(self, *words: Any, **settings: Any) -> argparse.ArgumentParser: ...


def add_command(
    commands: Commands, name: str, summary: str, *, epilog: str, act: Act | None = None, description: str = ""
) -> argparse.ArgumentParser:
    """A command's parser: `summary` in the list of commands, `description` and examples on its own help page.

    `act` is left out for a command that only has commands of its own.
    """
    parser = commands.add_parser(
        name, help=summary, description=description or f"{summary[0].upper()}{summary[1:]}.", epilog=epilog
    )
    parser.set_defaults(parser=parser)
    if act is not None:
        parser.set_defaults(act=act)
    return parser


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")
