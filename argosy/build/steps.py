"""The single commands of a build, as values: what each reads, what it makes, and how it fails."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from argosy import process
from argosy.build.flags import SOURCE_DATE_EPOCH
from argosy.build.note import write_noted
from argosy.errors import ArgosyError
from argosy.model.note import RecipeNote

_UNDEFINED = re.compile(r"wasm-ld: error: (?:(?P<object>[^\n]*?): )?undefined symbol: (?P<symbol>[^\n]+)")
_CRASH = re.compile(
    r"(PLEASE submit a bug report|Stack dump:|error: unable to execute command|clang frontend command failed)"
)
_SIGNALLED = 128  # a shell adds this to the number of the signal that ended a command
_SHOWN = 12  # undefined symbols that an error names
_ERROR = re.compile(r"\berror:|\bError \d+$|\*\*\* ")
_LAST, _EARLY = 30, 10  # lines of a failed command's output that an error shows: the last, and errors before them


@dataclass(frozen=True, kw_only=True)
class CopyStep:
    """A file that must lie elsewhere too."""

    source: Path
    target: Path


@dataclass(frozen=True, kw_only=True)
class CompileStep:
    """One source to one object. The compiler writes the headers that it read to `dependencies`, in make's syntax."""

    recipe: str
    source: Path
    target: Path
    dependencies: Path
    command: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ArchiveStep:
    """Objects to a static library, always made anew."""

    recipe: str
    sources: tuple[Path, ...]
    target: Path
    command: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class LinkStep:
    """Objects and libraries to a program. `sources` are all files that it reads besides the sysroot's."""

    recipe: str
    sources: tuple[Path, ...]
    target: Path
    command: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class NoteStep:
    """A linked program to the finished one, which has its recipe's note and none of the `strangers`' paths in it."""

    recipe: str
    source: Path
    target: Path
    note: RecipeNote
    strangers: tuple[Path, ...]


Step: TypeAlias = CopyStep | CompileStep | ArchiveStep | LinkStep | NoteStep


def run(step: Step, *, log: Path | None = None) -> str:
    """Do the step; gives the command's output (warnings). Raises ArgosyError naming the recipe and what is wrong."""
    step.target.parent.mkdir(parents=True, exist_ok=True)
    match step:
        case CopyStep():
            shutil.copyfile(step.source, step.target)
            return ""
        case CompileStep():
            return _command(step, f"compiling {step.source.name} of recipe {step.recipe}", log)
        case ArchiveStep():
            step.target.unlink(missing_ok=True)
            return _command(step, f"archiving {step.target.name} of recipe {step.recipe}", log)
        case LinkStep():
            return _command(step, f"linking {step.target.name} of recipe {step.recipe}", log)
        case NoteStep():
            write_noted(step.source, step.target, step.note, strangers=step.strangers)
            return ""


def environment() -> Mapping[str, str]:
    """What compilers see: nothing of the user's that could change their output."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "HOME") if os.environ.get(name)}
    return {**kept, "LC_ALL": "C", "TZ": "UTC", "SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH}


def _command(step: CompileStep | ArchiveStep | LinkStep, purpose: str, log: Path | None) -> str:
    done = process.run(step.command, environment=environment(), log=log)
    if done.status == 0:
        return done.output
    step.target.unlink(missing_ok=True)
    raise failure(purpose, step.recipe, step.command, done, log)


def failure(
    purpose: str, recipe: str, command: tuple[str, ...], done: process.Finished, log: Path | None
) -> ArgosyError:
    """The error for a command that failed: a symbol that nothing defines, a compiler that crashed, or what it said."""
    missing = undefined_symbols(done.output)
    if missing:
        listed = [f"{symbol} (used in {', '.join(users)})" for symbol, users in list(missing.items())[:_SHOWN]]
        more = [f"and {len(missing) - _SHOWN} more"] if len(missing) > _SHOWN else []
        return ArgosyError(
            f"{purpose} failed: nothing defines\n" + "\n".join(f"    {line}" for line in [*listed, *more]),
            advice=f"in {recipe}/recipe.toml name the recipe that has it in `requires` and its library in "
            "`build.link`, or compile the source that defines it",
        )
    if done.status < 0 or done.status > _SIGNALLED or _CRASH.search(done.output):
        ending = _ending(done.status)
        return ArgosyError(
            f"{purpose} failed: the compiler itself crashed{ending}\n  reproduce it with:\n"
            f"    SOURCE_DATE_EPOCH={SOURCE_DATE_EPOCH} {shlex.join(command)}\n{_last(done.output)}",
            advice="it may have run out of memory (build with fewer jobs), or met a fault of its own: "
            'try less optimization for this source ([[build.special]] flags = ["-O1"])',
        )
    whole = f"the whole log is {log}" if log else ""
    return ArgosyError(f"{purpose} failed\n  $ {shlex.join(command)}\n{_last(done.output)}", advice=whole)


def undefined_symbols(output: str) -> Mapping[str, list[str]]:
    """The symbols that the linker missed, each with the objects that use it, from what it said."""
    found: dict[str, list[str]] = {}
    for match in _UNDEFINED.finditer(output):
        users = found.setdefault(match["symbol"].strip(), [])
        user = Path(match["object"] or "the program").name
        if user not in users:
            users.append(user)
    return found


def _ending(status: int) -> str:
    number = -status if status < 0 else status - _SIGNALLED
    return f" (signal {number})" if number > 0 else ""


def _last(output: str) -> str:
    """The last lines, and before them the errors that a build with several jobs printed earlier."""
    lines = output.rstrip().splitlines()
    early = [line for line in lines[:-_LAST] if _ERROR.search(line)][:_EARLY]
    shown = [*early, "…", *lines[-_LAST:]] if early else lines[-_LAST:]
    return "\n".join(f"    {line}" for line in shown)
