"""`argosy slurm precompile`: native code for each kind of CPU of a partition."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from argosy.cli.artifacts import trust_words
from argosy.cli.commands import Commands, add_command, add_json
from argosy.cli.launcher import add_launcher_options
from argosy.cli.module import add_module_options
from argosy.cli.output import print_json, print_pairs, printable
from argosy.errors import UsageError

if TYPE_CHECKING:
    from argosy.site.slurm_fan_out import Compiled

_EPILOG = """\
examples:
  argosy slurm precompile --partition batch oci:/shared/layout:hpcc
  ARGOSY_CACHE=/shared/argosy argosy slurm precompile --partition batch --launcher REF
                                                 an administrator, for all: users read it by $ARGOSY_SITE_CACHE
  argosy slurm precompile --partition batch --srun=--account=k01 --json REF

One task per kind of node, not per node. Kinds are told apart by what `scontrol show node` says of architecture,
features and cores, so give nodes with other CPUs other features (slurm.conf: Feature=). Each task compiles for what its
node's CPU really has. The cache must be one that the nodes share; for caches of nodes of their own, the prolog is the
way. Nodes without a network take the artifact from a folder: argosy copy REF oci:/shared/layout.

exit status: 0 code for every kind is there, 1 for some it is not."""


def add_precompile(actions: Commands) -> None:
    """Add `slurm precompile` to the command line."""
    parser = add_command(
        actions, "precompile", "compile for each kind of CPU of a partition", epilog=_EPILOG, act=_precompile
    )
    parser.add_argument("--partition", required=True, metavar="NAME", help="the partition")
    add_launcher_options(parser)
    parser.add_argument("--minutes", type=int, default=10, metavar="N", help="each task's time limit (default: 10)")
    parser.add_argument("--srun", action="append", default=[], metavar="WORD", help="one more option of srun")
    add_module_options(parser)
    add_json(parser)


def task_words(options: argparse.Namespace) -> list[str]:
    """The command by which a node verifies, compiles and says what it has, for what these options name."""
    from argosy.site import hook_script

    words = [*hook_script.argosy_command(), "precompile", "--json"]
    words += [f"--mpi={options.mpi}"] if options.mpi else []
    words += trust_words(options)
    return [*words, f"--unsigned={options.unsigned.absolute()}" if options.unsigned else options.reference]


def _precompile(options: argparse.Namespace) -> int:
    from argosy.site.slurm_fan_out import precompile_partition

    if (options.reference is None) == (options.unsigned is None):
        raise UsageError("name one application: REF, or --unsigned FILE")
    if options.minutes < 1:
        raise UsageError(f"--minutes {options.minutes}: a task has at least one")
    words = task_words(options)
    words += ["--launcher"] if options.launcher else []
    done = precompile_partition(options.partition, words, minutes=options.minutes, srun_options=options.srun)
    if options.json:
        print_json({"partition": options.partition, "kinds": done})
    else:
        for one in done:
            _show(one)
    return 1 if any(one.problem for one in done) else 0


def _show(one: Compiled) -> None:
    kind = one.kind
    count = len(kind.nodes) + len(kind.unfit)
    print_pairs(
        [
            ("kind", f"{kind.architecture} [{kind.features or 'no features'}] {kind.cores}, {count} nodes"),
            (
                "native code",
                f"{one.path}, {'compiled now' if one.compiled else 'found'} on {one.node}" if one.path else "",
            ),
            ("none", printable(one.problem)),
        ]
    )
