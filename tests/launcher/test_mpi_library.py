"""Which MPI library is found, and what is said when there is none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from needs import program

from argosy.errors import ArgosyError
from argosy.launcher import mpi_library


def wrapper(folder: Path, name: str, *, header: str, shows: str | None = None) -> Path:
    """An mpicc of a made-up library, with its header, library file and mpiexec."""
    for part in ("bin", "include", "lib"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "include" / "mpi.h").write_text(header)
    (folder / "lib" / "libmpi.so").write_bytes(b"library")
    shows = shows or f"cc -I{folder}/include -L{folder}/lib -lmpi"
    for path, text in (
        (folder / "bin" / name, f"echo '{shows}'"),
        (folder / "bin" / name.replace("cc", "exec"), "true"),
    ):
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    return folder / "bin" / name


@pytest.mark.parametrize(
    ("header", "kind", "version"),
    [
        ('#define MPICH_VERSION "4.3.1"', "MPICH", "4.3.1"),
        ('#define MPICH_VERSION "3.4a2"\n#define I_MPI_VERSION "2021.14"', "Intel MPI", "2021.14"),
        (
            "#define OMPI_MAJOR_VERSION 5\n#define OMPI_MINOR_VERSION 0\n#define OMPI_RELEASE_VERSION 6",
            "Open MPI",
            "5.0.6",
        ),
        ("#define MPI_ABI_VERSION 1\n#define MPI_ABI_SUBVERSION 0", "MPI ABI", "1.0"),
    ],
)
def test_kind_and_version_come_from_the_header(tmp_path: Path, header: str, kind: str, version: str) -> None:
    found = mpi_library.describe(wrapper(tmp_path, "mpicc", header=header), chosen="test")
    assert (found.kind, found.version) == (kind, version)
    assert found.start_command() == tmp_path / "bin" / "mpiexec"


def test_the_variable_comes_before_the_path_and_the_path_before_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = wrapper(tmp_path / "first", "mpicc", header='#define MPICH_VERSION "1"')
    second = wrapper(tmp_path / "second", "mpicc", header='#define MPICH_VERSION "2"')
    third = wrapper(tmp_path / "prefix", "mpicc", header='#define MPICH_VERSION "3"')
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))
    monkeypatch.setenv("ARGOSY_MPICC", str(first))
    monkeypatch.setenv("PATH", f"{second.parent}:/usr/bin:/bin")
    assert mpi_library.find().version == "1"
    monkeypatch.delenv("ARGOSY_MPICC")
    assert mpi_library.find().version == "2"
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(tools))
    assert mpi_library.find().mpicc == third


def test_without_any_mpi_the_error_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("ARGOSY_MPICC", raising=False)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(ArgosyError, match="no MPI library") as error:
        mpi_library.find()
    assert "pip install mpich" in error.value.advice
    monkeypatch.setenv("ARGOSY_MPICC", "mpicc-that-is-not-there")
    with pytest.raises(ArgosyError, match="mpicc-that-is-not-there"):
        mpi_library.find()


def test_a_wrapper_without_its_header_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mpicc = wrapper(tmp_path, "mpicc", header="", shows=f"cc -I{tmp_path}/nowhere -L{tmp_path} -lmpi")
    monkeypatch.setattr(mpi_library, "_SYSTEM_HEADERS", tmp_path)
    with pytest.raises(ArgosyError, match=r"no mpi\.h"):
        mpi_library.describe(mpicc, chosen="test")


def test_the_identity_changes_when_the_library_is_upgraded(tmp_path: Path) -> None:
    mpicc = wrapper(tmp_path, "mpicc", header='#define MPICH_VERSION "4"')
    before = mpi_library.describe(mpicc, chosen="test").identity
    assert mpi_library.describe(mpicc, chosen="test").identity == before
    (tmp_path / "lib" / "libmpi.so").write_bytes(b"another library")
    assert mpi_library.describe(mpicc, chosen="test").identity != before


def test_libraries_with_the_mpi_abi_are_one_to_the_launcher_until_the_abi_differs(tmp_path: Path) -> None:
    header = "#define MPI_ABI_VERSION 1\n#define MPI_ABI_SUBVERSION 0\nint MPI_Init(int *argc, char ***argv);\n"
    first = wrapper(tmp_path / "first", "mpicc_abi", header=header)
    second = wrapper(tmp_path / "second", "mpicc_abi", header="/* Another library's. */\n" + header)
    more = wrapper(tmp_path / "more", "mpicc_abi", header=header + "int MPI_Anew(void);\n")
    (second.parent.parent / "lib" / "libmpi.so").write_bytes(b"\x7fELF of another library")
    described = [mpi_library.describe(mpicc, chosen="test") for mpicc in (first, second, more)]
    assert all(library.is_abi for library in described)
    assert described[0].identity == described[1].identity != described[2].identity
    assert described[0].shared_object() is None
    assert described[1].shared_object() == tmp_path / "second/lib/libmpi.so"


def test_mpiexec_is_the_one_that_belongs_to_mpicc(tmp_path: Path) -> None:
    real = wrapper(tmp_path, "mpicc.special", header='#define MPICH_VERSION "4"')
    (real.parent / "mpiexec").write_text("another library's")
    (real.parent / "mpiexec").chmod(0o755)
    (real.parent / "mpicc").symlink_to(real.name)
    assert mpi_library.describe(real.parent / "mpicc", chosen="test").mpiexec == real.with_name("mpiexec.special")
    real.with_name("mpiexec.special").unlink()
    (real.parent / "mpiexec").unlink()
    with pytest.raises(ArgosyError, match="no mpiexec"):
        mpi_library.describe(real, chosen="test").start_command()


def test_the_real_library_is_described() -> None:
    mpicc = program("mpicc", "pip install mpich, or apt install libmpich-dev")
    found = mpi_library.describe(mpicc, chosen="test")
    assert found.kind in ("MPICH", "Open MPI", "Intel MPI", "Cray MPICH", "MPI ABI")
    assert found.libraries
    assert found.start_command().exists()
