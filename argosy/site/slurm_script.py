"""The text of a batch script for sbatch: its #SBATCH lines, and one command.

sbatch reads those lines by rules of its own, which are not the shell's: what cannot stand in them safely is refused.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from argosy.errors import UsageError

# No quote, no backslash, no comment sign, nothing that begins a new line.
_PLAIN = re.compile(r"[A-Za-z0-9_%+=:,.@/\[\]()*|&!?^~ -]*")
_OPTION = re.compile(r"--[a-z][a-z-]*(=.*)?")


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A batch job: options of sbatch by name without the dashes (an empty value: an option without one), words that are
    written for sbatch as they are, modules to load, and the command."""

    options: tuple[tuple[str, str], ...]
    words: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    command: tuple[str, ...]

    def text(self) -> str:
        """The script. Raises UsageError for a value that sbatch would read otherwise."""
        words = [f"--{name}={value}" if value else f"--{name}" for name, value in self.options]
        for word in self.words:
            if not _OPTION.fullmatch(word):
                raise UsageError(f"not an option of sbatch: {word!r}", advice="write it as --name or --name=value")
        lines = ["#!/bin/sh", *(f"#SBATCH {_directive(word)}" for word in (*words, *self.words)), ""]
        lines.append("# Verified, and its native code found, once; the ranks that this starts are the launcher itself.")
        lines += [f"module load {shlex.quote(name)} || exit 1" for name in self.modules]
        lines += [f"{name}={shlex.quote(value)}; export {name}" for name, value in self.variables]
        return "\n".join([*lines, f"exec {shlex.join(self.command)}", ""])


def _directive(word: str) -> str:
    """The word as it stands after #SBATCH."""
    if not _PLAIN.fullmatch(word):
        raise UsageError(
            f"{word!r} cannot stand in a line of #SBATCH", advice="leave out quotes, backslashes, # and line ends"
        )
    name, equals, value = word.partition("=")
    return f'{name}="{value}"' if equals and " " in value else word


def rank_options(*, ranks: int | None, nodes: int | None) -> Sequence[tuple[str, str]]:
    """How many nodes and ranks, for sbatch."""
    found = [("nodes", nodes), ("ntasks", ranks)]
    for name, value in found:
        if value is not None and value < 1:
            raise UsageError(f"a job has at least one of its {name}, not {value}")
    return [(name, str(value)) for name, value in found if value is not None]
