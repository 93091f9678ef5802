"""Starting programs: one process or a job of ranks; their output, status and end are the caller's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import guests
import pytest
from needs import need

from argosy.errors import ArgosyError, UsageError
from argosy.launcher import mpi_library
from argosy.launcher.mpi_library import MpiLibrary
from argosy.site import run
from argosy.site.precompile import precompile

# A job started as `argosy run` starts it: this process prepares, then becomes the launcher or mpiexec.
RUN = """
import sys
from pathlib import Path
from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.site.precompile import precompile
from argosy.site.run import Grants, become, prepare
ranks = None if sys.argv[1] == "-" else int(sys.argv[1])
path = Path(sys.argv[2])
try:
    entry = precompile(path, Digest.of(path.read_bytes()), "fast")
    become(prepare(entry, name="guest", ranks=ranks, arguments=sys.argv[3:]))
except ArgosyError as error:
    print(error, file=sys.stderr)
    sys.exit(error.status)
"""

RANKS = guests.module(
    f"""
    (func $fail_here unreachable)
    (func $spin (loop $on (br $on)))
    (func $my_rank (result i32)
      (drop (call $MPI_Comm_rank (i32.const {guests.COMM_WORLD}) (i32.const 32)))
      (i32.load (i32.const 32)))
    (func (export "_start") (local $count i32)
      (drop (call $MPI_Init (i32.const 0) (i32.const 0)))
      (call $digit (call $my_rank))
      (drop (call $args_sizes_get (i32.const 0) (i32.const 4)))
      (local.set $count (i32.load (i32.const 0)))
      (if (call $my_rank) (then
        (if (i32.eq (local.get $count) (i32.const 2)) (then (call $fail_here)))
        (if (i32.eq (local.get $count) (i32.const 3)) (then (call $proc_exit (i32.const 7))))))
      (if (i32.eq (local.get $count) (i32.const 4)) (then (call $spin)))
      (drop (call $MPI_Barrier (i32.const {guests.COMM_WORLD})))
      (drop (call $MPI_Finalize)))
    """
)


@pytest.fixture(scope="module", autouse=True)
def one_cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARGOSY_CACHE", str(tmp_path_factory.mktemp("cache")))
        # As root, Open MPI starts nothing unless told twice.
        patch.setenv("OMPI_ALLOW_RUN_AS_ROOT", "1")
        patch.setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
        yield


@pytest.fixture(scope="module")
def mpi() -> MpiLibrary:
    try:
        return mpi_library.find()
    except ArgosyError as error:
        need("an MPI library", error.advice)
        raise


def started(wasm: bytes, folder: Path, ranks: int | None, *arguments: str) -> list[str]:
    path, _ = guests.put(folder, wasm)
    return [sys.executable, "-c", RUN, "-" if ranks is None else str(ranks), str(path), *arguments]


def launchers_of(folder: Path) -> list[int]:
    """The processes whose command names a file of this test's cache."""
    mine = str(os.environ["ARGOSY_CACHE"]).encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mine in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def wait_until_gone(folder: Path, seconds: float = 10) -> list[int]:
    end = time.monotonic() + seconds
    while (left := launchers_of(folder)) and time.monotonic() < end:
        time.sleep(0.05)
    return left


def test_a_program_without_mpi_needs_no_mpi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGOSY_MPICC", "no-such-mpicc")
    done = guests.start(started(guests.say("alone\n", status=3), tmp_path, None))
    assert (done.returncode, done.stdout, done.stderr) == (3, "alone\n", "")


def test_no_python_stands_by_while_a_program_runs(tmp_path: Path) -> None:
    endless = guests.module('(func (export "_start") (call $digit (i32.const 1)) (loop $on (br $on)))')
    with subprocess.Popen(started(endless, tmp_path, None), stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"1\n"
        assert Path(f"/proc/{child.pid}/exe").readlink().name == "argosy-launch"
        child.send_signal(signal.SIGINT)
        assert child.wait(5) == -signal.SIGINT


def test_ranks_of_a_program_without_mpi_are_refused(tmp_path: Path) -> None:
    entry = precompile(*guests.put(tmp_path, guests.say("x")), "fast")
    with pytest.raises(UsageError, match="does not use MPI"):
        run.prepare(entry, name="guest", ranks=4)


def test_an_mpi_program_on_a_node_without_mpi_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = precompile(*guests.put(tmp_path, RANKS), "fast")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("ARGOSY_MPICC", raising=False)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(ArgosyError, match="no MPI library"):
        run.prepare(entry, name="guest", ranks=2)


def test_what_the_node_lacks_is_named_before_anything_starts(tmp_path: Path, mpi: MpiLibrary) -> None:
    unknown = '(import "argosy_mpi_1" "MPI_Imagined" (func (param i32) (result i32))) (import "env" "gone" (func))'
    body = '(func (export "_start") (drop (call $MPI_Init (i32.const 0) (i32.const 0))) (call $digit (i32.const 1)))'
    done = guests.start(started(guests.module(body, extra_imports=unknown), tmp_path, 2))
    assert (done.returncode, done.stdout) == (1, "")
    assert "argosy_mpi_1.MPI_Imagined" in done.stderr
    assert "env.gone" in done.stderr
    assert "MPI_Init" not in done.stderr


def test_every_rank_runs(tmp_path: Path, mpi: MpiLibrary) -> None:
    done = guests.start(started(RANKS, tmp_path, 4))
    assert (done.returncode, sorted(done.stdout.split())) == (0, ["0", "1", "2", "3"]), done.stderr


def test_one_process_of_an_mpi_program_runs_without_mpiexec(tmp_path: Path, mpi: MpiLibrary) -> None:
    done = guests.start(started(RANKS, tmp_path, None))
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr


def test_a_trap_in_one_rank_is_told_and_ends_the_job(tmp_path: Path, mpi: MpiLibrary) -> None:
    before = time.monotonic()
    done = guests.start(started(RANKS, tmp_path, 2, "trap"), timeout=60)
    assert done.returncode != 0
    assert "rank 1: " in done.stderr
    assert "unreachable" in done.stderr
    assert "fail_here" in done.stderr
    assert wait_until_gone(tmp_path) == []
    assert time.monotonic() - before < 30


def test_a_ranks_exit_status_is_the_jobs(tmp_path: Path, mpi: MpiLibrary) -> None:
    done = guests.start(started(RANKS, tmp_path, 2, "leave", "early"), timeout=60)
    assert done.returncode == 7
    assert wait_until_gone(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_no_process(tmp_path: Path, mpi: MpiLibrary, number: signal.Signals) -> None:
    command = started(RANKS, tmp_path, 2, "spin", "until", "ended")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as child:
        assert child.stdout is not None
        assert {child.stdout.readline(), child.stdout.readline()} == {b"0\n", b"1\n"}
        assert len(launchers_of(tmp_path)) >= 2
        child.send_signal(number)
        child.communicate(timeout=30)
        assert child.returncode == -number
    assert wait_until_gone(tmp_path) == []


def test_a_job_that_is_killed_leaves_no_process(tmp_path: Path, mpi: MpiLibrary) -> None:
    command = started(RANKS, tmp_path, 2, "spin", "until", "ended")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as child:
        assert child.stdout is not None
        assert {child.stdout.readline(), child.stdout.readline()} == {b"0\n", b"1\n"}
        child.kill()
        child.wait()
    assert wait_until_gone(tmp_path) == []


def test_a_folder_that_is_not_there_cannot_be_granted(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a folder here"):
        run.GrantedFolder.parse(str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="not a folder to grant"):
        run.GrantedFolder.parse(f"{tmp_path}::")
    granted = run.GrantedFolder.parse(f"{tmp_path}::/data", writable=False)
    assert (granted.host, granted.guest, granted.writable) == (tmp_path, "/data", False)


def test_a_variable_is_given_or_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SET_HERE", "value")
    monkeypatch.delenv("UNSET_HERE", raising=False)
    assert run.parse_variable("A=b=c") == ("A", "b=c")
    assert run.parse_variable("SET_HERE") == ("SET_HERE", "value")
    for wrong in ("UNSET_HERE", "=x"):
        with pytest.raises(UsageError):
            run.parse_variable(wrong)
