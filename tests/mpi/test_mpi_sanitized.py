"""The glue under AddressSanitizer and UndefinedBehaviorSanitizer: no argument, wrong or right, leads to a finding."""

from __future__ import annotations

import re
from pathlib import Path

import adversary
import mpi_programs
import pytest
import sanitizers

from argosy.launcher import build
from argosy.mpi import binding
from argosy.site import trace

_FINDING = re.compile(r"runtime error|ERROR: AddressSanitizer")


@pytest.fixture
def sanitized(monkeypatch: pytest.MonkeyPatch) -> None:
    """Launchers are built with instrumented glue, and start with the sanitizers' libraries."""
    environment = sanitizers.environment()
    for place, name, value in sanitizers.settings():
        monkeypatch.setattr(place, name, value)
    monkeypatch.setattr(mpi_programs, "RANK_ENVIRONMENT", environment)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("adversary") / "adversary.c"
    path.write_text(adversary.source(binding.imports().values()))
    return mpi_programs.compiled(str(path), "-O0", "-w")


@pytest.mark.usefixtures("sanitized", "small_files")
@pytest.mark.parametrize("is_traced", [False, True], ids=["plain", "traced"])
def test_wrong_arguments_lead_to_no_finding(is_traced: bool, program: Path, tmp_path: Path) -> None:
    folder = trace.prepare_folder(tmp_path / "trace", clean=True) if is_traced else None
    done = mpi_programs.start(program, "wheel", ranks=1, granted=tmp_path, trace=folder)
    assert "survived" in done.output, done.errors[-2000:]
    assert not _FINDING.search(done.errors), done.errors[-2000:]


@pytest.mark.usefixtures("sanitized")
def test_tracing_leads_to_no_finding(tmp_path: Path) -> None:
    folder = trace.prepare_folder(tmp_path / "trace", clean=True)
    done = mpi_programs.start(mpi_programs.compiled("traced.c"), "wheel", ranks=4, trace=folder)
    assert (done.output, done.status) == ("ok\n", 0), done.output + done.errors
    assert not _FINDING.search(done.errors), done.errors
    assert len(trace.read(folder)) == 4


SEMANTICS = (
    *("requests.c", "callbacks.c", "errors.c", "collectives.c", "windows.c"),
    *("quads.c", "shared.c", "dynamic.c", "sessions.c", "buffers.c", "datatypes.c"),
    *("grequests.c", "tools.c"),
)


@pytest.mark.usefixtures("sanitized")
@pytest.mark.parametrize("name", SEMANTICS)
def test_right_and_wrong_programs_lead_to_no_finding(name: str) -> None:
    wasm = mpi_programs.compiled(name)
    done = mpi_programs.start(wasm, "wheel", ranks=4)
    assert (done.output, done.status) == ("ok\n", 0), done.output + done.errors
    assert not _FINDING.search(done.errors), done.errors


@pytest.mark.usefixtures("sanitized")
def test_files_lead_to_no_finding(tmp_path: Path) -> None:
    done = mpi_programs.start(mpi_programs.compiled("files.c"), "wheel", granted=mpi_programs.with_links(tmp_path))
    assert (done.output, done.status) == ("ok\n", 0), done.output + done.errors
    assert not _FINDING.search(done.errors), done.errors


@pytest.mark.usefixtures("sanitized")
@pytest.mark.parametrize("mode", ["start", "ports", "refused"])
def test_processes_that_start_and_meet_lead_to_no_finding(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {**mpi_programs.RANK_ENVIRONMENT, "MPIR_CVAR_CH4_NETMOD": "ofi"}  # as in test_mpi_processes.py
    monkeypatch.setattr(mpi_programs, "RANK_ENVIRONMENT", environment)
    (tmp_path / "granted.here").touch()
    done = mpi_programs.start(
        mpi_programs.compiled("processes.c"),
        "wheel",
        arguments=(mode,),
        granted=tmp_path,
        environment={"GRANTED": "a value; with = and\nanother line"},
        spawn=6 if mode == "start" else 0,
    )
    assert (done.output, done.status) == ("ok\n", 0), done.output + done.errors
    assert not _FINDING.search(done.errors), done.errors


@pytest.mark.usefixtures("sanitized")
def test_what_runs_is_instrumented() -> None:
    launcher = build.launcher(mpi_programs.library("wheel"))
    text = (launcher.parent / build.GLUE).read_bytes()
    assert b"__asan_report_load" in text and b"__ubsan_handle" in text
