"""One test of the suite, run under mpiexec, and what `runtests.in` would say of its output and exit status."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mpich_builds import yielding
from mpich_lists import ListedTest

from argosy import process
from argosy.errors import ArgosyError
from argosy.launcher import build as launcher_build
from argosy.launcher.mpi_library import MpiLibrary
from argosy.model.digest import Digest
from argosy.site import run
from argosy.site.precompile import precompile

# After the library's own mpiexec should have ended the job ($MPIEXEC_TIMEOUT).
_GRACE_SECONDS = 10
# Far more than the suite starts: a program that is started gets half of what is left, and some start others in turn.
_MOST_SPAWNED = 100_000
_LONGEST = 200  # characters of a reason


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether the test passed; where it did not, why, in one line."""

    passed: bool
    reason: str = ""


def wasm(test: ListedTest, module: Path, mpi: MpiLibrary, limit: int) -> Verdict:
    """Run the test's module by Argosy's launcher; $ARGOSY_MPICC must name `mpi`."""
    with tempfile.TemporaryDirectory(prefix="mpich-test.") as scratch:
        # Tests read the file that they are told they are.
        shutil.copyfile(module, Path(scratch, test.program.name))
        try:
            entry = precompile(module, Digest.of(module.read_bytes()), "fast")
            # What a native program has: its folder, a /tmp, other processes of its own and other jobs…
            grants = run.Grants(
                folders=tuple(run.GrantedFolder(host=Path(scratch), guest=guest) for guest in (".", "/tmp")),
                environment=test.environment,
                spawn=_MOST_SPAWNED,
                connect=True,
            )
            start = run.prepare(
                entry, name=f"./{test.program.name}", arguments=test.arguments, ranks=test.ranks, grants=grants
            )
        except ArgosyError as error:
            return Verdict(passed=False, reason=_one_line(str(error)))
        environment = {**start.environment, "ARGOSY_CVARS": "*"}  # … and the library's control variables
        return _judged(test, start.command, environment, Path(scratch), mpi, limit)


def native(test: ListedTest, program: Path, mpi: MpiLibrary, limit: int) -> Verdict:
    """Run the test's native program under the library's mpiexec."""
    with tempfile.TemporaryDirectory(prefix="mpich-test.") as scratch:
        # Tests that spawn name themselves by a path relative to where they were started.
        link = Path(scratch, test.program.name)
        link.symlink_to(program)
        job = launcher_build.launcher(mpi).with_name(launcher_build.JOB)
        command = [str(job), str(mpi.start_command()), "-n", str(test.ranks), f"./{link.name}", *test.arguments]
        return _judged(test, command, os.environ, Path(scratch), mpi, limit)


def _judged(
    test: ListedTest, command: Sequence[str], environment: Mapping[str, str], folder: Path, mpi: MpiLibrary, limit: int
) -> Verdict:
    seconds = min(test.seconds, limit)
    variables = {**environment, **test.environment, **allowances(mpi), "MPIEXEC_TIMEOUT": str(seconds)}
    try:
        done = process.run(command, folder=folder, environment=variables, timeout_seconds=seconds + _GRACE_SECONDS)
    except process.CancelledError:
        raise
    except ArgosyError as error:
        return Verdict(passed=False, reason=_one_line(str(error)))
    return judge(test.result, done.status, done.output)


def allowances(mpi: MpiLibrary) -> dict[str, str]:
    """What lets the library run more ranks than this machine has cores, and Open MPI run as root."""
    if mpi.kind != "Open MPI":
        return {"LD_PRELOAD": str(yielding(mpi))}
    return {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    }


def judge(result: str, status: int, output: str) -> Verdict:
    """The rules of `runtests.in`: TestErrFatal and TestStatus ask for a status other than 0; else 0 and " No Errors"
    alone, or with "Test Passed"."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    other = [line for line in lines if not re.fullmatch(r"No [Ee]rrors|Test Passed", line)]
    no_errors = any(re.fullmatch(r"No [Ee]rrors", line) for line in lines)
    if result in ("TestStatus", "TestErrFatal"):
        return Verdict(passed=True) if status != 0 else Verdict(passed=False, reason="ended with status 0")
    if result == "TestStatusNoErrors":
        passed = no_errors and status != 0
        return Verdict(passed=passed, reason="" if passed else _one_line(f"status {status}; {_telling(other)}"))
    if any("APPLICATION TIMED OUT" in line or "job aborted due to timeout" in line.lower() for line in lines):
        other = ["did not end in time", *other]
    if other:
        return Verdict(passed=False, reason=_one_line(_telling(other)))
    if not no_errors or status != 0:
        return Verdict(passed=False, reason=f"ended with status {status}{'' if no_errors else ', without No Errors'}")
    return Verdict(passed=True)


def _telling(lines: Sequence[str]) -> str:
    """The line that tells most: the launcher's own, else the first ones."""
    for line in lines:
        if re.search(r"argosy-launch: |wasm trap|AddressSanitizer|MPI_\w+: ", line):
            return line
    return " | ".join(lines[:3])


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
