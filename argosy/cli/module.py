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
    help_text = f"{REFERENCE_HELP}; or a .wasm file with a signature inside"
    parser.add_argument("reference", nargs="?", metavar="REF", help=help_text)
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
        if options.reference.endswith((".wasm", ".cwasm")) and Path(options.reference).is_file():
            return _signed_file(options, Path(options.reference))
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


def _signed_file(options: argparse.Namespace, file: Path) -> ChosenModule:
    """A file that is accepted by the signatures inside it; what is run is a copy of the bytes that were verified."""
    from argosy.build.inspect import read_file
    from argosy.files import write_whole
    from argosy.folders import cache_root
    from argosy.model import wasm
    from argosy.model.ceiling import UNLIMITED
    from argosy.model.digest import Digest
    from argosy.model.note import recipe_note
    from argosy.sign import embedded
    from argosy.sign.trust import load_trust

    data = read_file(file)
    if file.suffix == ".cwasm" or not embedded.entries(data, source=str(file)):
        raise UsageError(
            f"{file} is a file, which nobody has signed",
            advice=f"sign it (argosy push {file} oci:layout:NAME), or run your own build with --unsigned {file}",
        )
    trust = load_trust(options.policy)
    verdict = embedded.verify_module(data, trust, source=str(file), repository=options.repository)
    if not verdict.accepted:
        from argosy.oci.pull import untrusted

        raise untrusted(verdict, file, trust)
    rule = trust.policy.rule_for(verdict.identity or "")
    note = recipe_note(wasm.read(data, source=str(file)))
    path = cache_root() / "modules" / verdict.digest.algorithm / f"{verdict.digest.hex}.wasm"
    write_whole(path, data)
    return ChosenModule(
        name=note.name if note else file.stem,
        path=path,
        digest=Digest.of(data),
        numerics=note.numerics if note else "fast",
        ceiling=rule.grants if rule else UNLIMITED,
    )
