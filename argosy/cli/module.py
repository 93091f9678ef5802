"""The module that a command works on: an artifact that the policy accepts, or a file that was named as unsigned."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from argosy.cli.artifacts import REFERENCE_HELP, add_trust_options, verified
from argosy.errors import UsageError

if TYPE_CHECKING:
    from argosy.model.artifact import Description
    from argosy.model.ceiling import Ceiling
    from argosy.model.digest import Digest
    from argosy.model.target import Target


@dataclass(frozen=True, kw_only=True)
class ChosenModule:
    """A file of wasm: the application's name, where it is, what it must still be, and the numerics it was built for."""

    name: str
    path: Path
    digest: Digest
    numerics: str
    ceiling: Ceiling
    """The most that the policy lets a run of it be granted."""
    asks: Description | None = None
    """What its publisher says; None for a file that nobody has signed."""


def add_module_options(parser: argparse.ArgumentParser) -> None:
    """The options that name a module."""
    parser.add_argument("reference", nargs="?", metavar="REF", help=REFERENCE_HELP)
    parser.add_argument(
        "--unsigned", type=Path, metavar="FILE", help="a .wasm file instead of REF; nothing is verified"
    )
    add_trust_options(parser)


def chosen_module(options: argparse.Namespace, targets: Sequence[Target] = ()) -> ChosenModule:
    """What the options name, fetched and verified. Raises UsageError when they name none or two, ArgosyError when the
    policy refuses it. Of an application in several variants it is the best for these CPUs (none: this machine's)."""
    if (options.reference is None) == (options.unsigned is None):
        raise UsageError(
            "name one application: REF, or --unsigned FILE",
            advice=f"usage and examples: {options.parser.prog} --help; an application's own arguments follow --",
        )
    if options.reference is not None:
        _refuse_file(options.reference)
        module = verified(options, options.reference, targets)
        name = module.description.name or "application"
        return ChosenModule(
            name=name,
            path=module.path,
            digest=module.digest,
            numerics=module.numerics,
            ceiling=module.ceiling,
            asks=module.description,
        )
    from argosy.build.inspect import read_file
    from argosy.model import wasm
    from argosy.model.ceiling import UNLIMITED
    from argosy.model.digest import Digest
    from argosy.model.note import recipe_note

    path: Path = options.unsigned
    data = read_file(path)
    note = recipe_note(wasm.read(data, source=str(path)))
    numerics = note.numerics if note else "fast"
    return ChosenModule(name=path.stem, path=path, digest=Digest.of(data), numerics=numerics, ceiling=UNLIMITED)


def _refuse_file(text: str) -> None:
    if text.endswith((".wasm", ".cwasm")) and Path(text).is_file():
        raise UsageError(
            f"{text} is a file, which nobody has signed",
            advice=f"sign it (argosy push {text} oci:layout:NAME), or run your own build with --unsigned {text}",
        )
