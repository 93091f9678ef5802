"""The reference of every comparison: a recipe of kind `sources`, compiled for this machine by its own MPI compiler."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from argosy import process
from argosy.build import compile_sources, recipes, steps, toolchain
from argosy.build.produce import prepare
from argosy.build.steps import CompileStep
from argosy.build.workplace import Workplace
from argosy.launcher.mpi_library import MpiLibrary
from argosy.model.recipe import Recipe
from argosy.model.recipe_build import SourcesBuild


def build(recipe_folder: Path, name: str, work: Path, *, mpi: MpiLibrary, flags: tuple[str, ...]) -> Path:
    """Compile recipe `name`, with all that it requires, natively into `work`; gives the program's path.

    The sources, patches, include folders and macros are the recipe's own, so both sides compile the same text, with
    the recipe's special flags but those that tell LLVM how to write wasm.
    """
    shutil.rmtree(work, ignore_errors=True)
    objects: list[Path] = []
    ordered = recipes.order(recipes.load_all(recipe_folder), [name])
    for recipe in ordered:
        objects += _compile(recipe, work, mpi, flags)
    program = work / f"{name}.native"
    process.check(
        [mpi.mpicc, *(str(path) for path in objects), "-lm", "-o", program], purpose=f"linking {name} natively"
    )
    return program


def compiler(mpi: MpiLibrary) -> str:
    """What the MPI library's mpicc compiles with, as that compiler names itself."""
    return process.check([mpi.mpicc, "--version"], purpose="asking for the native compiler").splitlines()[0]


def _compile(recipe: Recipe, work: Path, mpi: MpiLibrary, flags: tuple[str, ...]) -> list[Path]:
    assert isinstance(recipe.build, SourcesBuild), f"{recipe.name} is not built from a list of sources"
    source = work / recipe.name
    prepare(recipe, source)
    # The plan of the wasm build names what is compiled; its commands are replaced by native ones.
    place = Workplace(
        recipe=recipe,
        toolchain=toolchain.find(),
        source=source,
        work=work / f"{recipe.name}.objects",
        prefix=work / "prefix",
    )
    for copy in compile_sources.copies(place, recipe.build):
        steps.run(copy)
    plan = compile_sources.steps(place, recipe.build)
    special = {
        path: _for_any_compiler(entry.flags)
        for entry in recipe.build.special
        for pattern in entry.sources
        for path in place.folder.glob(pattern)
    }
    includes = [f"-I{place.folder / folder}" for folder in recipe.build.includes]
    macros = [f"-D{macro}" for macro in recipe.build.defines]

    def compile_one(step: CompileStep) -> Path:
        step.target.parent.mkdir(parents=True, exist_ok=True)
        process.check(
            [
                *(mpi.mpicc, *flags, "-w", *includes, f"-I{work / 'prefix/include'}", *macros),
                *(*special.get(step.source, ()), "-c", step.source, "-o", step.target),
            ],
            purpose=f"compiling {step.source.name} natively",
        )
        return step.target

    for step in plan:
        if not isinstance(step, CompileStep) and step.target.is_relative_to(place.prefix / "include"):
            steps.run(step)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(compile_one, (step for step in plan if isinstance(step, CompileStep))))


def _for_any_compiler(flags: Sequence[str]) -> tuple[str, ...]:
    """The flags without `-mllvm OPTION`: these correct LLVM's picture of wasm, and no other compiler knows them."""
    after = ("", *flags)
    return tuple(flag for flag, before in zip(flags, after, strict=False) if "-mllvm" not in (flag, before))
