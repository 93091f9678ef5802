"""`argosy slurm submit` and `argosy slurm run`: a batch script, and what it does inside its allocation."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from argosy.cli.artifacts import trust_words
from argosy.cli.commands import Commands, add_command, add_json
from argosy.cli.launcher import choose_mpi
from argosy.cli.module import add_module_options, chosen_module
from argosy.cli.output import print_json, print_pairs
from argosy.cli.run import add_grant_options, chosen_grants
from argosy.cli.slurm_precompile import task_words
from argosy.errors import UsageError

if TYPE_CHECKING:
    from argosy.model.reference import Reference

_SUBMIT_EPILOG = """\
examples:
  argosy slurm submit -n 64 --nodes 4 --time 30 registry.site/hpc/hpcc:1.5      prints the script
  argosy slurm submit -n 64 -o hpcc.sbatch --dir . REF -- input.dat             into a file; arguments follow --
  argosy slurm submit -n 64 --submit REF                                        hands it to sbatch
  argosy slurm submit -n 64 --sbatch=--exclusive --sbatch=--account=k01 --module mpich --submit REF

The job's comment names the artifact, for the prolog of the site (`argosy slurm prolog`), which makes its nodes ready;
without one, the job does so itself when it starts. A site whose nodes have no network prefetches on one that has:
  argosy copy registry.site/hpc/hpcc:1.5 oci:/shared/layout && argosy slurm submit -n 64 oci:/shared/layout:1.5"""
_RUN_EPILOG = """\
inside an allocation (a batch script, or salloc's shell):
  argosy slurm run REF                    as many ranks as the job has tasks, by srun
  argosy slurm run -n 8 REF -- input.dat  eight of them; arguments follow --
  argosy slurm run --by mpiexec -n 8 REF  by the MPI library's own mpiexec
  argosy slurm run --dry-run REF          print the command

srun speaks to the ranks as their MPI library does: PMI-2 for MPICH and its kin, PMIx for Open MPI, where `srun
--mpi=list` has it; else mpiexec starts them. --by names another of srun's plug-ins. Intel MPI wants
$I_MPI_PMI_LIBRARY to name Slurm's libpmi2.so besides.
Each rank is argosy-launch itself; Python ends before they start. Each node is asked once for the native code that its
CPU runs (--alike: they have all what this one has, and none is asked)."""


def add_submit(actions: Commands) -> None:
    """Add `slurm submit` to the command line."""
    parser = add_command(
        actions, "submit", "write a batch script for sbatch, or submit it", epilog=_SUBMIT_EPILOG, act=_submit
    )
    parser.add_argument("-N", "--nodes", type=int, metavar="N", help="nodes")
    parser.add_argument("--time", metavar="LIMIT", help="as sbatch takes it: minutes, or hours:minutes:seconds")
    parser.add_argument("--partition", metavar="NAME", help="the partition")
    parser.add_argument("--job-name", metavar="NAME", help="(default: the artifact's)")
    parser.add_argument("--comment", default="", metavar="TEXT", help="besides the word for the prolog")
    parser.add_argument("--sbatch", action="append", default=[], metavar="WORD", help="one more option of sbatch")
    parser.add_argument("--module", action="append", default=[], metavar="NAME", help="a module to load in the job")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the script here (default: print it)")
    parser.add_argument("--submit", action="store_true", help="hand the script to sbatch")
    _add_start_options(parser)
    add_json(parser)


def add_run(actions: Commands) -> None:
    """Add `slurm run` to the command line."""
    parser = add_command(
        actions, "run", "start an application's ranks in this allocation", epilog=_RUN_EPILOG, act=_run
    )
    parser.add_argument("--dry-run", action="store_true", help="print the command, do not start it")
    _add_start_options(parser)


def _add_start_options(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(takes_application=True)
    parser.add_argument("-n", "--ranks", type=int, metavar="N", help="ranks (default: the job's tasks)")
    parser.add_argument(
        "--by", metavar="WHAT", help="a plug-in of srun --mpi, or mpiexec (default: as the library has it)"
    )
    parser.add_argument("--alike", action="store_true", help="all nodes have the CPU and the caches of the first")
    parser.add_argument(
        "--srun", action="append", default=[], metavar="WORD", help="one more option of srun, as in =--exact"
    )
    add_grant_options(parser)
    add_module_options(parser)


def _submit(options: argparse.Namespace) -> int:
    from dataclasses import replace

    from argosy.model.reference import Reference
    from argosy.site import hook_script, slurm_job
    from argosy.site.slurm_script import Batch, rank_options

    if options.reference is None:
        raise UsageError("name the artifact: REF", advice="an unsigned file is run by `argosy slurm run --unsigned`")
    reference = Reference.parse(options.reference)
    if reference.archive:
        raise UsageError(
            f"{reference} is an archive", advice="argosy copy it into a folder, oci:FOLDER, that nodes reach"
        )
    if reference.layout is not None:
        reference = replace(reference, repository=str(reference.layout.absolute()))
        if Reference.parse(str(reference)) != reference:
            raise UsageError(f"a reference cannot name {reference.repository}", advice="use a path without colons")
    chosen_grants(options)  # what was written wrongly is told now, not when the job starts
    given = (
        ("job-name", options.job_name or _name(reference)),
        ("partition", options.partition),
        ("time", options.time),
    )
    comment = f"{options.comment} {slurm_job.comment_word(reference)}".strip()
    batch = Batch(
        options=(
            *((name, value) for name, value in given if value),
            *rank_options(ranks=options.ranks, nodes=options.nodes),
            ("comment", comment),
        ),
        words=tuple(options.sbatch),
        modules=tuple(options.module),
        variables=tuple(hook_script.settings().items()),
        command=(*hook_script.argosy_command(), "slurm", "run", *_words(options), str(reference), *_tail(options)),
    )
    text = batch.text()
    if options.output is not None:
        from argosy.files import write_whole

        write_whole(options.output, text.encode(), mode=0o755)
    elif not options.submit and not options.json:
        print(text, end="")
    job = _hand_over(text) if options.submit else ""
    if options.json:
        print_json({"script": text, "file": options.output, "job": job or None})
    elif options.output is not None or job:
        print_pairs([("script", str(options.output or "")), ("job", job)])
    return 0


def _name(reference: Reference) -> str:
    text = str(reference).rpartition("/")[2].partition("@")[0]
    return text.replace(":", "-")[:60] or "argosy"


def _words(options: argparse.Namespace) -> list[str]:
    """The options that `slurm run` takes over, as they were written."""
    words: list[str] = []
    lists = {"--dir": options.dir, "--read-only": options.read_only, "--env": options.env, "--srun": options.srun}
    for name, values in lists.items():
        words += [f"{name}={value}" for value in values]
    single = {
        "--by": options.by,
        "--mpi": options.mpi,
        "--memory": options.memory,
        "--wall-time": options.wall_time,
    }
    words += [f"{name}={value}" for name, value in single.items() if value]
    words += [f"--spawn={options.spawn}"] if options.spawn else []
    flags = {"--connect": options.connect, "--alike": options.alike}
    return [*words, *(name for name, given in flags.items() if given), *trust_words(options)]


def _tail(options: argparse.Namespace) -> list[str]:
    return ["--", *options.application] if options.application else []


def _hand_over(text: str) -> str:
    """The number of the job that sbatch made of the script."""
    from argosy import process
    from argosy.site import slurm_commands

    output = process.check(
        [slurm_commands.program("sbatch"), "--parsable"], purpose="submitting the job", input=text.encode()
    )
    return output.strip().splitlines()[-1].partition(";")[0]


def _run(options: argparse.Namespace) -> int:
    from argosy.launcher import mpi_library
    from argosy.process import command_line
    from argosy.site import slurm_commands, slurm_launch
    from argosy.site.precompile import for_this_cpu
    from argosy.site.run import become, prepare

    nodes = slurm_launch.require_allocation()
    choose_mpi(options)
    module = chosen_module(options)
    grants = chosen_grants(options).within(module.ceiling)
    entry = for_this_cpu(module.path, module.digest, module.numerics)
    if entry.refused:
        print(f"argosy: compiled since {entry.refused}", file=sys.stderr)
    alike = options.alike or nodes == 1
    question = [*task_words(options), "--if-needed", "--launcher"]
    there = () if alike else slurm_launch.ask_nodes(nodes, question)
    others = tuple(dict.fromkeys(node.code for node in there if node.code != entry.path))
    plugin = "none"
    if entry.uses_mpi:
        plugin = options.by or slurm_launch.process_manager(mpi_library.find(), slurm_commands.mpi_plugins())
    by_mpiexec = plugin == slurm_launch.MPIEXEC
    ranks: int | None = options.ranks
    if not entry.uses_mpi:
        ranks = _only_one(ranks, module.name)
    elif by_mpiexec:
        ranks = ranks or int(os.environ.get("SLURM_NTASKS") or 1)
    start = prepare(
        entry,
        name=module.name,
        arguments=options.application,
        ranks=ranks if by_mpiexec else None,
        grants=grants,
        others=others,
    )
    if not by_mpiexec:
        srun_options = [*options.srun, *(() if entry.uses_mpi else ("--nodes=1",))]
        command = slurm_launch.srun_command(
            start.command, plugin=plugin, ranks=ranks, nodes=there, srun_options=srun_options
        )
        start = slurm_launch.start(command, start.environment)
    if not options.dry_run:
        become(start)
    print(command_line(start.command))
    return 0


def _only_one(ranks: int | None, name: str) -> int:
    if ranks is not None and ranks != 1:
        raise UsageError(f"{name} does not use MPI: {ranks} ranks would be {ranks} copies", advice="leave out -n")
    return 1
