"""Starting a job's ranks inside a Slurm allocation: by srun, with the process manager that the MPI library speaks.

What runs on a rank is argosy-launch itself. Which native code a node takes is found out once per node, not per rank:
the first node says for itself, the others are asked by one short step; where all have the same, there is one file, else
the launcher is given all of them and takes the first that its CPU runs.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from argosy import process
from argosy.errors import ArgosyError, UsageError
from argosy.launcher.mpi_library import MpiLibrary
from argosy.site import hook_script, slurm_commands
from argosy.site.run import JOB_KEY, Start

MPIEXEC = "mpiexec"
_ASK_SECONDS = 600.0  # where no prolog has made a node ready, it compiles now
_SPECIAL_STEPS = 0xFFFFFF00  # and above: the batch script's, an interactive shell's (slurm.h)
_LABEL = re.compile(r"^ *(\d+): ?(.*)$")
# Prints the node's name before the answer: nodes of another architecture have a launcher of their own.
_NAME_FIRST = 'echo "$SLURMD_NODENAME"; exec "$@"'


@dataclass(frozen=True, kw_only=True)
class OnNode:
    """What a node of the allocation has: the launcher, and the native code that its CPU runs."""

    name: str
    launcher: Path
    code: Path


def require_allocation() -> int:
    """How many nodes this allocation has. Raises UsageError outside of one."""
    if "SLURM_JOB_ID" not in os.environ:
        raise UsageError(
            "this is no allocation of Slurm ($SLURM_JOB_ID is not set)",
            advice="argosy slurm submit writes a batch script; salloc gives an allocation; elsewhere: argosy run",
        )
    step = os.environ.get("SLURM_STEP_ID", "")
    if step.isdecimal() and int(step) < _SPECIAL_STEPS:
        raise UsageError(
            "srun has started this process already", advice="call it from the batch script or salloc's shell"
        )
    return int(os.environ.get("SLURM_JOB_NUM_NODES") or os.environ.get("SLURM_NNODES") or 1)


def process_manager(mpi: MpiLibrary, plugins: Sequence[str]) -> str:
    """What `srun --mpi=` is to be for this library, or `mpiexec` where srun cannot start its ranks.

    MPICH and what is made of it (Intel MPI, Cray MPICH, the MPI ABI's) speak PMI-2; Open MPI PMIx.
    """
    wanted = ("pmix",) if mpi.kind == "Open MPI" else ("cray_shasta", "pmi2") if mpi.kind == "Cray MPICH" else ("pmi2",)
    for name in wanted:
        if name in plugins:
            return name
    newest = sorted(plugin for plugin in plugins if plugin.startswith("pmix_v")) if "pmix" in wanted else []
    return newest[-1] if newest else MPIEXEC


def ask_nodes(count: int, command: Sequence[str]) -> tuple[OnNode, ...]:
    """What each of the allocation's nodes has, asked by a step that runs `command` (argosy precompile --json) once on
    each. Raises ArgosyError with what a node said instead."""
    shell = ["sh", "-c", _NAME_FIRST, "sh", *command]
    step = [f"--nodes={count}", f"--ntasks={count}", "--ntasks-per-node=1", "--mpi=none", "--overlap", "--label"]
    done = process.run([slurm_commands.program("srun"), *step, *shell], timeout_seconds=_ASK_SECONDS)
    if done.status != 0:
        raise ArgosyError(f"not every node of the job is ready for it:\n{done.output.strip()}")
    return parse_answers(done.output)


def parse_answers(text: str) -> tuple[OnNode, ...]:
    """The nodes' answers from the labelled lines of the step. Raises ArgosyError for what is none."""
    answers: dict[int, list[str]] = {}
    for line in text.splitlines():
        if found := _LABEL.match(line):
            answers.setdefault(int(found[1]), []).append(found[2])
    nodes = []
    for _, (name, *lines) in sorted(answers.items()):
        try:
            told = hook_script.answer("\n".join(lines))
            nodes.append(OnNode(name=name, launcher=Path(told["launcher"]), code=Path(told["path"])))
        except (ValueError, KeyError, TypeError) as error:
            raise ArgosyError(f"node {name} did not say what it has: {' '.join(lines)[:300]}") from error
    return tuple(nodes)


def srun_command(
    launch: Sequence[str], *, plugin: str, ranks: int | None, nodes: Sequence[OnNode], srun_options: Sequence[str] = ()
) -> list[str]:
    """The srun that starts the ranks; `launch` are the words of the launcher on this node, its own path first.

    Nodes whose launcher is another file (another architecture) get it by a shell, which becomes it.
    """
    command = [str(slurm_commands.program("srun")), f"--mpi={plugin}"]
    command += [] if ranks is None else [f"--ntasks={ranks}"]
    elsewhere: dict[Path, list[str]] = {}
    for node in nodes:
        if str(node.launcher) != launch[0]:
            elsewhere.setdefault(node.launcher, []).append(node.name)
    command += srun_options
    if not elsewhere:
        return [*command, *launch]
    cases = "".join(
        f'{"|".join(map(shlex.quote, names))}) exec {shlex.quote(str(path))} "$@";; '
        for path, names in elsewhere.items()
    )
    pick = f'case "$SLURMD_NODENAME" in {cases}*) exec {shlex.quote(launch[0])} "$@";; esac'
    return [*command, "sh", "-c", pick, "sh", *launch[1:]]


def start(command: Sequence[str], environment: Mapping[str, str]) -> Start:
    """The srun to become, in this environment."""
    return Start(command=tuple(command), environment={**environment, JOB_KEY: secrets.token_hex(16)})
