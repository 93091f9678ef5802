"""`argosy run` of an MPI program: under the node's mpiexec, as a rank of a job, and under each MPI that is here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import guests
import pytest
from needs import need, program

from argosy.errors import ArgosyError
from argosy.launcher import mpi_library

RANKS = guests.module("""
  (func (export "_start")
    (drop (call $MPI_Init (i32.const 0) (i32.const 0)))
    (drop (call $MPI_Comm_rank (i32.const 257) (i32.const 8)))
    (drop (call $MPI_Comm_size (i32.const 257) (i32.const 4)))
    (call $digit (i32.add (i32.load (i32.const 8)) (i32.mul (i32.load (i32.const 4)) (i32.const 2))))
    (drop (call $MPI_Finalize )))
""")
ARGOSY = (sys.executable, "-m", "argosy.cli")


@pytest.fixture
def wasm(tmp_path: Path) -> Path:
    path = tmp_path / "ranks.wasm"
    path.write_bytes(RANKS)
    return path


def printed(*command: str | Path) -> list[str]:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return sorted(done.stdout.split())


@pytest.mark.parametrize("mpicc", ["", "mpicc.mpich", "mpicc.openmpi"])
def test_the_same_file_runs_under_each_mpi_library(wasm: Path, mpicc: str) -> None:
    chosen = ("--mpi", program(mpicc, "apt-get install libmpich-dev libopenmpi-dev")) if mpicc else ()
    if mpicc == "mpicc.openmpi" and os.geteuid() == 0 and not os.environ.get("OMPI_ALLOW_RUN_AS_ROOT"):
        need("a user who is not root", "Open MPI refuses to run as root")
    assert printed(*ARGOSY, "run", "-n", "2", *chosen, "--unsigned", wasm) == ["4", "5"]


def test_ranks_that_mpiexec_started_are_one_job(wasm: Path) -> None:
    try:
        mpiexec = mpi_library.find().start_command()
    except ArgosyError as error:
        need("an MPI library", error.advice)
    assert printed(mpiexec, "-n", "2", *ARGOSY, "run", "--unsigned", wasm) == ["4", "5"]


def test_without_a_number_of_ranks_it_is_one_process(wasm: Path) -> None:
    assert printed(*ARGOSY, "run", "--unsigned", wasm) == ["2"]


def test_more_ranks_than_a_rank_may_start_are_refused(wasm: Path) -> None:
    done = subprocess.run(
        [*ARGOSY, "run", "-n", "2", "--unsigned", wasm],
        capture_output=True,
        text=True,
        env={**os.environ, "PMI_RANK": "0"},
    )
    assert done.returncode == 2 and "a rank of a job already" in done.stderr


def test_the_command_that_is_started_holds_no_python(wasm: Path) -> None:
    command = subprocess.run(
        [*ARGOSY, "run", "--dry-run", "-n", "2", "--mpiexec-option=-l", "--unsigned", wasm],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert Path(command[0]).name == "argosy-job"
    assert "mpiexec" in Path(command[1]).name
    assert command[2:5] == ["-n", "2", "-l"]
    assert Path(command[5]).name == "argosy-launch"
    assert not any("python" in Path(word).name for word in command)
    assert shutil.which(command[0]) is not None
