"""Slurm's own commands: asked what a job and a partition are, and told to end a job.

Its daemons are busy when a large job starts, so each is asked as little as can be, and never without a time limit.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from argosy import process
from argosy.errors import ArgosyError

_PATIENCE = 20.0  # seconds; a controller that takes longer is not there
# A prolog has no search path.
_USUAL_FOLDERS = ("/usr/bin", "/usr/local/bin", "/opt/slurm/bin", "/usr/local/slurm/bin", "/bin")
_LONGEST_REASON = 300
# States of a node that takes jobs; a suffix such as * says that it does not answer.
_TAKES_JOBS = ("IDLE", "MIXED", "ALLOCATED", "COMPLETING", "PLANNED")
_UNFIT = ("DOWN", "DRAIN", "NOT_RESPONDING", "FAIL", "POWERED_DOWN", "POWERING_DOWN", "MAINT", "RESERVED")
_STARTED = ("PENDING", "CONFIGURING", "RUNNING", "SUSPENDED")
# Since this version a prolog is told the comment ($SLURM_JOB_COMMENT); before, and only then, the controller is asked.
_TELLS_COMMENT = (22, 5)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Nodes that the administrator describes alike: architecture, features, and how cores are arranged.

    `nodes` are those that take jobs now, idle ones first; `unfit` those that do not.
    """

    architecture: str
    features: str
    cores: str
    nodes: tuple[str, ...]
    unfit: tuple[str, ...]


def program(name: str) -> Path:
    """One of Slurm's commands; raises ArgosyError where there is no Slurm."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *_USUAL_FOLDERS]))
    if found is None:
        raise ArgosyError(f"no {name} on PATH", advice="this is for a node of a cluster that runs Slurm")
    return Path(found)


def _ask(name: str, *words: str) -> str:
    done = process.run([program(name), *words], timeout_seconds=_PATIENCE)
    if done.status != 0:
        raise ArgosyError(f"{name} {' '.join(words)} failed: {done.output.strip()}")
    return done.output


def comment_of(job: str) -> str:
    """The job's comment, asked of the controller where this Slurm does not tell it; empty without one."""
    return "" if tells_comment() else _ask("squeue", "-h", "-j", job, "-o", "%k").strip()


def tells_comment() -> bool:
    """Whether this Slurm tells a prolog the job's comment. Raises ArgosyError where there is none."""
    found = re.search(r"(\d+)\.(\d+)", _ask("scontrol", "--version"))
    return found is not None and (int(found[1]), int(found[2])) >= _TELLS_COMMENT


def end_job(job: str, reason: str) -> None:
    """Cancel a job that must not start, with the reason as its AdminComment. Raises ArgosyError when it may start."""
    told = f"AdminComment={reason[:_LONGEST_REASON]}"
    commands = (("scontrol", "update", f"JobId={job}", told), ("scancel", job))
    # The comment is worth having, the end is what matters: another node may have brought it about already.
    results = [process.run([program(name), *words], timeout_seconds=_PATIENCE) for name, *words in commands]
    state = process.run([program("squeue"), "-h", "-j", job, "-o", "%T"], timeout_seconds=_PATIENCE)
    if state.status == 0 and any(word in state.output for word in _STARTED):
        said = "; ".join(filter(None, (result.output.strip() for result in results)))
        raise ArgosyError(f"job {job} could not be cancelled: {said or 'it runs on'}")
    if state.status != 0 and results[1].status != 0:
        raise ArgosyError(f"job {job} could not be cancelled: {results[1].output.strip()}")


def mpi_plugins() -> tuple[str, ...]:
    """What `srun --mpi=` can be here: pmi2, pmix and others."""
    text = _ask("srun", "--mpi=list")
    return tuple(dict.fromkeys(re.findall(r"[a-z][a-z0-9_]+", text.partition("...")[2])))


def partition_kinds(partition: str) -> tuple[Kind, ...]:
    """The kinds of nodes of a partition, by what its administrator says of them.

    That is asked of the controller at once and needs no node; what a node's CPU really has, the task on it finds out.
    Raises ArgosyError for a partition that is not there or has no nodes.
    """
    names = _ask("scontrol", "-o", "show", "partition", partition)
    nodes = re.search(r"\bNodes=(\S+)", names)
    if nodes is None or nodes[1] == "(null)":
        raise ArgosyError(f"partition {partition} has no nodes")
    return group(_ask("scontrol", "-o", "show", "node", nodes[1]).splitlines())


def group(lines: Sequence[str]) -> tuple[Kind, ...]:
    """Kinds from the lines of `scontrol -o show node`."""
    kinds: dict[tuple[str, str, str], list[tuple[bool, bool, str]]] = {}
    for line in filter(str.strip, lines):
        cores = ":".join(_field(line, name) for name in ("Sockets", "CoresPerSocket", "ThreadsPerCore"))
        state = _field(line, "State")
        takes = any(word in state for word in _TAKES_JOBS) and not any(word in state for word in _UNFIT)
        takes = takes and "*" not in state
        features = _field(line, "ActiveFeatures")
        key = (_field(line, "Arch"), "" if features == "(null)" else features, cores)
        kinds.setdefault(key, []).append((not takes, "IDLE" not in state, _field(line, "NodeName")))
    return tuple(
        Kind(
            architecture=architecture,
            features=features,
            cores=cores,
            nodes=tuple(name for unfit, _, name in sorted(nodes) if not unfit),
            unfit=tuple(name for unfit, _, name in sorted(nodes) if unfit),
        )
        for (architecture, features, cores), nodes in sorted(kinds.items())
    )


def _field(line: str, name: str) -> str:
    found = re.search(rf"(?:^|\s){name}=(\S+)", line)
    return found[1] if found else ""
