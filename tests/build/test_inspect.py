"""`argosy.build.inspect` and `describe`: on a program that the project's own compiler made, and on small modules."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import wasmtime

from argosy.build import recipes, toolchain
from argosy.build.describe import describe
from argosy.build.inspect import Inspection, inspect
from argosy.build.produce import LOCK, Options, produce
from argosy.errors import ArgosyError, UsageError
from argosy.model.digest import Digest
from argosy.model.note import ABI_SECTION, RECIPE_SECTION, RecipeNote
from argosy.model.wasm import append_custom_section

RECIPE = """
name = "axpy"
version = "2.1"
licence = "MIT"
homepage = "https://example.org/axpy"
description = "One loop that is worth vectors"
mpi = true
source = [{ folder = "source" }]
capabilities = { folders = [{ path = "data", writable = false }], environment = ["AXPY_SIZE"] }
[build]
kind = "sources"
sources = ["*.c"]
[[program]]
name = "axpy"
"""
SOURCE = r"""
#include <mpi.h>
#include <stdio.h>
static double x[4096], y[4096];
__attribute__((noinline)) void axpy(double a, double *restrict to, const double *restrict from, int count) {
  for (int i = 0; i < count; i++) to[i] += a * from[i];
}
int main(int argc, char **argv) {
  int rank;
  double sum = 0, all = 0;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  axpy(rank, y, x, 4096);
  for (int i = 0; i < 4096; i++) sum += y[i];
  MPI_Allreduce(&sum, &all, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  printf("%g\n", all);
  return MPI_Finalize();
}
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished folder of a small MPI program; its recipe is beside it."""
    folder = tmp_path_factory.mktemp("inspect") / "axpy"
    (folder / "source").mkdir(parents=True)
    (folder / "source/axpy.c").write_text(SOURCE)
    (folder / "recipe.toml").write_text(RECIPE)
    out = folder.parent / "build"
    produce(recipes.load(folder), out, toolchain=toolchain.find(), dependencies={}, options=Options())
    return out


@pytest.fixture(scope="module")
def inspected(built: Path) -> Inspection:
    return inspect(built / "axpy.wasm")


def test_the_mpi_functions_used_are_named_and_no_other(inspected: Inspection) -> None:
    assert inspected.mpi_functions == ("MPI_Allreduce", "MPI_Comm_rank", "MPI_Finalize", "MPI_Init")
    assert inspected.mpi_abi == "1"
    assert set(inspected.imports) == {"argosy_mpi_1", "wasi_snapshot_preview1"}
    assert "fd_write" in inspected.imports["wasi_snapshot_preview1"]


def test_recipe_version_and_numerics_are_in_the_module(inspected: Inspection) -> None:
    assert inspected.recipe == RecipeNote(name="axpy", version="2.1", numerics="fast")


def test_simd_is_found_where_the_compiler_put_it(inspected: Inspection) -> None:
    by_name = {function.name: function for function in inspected.vectorized}
    assert by_name["axpy"].simd >= 4
    assert by_name["axpy"].relaxed_simd >= 1  # a*x+y contracted into one relaxed multiply-add
    assert by_name["axpy"].simd < by_name["axpy"].instructions
    assert inspected.simd >= sum(function.simd for function in inspected.vectorized) > 0
    assert {"simd", "relaxed-simd"} <= set(inspected.features)
    assert "printf" not in by_name


def test_functions_with_simd_come_most_first(inspected: Inspection) -> None:
    counts = [function.simd for function in inspected.vectorized]
    assert counts == sorted(counts, reverse=True)


def test_sizes_are_the_files_own(built: Path, inspected: Inspection) -> None:
    data = (built / "axpy.wasm").read_bytes()
    sizes = inspected.sizes
    assert inspected.digest == Digest.of(data)
    assert sizes.file == len(data) == sizes.code + sizes.data + sizes.custom + sizes.other
    assert abs(sizes.gzip - len(gzip.compress(data, 6))) < 100
    assert sizes.code > sizes.data > 0


def test_memory_is_told_in_pages(inspected: Inspection) -> None:
    (memory,) = inspected.memories
    assert memory.minimum * 65536 >= 2 * 4096 * 8


def test_a_module_of_others_is_inspected_too(tmp_path: Path) -> None:
    file = tmp_path / "foreign.wasm"
    file.write_bytes(bytes(wasmtime.wat2wasm('(module (func (export "run")))')))
    found = inspect(file)
    assert (found.recipe, found.mpi_abi, found.mpi_functions, found.imports) == (None, None, (), {})
    assert (found.functions, found.instructions, found.memories) == (1, 1, ())


@pytest.mark.parametrize(
    ("section", "content"),
    [
        (RECIPE_SECTION, b"{"),
        (RECIPE_SECTION, b'{"name":"x","version":"1","numerics":"magic"}'),
        (RECIPE_SECTION, b'{"name":7,"version":"1","numerics":"fast"}'),
        (RECIPE_SECTION, b"[" * 60000),
        (ABI_SECTION, b'{"mpi_abi":1}'),
        (ABI_SECTION, b"[]"),
    ],
)
def test_a_note_that_lies_about_its_form_is_refused(section: str, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "odd.wasm"
    file.write_bytes(append_custom_section(bytes(wasmtime.wat2wasm("(module)")), section, content))
    with pytest.raises(ArgosyError, match=section):
        inspect(file)


def test_what_is_no_file_or_no_wasm_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file"):
        inspect(tmp_path / "absent.wasm")
    with pytest.raises(UsageError, match="is a folder"):
        inspect(tmp_path)
    with pytest.raises(UsageError, match="not a regular file"):
        inspect(Path("/dev/zero"))
    (tmp_path / "text.wasm").write_text("hello")
    with pytest.raises(ArgosyError, match=r"text\.wasm is not a wasm module"):
        inspect(tmp_path / "text.wasm")


def test_a_description_joins_module_recipe_and_lock(built: Path) -> None:
    recipe = recipes.load(built.parent / "axpy")
    said = describe(built / "axpy.wasm", recipe=recipe, lock=built / LOCK)
    assert (said.name, said.version, said.licence, said.numerics) == ("axpy", "2.1", "MIT", "fast")
    assert (said.homepage, said.summary) == ("https://example.org/axpy", "One loop that is worth vectors")
    assert (said.folders, said.environment) == (("data:ro",), ("AXPY_SIZE",))
    assert said.mpi_abi == "1"
    assert "argosy_mpi_1.MPI_Allreduce" in said.imports
    assert said.lock == Digest.of((built / LOCK).read_bytes())


def test_a_description_without_a_recipe_says_what_the_module_says(built: Path) -> None:
    said = describe(built / "axpy.wasm")
    assert (said.name, said.version, said.licence, said.lock) == ("axpy", "2.1", None, None)


def test_a_lock_or_recipe_of_another_program_is_refused(built: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.wasm"
    note = RecipeNote(name="other", version="1", numerics="fast")
    other.write_bytes(append_custom_section(bytes(wasmtime.wat2wasm("(module)")), RECIPE_SECTION, note.encoded()))
    with pytest.raises(UsageError, match="is not the lock of"):
        describe(other, lock=built / LOCK)
    with pytest.raises(UsageError, match="made by the recipe 'other', not by 'axpy'"):
        describe(other, recipe=recipes.load(built.parent / "axpy"))
