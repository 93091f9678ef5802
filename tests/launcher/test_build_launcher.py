"""The launcher is built once, whole, by whichever compiler the node has."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import guests
import pytest
from needs import need

from argosy.errors import ArgosyError
from argosy.launcher import build, compiler, mpi_library


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_processes_that_ask_at_once_get_one_build(tmp_path: Path) -> None:
    log = tmp_path / "compilations"
    cc = tmp_path / "cc"
    cc.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec {" ".join(compiler.find().command)} "$@"\n')
    cc.chmod(0o755)
    ask = "from argosy.launcher.build import launcher; print(launcher(None))"
    asking = [
        subprocess.Popen(
            [sys.executable, "-c", ask], stdout=subprocess.PIPE, text=True, env={**os.environ, "CC": str(cc)}
        )
        for _ in range(4)
    ]
    answers = {child.communicate(timeout=120)[0] for child in asking}
    assert len(answers) == 1
    assert sum("-rdynamic" in line for line in log.read_text().splitlines()) == 1
    assert os.access(answers.pop().strip(), os.X_OK)


def test_a_node_without_a_compiler_builds_with_zig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("ziglang") is None:
        need("ziglang", "pip install 'argosy[node]'")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    executable = build.launcher(None)
    done = guests.start([executable, guests.code(tmp_path, guests.say("by zig\n"))])
    assert (done.returncode, done.stdout) == (0, "by zig\n")


def test_no_compiler_at_all_is_said_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(compiler, "_zig", lambda: None)
    with pytest.raises(ArgosyError, match="no C compiler") as error:
        build.launcher(None)
    assert "ziglang" in error.value.advice


def test_a_compiler_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    cc = tmp_path / "cc"
    cc.write_text("#!/bin/sh\necho it is broken >&2\nexit 1\n")
    cc.chmod(0o755)
    monkeypatch.setenv("CC", str(cc))
    with pytest.raises(ArgosyError, match="it is broken"):
        build.launcher(None)
    assert [path for path in (own_cache / "launchers").iterdir() if path.is_dir()] == []


def test_a_launcher_that_others_could_write_is_built_again(own_cache: Path) -> None:
    executable = build.launcher(None)
    executable.write_bytes(b"not a launcher")
    executable.parent.chmod(0o777)
    again = build.launcher(None)
    assert again == executable
    assert guests.start([again, "--help"]).returncode == 0
    assert again.parent.stat().st_mode & 0o022 == 0


def alone() -> bytes:
    """A guest that starts MPI as a single rank and prints how many there are."""
    return guests.module(
        """
        (func (export "_start")
          (drop (call $MPI_Init (i32.const 0) (i32.const 0)))
          (drop (call $MPI_Comm_size (i32.const 0x101) (i32.const 16)))
          (call $digit (i32.load (i32.const 16)))
          (drop (call $MPI_Finalize)))
        """
    )


def library_copy(mpicc: Path, prefix: Path) -> Path:
    """The MPI library of `mpicc` installed once more, under `prefix`: for the launcher, another one."""
    old = mpicc.parent.parent
    for part in ("bin", "include", "lib"):
        (prefix / part).mkdir(parents=True)
    for header in (old / "include").glob("mpi*.h"):
        shutil.copy(header, prefix / "include")
    for file in (old / "lib").glob("libmpi*"):
        shutil.copy(file, prefix / "lib")
    shutil.copytree(old / "lib/mpich", prefix / "lib/mpich")
    copy = prefix / "bin" / mpicc.name
    copy.write_text(mpicc.read_text().replace(str(old), str(prefix)))
    copy.chmod(0o755)
    return copy


def loaded_mpi(executable: Path, folder: Path, *options: str | Path) -> set[str]:
    """The files of libmpi_abi that a run of the launcher opens, as the dynamic linker tells them."""
    code = guests.code(folder, alone())
    done = guests.start([executable, *options, code], environment={"LD_DEBUG": "files"})
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
    loaded = [line for line in done.stderr.splitlines() if "calling init:" in line]
    return {line.split()[-1] for line in loaded if "libmpi_abi" in line}


def wheel(name: str) -> Path:
    mpicc = Path(sys.prefix, "bin", name)
    if not mpicc.exists():
        need(str(mpicc), "pip install mpich")
    return mpicc


def test_one_launcher_serves_two_libraries_with_the_mpi_abi(tmp_path: Path) -> None:
    mpicc = wheel("mpicc_abi")
    first = mpi_library.describe(mpicc, chosen="test")
    second = mpi_library.describe(library_copy(mpicc, tmp_path / "other"), chosen="test")
    executable = build.launcher(first)
    assert build.launcher(second) == executable
    for library in (first, second):
        shared_object = str(library.shared_object())
        assert loaded_mpi(executable, tmp_path, "--mpi-library", shared_object) == {shared_object}


def test_a_launcher_is_built_again_when_its_library_changes(tmp_path: Path) -> None:
    """Other bytes in the library's file stand for an upgrade: a launcher of its own form is for that library alone."""
    mpicc = library_copy(wheel("mpicc"), tmp_path / "own")
    first = build.place(mpi_library.describe(mpicc, chosen="test"))
    assert build.place(mpi_library.describe(mpicc, chosen="test")) == first
    (tmp_path / "own/lib/libmpi.so.12").write_bytes(b"\x7fELF upgraded")
    second = build.place(mpi_library.describe(mpicc, chosen="test"))
    assert second[0] != first[0]
    assert (first[1], second[1]) == (False, False)


def test_zig_builds_the_mpi_glue_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("ziglang") is None:
        need("ziglang", "pip install 'argosy[node]'")
    (tmp_path / "bin").mkdir()
    for tool in ("sh", "dirname", "readlink", "sed", "expr"):  # what an mpicc is made of
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("CC", raising=False)
    assert compiler.find().is_zig
    library = mpi_library.describe(wheel("mpicc_abi"), chosen="test")
    executable = build.launcher(library)
    assert loaded_mpi(executable, tmp_path) == {str(library.shared_object())}


def test_a_sites_launcher_serves_users_with_another_compiler_and_nodes_with_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "site"))
    sites = build.launcher(None)
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "user"))
    monkeypatch.setenv("ARGOSY_SITE_CACHE", str(tmp_path / "site"))
    cc = tmp_path / "cc"
    cc.write_text("#!/bin/sh\nexit 1\n")
    cc.chmod(0o755)
    monkeypatch.setenv("CC", str(cc))
    assert build.launcher(None) == sites
    monkeypatch.delenv("CC")
    monkeypatch.setattr(compiler, "_zig", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert build.launcher(None) == sites
    sites.chmod(0o777)  # anyone could have changed it
    with pytest.raises(ArgosyError, match="no C compiler"):
        build.launcher(None)
