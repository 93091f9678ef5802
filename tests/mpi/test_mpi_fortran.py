"""Fortran 77 calls MPI by way of f2c: mpif.h, the subroutines, and what recipes and mpif77 make of `.f` files."""

from __future__ import annotations

import re
from pathlib import Path

import fortran_programs
import mpi_programs
import pympistandard
import pytest
from mpi_programs import LIBRARIES

from argosy.build import produce, toolchain
from argosy.errors import UsageError
from argosy.model import recipe
from argosy.mpi import binding
from argosy.mpi.api import procedures
from argosy.mpi.binding import Place, place
from argosy.mpi.guest import fortran
from argosy.mpi.guest.header import REMOVED


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fortran_programs.built(tmp_path_factory.mktemp("ring"), "ring.f")


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_recipe_of_fortran_sources_runs_on_four_ranks(ring: Path, library: str) -> None:
    done = mpi_programs.start(ring, library, ranks=4)
    assert (done.output, done.status) == ("ok\n", 0), done.output + done.errors


def test_mpif77_compiles_and_links_as_makefiles_do(tmp_path: Path) -> None:
    mpif77 = fortran_programs.mpif77(tmp_path)
    (tmp_path / "half.F").write_text(
        "#ifdef HALF\n      double precision function half(x)\n      double precision x\n"
        "      half = HALF * x\n      end\n#endif\n"
    )
    (tmp_path / "main.f").write_text(
        "      program main\n      include 'mpif.h'\n      double precision half\n"
        "      call mpi_init(ierr)\n      print '(f4.1, i3)', half(7d0), MPI_VERSION\n"
        "      call mpi_finalize(ierr)\n      end\n"
    )
    for words in (("-c", "-O2", "-DHALF=0.5d0", "half.F", "main.f"), ("half.o", "main.o", "-o", "main.wasm")):
        done = fortran_programs.run(mpif77, *words, folder=tmp_path)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert mpi_programs.start(tmp_path / "main.wasm", "wheel", ranks=1).output == " 3.5  5\n"


def test_what_f2c_refuses_is_told_with_the_source_that_it_is_in(tmp_path: Path) -> None:
    mpif77 = fortran_programs.mpif77(tmp_path)
    (tmp_path / "wrong.f").write_text("      program wrong\n      call (\n      end\n")
    done = fortran_programs.run(mpif77, "-c", "wrong.f", folder=tmp_path)
    assert done.returncode != 0
    assert "wrong.f: f2c cannot make C of it" in done.stderr
    assert not (tmp_path / "wrong.o").exists()


def test_common_blocks_are_one_in_all_files(tmp_path: Path) -> None:
    mpif77 = fortran_programs.mpif77(tmp_path)
    (tmp_path / "one.f").write_text(
        "      program one\n      common /shared/ k(3)\n      common l\n      call two\n"
        "      print '(4i3)', k, l\n      end\n"
    )
    (tmp_path / "two.f").write_text(
        "      subroutine two\n      common /shared/ k(3)\n      common l\n      k(2) = 5\n      l = 9\n      end\n"
        "      block data\n      common /shared/ k(3)\n      data k /1, 2, 3/\n      end\n"
    )
    done = fortran_programs.run(mpif77, "one.f", "two.f", "-o", "one.wasm", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert mpi_programs.start(tmp_path / "one.wasm", "wheel", ranks=1).output == "  1  5  3  9\n"


def test_fortran_without_its_library_is_refused_with_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.f").write_text("      end\n")
    text = fortran_programs._RECIPE.replace('requires = ["libf2c"]\n', "")
    described = recipe.parse(text, where="recipe.toml", folder=tmp_path)
    with pytest.raises(UsageError) as error:
        produce.produce(
            described, tmp_path / "built", toolchain=toolchain.find(), dependencies={}, options=produce.Options()
        )
    assert 'requires = ["libf2c"]' in str(error.value.advice)


def test_every_procedure_that_c_and_fortran_have_is_a_subroutine() -> None:
    text = (Path(fortran.__file__).with_name("fortran.c")).read_text() + fortran.sources()["fortran_calls.inc"]
    written = set(re.findall(r"^FORTRAN\(\w+, (\w+)", text, re.MULTILINE))
    written |= set(re.findall(r"^(?:SOME|CREATE_HANDLER|KEYVALS|[GS]ET_ATTRIBUTE)\((\w+)", text, re.MULTILINE))
    removed = {re.findall(r"MPI_\w+(?=\()", line)[0] for line in REMOVED}
    named = {entry.name for entry in pympistandard.all_f90_procedures()}
    wanted = {
        name.lower()
        for name, procedure in procedures().items()
        if place(name) is not Place.ABSENT and not procedure.large and name.lower() in named
    } - {name.lower() for name in fortran.WITHOUT}
    assert wanted | {name.lower() for name in removed} <= written
    assert len(wanted) > 300 and binding.imports()


def test_mpif_h_fits_the_lines_of_fixed_form_and_its_lists_are_whole() -> None:
    text = fortran.mpif()
    assert all(len(line) <= 72 for line in text.splitlines() if not line.startswith("C"))
    for name, value in (("MPI_COMM_WORLD", 0x101), ("MPI_DOUBLE_PRECISION", 0x21C), ("MPI_MAX_PROCESSOR_NAME", 255)):
        assert f"      PARAMETER ({name}={value})\n" in text
