"""What the MPI tests share: a C program becomes wasm once, and runs under any MPI library that is here."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from needs import need

from argosy.build import produce, toolchain
from argosy.errors import ArgosyError
from argosy.launcher import mpi_library
from argosy.model.digest import Digest
from argosy.site import precompile, run

PROGRAMS = Path(__file__).with_name("programs")
# The mpich wheel, its ABI form, Debian's MPICH 4.0 and Open MPI 4.1.
LIBRARIES = ("wheel", "abi", "mpich", "openmpi")
# What ranks find in their environment besides the usual.
RANK_ENVIRONMENT: Mapping[str, str] = {}
# With this glibc overwrites what is freed: a library that looks into it again falls.
OVERWRITING = {"MALLOC_PERTURB_": "165"}


@functools.cache
def folder() -> Path:
    """A folder for this run's wasm files."""
    return Path(tempfile.mkdtemp(prefix="argosy-mpi-tests."))


@functools.cache
def compiled(name: str, *flags: str) -> Path:
    """The wasm of `programs/<name>`, C or C++, compiled with these further flags."""
    tools = toolchain.find()
    mpi = produce.mpi_library(tools)
    source = PROGRAMS / name
    wasm = folder() / f"{source.stem}{abs(hash(flags)) if flags else ''}.wasm"
    driver = "clang++" if source.suffix == ".cc" else "clang"
    command = [
        *(str(tools.tool(driver)), "--target=wasm32-wasip1", f"--sysroot={tools.sysroot}", "--no-wasm-opt"),
        *("-O2", "-Wall", "-Wextra", "-Werror", "-Wno-unused-command-line-argument", f"-I{mpi}/include", *flags),
        *(str(source), "-o", str(wasm), f"{mpi}/lib/argosy_abi.o", f"-L{mpi}/lib", "-lmpi"),
        *("-Wl,--export-table", "-Wl,--stack-first", "-Wl,-z,stack-size=1048576"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return wasm


@functools.cache
def library(name: str) -> mpi_library.MpiLibrary:
    """One of LIBRARIES; the test is skipped (in CI: fails) where it is not here."""
    wheel = Path(sys.prefix, "bin")
    places = {"wheel": wheel / "mpicc", "abi": wheel / "mpicc_abi"}
    mpicc = places.get(name, Path(f"/usr/bin/mpicc.{name}"))
    if not mpicc.exists():
        how = "pip install mpich" if name in places else "apt-get install libmpich-dev libopenmpi-dev"
        need(str(mpicc), how)
    return mpi_library.describe(mpicc, chosen="the test")


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a job left."""

    status: int
    output: str
    errors: str


def prepared(
    wasm: Path,
    name: str,
    *,
    ranks: int = 2,
    arguments: tuple[str, ...] = (),
    granted: Path | None = None,
    environment: Mapping[str, str] | None = None,
    spawn: int = 0,
    trace: Path | None = None,
) -> run.Start:
    """The command that runs the program under that MPI library, which sees `granted` as "." and `environment`."""
    mpi = library(name)
    variables = {"ARGOSY_MPICC": str(mpi.mpicc)}
    if name == "openmpi" and os.geteuid() == 0:  # it refuses to run as root unless told twice
        variables |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    before = {key: os.environ.get(key) for key in variables}
    os.environ.update(variables)
    try:
        entry = precompile.precompile(wasm, Digest.of(wasm.read_bytes()), "fast")
        folders = () if granted is None else (run.GrantedFolder(host=granted, guest="."),)
        grants = run.Grants(folders=folders, environment=environment or {}, spawn=spawn)
        return run.prepare(entry, name=wasm.stem, arguments=arguments, ranks=ranks, grants=grants, trace=trace)
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value


def start(wasm: Path, name: str, **settings: Any) -> Done:
    """Run the program as `prepared` with these settings; nothing may last longer than two minutes."""
    begin = prepared(wasm, name, **settings)
    done = subprocess.run(
        begin.command,
        env={**begin.environment, **RANK_ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    return Done(status=done.returncode, output=done.stdout, errors=done.stderr)


def with_links(place: Path) -> Path:
    """A folder to grant to files.c, whose links lead about it and out of it; what lies outside holds "kept"."""
    granted, elsewhere = place / "granted", place / "elsewhere"
    granted.mkdir()
    elsewhere.mkdir()
    for secret in (place / "secret", elsewhere / "secret"):
        secret.write_text("kept")
    (granted / "outside").symlink_to(elsewhere)
    (granted / "dangling").symlink_to(Path("..", "elsewhere", "new"))
    (granted / "link").symlink_to("data")
    return granted


def refusal(wasm: Path, name: str) -> str:
    """Why the program cannot start under that library."""
    try:
        start(wasm, name)
    except ArgosyError as error:
        return str(error)
    raise AssertionError(f"{wasm.name} started under {name}")
