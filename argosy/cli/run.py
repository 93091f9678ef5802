"""`argosy run`: a verified module made into native code, and started on its ranks."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from argosy.cli.commands import Commands, add_command
from argosy.cli.explain import explain
from argosy.cli.launcher import MPI_HELP, choose_mpi
from argosy.cli.module import add_module_options, chosen_module
from argosy.errors import UsageError

if TYPE_CHECKING:
    from argosy.site.run import Grants, Start

_RUN_EPILOG = """\
examples:
  argosy run -n 4 oci:layout:hpcc                       four ranks under this node's mpiexec
  argosy run -n 4 --dir . registry.site/hpc/hpcc:1.5    it may read and write this folder, as "."
  argosy run --read-only /data::/input --env OMP_NUM_THREADS=1 REF -- -v /input/mesh
                                                        folder and variable granted; arguments follow --
  srun -n 64 argosy run REF                             as ranks that Slurm starts: without -n
  argosy run -n 1 --spawn 7 REF                         it may start seven more of itself by MPI_Comm_spawn
  argosy run -n 2 --mpi mpicc.openmpi REF               under another MPI library of this node
  argosy run -n 4 --trace mpi=trace REF                 and say what it spends in MPI: files, summary and plot in trace/
  argosy run --explain --memory 2GiB --wall-time 1h REF what it would be granted, and what it asks for
  argosy run -n 2 --unsigned build/hello/hello.wasm     your own build, not verified

The application sees the folders and variables that it is granted, nothing else. Standard input, output, error, signals
and the exit status are its own: this command becomes mpiexec (or the launcher)."""


def add_run(commands: Commands) -> None:
    """Add `run` to the command line."""
    parser = add_command(commands, "run", "verify, compile and start an application", epilog=_RUN_EPILOG, act=_run)
    parser.set_defaults(takes_application=True)
    parser.add_argument("-n", "--ranks", type=int, metavar="N", help="start N ranks by mpiexec (default: one process)")
    add_grant_options(parser)
    parser.add_argument(
        "--mpiexec-option",
        action="append",
        default=[],
        metavar="WORD",
        help="a word for mpiexec, as in =--bind-to=core",
    )
    parser.add_argument(
        "--trace",
        metavar="mpi[=FOLDER]",
        help="write each rank's calls of MPI, with times and bytes, to FOLDER (default: argosy-trace)",
    )
    parser.add_argument(
        "--explain", action="store_true", help="say what it would be granted and asks for; start nothing"
    )
    parser.add_argument("--json", action="store_true", help="with --explain: print JSON, for scripts")
    parser.add_argument("--dry-run", action="store_true", help="print the command, do not start it")
    add_module_options(parser)


def add_grant_options(parser: argparse.ArgumentParser) -> None:
    """The options that say what the application may see, and which MPI library it runs under."""
    parser.add_argument("--dir", action="append", default=[], metavar="HOST[::GUEST]", help="grant a folder")
    parser.add_argument(
        "--read-only", action="append", default=[], metavar="HOST[::GUEST]", help="grant it to read only"
    )
    parser.add_argument("--env", action="append", default=[], metavar="NAME[=VALUE]", help="grant a variable")
    parser.add_argument(
        "--spawn", type=int, default=0, metavar="N", help="grant the job to start N more processes of the same module"
    )
    parser.add_argument("--memory", metavar="SIZE", help="most memory of each process, such as 2GiB (default: 4GiB)")
    parser.add_argument("--wall-time", metavar="TIME", help="end after so long, such as 1h30m, with status 124")
    parser.add_argument("--connect", action="store_true", help="grant connections to MPI processes of other jobs")
    parser.add_argument("--mpi", metavar="MPICC", help=f"the MPI library, {MPI_HELP}")


def _run(options: argparse.Namespace) -> int:
    from argosy.process import command_line
    from argosy.site.precompile import for_this_cpu
    from argosy.site.run import become, prepare

    choose_mpi(options)
    grants = chosen_grants(options)  # before anything is fetched: what was written wrongly is told at once
    trace = _trace_folder(options)
    module = chosen_module(options)
    grants = grants.within(module.ceiling)
    if options.explain:
        explain(module, grants, ranks=options.ranks, as_json=options.json)
        return 0
    entry = for_this_cpu(module.path, module.digest, module.numerics)
    if entry.refused:
        print(f"argosy: compiled since {entry.refused}", file=sys.stderr)
    start = prepare(
        entry,
        name=module.name,
        arguments=options.application,
        ranks=options.ranks,
        grants=grants,
        mpiexec_options=options.mpiexec_option,
        trace=trace,
    )
    if not options.dry_run:
        if trace is not None and options.ranks is not None:
            return _traced(start, trace)
        become(start)
    print(command_line(start.command))
    return 0


def _trace_folder(options: argparse.Namespace) -> Path | None:
    """The folder that `--trace` names, made and seen to be writable; of an earlier job nothing is left in it."""
    if options.trace is None:
        return None
    what, _, folder = options.trace.partition("=")
    if what != "mpi":
        raise UsageError(f"--trace {options.trace}: only MPI can be traced", advice="write --trace mpi or mpi=FOLDER")
    from argosy.site.trace import prepare_folder

    # Under srun each rank comes by here, and none may remove what another has written.
    return prepare_folder(Path(folder or "argosy-trace"), clean=options.ranks is not None and not options.dry_run)


def _traced(start: Start, folder: Path) -> int:
    from argosy.cli.trace import show
    from argosy.site.run import follow

    status = follow(start)
    show(folder)
    return status


def chosen_grants(options: argparse.Namespace) -> Grants:
    """What the options grant. Raises UsageError for a folder that is not there or a variable that is not set."""
    from argosy.model.quantity import parse_duration, parse_size
    from argosy.site.run import GrantedFolder, Grants, parse_variable

    return Grants(
        folders=tuple(
            GrantedFolder.parse(text, writable=writable)
            for texts, writable in ((options.dir, True), (options.read_only, False))
            for text in texts
        ),
        environment=dict(map(parse_variable, options.env)),
        spawn=options.spawn,
        connect=options.connect,
        memory=None if options.memory is None else parse_size(options.memory),
        seconds=None if options.wall_time is None else parse_duration(options.wall_time),
    )
