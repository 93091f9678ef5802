"""Starting a program: the launcher alone, or a job of ranks under the MPI library's own mpiexec.

This process becomes (exec) the launcher, or `argosy-job` which starts mpiexec and ends with it, so stdin, stdout,
stderr, the exit status and every signal are theirs, and no Python stands by while the ranks run. Before that,
`argosy-launch --check` has found every import.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

from argosy import process
from argosy.errors import ArgosyError, UsageError
from argosy.launcher import build, mpi_library
from argosy.launcher.mpi_library import MpiLibrary
from argosy.model.ceiling import Ceiling, Request
from argosy.site.aot_cache import Entry

# Set by process managers in each rank that they start: MPICH and Slurm's PMI-2, PMIx, Open MPI's.
_RANK_VARIABLES = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK")
# What the ranks of a job sign the names of their ports with (argosy/launcher/src/mpi_ports.c): 16 bytes in hex.
JOB_KEY = "ARGOSY_JOB_KEY"
MOST_SPAWNED = 1_000_000  # the launcher's own limit
_ALLOCATION_VARIABLES = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID")


@dataclass(frozen=True, kw_only=True)
class GrantedFolder:
    """A folder of the node that the program sees under the name `guest`."""

    host: Path
    guest: str
    writable: bool = True

    @classmethod
    def parse(cls, text: str, *, writable: bool = True) -> GrantedFolder:
        """`HOST` or `HOST::GUEST`; raises UsageError when either is empty or the folder is not there."""
        host, separator, guest = text.partition("::")
        if not host or (separator and not guest):
            raise UsageError(f"not a folder to grant: {text!r}", advice="write --dir HOST or --dir HOST::GUEST")
        if not Path(host).is_dir():
            raise UsageError(f"cannot grant {host}: it is not a folder here", advice="make it first, or name another")
        return cls(host=Path(host).absolute(), guest=guest or host, writable=writable)


@dataclass(frozen=True, kw_only=True)
class Grants:
    """What the program may see beyond its own memory; nothing by default."""

    folders: tuple[GrantedFolder, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    spawn: int = 0
    """How many processes of the program its job may start by MPI_Comm_spawn."""
    connect: bool = False
    """Whether its job may connect to MPI processes of other jobs."""
    memory: int | None = None
    """Bytes that each process's memory may have; None: as many as the module says, at most 4 GiB."""
    seconds: int | None = None
    """How long each process may run."""

    def within(self, ceiling: Ceiling) -> Grants:
        """The same with the ceiling's limits where this has none. Raises ArgosyError naming all that is more."""
        asked = Request(
            memory=self.memory,
            seconds=self.seconds,
            folders={str(folder.host.resolve()): folder.writable for folder in self.folders},
            environment=tuple(self.environment),
            spawn=self.spawn,
            connect=self.connect,
        )
        refusals = ceiling.refusals(asked)
        if refusals:
            raise ArgosyError(
                f"the policy does not let this run be granted {'; '.join(refusals)}",
                advice="ask for less, or whoever keeps the policy for more; `argosy keys show` says which it is",
            )
        return replace(self, memory=self.memory or ceiling.memory, seconds=self.seconds or ceiling.seconds)


@dataclass(frozen=True, kw_only=True)
class Start:
    """A command to become: its words and its environment."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


def parse_variable(text: str) -> tuple[str, str]:
    """`NAME=VALUE`, or `NAME` for this process's value; raises UsageError for another form or an unset variable."""
    name, separator, value = text.partition("=")
    if not name:
        raise UsageError(f"not a variable to grant: {text!r}", advice="write --env NAME=VALUE or --env NAME")
    if separator:
        return name, value
    if name not in os.environ:
        raise UsageError(f"--env {name}: it is not set here", advice=f"write --env {name}=VALUE")
    return name, os.environ[name]


def prepare(
    entry: Entry,
    *,
    name: str,
    arguments: Sequence[str] = (),
    ranks: int | None = None,
    grants: Grants | None = None,
    mpiexec_options: Sequence[str] = (),
    trace: Path | None = None,
    others: Sequence[Path] = (),
) -> Start:
    """How to start the program: `name` is what it sees as its own, `ranks` None starts this one process.

    `others` are files of the same module's native code that nodes with other CPUs take.

    Under mpiexec or srun, which have made this process a rank already, `ranks` is left None. `trace` is the folder (see
    site.trace) that each rank writes what it called of MPI to. The launcher is built when
    needed and asked whether this node has all that the module imports. Raises ArgosyError naming what is missing;
    UsageError for ranks of a program without MPI.
    """
    if ranks is not None and not entry.uses_mpi and ranks != 1:
        raise UsageError(f"{name} does not use MPI: {ranks} ranks would be {ranks} copies", advice="leave out -n")
    if grants is not None and not 0 <= grants.spawn <= MOST_SPAWNED:
        raise UsageError(f"--spawn {grants.spawn}: a job may start 0 to {MOST_SPAWNED} more processes")
    if ranks is not None and ranks < 1:
        raise UsageError(f"a job has at least one rank, not {ranks}")
    mpi = mpi_library.find() if entry.uses_mpi else None
    executable = build.launcher(mpi)
    loaded = _library_options(mpi)
    check(executable, entry, loaded)
    grants = grants or Grants()
    options = [*loaded, *_grant_options(grants)]
    options += [] if trace is None else ["--trace-mpi", str(trace)]
    options += [word for path in others for word in ("--or-else", str(path))]
    launch = [str(executable), *options, "--argv0", name, str(entry.path), *arguments]
    environment = dict(os.environ)
    if mpi is None or ranks is None:
        return Start(command=tuple(launch), environment=environment)
    if any(variable in environment for variable in _RANK_VARIABLES):
        raise UsageError("this process is a rank of a job already", advice="leave out -n under mpiexec or srun")
    environment.update(_mpi_environment(mpi, ranks + grants.spawn))
    environment[JOB_KEY] = secrets.token_hex(16)
    job = executable.with_name(build.JOB)
    start = [str(job), str(mpi.start_command()), "-n", str(ranks), *mpiexec_options]
    return Start(command=(*start, *launch), environment=environment)


def check(executable: Path, entry: Entry, options: Sequence[str] = ()) -> None:
    """Ask the launcher whether this node has all that the module imports; raises ArgosyError listing what it lacks."""
    done = process.run([executable, *options, "--check", entry.path])
    if done.status != 0:
        text = done.output.strip().removeprefix("argosy-launch: ")
        raise ArgosyError(text or f"argosy-launch --check ended with {done.status}", advice=_check_advice(text))


def _check_advice(text: str) -> str:
    if "MPI" in text:
        return "another MPI library may have it: $ARGOSY_MPICC chooses one; `argosy doctor` says which is in use"
    return "`argosy inspect` lists what the module imports"


def become(start: Start) -> NoReturn:
    """Replace this process by the command; never returns. Raises ArgosyError when it cannot be started."""
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores these two; an ignored signal stays ignored across exec, and `argosy run … | head` would not end.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if hasattr(signal, "SIGXFSZ"):
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execve(start.command[0], start.command, dict(start.environment))
    except OSError as error:
        raise ArgosyError(f"cannot start {start.command[0]}: {error.strerror}") from error


def follow(start: Start) -> int:
    """Run the command and wait, passing on the signals that ask to end; gives its exit status as a shell does."""
    sys.stdout.flush()
    try:
        child = subprocess.Popen(start.command, env=dict(start.environment))
    except OSError as error:
        raise ArgosyError(f"cannot start {start.command[0]}: {error.strerror}") from error
    asked = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda given, _: child.send_signal(given)) for number in asked}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the child too
    try:
        status = child.wait()
    finally:
        for number, action in before.items():
            signal.signal(number, action)
    return 128 - status if status < 0 else status


def _library_options(mpi: MpiLibrary | None) -> list[str]:
    """Which MPI library to load: a launcher for the MPI ABI may have been built beside another one that has it."""
    library = mpi.shared_object() if mpi is not None and mpi.is_abi else None
    return [] if library is None else ["--mpi-library", str(library)]


def _grant_options(grants: Grants) -> list[str]:
    options = []
    for folder in grants.folders:
        options += ["--dir" if folder.writable else "--read-only", f"{folder.host}::{folder.guest}"]
    for name, value in grants.environment.items():
        options += ["--env", f"{name}={value}"]
    if grants.spawn:
        options += ["--spawn", str(grants.spawn)]
    if grants.memory:
        options += ["--memory", str(grants.memory)]
    if grants.seconds:
        options += ["--seconds", str(grants.seconds)]
    return [*options, "--connect"] if grants.connect else options


def _mpi_environment(mpi: MpiLibrary, ranks: int) -> dict[str, str]:
    """Open MPI refuses more ranks than cores unless told that they may share; inside an allocation the site decides."""
    in_allocation = any(variable in os.environ for variable in _ALLOCATION_VARIABLES)
    if mpi.kind != "Open MPI" or in_allocation or ranks <= len(os.sched_getaffinity(0)):
        return {}
    return {
        "OMPI_MCA_rmaps_base_oversubscribe": "1",  # Open MPI 4
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",  # Open MPI 5
    }
