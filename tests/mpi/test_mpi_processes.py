"""Programs start themselves and meet their own job's processes, as far as they are granted, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import mpi_programs
import pytest
from mpi_programs import LIBRARIES

# Debian's MPICH 4.0 is built for UCX, where it has neither MPI_Comm_spawn nor ports; the wheel has both over libfabric.
THAT_SPAWN = ("wheel", "abi", "openmpi")


@pytest.fixture(autouse=True)
def over_libfabric(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpi_programs, "RANK_ENVIRONMENT", {"MPIR_CVAR_CH4_NETMOD": "ofi"})


def start(mode: str, library: str, folder: Path, *, spawn: int = 0) -> mpi_programs.Done:
    (folder / "granted.here").touch()
    return mpi_programs.start(
        mpi_programs.compiled("processes.c"),
        library,
        arguments=(mode,),
        granted=folder,
        environment={"GRANTED": "a value; with = and\nanother line"},
        spawn=spawn,
    )


@pytest.mark.parametrize("library", THAT_SPAWN)
def test_a_program_starts_itself_with_what_it_has_and_as_often_as_granted(library: str, tmp_path: Path) -> None:
    done = start("start", library, tmp_path, spawn=6)
    assert (done.output, done.status) == ("ok\n", 0), done.output + done.errors
    assert "more than the 0 that are left here of what `argosy run --spawn` granted" in done.errors


@pytest.mark.parametrize("library", THAT_SPAWN)
def test_processes_of_a_job_meet_at_ports_that_the_job_opened(library: str, tmp_path: Path) -> None:
    done = start("ports", library, tmp_path)
    assert (done.output, done.status) == ("ok\n", 0), done.output + done.errors


@pytest.mark.parametrize("library", LIBRARIES)
def test_other_programs_hosts_folders_and_ports_are_refused(library: str, tmp_path: Path) -> None:
    done = start("refused", library, tmp_path)
    assert (done.output, done.status) == ("ok\n", 0), done.output + done.errors
    assert "a program may start itself" in done.errors


@pytest.mark.parametrize("library", THAT_SPAWN)
def test_what_ends_a_started_process_ends_those_who_started_it(library: str, tmp_path: Path) -> None:
    done = start("trap", library, tmp_path, spawn=1)
    assert done.status != 0
    assert "went on" not in done.output
    assert "spawned rank 0: " in done.errors, done.errors
    assert not running(tmp_path), "a process is left"


def running(folder: Path) -> list[str]:
    """Launchers that were granted this folder and still run, after some seconds for them to end."""
    found: list[str] = []
    for _ in range(40):
        found = []
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = process.read_bytes()
            except OSError:
                continue
            if os.fsencode(folder) in words and b"argosy-launch" in words:
                found.append(words.decode(errors="replace"))
        if not found:
            break
        time.sleep(0.25)
    return found
