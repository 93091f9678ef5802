"""What a guest may use of the node: memory and time."""

from __future__ import annotations

import time
from pathlib import Path

import guests
import pytest

from argosy.launcher import build

# Grows its memory by 16 pages (1 MiB) until it cannot, and prints how many times it could, up to nine.
GROWS = guests.module(
    """
    (func (export "_start") (local $times i32)
      (loop $more
        (if (i32.ne (memory.grow (i32.const 16)) (i32.const -1)) (then
          (local.set $times (i32.add (local.get $times) (i32.const 1)))
          (br_if $more (i32.lt_u (local.get $times) (i32.const 9))))))
      (call $digit (local.get $times)))
    """
)
SPINS = guests.module('(func (export "_start") (loop $on (br $on)))')


@pytest.fixture(scope="module")
def launcher() -> Path:
    return build.launcher(None)


def test_memory_grows_to_what_is_granted_and_no_further(launcher: Path, tmp_path: Path) -> None:
    code = guests.code(tmp_path, GROWS)
    assert guests.start([launcher, code]).stdout == "9\n"
    assert guests.start([launcher, "--memory", str(5 << 20), code]).stdout == "4\n"  # it begins with a page


def test_a_module_that_begins_with_more_than_it_is_granted_does_not_start(launcher: Path, tmp_path: Path) -> None:
    done = guests.start([launcher, "--memory", "65535", guests.code(tmp_path, GROWS)])
    assert done.returncode == 126 and done.stdout == ""
    assert "within the memory that it is granted" in done.stderr


def test_a_process_ends_when_its_time_is_over(launcher: Path, tmp_path: Path) -> None:
    begin = time.monotonic()
    done = guests.start([launcher, "--seconds", "1", guests.code(tmp_path, SPINS)])
    assert done.returncode == 124
    assert done.stderr == "argosy-launch: the 1 seconds that it was granted are over\n"
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize("words", [("--memory", "much"), ("--memory", "-1"), ("--seconds", ""), ("--seconds", "1e9")])
def test_what_is_no_limit_is_refused(launcher: Path, tmp_path: Path, words: tuple[str, str]) -> None:
    done = guests.start([launcher, *words, guests.code(tmp_path, SPINS)])
    assert done.returncode == 2 and f"{words[0]} takes a number" in done.stderr
