"""No wrong argument of any import ends the launcher or reaches outside the guest."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import adversary
import mpi_programs
import pytest
from mpi_programs import LIBRARIES

from argosy.mpi import binding

pytestmark = pytest.mark.usefixtures("small_files")
FEWEST_CASES = 20_000  # far fewer would mean that the program tries less than it says


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_launcher_survives_every_wrong_argument(library: str, tmp_path: Path) -> None:
    header = tmp_path / "probe.h"
    header.write_text("#include <mpi.h>\n")
    mpicc = mpi_programs.library(library).mpicc
    text = subprocess.run([mpicc, "-E", "-xc", header], capture_output=True, text=True, check=True).stdout
    declared = set(re.findall(r"\bMPI_\w+(?=\s*\()", text))
    bound = [procedure for name, procedure in binding.imports().items() if name in declared]
    program = tmp_path / "adversary.c"
    program.write_text(adversary.source(bound))
    wasm = mpi_programs.compiled(str(program), "-O0", "-w")
    done = mpi_programs.start(wasm, library, ranks=1, granted=tmp_path)
    survived = re.search(r"^survived (\d+)$", done.output, re.MULTILINE)
    assert survived is not None, "\n".join(line for line in done.errors.splitlines()[-3:])
    assert int(survived[1]) > FEWEST_CASES
