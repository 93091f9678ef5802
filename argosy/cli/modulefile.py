"""`argosy modulefile`: files for Lmod and Environment Modules."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from argosy.cli.artifacts import REFERENCE_HELP, add_trust_options, open_reference, usable_variants
from argosy.cli.commands import Commands, add_command
from argosy.cli.output import printable

if TYPE_CHECKING:
    from argosy.site.modulefile import Modulefile

_EPILOG = """\
examples:
  argosy modulefile -o /apps/modules/argosy/0.1.lua               Argosy itself, for Lmod
  argosy modulefile -o /apps/modules/hpcc/1.5.lua --depends argosy registry.site/hpc/hpcc:1.5
                                                                  an application
  argosy modulefile --form tcl -o /apps/modules/hpcc/1.5 REF      for Environment Modules; Lmod reads it too

  then: module load hpcc && argosy run -n 4 $HPCC_ARTIFACT        or: hpcc ARGUMENT…   for one process

The artifact is verified now, and the file names it by its digest: what users load does not change when the tag moves.
$ARGOSY_SITE_CACHE, $ARGOSY_POLICY and $ARGOSY_MPICC, where they are set now, are set by Argosy's own module."""


def add_modulefile(commands: Commands) -> None:
    """Add `modulefile` to the command line."""
    parser = add_command(
        commands, "modulefile", "write a file for Lmod or Environment Modules", epilog=_EPILOG, act=_modulefile
    )
    parser.add_argument("reference", nargs="?", metavar="REF", help=f"{REFERENCE_HELP}; without: Argosy itself")
    parser.add_argument("--form", choices=("lua", "tcl"), help="(default: tcl, but lua for a FILE of that ending)")
    parser.add_argument("--depends", action="append", default=[], metavar="MODULE", help="load that module too")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it here (default: print it)")
    add_trust_options(parser)


def _modulefile(options: argparse.Namespace) -> int:
    from argosy.files import write_whole
    from argosy.site.modulefile import FORMS

    is_lua = options.form == "lua" or (options.form is None and str(options.output).endswith(".lua"))
    made = _argosy(options) if options.reference is None else _application(options)
    text = made.text(FORMS[0] if is_lua else FORMS[1])
    if options.output is None:
        print(text, end="")
    else:
        write_whole(options.output, text.encode())
    return 0


def _argosy(options: argparse.Namespace) -> Modulefile:
    from argosy import __version__
    from argosy.site.modulefile import Modulefile

    chosen = ("ARGOSY_SITE_CACHE", "ARGOSY_POLICY", "ARGOSY_MPICC")
    return Modulefile(
        help="argosy runs signed WebAssembly under this site's MPI. First: argosy doctor; argosy run --help",
        about={
            "Name": "argosy",
            "Version": __version__,
            "Description": "runs signed WebAssembly under this site's MPI",
        },
        path=str(Path(sys.prefix, "bin")),
        variables={name: os.environ[name] for name in chosen if os.environ.get(name)},
        depends=tuple(options.depends),
    )


def _application(options: argparse.Namespace) -> Modulefile:
    from dataclasses import replace

    from argosy.model.artifact import Description
    from argosy.model.variant import all_variants
    from argosy.oci.pull import trusted
    from argosy.sign.trust import load_trust
    from argosy.site.modulefile import Modulefile, variable_name
    from argosy.site.slurm_job import absolute

    trust = load_trust(options.policy)
    absolute(options.reference)  # the file is read in any folder
    reference, registry = open_reference(options, options.reference)
    # Without a name each node takes the best for its own CPU.
    usable = all_variants if options.variant is None else usable_variants(options)
    checked = trusted(registry, reference, trust, repository=options.repository, usable=usable)
    said = Description.from_annotations(checked.manifest.annotations)
    name = printable(said.name or reference.repository.rpartition("/")[2])
    exact = replace(reference, tag=None).at(checked.stored.descriptor.digest)
    if options.variant is not None:
        exact = exact.at(checked.chosen.descriptor.digest)
        trusted(registry, exact, trust, repository=options.repository)  # by itself, not by the index that names it
    variable = variable_name(name)
    about = {"Name": name, "Version": said.version, "License": said.licence, "Description": said.summary}
    return Modulefile(
        help=f"{name}: argosy run -n RANKS ${variable} -- ARGUMENT...",
        about={key: printable(value) for key, value in about.items() if value},
        variables={variable: str(exact)},
        aliases={name: f"argosy run {exact} --"},
        depends=tuple(options.depends),
    )
