"""Native code for every kind of CPU of a partition: one task per kind, not per node.

What counts as a kind is what the administrator says of the nodes (architecture, features, arrangement of cores), asked
of the controller in one call: to ask every node itself would need each of them free. The task on one node of a kind
compiles for what that node's CPU really has. Where a kind holds different CPUs after all, nothing wrong is ever loaded:
the others compile when they are first used.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from argosy import process
from argosy.errors import ArgosyError
from argosy.site import hook_script, slurm_commands
from argosy.site.slurm_commands import Kind

_AT_ONCE = 16
_GRACE = 60.0  # seconds beyond the task's own limit, for a node to start it


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """What one kind's task gave: where it ran, the native code, for how many features; or why there is none."""

    kind: Kind
    node: str
    path: str = ""
    features: tuple[str, ...] = ()
    compiled: bool = False
    problem: str = ""


def precompile_partition(
    partition: str, command: Sequence[str], *, minutes: int, srun_options: Sequence[str] = ()
) -> tuple[Compiled, ...]:
    """Run `command` (argosy precompile --json) on one node of each kind of the partition, all at once.

    `minutes` is each task's limit, and how long one waits for its node. Raises ArgosyError where there is no such
    partition; what goes wrong on a node is in its result.
    """
    kinds = slurm_commands.partition_kinds(partition)

    def one(kind: Kind) -> Compiled:
        if not kind.nodes:
            return Compiled(kind=kind, node="", problem=f"no node of it takes jobs: {', '.join(kind.unfit)}")
        return _on_node(kind, partition, command, minutes, srun_options)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return tuple(pool.map(one, kinds))


def _on_node(kind: Kind, partition: str, command: Sequence[str], minutes: int, srun_options: Sequence[str]) -> Compiled:
    node = kind.nodes[0]
    place = [f"--partition={partition}", f"--nodelist={node}", "--nodes=1", "--ntasks=1"]
    limits = [f"--time={minutes}", "--mpi=none", "--job-name=argosy-precompile", "--quiet"]
    try:
        srun: list[str | Path] = [slurm_commands.program("srun"), *place, *limits, *srun_options]
        done = process.run([*srun, *command], timeout_seconds=2 * 60.0 * minutes + _GRACE)
        if done.status != 0:
            raise ArgosyError(hook_script.failure(done))
        told = hook_script.answer(done.output)
        return Compiled(
            kind=kind,
            node=node,
            path=str(told["path"]),
            features=tuple(told["target"]["features"]),
            compiled=bool(told["compiled"]),
        )
    except (ArgosyError, ValueError, KeyError, TypeError) as error:
        what = error.what if isinstance(error, ArgosyError) else f"cannot read what it printed: {error}"
        return Compiled(kind=kind, node=node, problem=what)
