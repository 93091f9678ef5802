"""`argosy cache`: what native code there is, whether it is whole, making room, and carrying it to other machines."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from argosy.cli.commands import Commands, add_command, add_json
from argosy.cli.keys import add_key_option, chosen_key
from argosy.cli.output import print_json, print_pairs, printable, size
from argosy.errors import UsageError

if TYPE_CHECKING:
    from argosy.model.target import Target
    from argosy.site.cache_contents import Stored

_EPILOG = """\
examples:
  argosy cache ls                               native code, for which CPUs, when it was last used
  argosy cache verify                           read all of it, and say what would not be loaded, and why
  argosy cache gc --limit 2GiB                  remove what is broken, then what was not used for longest
  argosy cache export nodes.tar                 all of it in one file, signed by your key
  argosy cache import --trusted-key admin.pub nodes.tar
                                                on another machine; whose key it must be signed by you say each time

$ARGOSY_CACHE_LIMIT (such as 20GiB) makes room by itself after each compilation. Code that a process runs, and code that
was used in the last ten minutes, is never removed. $ARGOSY_SITE_CACHE (else /var/cache/argosy) is read after your own:
an administrator fills it with ARGOSY_CACHE=/var/cache/argosy argosy precompile REF."""


def add_cache(commands: Commands) -> None:
    """Add `cache` to the command line."""
    parser = add_command(commands, "cache", "look after the native code that was compiled here", epilog=_EPILOG)
    actions: Commands = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    listing = add_command(actions, "ls", "list the native code", epilog=_EPILOG, act=_list)
    check = add_command(actions, "verify", "check every entry, byte by byte", epilog=_EPILOG, act=_verify)
    for action in (listing, check):
        action.add_argument("--site", action="store_true", help="the site's cache instead of your own")
        add_json(action)
    clean = add_command(actions, "gc", "remove what is broken or was not used for longest", epilog=_EPILOG, act=_clean)
    clean.add_argument("--limit", metavar="SIZE", help="how much may stay (default: $ARGOSY_CACHE_LIMIT, else all)")
    clean.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    add_json(clean)
    export = add_command(actions, "export", "write native code to one signed file", epilog=_EPILOG, act=_export)
    export.add_argument("file", type=Path, metavar="FILE", help="the tar file to write")
    export.add_argument("--module", action="append", default=[], metavar="DIGEST", help="only this module's")
    add_key_option(export)
    add_json(export)
    importing = add_command(actions, "import", "take native code from a signed file", epilog=_EPILOG, act=_import)
    importing.add_argument("file", type=Path, metavar="FILE", help="what `argosy cache export` wrote")
    importing.add_argument(
        "--trusted-key", type=Path, required=True, metavar="PUBLIC", help="whose signature it must bear"
    )
    add_json(importing)


def _root(options: argparse.Namespace) -> Path:
    from argosy.site import aot_folder

    root = aot_folder.site() if options.site else aot_folder.own()
    if root is None:
        raise UsageError(
            "there is no site cache here", advice="$ARGOSY_SITE_CACHE names it; else it is /var/cache/argosy"
        )
    return root


def _list(options: argparse.Namespace) -> int:
    from argosy.site import cpu
    from argosy.site.cache_contents import contents, total
    from argosy.site.precompile import why_not

    root = _root(options)
    found = contents(root)
    host = cpu.host()
    reasons = [one.problem or (why_not(host, one.note.target) if one.note else "") for one in found]
    if options.json:
        rows = [{**_row(one), "why_not": reason} for one, reason in zip(found, reasons, strict=True)]
        print_json({"cache": root, "bytes": total(found), "entries": rows})
        return 0
    print(f"{root}: {len(found)} entries, {size(total(found))}")
    names = _names()
    for one, reason in zip(found, reasons, strict=True):
        about = f"{size(one.size):>9}  {_when(one.used)}  {_target(one, names)}"
        print(f"  {one.place.name[:12]} {one.name[:8]}  {about}  {printable(reason) or 'runs here'}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    from argosy.site.cache_contents import contents

    root = _root(options)
    found = contents(root, thorough=True)
    wrong = [one for one in found if one.problem]
    if options.json:
        print_json({"cache": root, "entries": [_row(one) for one in found], "refused": len(wrong)})
    else:
        for one in wrong:
            print(f"  refused: {one.code}: {printable(one.problem)}")
        print(f"{root}: {len(found)} entries, {len(wrong)} of them would not be loaded")
    return 1 if wrong else 0


def _clean(options: argparse.Namespace) -> int:
    from argosy.model.quantity import parse_size
    from argosy.site import aot_folder
    from argosy.site.cache_limit import clean, configured

    limit = configured() if options.limit is None else parse_size(options.limit)
    root = aot_folder.own()
    done = clean(root, limit=limit, dry_run=options.dry_run)
    if options.json:
        print_json(
            {
                "cache": root,
                "dry_run": options.dry_run,
                "removed": [{**_row(one), "reason": reason} for one, reason in done.removed],
                "leftovers": done.leftovers,
                "in_use": [_row(one) for one in done.in_use],
                "bytes_left": done.left,
            }
        )
        return 0
    did = "would remove" if options.dry_run else "removed"
    for one, reason in done.removed:
        print(f"  {did} {one.place.name[:12]} {one.name[:8]}, {size(one.size)}: {printable(reason)}")
    for path in done.leftovers:
        print(f"  {did} {path.name}, which a process left")
    if limit is not None and done.left > limit:
        print(f"  kept {len(done.in_use)} that are in use, or were in the last minutes")
    print(f"{root}: {size(done.left)} left")
    return 0


def _export(options: argparse.Namespace) -> int:
    from argosy.site import aot_folder
    from argosy.site.cache_contents import contents
    from argosy.site.cache_transfer import export

    wanted = [text.removeprefix("sha256:") for text in options.module]
    found = [one for one in contents(aot_folder.own()) if not wanted or one.place.name in wanted]
    absent = set(wanted) - {one.place.name for one in found}
    if absent:
        raise UsageError(f"the cache has no code of {', '.join(sorted(absent))}", advice="`argosy cache ls --json`")
    key = chosen_key(options)
    count = export(found, options.file, key)
    if options.json:
        print_json({"file": options.file, "entries": count, "signed_by": key.public.fingerprint})
    else:
        print_pairs([("exported", f"{count} entries to {options.file}"), ("signed by", str(key.public.fingerprint))])
    return 0


def _import(options: argparse.Namespace) -> int:
    from argosy.sign.keys import load_public
    from argosy.site.cache_transfer import import_from

    entries = import_from(options.file, load_public(options.trusted_key))
    new = [entry for entry in entries if entry.compiled]
    if options.json:
        print_json({"entries": [entry.path for entry in entries], "new": [entry.path for entry in new]})
    else:
        print(f"imported {len(new)} entries; {len(entries) - len(new)} were here already")
    return 0


def _row(one: Stored) -> dict[str, object]:
    note = one.note
    return {
        "path": one.code,
        "module": one.place.name,
        "bytes": one.size,
        "used": one.used,
        "problem": one.problem,
        "triple": note.triple if note else None,
        "features": note.features if note else None,
        "numerics": note.numerics if note else None,
        "bounds": note.bounds if note else None,
        "wasmtime": note.wasmtime if note else None,
    }


def _names() -> dict[Target, str]:
    """What targets are called: this CPU, or the profiles that are the same."""
    from argosy.site import cpu
    from argosy.site.profiles import all_profiles

    names: dict[Target, str] = {}
    for profile in all_profiles():
        names[profile.target] = "/".join(filter(None, (names.get(profile.target), profile.name)))
    return {**names, cpu.host(): "this CPU"}


def _target(one: Stored, names: dict[Target, str]) -> str:
    if one.note is None:
        return "?"
    target = one.note.target
    text = names.get(target, f"{printable(target.architecture)} with {len(target.features)} features")
    checked = ", bounds checked" if one.note.bounds == "check" else ""
    return f"{text}, {printable(one.note.numerics)}{checked}, wasmtime {printable(one.note.wasmtime)}"


def _when(used: float) -> str:
    import time

    return time.strftime("%Y-%m-%d %H:%M", time.localtime(used))
