"""One artifact on Arm: the wasm that runs here is precompiled by, and runs on, emulated Arm CPUs of five kinds.

What takes minutes, HPCC, is one command: python tests/arm/hpcc_on_arm.py.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

import arm_node
import guests
import mpi_programs
import pytest
from arm_node import EMULATED, ArmNode
from needs import need

from argosy.errors import ArgosyError
from argosy.site import elf

# qemu's CPUs with the profile whose features each has.
CPUS = {
    "cortex-a53": "rpi3",
    "cortex-a72": "rpi4",
    "cortex-a76": "rpi5",
    "neoverse-n1": "neoverse-n1",
    "a64fx": "a64fx",
}

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="these tests emulate Arm on x86-64")


@pytest.fixture(scope="module")
def node() -> ArmNode:
    try:
        return arm_node.find()
    except ArgosyError as error:
        need("an emulated Arm node", f"{error.what}; {error.advice}")
        raise AssertionError from error


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of a site whose nodes share a file system."""
    return tmp_path_factory.mktemp("arm-cache")


def precompile(node: ArmNode, cpu: str, wasm: Path, cache: Path, *profiles: str) -> list[dict[str, object]]:
    """The entries that `argosy precompile --json` tells of."""
    options = [word for profile in profiles for word in ("--for", profile)]
    done = node.argosy(cpu, "precompile", "--json", *options, "--unsigned", wasm, cache=cache)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    return answer if profiles else [answer]


def job(*ranks: Sequence[str | Path]) -> str:
    """What a job prints that starts one process of each of these commands, under this machine's mpiexec."""
    mpiexec = mpi_programs.library("wheel").start_command()
    words: list[str] = [str(mpiexec)]
    for number, command in enumerate(ranks):
        words += [*([":"] if number else []), "-n", "1", *map(str, command)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, env={**os.environ, **EMULATED})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def every_type() -> Path:
    """A program that makes an Allreduce of every predefined datatype and prints the results' bytes."""
    return mpi_programs.compiled("every_type.c")


@pytest.fixture(scope="module")
def x86_rank(every_type: Path) -> list[str]:
    """What starts a rank of it here."""
    start = mpi_programs.prepared(every_type, "wheel", ranks=2, arguments=("show",))
    return list(start.command[start.command.index("2") + 1 :])


@pytest.fixture(scope="module")
def here(x86_rank: list[str]) -> str:
    """What it prints on two x86-64 ranks."""
    return job(x86_rank, x86_rank)


@pytest.fixture(scope="module")
def for_rpi3(node: ArmNode, every_type: Path, cache: Path) -> Path:
    (entry,) = precompile(node, "max", every_type, cache, "rpi3")
    return Path(str(entry["path"]))


@pytest.mark.parametrize("cpu", CPUS)
def test_code_for_a_raspberry_pi_3_computes_on_every_arm_what_x86_computes(
    node: ArmNode, cpu: str, for_rpi3: Path, here: str
) -> None:
    rank = node.rank(cpu, for_rpi3, "show")
    assert here.count("\n") == 44 and "MPI_LONG_DOUBLE_INT " in here and here.endswith("ok\n")
    assert job(rank, rank) == here  # bit by bit: the results are printed in hexadecimal


@pytest.mark.parametrize("cpu", ["cortex-a72", "a64fx"])
def test_one_job_has_ranks_on_x86_and_arm_from_one_wasm(
    node: ArmNode, cpu: str, for_rpi3: Path, x86_rank: list[str], here: str
) -> None:
    arm = node.rank(cpu, for_rpi3, "show")
    assert job(x86_rank, arm) == here
    assert job(arm, x86_rank) == here


@pytest.mark.parametrize("cpu", CPUS)
def test_each_cpu_is_found_to_have_what_its_profile_says(node: ArmNode, cpu: str, tmp_path: Path) -> None:
    done = node.argosy(cpu, "doctor", "--cpu", "--json", cache=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    profiles = {one["profile"]["name"]: one for one in found["profiles"]}
    assert set(found["host"]["features"]) == set(profiles[CPUS[cpu]]["profile"]["target"]["features"])
    assert profiles["rpi3"]["runs"] and not profiles["x86-64"]["runs"]


def test_code_for_a_cpu_with_more_is_refused_by_the_feature_and_compiled_again(node: ArmNode, tmp_path: Path) -> None:
    """A shared cache: a node of the newest kind has compiled for itself, and a Raspberry Pi 4 runs the same module."""
    wasm, _ = guests.put(tmp_path, guests.say("aboard\n"))
    (newest,) = precompile(node, "max", wasm, tmp_path / "cache")
    code = Path(str(newest["path"]))
    assert elf.read(code.read_bytes(), name="x").target.features >= {"has_lse", "has_pauth", "has_fp16"}
    launched = subprocess.run(node.rank("cortex-a72", code), capture_output=True, text=True, timeout=60)
    assert launched.returncode != 0 and "has_" in launched.stderr  # the launcher by itself
    why = node.argosy("cortex-a72", "why-not", code, cache=tmp_path / "cache")
    assert why.returncode == 1 and "has_lse" in why.stdout
    (entry,) = precompile(node, "cortex-a72", wasm, tmp_path / "cache")
    assert entry["compiled"] and "has_lse" in str(entry["refused"])
    (again,) = [path for path in code.parent.glob("*.cwasm") if path != code]
    for cpu in ("cortex-a72", "max"):
        ran = subprocess.run(node.rank(cpu, again), capture_output=True, text=True, timeout=60)
        assert (ran.stdout, ran.returncode) == ("aboard\n", 0), ran.stderr


def test_one_login_node_prepares_for_many_kinds(node: ArmNode, tmp_path: Path) -> None:
    wasm, _ = guests.put(tmp_path, guests.say("aboard\n"))
    prepared = precompile(node, "max", wasm, tmp_path / "cache", *CPUS.values())
    for cpu, entry in zip(CPUS, prepared, strict=True):
        ran = subprocess.run(node.rank(cpu, Path(str(entry["path"]))), capture_output=True, text=True, timeout=60)
        assert ran.stdout == "aboard\n", ran.stderr
        (found,) = precompile(node, cpu, wasm, tmp_path / "cache")
        assert not found["compiled"]


def test_a_cpu_does_not_compile_for_one_that_has_more(node: ArmNode, tmp_path: Path) -> None:
    wasm, _ = guests.put(tmp_path, guests.say("aboard\n"))
    command = ("precompile", "--for", "rpi5", "--unsigned", wasm)
    done = node.argosy("cortex-a72", *command, cache=tmp_path / "cache")
    assert done.returncode == 1 and "has_lse" in done.stderr and "run it on such a CPU" in done.stderr
