"""A user's own program, described by a build script's arguments instead of a recipe.toml, built step by step."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass, replace
from pathlib import Path

from argosy.build import compile_sources, steps
from argosy.build.steps import CompileStep
from argosy.build.workplace import Workplace
from argosy.errors import UsageError, did_you_mean
from argosy.model.recipe import NUMERICS, Recipe
from argosy.model.recipe_build import STACK, Program, Settings, SourcesBuild
from argosy.model.recipe_run import Capabilities


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What a program is made of: files below `root`, and what a recipe's `[build]` says for kind `sources`."""

    name: str
    root: Path
    files: tuple[Path, ...]
    version: str = "0"
    mpi: bool = False
    numerics: str = "fast"
    flags: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    stack_bytes: int = STACK


def recipe(sources: Sources) -> Recipe:
    """The same as a recipe value. Raises UsageError for a file outside of the root or unknown numerics."""
    if sources.numerics not in NUMERICS:
        raise UsageError(
            f"program {sources.name}: no numerics {sources.numerics!r}; {did_you_mean(sources.numerics, NUMERICS)}"
        )
    if not sources.files:
        raise UsageError(f"program {sources.name}: it has no sources")
    return Recipe(
        folder=sources.root,
        name=re.sub("[^a-z0-9]+", "-", sources.name.lower()).strip("-") or "program",
        version=sources.version,
        licence="",
        homepage="",
        description="",
        requires=sources.requires,
        mpi=sources.mpi,
        numerics=sources.numerics,
        sources=(),
        patches=(),
        build=SourcesBuild(
            settings=Settings(flags=sources.flags, link=sources.link, stack_bytes=sources.stack_bytes),
            sources=tuple(_pattern(sources, file) for file in sources.files),
            includes=sources.includes,
            defines=sources.defines,
        ),
        programs=(Program(name=sources.name, path=sources.name, sources=()),),
        libraries=(),
        run=None,
        tests=(),
        capabilities=Capabilities(),
    )


def _pattern(sources: Sources, file: Path) -> str:
    """The pattern that matches this file alone."""
    if not file.is_relative_to(sources.root):
        raise UsageError(
            f"program {sources.name}: its source {file} does not lie below {sources.root}",
            advice="paths in a program are made independent of this machine, which needs one folder above all",
        )
    return glob.escape(file.relative_to(sources.root).as_posix())


def object_file(place: Workplace, source: Path) -> Path:
    """Where the object of `source` goes."""
    return place.work / "objects" / f"{source.relative_to(place.source)}.o"


def compile_one(place: Workplace, source: Path) -> str:
    """Compile one of the program's sources; gives the compiler's warnings. Raises ArgosyError when it fails."""
    build = place.recipe.build
    assert isinstance(build, SourcesBuild)
    pattern = glob.escape(source.relative_to(place.source).as_posix())
    alone = replace(place.recipe, build=replace(build, sources=(pattern,)), programs=())
    [step] = compile_sources.steps(replace(place, recipe=alone), replace(build, sources=(pattern,)))
    return steps.run(step)


def link(place: Workplace) -> str:
    """Link the objects of all sources to `<name>.wasm` in the place's prefix; gives the linker's warnings."""
    build = place.recipe.build
    assert isinstance(build, SourcesBuild)
    plan = compile_sources.steps(place, build)
    return "".join(steps.run(step) for step in plan if not isinstance(step, CompileStep))
