"""`argosy list`: what a repository, a layout folder or this user's cache holds."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from argosy.cli.artifacts import REFERENCE_HELP, add_registry_options, open_reference
from argosy.cli.commands import Commands, add_command, add_json
from argosy.cli.output import print_json, print_pairs, printable, size
from argosy.errors import ArgosyError, UsageError

if TYPE_CHECKING:
    from argosy.model.note import RecipeNote
    from argosy.oci.registry import Registry

_EPILOG = """\
examples:
  argosy list registry.site:5000/hpc/hpcc      a repository's tags and what they name
  argosy list oci:layout                       an image-layout folder's
  argosy list                                  what this user's cache holds: modules and native code
  argosy list --json oci:layout | jq -r '.tags[].tag'"""


def add_list(commands: Commands) -> None:
    """Add `list` to the command line."""
    parser = add_command(commands, "list", "list a repository's tags, or the cache", epilog=_EPILOG, act=_list)
    parser.add_argument("reference", nargs="?", metavar="PLACE", help=f"{REFERENCE_HELP}; left out: the cache")
    add_registry_options(parser)
    add_json(parser)


def _list(options: argparse.Namespace) -> int:
    return _list_cache(options.json) if options.reference is None else _list_tags(options)


def _list_tags(options: argparse.Namespace) -> int:
    from argosy.sign.cosign import is_companion_tag

    reference, registry = open_reference(options, options.reference)
    if reference.tag is not None or reference.digest is not None:
        raise UsageError(f"{reference} names one artifact; its place is listed", advice=f"argosy list {reference.name}")
    everything = registry.tags()
    rows = [_row_of(registry, tag, everything) for tag in everything if not is_companion_tag(tag)]
    if options.json:
        print_json({"place": reference.name, "tags": rows})
    elif not rows:
        print(f"{reference.name} has no tags")
    else:
        print_pairs((str(row["tag"]), _row_text(row)) for row in rows)
    return 0


def _row_of(registry: Registry, tag: str, everything: Sequence[str]) -> dict[str, Any]:
    from argosy.model.manifest import INDEX, Index
    from argosy.model.variant import members
    from argosy.oci.signatures import has_bundle
    from argosy.sign.cosign import signature_tag

    found = registry.resolve(tag)
    signed = signature_tag(found.digest) in everything or has_bundle(registry, found.digest)
    row = {"tag": tag, "digest": found.digest, "signed": signed}
    if found.media_type == INDEX:
        with contextlib.suppress(ArgosyError):  # what is wrong with it is told to whoever wants to use it
            index = Index.parse(registry.manifest(found.digest).data)
            row["variants"] = {name: entry.digest for name, entry in members(index, tag).items()}
    return row


def _row_text(row: dict[str, Any]) -> str:
    lines = [f"{row['digest']}  {'signed' if row['signed'] else 'not signed'}"]
    lines += [f"  {digest}  {printable(name)}" for name, digest in row.get("variants", {}).items()]
    return "\n".join(lines)


def _list_cache(as_json: bool) -> int:
    from argosy.folders import cache_root

    root = cache_root()
    modules = [(path, _note(path)) for path in sorted((root / "modules").rglob("*.wasm"))]
    native = sorted((root / "aot").rglob("*.cwasm"))
    if as_json:
        listed = [{"path": path, "bytes": path.stat().st_size, "recipe": note} for path, note in modules]
        code = [{"path": path, "bytes": path.stat().st_size, "module": path.parent.name} for path in native]
        print_json({"cache": root, "modules": listed, "native": code})
        return 0
    names = {path.stem: f"{note.name} {note.version}, {note.numerics}" for path, note in modules if note}
    print(f"cache {root}\n\nverified modules: {len(modules)}")
    print_pairs([_row(path, path.stem, names) for path, _ in modules], indent="  ")
    print(f"\nnative code: {len(native)}")
    print_pairs([_row(path, path.parent.name, names) for path in native], indent="  ")
    return 0


def _row(path: Path, module: str, names: dict[str, str]) -> tuple[str, str]:
    """The module's digest, shortened, and the size and name of what is kept of it."""
    return module[:12], f"{size(path.stat().st_size):>9}  {printable(names.get(module, 'no recipe known'))}"


def _note(path: Path) -> RecipeNote | None:
    from argosy.model.note import recipe_note
    from argosy.model.wasm import read

    try:
        return recipe_note(read(path.read_bytes(), source=str(path)))
    except (ArgosyError, OSError):
        return None  # the list says what is there; `argosy inspect` says what is wrong with it
