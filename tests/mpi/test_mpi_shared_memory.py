"""Memory that ranks share is one piece for all of them, and nothing of it outlives them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import mpi_programs
import pytest
from mpi_programs import LIBRARIES

RANKS = 3
_MAPPING = re.compile(r"^\S+ (\S+) \S+ \S+ (\d+) +/memfd:argosy-window", re.MULTILINE)


def _descendants(process: int) -> Iterator[int]:
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        for child in children.read_text().split():
            yield int(child)
            yield from _descendants(int(child))


def _mappings(process: int) -> set[tuple[str, str]]:
    """The permissions and inodes of shared windows in a process that may just have ended."""
    try:
        return {(found[0], found[1]) for found in _MAPPING.findall(Path(f"/proc/{process}/maps").read_text())}
    except OSError:
        return set()


def _gone(processes: list[int], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not any(_mappings(process) for process in processes):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_rank_that_is_killed_leaves_nothing_of_what_it_shared(library: str) -> None:
    begin = mpi_programs.prepared(mpi_programs.compiled("held.c"), library, ranks=RANKS)
    names = set(Path("/dev/shm").iterdir())
    job = subprocess.Popen(
        begin.command,
        env={**begin.environment, **mpi_programs.RANK_ENVIRONMENT},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    try:
        assert job.stdout is not None
        assert job.stdout.readline() == "shared\n"
        ranks = {process: found for process in _descendants(job.pid) if (found := _mappings(process))}
        assert len(ranks) == RANKS
        assert len(set.union(*ranks.values())) == 1  # one file, and one that is written by all
        assert {permissions for found in ranks.values() for permissions, _ in found} == {"rw-s"}
        os.kill(max(ranks), signal.SIGKILL)
        assert job.wait(timeout=90) != 0
        assert _gone(list(ranks), 30)
        assert not [name for name in set(Path("/dev/shm").iterdir()) - names if "argosy" in name.name]
    finally:
        job.kill()
        job.wait()
