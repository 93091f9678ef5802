"""A Slurm of a test's own: munged, slurmctld and two slurmd on this machine, as the user that runs the tests.

Everything is on 127.0.0.1 with free ports, with a key, sockets, folders and configuration of its own; all of it ends
with the block. Nodes are `n1` and `n2`; an ordinary user's slurmd starts that user's jobs only, which is enough here.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from needs import need

NODES = ("n1", "n2")
CORES = 2
_PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "sbatch", "scontrol", "squeue", "scancel")
Found = TypeVar("Found")
# States of a job that has not left its nodes.
_UNFINISHED = ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED")
_PATIENCE = 60.0  # seconds for a daemon to answer, on a machine that does other things too

_CONFIGURATION = """\
ClusterName=argosy
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
TmpFS={folder}/tmp-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
SlurmctldDebug=verbose
SlurmdDebug=verbose
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=bf_interval=1,sched_min_interval=100000
MpiDefault=none
ReturnToService=2
KillWait=5
MessageTimeout=30
TCPTimeout=10
InactiveLimit=0
FirstJobId={first_job}
{extra}
{nodes}
PartitionName=all Nodes={names} Default=YES State=UP MaxTime=10
"""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A Slurm that is up. `environment` is what its commands need."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, *words: str | Path, timeout: float = 120, **more: str) -> subprocess.CompletedProcess[str]:
        """One of Slurm's commands to its end."""
        return subprocess.run(
            [str(word) for word in words],
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            cwd=self.folder,
            env={**self.environment, **more},
        )

    def done(self, *words: str | Path, timeout: float = 120, **more: str) -> str:
        """The output of a command that must succeed."""
        finished = self.run(*words, timeout=timeout, **more)
        assert finished.returncode == 0, f"{words}: {finished.stderr}\n{finished.stdout}\n{self.logs()}"
        return finished.stdout

    def job(self, number: int) -> dict[str, str]:
        """The fields that scontrol shows of a job."""
        shown = self.done("scontrol", "-o", "show", "job", str(number))
        return dict(word.split("=", 1) for word in shown.split() if "=" in word)

    def wait(self, number: int, *, seconds: float = 300) -> dict[str, str]:
        """The job's fields once it has left its nodes."""
        return self.until(
            lambda: None if (job := self.job(number))["JobState"] in _UNFINISHED else job, f"job {number}", seconds
        )

    def until(self, ask: Callable[[], Found | None], what: str, seconds: float = _PATIENCE) -> Found:
        """What `ask` gives as soon as that is something."""
        end = time.monotonic() + seconds
        while not (found := ask()):
            assert time.monotonic() < end, f"waited {seconds} s for {what}\n{self.logs()}"
            time.sleep(0.1)
        return found

    def node_states(self) -> dict[str, str]:
        shown = self.done("sinfo", "-h", "-N", "-o", "%N %T")
        return dict(line.split() for line in shown.splitlines())

    def logs(self) -> str:
        texts = []
        for path in sorted(self.folder.glob("*.log")):
            texts += [f"--- {path.name}", *path.read_text(errors="replace").splitlines()[-25:]]
        return "\n".join(texts)


@contextlib.contextmanager
def cluster(*, extra: str = "", features: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """A Slurm whose configuration ends with the lines `extra`; `features` are those of its nodes by name.

    Sockets have short names at most, so the folder is one of /tmp. In CI every program must be there.
    """
    programs = {name: _program(name) for name in _PROGRAMS}
    folder = Path(tempfile.mkdtemp(prefix="argosy-slurm.", dir="/tmp"))
    started: list[subprocess.Popen[bytes]] = []
    try:
        made = _configured(folder, extra, features or {})
        _start_munge(programs["munged"], folder, started)
        _start(programs["slurmctld"], "-D", folder=folder, environment=made.environment, started=started)
        for name in NODES:
            _start(programs["slurmd"], "-D", "-N", name, folder=folder, environment=made.environment, started=started)
        made.until(lambda: _is_up(made, started), "two idle nodes")
        try:
            yield made
        finally:
            _end_jobs(made)
    finally:
        for child in reversed(started):
            child.terminate()
        for child in reversed(started):
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        need(name, "apt-get install slurm-wlm munge")
    return str(found)


def _configured(folder: Path, extra: str, features: Mapping[str, str]) -> Cluster:
    ports = _free_ports(1 + len(NODES))
    nodes = []
    for name, port in zip(NODES, ports[1:], strict=True):
        (folder / f"spool-{name}").mkdir()
        (folder / f"tmp-{name}").mkdir()
        mark = f" Features={features[name]}" if name in features else ""
        nodes.append(f"NodeName={name} NodeAddr=127.0.0.1 NodeHostname=localhost Port={port} CPUs={CORES}{mark}")
    (folder / "state").mkdir()
    configuration = folder / "slurm.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            host=socket.gethostname(),
            ctld_port=ports[0],
            # MPICH names its shared memory after the job: one of another cluster here must not have the same number.
            first_job=secrets.randbelow(60_000_000) + 1,
            user=getpass.getuser(),
            folder=folder,
            extra=extra.replace("{folder}", str(folder)),
            nodes="\n".join(nodes),
            names=",".join(NODES),
        )
    )
    # These nodes have the cores that the configuration says, whatever this machine has; tasks may share them.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH", "PMI"))}
    path = f"{environment.get('PATH', '')}:/usr/sbin:/sbin"
    return Cluster(folder=folder, environment={**environment, "SLURM_CONF": str(configuration), "PATH": path})


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _start_munge(program: str, folder: Path, started: list[subprocess.Popen[bytes]]) -> None:
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    folder.chmod(0o755)
    names = {
        "--key-file": "munge.key",
        "--socket": "munge.socket",
        "--pid-file": "munge.pid",
        "--seed-file": "munge.seed",
    }
    words = [f"{option}={folder / name}" for option, name in names.items()]
    _start(program, "--foreground", *words, folder=folder, environment=os.environ, started=started)
    end = time.monotonic() + _PATIENCE
    while not (folder / "munge.socket").exists():
        assert started[-1].poll() is None and time.monotonic() < end, (folder / "munged.log").read_text()
        time.sleep(0.05)


def _start(*command: str, folder: Path, environment: Mapping[str, str], started: list[subprocess.Popen[bytes]]) -> None:
    with (folder / f"{Path(command[0]).name}.out.log").open("ab") as log:
        started.append(
            subprocess.Popen(
                command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        )


def _end_jobs(made: Cluster) -> None:
    """What a test left running would go on without its daemons."""
    made.run("scancel", "--me")
    end = time.monotonic() + 30
    while made.run("squeue", "-h").stdout.strip() and time.monotonic() < end:
        time.sleep(0.1)


def _is_up(made: Cluster, started: list[subprocess.Popen[bytes]]) -> bool:
    assert all(child.poll() is None for child in started), made.logs()
    states = made.run("sinfo", "-h", "-N", "-o", "%N %T")
    return states.returncode == 0 and sorted(line.split() for line in states.stdout.splitlines()) == [
        [name, "idle"] for name in NODES
    ]
