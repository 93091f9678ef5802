"""The recipes of this repository: each builds, and its tests find what upstream says that it computes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from needs import need, program

from argosy.build import recipes
from argosy.build.produce import read_lock
from argosy.errors import ArgosyError
from argosy.files import sha256_of
from argosy.launcher import mpi_library
from argosy.model.recipe_build import AutotoolsBuild, MakeBuild
from argosy.oci.open import open_registry
from argosy.pipeline import rebuild
from argosy.pipeline.execute import developer_trust
from argosy.pipeline.publish import artifact_name, artifact_reference, developer_key

ROOT = Path(__file__).resolve().parents[2]
KNOWN = recipes.load_all(ROOT / "recipes")
LIBRARIES = (Path(sys.prefix, "bin/mpicc"), "/usr/bin/mpicc.mpich", "/usr/bin/mpicc.openmpi")
SCONSTRUCT = f"""\
env = Environment(tools=["argosy"])
recipes = env.ArgosyRecipes("{ROOT}/recipes", build="build")
env.ArgosyPublishing(recipes)
env.ArgosyRunning(recipes)
"""


def scons(folder: Path, *words: str) -> str:
    """Build the repository's recipes in another folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "SConstruct").write_text(SCONSTRUCT)
    # Open MPI starts nothing for root unless told twice.
    environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    command = [sys.executable, "-m", "SCons", *words]
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1800
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipes")


def test_there_are_the_recipes_that_show_each_kind_of_build() -> None:
    assert set(KNOWN) >= {"hello", "gsl-cblas", "hpcc", "fftw3", "sundials"}
    assert {type(recipe.build).__name__ for recipe in KNOWN.values()} >= {
        "SourcesBuild",
        "AutotoolsBuild",
        "CmakeBuild",
    }


@pytest.mark.parametrize("name", [name for name, recipe in KNOWN.items() if recipe.programs])
def test_a_recipe_computes_what_it_should(place: Path, name: str) -> None:
    if isinstance(KNOWN[name].build, AutotoolsBuild | MakeBuild):
        program("make", "apt-get install make")
    try:
        mpi_library.find().start_command()
    except ArgosyError as error:
        need("an MPI library", error.advice)
    said = scons(place, "-j2", "check", f"RECIPE={name}")
    assert [f"{name}: {test.name}: passed" in said for test in KNOWN[name].tests] == [True] * len(KNOWN[name].tests)
    assert KNOWN[name].tests


@pytest.mark.parametrize("name", [name for name, recipe in KNOWN.items() if recipe.programs])
def test_a_published_recipe_is_built_again_by_its_reference_alone(place: Path, tmp_path: Path, name: str) -> None:
    """In another folder, with another number of jobs, from what lies beside the artifact: the same in every file."""
    if isinstance(KNOWN[name].build, AutotoolsBuild | MakeBuild):
        program("make", "apt-get install make")
    scons(place, "-j2", "sign", f"RECIPE={name}")
    made = artifact_name(KNOWN[name], KNOWN[name].programs[0].name)
    reference = artifact_reference(f"oci:{place}/build/registry", made, KNOWN[name].version)
    registry = open_registry(reference)
    planned = rebuild.plan(registry, reference, developer_trust(tmp_path / "trust", developer_key()))
    done = rebuild.rebuild(registry, planned, tmp_path / "somewhere/else", jobs=3)
    assert done.agrees and done.differences == ()
    assert sha256_of(done.file) == sha256_of(place / "build" / name / done.file.name)
    again = done.file.parent.parent
    assert read_lock(again / name) == read_lock(place / "build" / name)
    for library in again.glob("*/lib/*.a"):
        assert sha256_of(library) == sha256_of(place / "build" / library.relative_to(again))


@pytest.mark.parametrize("mpicc", LIBRARIES)
def test_one_fftw_artifact_is_right_under_each_mpi_library(place: Path, mpicc: str | Path) -> None:
    if not Path(mpicc).exists():
        need(str(mpicc), "pip install mpich; apt-get install libmpich-dev libopenmpi-dev")
    program("make", "apt-get install make")
    scons(place, "-j2", "fftw3")
    digest = sha256_of(place / "build/fftw3/mpi-bench.wasm")
    said = scons(place, "check", "RECIPE=fftw3", f"MPICC={mpicc}")
    assert all(f"fftw3: {test.name}: passed" in said for test in KNOWN["fftw3"].tests)
    assert sha256_of(place / "build/fftw3/mpi-bench.wasm") == digest


@pytest.mark.parametrize("mpicc", LIBRARIES)
def test_one_hpcc_artifact_runs_under_each_mpi_library(place: Path, mpicc: str | Path) -> None:
    if not Path(mpicc).exists():
        need(str(mpicc), "pip install mpich; apt-get install libmpich-dev libopenmpi-dev")
    scons(place, "-j2", "hpcc")
    digest = sha256_of(place / "build/hpcc/hpcc.wasm")
    said = scons(place, "run", "RECIPE=hpcc", f"MPICC={mpicc}")
    assert f"/aot/{digest}/" in said
    assert "hpcc: the run is as its recipe expects" in said
    assert sha256_of(place / "build/hpcc/hpcc.wasm") == digest
