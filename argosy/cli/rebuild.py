"""`argosy rebuild`: whether a published artifact is what its sources make."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from argosy.cli.artifacts import REFERENCE_HELP, add_trust_options, open_reference, usable_variants
from argosy.cli.commands import Commands, add_command, add_json
from argosy.cli.output import print_json, print_pairs, printable
from argosy.errors import UsageError

_EPILOG = """\
examples:
  argosy rebuild registry.site:5000/hpc/hpcc:1.5       build it again and compare; exit status 1 where it differs
  argosy rebuild --keep again oci:layout:hpcc          and keep what was built, to be looked into
  argosy rebuild --json registry.site:5000/hpc/hpcc:1.5 | jq .agrees

The artifact must be one that the policy accepts, with a provenance that a key which may sign it signed. The provenance
names all that it was built from: its recipes, which lie beside it in the registry, the digests of the sources, and the
toolchain by its digest. That all is fetched, built here, and the module compared with the published one. As any build
does, this runs what the sources bring: do it where you would build them."""


def add_rebuild(commands: Commands) -> None:
    """Add `rebuild` to the command line."""
    parser = add_command(
        commands, "rebuild", "build a published artifact again, and compare", epilog=_EPILOG, act=_rebuild
    )
    parser.add_argument("reference", metavar="REF", help=REFERENCE_HELP)
    parser.add_argument("-j", "--jobs", type=int, default=1, help="how many jobs run at once")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="build in this new folder, and keep it")
    add_trust_options(parser)
    add_json(parser)


def _rebuild(options: argparse.Namespace) -> int:
    from argosy.pipeline.rebuild import plan, rebuild
    from argosy.sign.trust import load_trust

    if options.jobs < 1:
        raise UsageError(f"--jobs {options.jobs}: at least one job is needed")
    trust = load_trust(options.policy)
    reference, registry = open_reference(options, options.reference)
    planned = plan(registry, reference, trust, repository=options.repository, usable=usable_variants(options))
    with _folder(options.keep) as folder:
        done = rebuild(registry, planned, folder, jobs=options.jobs, note=_say)
    made = planned.provenance
    if options.json:
        print_json(
            {
                "reference": planned.reference,
                "agrees": done.agrees,
                "published": planned.published,
                "rebuilt": done.rebuilt,
                "recipe": made.lock.recipe,
                "version": made.lock.version,
                "program": made.program,
                "builder": made.builder,
                "signers": planned.signers,
                "differences": done.differences,
                "file": done.file if options.keep else None,
            }
        )
        return 0 if done.agrees else 1
    print_pairs(
        [
            ("artifact", str(planned.reference)),
            ("recipe", f"{made.lock.recipe} {made.lock.version}, program {made.program}"),
            ("built by", f"{printable(made.builder)}, says {', '.join(planned.signers)}"),
            ("published", str(planned.published)),
            ("rebuilt", str(done.rebuilt)),
            ("differences", "\n".join(map(printable, done.differences))),
            ("", "") if options.keep is None else ("file", str(done.file)),
        ]
    )
    print("the binary is the source: both agree" if done.agrees else "THE BINARY IS NOT WHAT THE SOURCE MAKES HERE")
    return 0 if done.agrees else 1


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    from argosy.files import scratch_folder
    from argosy.folders import cache_root

    if kept is not None:
        if os.path.lexists(kept):
            raise UsageError(f"{kept} is there already", advice="name a new folder: nothing is to be overwritten")
        yield kept.absolute()
        return
    with scratch_folder(cache_root() / "rebuilds") as folder:
        yield folder
