"""Sequences of calls, drawn from fixed seeds, end no launcher: fuzz.py finds more, in more time."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import fuzz
import fuzz_stories
import pytest
from fuzz_calls import Call, Drawer

from argosy.launcher import build
from argosy.launcher.mpi_library import MpiLibrary

# What says that a buffer ends inside the guest's memory, and what a launcher is built with that has forgotten it.
REACH = "address + low >= 0 && address + high <= (__int128)size ? 0 : ABI_MPI_ERR_BUFFER"
FORGOTTEN = "(void)size, (void)address, (void)low, (void)high, 0"

FEWEST_IMPORTS = 150  # that a few seconds reach with success; far fewer would mean that the fuzzer is blunt


def _explained(tally: fuzz.Tally) -> str:
    return "\n".join(tally.findings)


@pytest.mark.parametrize("library", ["wheel", "openmpi"])
def test_no_sequence_ends_the_launcher(library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGOSY_MPICC", "")
    aimed = fuzz.target(library)
    tally = fuzz.fuzz(aimed, seed=1, seconds=60, sequences=40, length=80, save=tmp_path)
    assert tally.findings == [], _explained(tally)
    assert tally.ended["done"] >= 12, tally.ended
    assert len(tally.succeeded) > FEWEST_IMPORTS


def test_a_check_that_is_missing_is_found_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGOSY_MPICC", "")
    own = build._own_sources

    def forgetful(mpi: MpiLibrary | None) -> dict[str, str]:
        texts = own(mpi)
        assert REACH in texts["mpi_buffers.c"]
        return {**texts, "mpi_buffers.c": texts["mpi_buffers.c"].replace(REACH, FORGOTTEN)}

    monkeypatch.setattr(build, "_own_sources", forgetful)
    monkeypatch.setattr(build, "_FLAGS", tuple("-O0" if flag == "-O2" else flag for flag in build._FLAGS))
    aimed = fuzz.target("wheel")
    drawers = (Drawer(random.Random(seed), aimed.procedures) for seed in range(1, 100))
    assert any(aimed.perform(drawer.sequence(80)).how == "fault" for drawer in drawers)


@pytest.mark.parametrize("seed", range(3))
def test_each_story_is_told_to_its_end_by_some_library(seed: int) -> None:
    """A story that names a parameter or a function that does not exist would be left out without a word."""
    from argosy.mpi import binding

    drawer = Drawer(random.Random(seed), list(binding.imports().values()), ranks=2)
    for story in fuzz_stories.STORIES:
        list(drawer._story(story))


def test_a_sequence_is_cut_down_to_what_it_takes() -> None:
    calls = [Call(name="grow", arguments=(("number", number),)) for number in range(50)]
    guilty = {calls[7], calls[31]}
    assert set(fuzz.minimized(calls, lambda some: guilty <= set(some))) == guilty


def test_a_saved_sequence_is_the_same_when_read_again() -> None:
    from argosy.mpi import binding

    calls = Drawer(random.Random(5), list(binding.imports().values())).sequence(60)
    text = fuzz.saved(calls, {"seed": 5})
    assert [fuzz._from_json(call) for call in json.loads(text)["calls"]] == calls


def _working_below(folder: Path) -> list[str]:
    """The processes whose working folder lies there."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            where = (process / "cwd").readlink()
        except OSError:  # it has ended, or is another user's
            continue
        if where.is_relative_to(folder):
            found.append(process.name)
    return found


def test_a_fuzzer_that_is_ended_leaves_no_launcher(tmp_path: Path) -> None:
    command = [sys.executable, fuzz.__file__, "--minutes", "5", "--library", "wheel"]
    fuzzing = subprocess.Popen(
        command, env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 240
        while not (working := _working_below(tmp_path)) and fuzzing.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        assert working, "no launcher was started"
        fuzzing.terminate()
        assert fuzzing.wait(timeout=30) == 143
    finally:
        fuzzing.kill()
        fuzzing.wait()
    until = time.monotonic() + 10
    while _working_below(tmp_path) and time.monotonic() < until:
        time.sleep(0.1)
    assert _working_below(tmp_path) == []
