"""mpi.h is clean in every language that includes it, with all warnings and no extensions."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from argosy.build import produce, toolchain

_STRICT = ("-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-pedantic")


@pytest.mark.parametrize(
    ("standard", "driver", "suffix"),
    [("c99", "clang", ".c"), ("c11", "clang", ".c"), ("c++11", "clang++", ".cc"), ("c++17", "clang++", ".cc")],
)
def test_the_header_is_clean(standard: str, driver: str, suffix: str, tmp_path: Path) -> None:
    tools = toolchain.find()
    source = tmp_path / f"program{suffix}"
    source.write_text("#include <mpi.h>\nint main(void) { return MPI_COMM_WORLD == MPI_COMM_NULL; }\n")
    place = ("--target=wasm32-wasip1", f"--sysroot={tools.sysroot}", f"-I{produce.mpi_library(tools)}/include")
    command = [str(tools.tool(driver)), *place, *_STRICT, f"-std={standard}", str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
