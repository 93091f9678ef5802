"""argosy-launch on one process: what reaches the guest, what comes back, and what is refused before it starts."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import guests
import pytest

from argosy.launcher import build


@pytest.fixture(scope="module")
def launch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A launcher without MPI, built for these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARGOSY_CACHE", str(tmp_path_factory.mktemp("cache")))
        return build.launcher(None)


@pytest.mark.parametrize("numerics", ["fast", "exact"])
def test_a_guest_prints_and_ends_with_0(launch: Path, tmp_path: Path, numerics: str) -> None:
    program = guests.code(tmp_path, guests.say("no newline at the end"), numerics)  # type: ignore[arg-type]
    done = guests.start([launch, program])
    assert (done.returncode, done.stdout, done.stderr) == (0, "no newline at the end", "")


def test_the_exit_status_is_the_guests(launch: Path, tmp_path: Path) -> None:
    done = guests.start([launch, guests.code(tmp_path, guests.say("bye\n", status=42))])
    assert (done.returncode, done.stdout, done.stderr) == (42, "bye\n", "")


def test_standard_input_reaches_the_guest(launch: Path, tmp_path: Path) -> None:
    echo = guests.module(
        """
        (func (export "_start")
          (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 100))
          (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
          (call $write (i32.const 1024) (i32.load (i32.const 8))))
        """
    )
    assert guests.start([launch, guests.code(tmp_path, echo)], stdin="through the pipe").stdout == "through the pipe"


def test_arguments_and_only_granted_variables_reach_the_guest(launch: Path, tmp_path: Path) -> None:
    program = guests.code(tmp_path, guests.show())
    grants = ["--env", "GIVEN=1=2", "--env", "PASSED", "--env", "UNSET_HERE", "--argv0", "app"]
    done = guests.start([launch, *grants, program, "-n", "x y"], environment={"PASSED": "on", "HIDDEN": "no"})
    assert done.stdout.split("\0") == ["app", "-n", "x y", "GIVEN=1=2", "PASSED=on", ""]


def open_file(name: str, *, create: bool = False) -> bytes:
    """A guest that opens `name` in its first granted folder and prints 0, or 1 when that is refused."""
    rights = 64 if create else 2  # fd_write, fd_read
    return guests.module(
        f"""
        (data (i32.const 64) "{name}")
        (func (export "_start")
          (call $digit (i32.ne (i32.const 0)
            (call $path_open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const {len(name)})
                  (i32.const {int(create)}) (i64.const {rights}) (i64.const 0) (i32.const 0) (i32.const 0)))))
        """
    )


def test_only_granted_folders_are_visible(launch: Path, tmp_path: Path) -> None:
    (tmp_path / "granted").mkdir()
    (tmp_path / "granted" / "inside").write_text("seen")
    (tmp_path / "secret").write_text("not seen")
    (tmp_path / "granted" / "link").symlink_to(tmp_path / "secret")
    grant = ["--dir", f"{tmp_path / 'granted'}::/data"]

    def opens(name: str, *options: str) -> bool:
        return guests.start([launch, *options, guests.code(tmp_path, open_file(name))]).stdout == "0\n"

    assert opens("inside", *grant)
    assert not opens("inside")
    assert not opens("../secret", *grant)
    assert not opens("/etc/passwd", *grant)
    assert not opens("link", *grant)


def test_a_read_only_folder_is_not_written(launch: Path, tmp_path: Path) -> None:
    program = guests.code(tmp_path, open_file("new", create=True))
    (tmp_path / "data").mkdir()
    assert guests.start([launch, "--read-only", tmp_path / "data", program]).stdout == "1\n"
    assert not (tmp_path / "data" / "new").exists()
    assert guests.start([launch, "--dir", tmp_path / "data", program]).stdout == "0\n"
    assert (tmp_path / "data" / "new").exists()


def test_a_folder_that_is_not_there_is_named(launch: Path, tmp_path: Path) -> None:
    done = guests.start([launch, "--dir", tmp_path / "nowhere", guests.code(tmp_path, guests.say("x"))])
    assert done.returncode == 126
    assert "nowhere" in done.stderr
    assert done.stdout == ""


TRAPS = guests.module(
    """
    (func $divide (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
    (func $solve (drop (call $divide (i32.const 1) (i32.const 0))))
    (func $read_outside (drop (i32.load (i32.const 0x7fffffff))))
    (func $recurse (call $recurse) (call $read_outside))
    (func (export "_start") (local $count i32)
      (drop (call $args_sizes_get (i32.const 0) (i32.const 4)))
      (local.set $count (i32.load (i32.const 0)))
      (if (i32.eq (local.get $count) (i32.const 1)) (then (call $solve)))
      (if (i32.eq (local.get $count) (i32.const 2)) (then (call $read_outside)))
      (if (i32.eq (local.get $count) (i32.const 3)) (then (call $recurse)))
      (if (i32.eq (local.get $count) (i32.const 4)) (then (loop $forever (br $forever)))))
    """
)


@pytest.mark.parametrize(
    ("arguments", "cause", "functions"),
    [
        ([], "integer divide by zero", ["divide", "solve"]),
        (["2"], "out of bounds memory access", ["read_outside"]),
        (["2", "3"], "call stack exhausted", ["recurse", "recurse"]),
    ],
)
def test_a_trap_shows_cause_and_functions(
    launch: Path, tmp_path: Path, arguments: list[str], cause: str, functions: list[str]
) -> None:
    done = guests.start([launch, guests.code(tmp_path, TRAPS), *arguments])
    assert done.returncode == 134
    first, *frames = done.stderr.splitlines()
    assert cause in first
    assert [frame.split()[1] for frame in frames[: len(functions)]] == functions


def test_a_trap_names_the_rank_that_the_process_manager_gave(launch: Path, tmp_path: Path) -> None:
    done = guests.start([launch, guests.code(tmp_path, TRAPS)], environment={"PMI_RANK": "3"})
    assert done.stderr.startswith("argosy-launch: rank 3: ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_guest_at_once(launch: Path, tmp_path: Path, number: signal.Signals) -> None:
    child = subprocess.Popen([launch, guests.code(tmp_path, TRAPS), "2", "3", "4"])
    time.sleep(0.3)
    assert child.poll() is None
    child.send_signal(number)
    assert child.wait(5) == -number


def test_every_missing_import_is_named_before_anything_starts(launch: Path, tmp_path: Path) -> None:
    unknown = """(import "env" "gone" (func)) (import "wasi_snapshot_preview1" "new_call" (func))
                 (import "argosy_mpi_1" "MPI_Imagined" (func (param i32) (result i32)))"""
    program = guests.code(
        tmp_path, guests.module('(func (export "_start") (call $digit (i32.const 1)))', extra_imports=unknown)
    )
    for options in ([], ["--check"]):
        done = guests.start([launch, *options, program])
        assert done.returncode == 126
        assert done.stdout == ""
        for name in ("env.gone", "wasi_snapshot_preview1.new_call", "argosy_mpi_1.MPI_Imagined"):
            assert name in done.stderr
        assert "fd_write" not in done.stderr


def test_check_starts_nothing(launch: Path, tmp_path: Path) -> None:
    done = guests.start([launch, "--check", guests.code(tmp_path, guests.say("started"))])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_code_that_others_can_write_is_refused(launch: Path, tmp_path: Path) -> None:
    program = guests.code(tmp_path, guests.say("ran"))
    program.chmod(0o666)
    done = guests.start([launch, program])
    assert (done.returncode, done.stdout) == (126, "")
    assert "can be written by others" in done.stderr
    program.chmod(0o644)
    tmp_path.chmod(0o777)
    done = guests.start([launch, program])
    assert (done.returncode, done.stdout) == (126, "")
    tmp_path.chmod(0o755)
    assert guests.start([launch, program]).stdout == "ran"


@pytest.mark.parametrize("keep", [0, 3, 100, 5000])
def test_truncated_code_is_refused(launch: Path, tmp_path: Path, keep: int) -> None:
    program = guests.code(tmp_path, guests.say("ran"))
    program.write_bytes(program.read_bytes()[:keep])
    done = guests.start([launch, program])
    assert (done.returncode, done.stdout) == (126, "")
    assert program.name in done.stderr


def test_a_module_that_is_no_program_is_refused(launch: Path, tmp_path: Path) -> None:
    done = guests.start([launch, guests.code(tmp_path, guests.module('(func (export "other"))'))])
    assert done.returncode == 126
    assert "_start" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["--nonsense", "x"], ["--dir"], ["--env", "=1", "x"], ["--wasi=other", "x"]])
def test_wrong_use_ends_with_2_and_the_usage(launch: Path, arguments: list[str]) -> None:
    done = guests.start([launch, *arguments])
    assert done.returncode == 2
    assert "usage: argosy-launch" in done.stderr


def test_output_to_a_closed_pipe_ends_the_guest(launch: Path, tmp_path: Path) -> None:
    chatter = guests.module('(func (export "_start") (loop $on (call $digit (i32.const 1)) (br $on)))')
    program = guests.code(tmp_path, chatter)
    done = guests.start(["sh", "-c", f"'{launch}' '{program}' | head -n 1"], timeout=10)
    assert done.stdout == "1\n"


def test_of_several_files_of_native_code_the_first_that_runs_here_is_taken(launch: Path, tmp_path: Path) -> None:
    for name in ("whole", "less"):
        (tmp_path / name).mkdir()
    good = guests.code(tmp_path / "whole", guests.say("taken\n"))
    other = guests.code(tmp_path / "less", guests.say("not this one\n"))
    other.write_bytes(other.read_bytes()[:5000])
    absent = tmp_path / "absent.cwasm"
    done = guests.start([launch, "--or-else", other, "--or-else", good, "--or-else", other, absent])
    assert (done.returncode, done.stdout, done.stderr) == (0, "taken\n", "")
    none = guests.start([launch, "--or-else", other, absent])
    assert none.returncode == 126 and str(absent) in none.stderr and str(other) in none.stderr


def test_a_file_among_several_that_others_can_write_is_refused_and_not_passed_over(
    launch: Path, tmp_path: Path
) -> None:
    good = guests.code(tmp_path, guests.say("hi\n"))
    (tmp_path / "open.cwasm").write_bytes(good.read_bytes())
    (tmp_path / "open.cwasm").chmod(0o666)
    done = guests.start([launch, "--or-else", good, tmp_path / "open.cwasm"])
    assert (done.returncode, done.stdout) == (126, "") and "can be written by others" in done.stderr
