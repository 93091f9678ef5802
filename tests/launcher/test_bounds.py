"""Code that checks its bounds: what runs where a process may not have the 4 GiB of addresses that guard pages take."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import guests
import pytest

from argosy.launcher import build
from argosy.site.engine import BOUNDS, Bounds

GIB, MIB, PAGE = 1 << 30, 1 << 20, 1 << 16

# Grows its memory by MiB until it cannot, writes to the last byte of each, and gives the MiB as its exit status / 8.
GROWS = guests.module(
    """
    (func (export "_start") (local $times i32)
      (block $full
        (loop $more
          (br_if $full (i32.eq (memory.grow (i32.const 16)) (i32.const -1)))
          (i32.store8 (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)) (i32.const 7))
          (local.set $times (i32.add (local.get $times) (i32.const 1)))
          (br_if $more (i32.lt_u (local.get $times) (i32.const 1600)))))
      (call $proc_exit (i32.div_u (local.get $times) (i32.const 8))))
    """
)
# Of a memory of one page.
ACCESSES = {
    "load": "(drop (i32.load offset={offset} (i32.const {index})))",
    "store": "(i64.store offset={offset} (i32.const {index}) (i64.const -1))",
    "vector": "(drop (v128.load offset={offset} (i32.const {index})))",
}
BULK = {
    "fill": "(memory.fill (i32.const 65535) (i32.const 1) (i32.const 2))",
    "copy": "(memory.copy (i32.const 0) (i32.const 65000) (i32.const 537))",
    "copy of all": "(memory.copy (i32.const 0) (i32.const 1) (i32.const -1))",
}
WHERE = {
    "over the end": (PAGE - 3, 0),
    "a page behind": (PAGE, PAGE),
    "behind the guard": (PAGE, 8 * MIB),
    "at the end of what 32 bits reach": (-1, 0),
    "past what 32 bits reach": (-1, 0xFFFFFFFF),
}


@pytest.fixture(scope="module")
def launcher() -> Path:
    return build.launcher(None)


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("access", ACCESSES)
def test_what_is_out_of_bounds_is_a_trap(
    launcher: Path, tmp_path: Path, access: str, where: str, bounds: Bounds
) -> None:
    index, offset = WHERE[where]
    body = ACCESSES[access].format(index=index, offset=offset)
    wasm = guests.module(f'(func (export "_start") {body})')
    done = guests.start([launcher, guests.code(tmp_path, wasm, bounds=bounds)])
    assert done.returncode == 134 and "out of bounds memory access" in done.stderr, done.stderr


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("body", BULK.values(), ids=BULK)
def test_bulk_operations_out_of_bounds_are_a_trap(launcher: Path, tmp_path: Path, body: str, bounds: Bounds) -> None:
    done = guests.start(
        [launcher, guests.code(tmp_path, guests.module(f'(func (export "_start") {body})'), bounds=bounds)]
    )
    assert done.returncode == 134 and "out of bounds memory access" in done.stderr, done.stderr


def test_it_runs_where_guard_pages_have_no_room(launcher: Path, tmp_path: Path) -> None:
    guarded, checked = (guests.code(tmp_path, guests.say("here\n"), bounds=bounds) for bounds in BOUNDS)
    refused = guests.start([launcher, guarded], addresses=GIB)
    assert refused.returncode == 126 and "argosy precompile --bounds check" in refused.stderr
    assert guests.start([launcher, checked], addresses=GIB).stdout == "here\n"
    assert guests.start([launcher, guarded, "--or-else", checked]).stdout == "here\n"
    either = guests.start([launcher, "--or-else", checked, guarded], addresses=GIB)
    assert either.stdout == "here\n", either.stderr


def test_what_is_wrong_with_a_file_is_said_once(launcher: Path, tmp_path: Path) -> None:
    code = guests.code(tmp_path, guests.say("here\n"))
    code.write_bytes(code.read_bytes()[:4000])
    done = guests.start([launcher, code])
    assert done.returncode == 126 and done.stderr.count("Caused by") == 1, done.stderr


def test_it_runs_without_a_limit_too(launcher: Path, tmp_path: Path) -> None:
    assert guests.start([launcher, guests.code(tmp_path, guests.say("here\n"), bounds="check")]).stdout == "here\n"


def test_memory_grows_to_what_the_limit_leaves_and_every_byte_of_it_is_there(launcher: Path, tmp_path: Path) -> None:
    code = guests.code(tmp_path, GROWS, bounds="check")
    grown = {gib: guests.start([launcher, code], addresses=gib * GIB).returncode * 8 for gib in (1, 2)}
    assert 400 <= grown[1] < 1024 and 1000 < grown[2] < 1600, grown
    assert guests.start([launcher, code]).returncode * 8 == 1600
    assert guests.start([launcher, "--memory", str(81 * MIB), code], addresses=GIB).returncode * 8 == 80


def test_a_guest_that_begins_with_more_than_there_is_does_not_start(launcher: Path, tmp_path: Path) -> None:
    large = guests.module('(memory $more 32768) (func (export "_start"))')
    done = guests.start([launcher, guests.code(tmp_path, large, bounds="check")], addresses=GIB)
    assert done.returncode == 126 and "wants 2048 MiB of addresses" in done.stderr and "ulimit -v" in done.stderr


def test_a_run_takes_the_code_that_its_limit_asks_for(tmp_path: Path) -> None:
    path, _ = guests.put(tmp_path, guests.say("here\n"))
    run = [sys.executable, "-m", "argosy.cli", "run", "--unsigned", str(path)]
    environment = {"ARGOSY_CACHE": str(tmp_path / "cache")}
    first, limited, again = (
        guests.start(run, addresses=limit, environment=environment) for limit in (None, 2 * GIB, 2 * GIB)
    )
    for done in (first, limited, again):
        assert done.stdout == "here\n", done.stderr
    listed = guests.start([sys.executable, "-m", "argosy.cli", "cache", "ls", "--json"], environment=environment)
    assert sorted(part for part in ("check", "guard") if f'"bounds": "{part}"' in listed.stdout) == ["check", "guard"]
    assert listed.stdout.count('"bounds"') == 2


def test_doctor_says_which_bounds_a_limit_asks_for() -> None:
    doctor = [sys.executable, "-m", "argosy.cli", "doctor", "--json"]
    for limit, bounds in ((None, "guard"), (GIB, "check")):
        parts = json.loads(guests.start(doctor, addresses=limit).stdout)["parts"]["run"]
        (facts,) = (part["facts"] for part in parts if part["name"] == "addresses")
        assert facts == {"limit": limit, "bounds": bounds}
