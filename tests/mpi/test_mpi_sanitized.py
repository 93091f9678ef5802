"""The glue under AddressSanitizer and UndefinedBehaviorSanitizer: no argument, wrong or right, leads to a finding."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import adversary
import mpi_programs
import pytest
from needs import need

from argosy.launcher import build, compiler
from argosy.mpi import binding
from argosy.site import run

_SANITIZE = ("-fsanitize=address,undefined", "-fno-omit-frame-pointer")
# wasmtime handles signals of its own; what a job leaves when it ends is no leak of the glue's.
_ASAN = "handle_segv=0:handle_sigill=0:handle_sigfpe=0:use_sigaltstack=0:detect_leaks=0:allocator_may_return_null=1"
_FINDING = re.compile(r"runtime error|ERROR: AddressSanitizer")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def sanitized(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Launchers are built with instrumented glue, and start with the sanitizers' libraries."""
    libraries = []
    for name in ("libasan.so", "libubsan.so"):
        found = subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True).stdout.strip()
        if not Path(found).is_absolute():
            need(name, "apt-get install gcc libasan8 libubsan1")
        libraries.append(found)
    if "zig" in " ".join(map(str, compiler.find().command)):
        need("gcc", "apt-get install gcc")
    plain = build._compile_flags
    monkeypatch.setattr(build, "_compile_flags", lambda mpi: (*plain(mpi), *_SANITIZE))
    monkeypatch.setenv("ARGOSY_CACHE", str(cache))
    # The launcher's own check of what the node has would start without the sanitizers' libraries.
    monkeypatch.setattr(run, "check", lambda executable, entry: None)
    monkeypatch.setattr(mpi_programs, "RANK_ENVIRONMENT", {"LD_PRELOAD": ":".join(libraries), "ASAN_OPTIONS": _ASAN})


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("adversary") / "adversary.c"
    path.write_text(adversary.source(binding.imports().values()))
    return mpi_programs.compiled(str(path), "-O0", "-w")


@pytest.mark.usefixtures("sanitized", "small_files")
def test_wrong_arguments_lead_to_no_finding(program: Path, tmp_path: Path) -> None:
    done = mpi_programs.start(program, "wheel", ranks=1, granted=tmp_path)
    assert "survived" in done.output, done.errors[-2000:]
    assert not _FINDING.search(done.errors), done.errors[-2000:]


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
def test_what_runs_is_instrumented() -> None:
    launcher = build.launcher(mpi_programs.library("wheel"))
    text = (launcher.parent / build.GLUE).read_bytes()
    assert b"__asan_report_load" in text and b"__ubsan_handle" in text
