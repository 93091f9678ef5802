"""A recipe: all that is needed to build, run and test one application, parsed strictly from `recipe.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from argosy.errors import UsageError
from argosy.model.recipe_build import (
    Build,
    Library,
    Program,
    SourcesBuild,
    parse_build,
    parse_libraries,
    parse_programs,
)
from argosy.model.recipe_run import Capabilities, Run, Test, parse_capabilities, parse_run, parse_tests
from argosy.model.recipe_source import Patch, Source, parse_patches, parse_sources
from argosy.model.strict import Table

NUMERICS = ("fast", "exact")

_KEYS = (
    "name",
    "version",
    "licence",
    "homepage",
    "description",
    "requires",
    "mpi",
    "numerics",
    "source",
    "patch",
    "build",
    "program",
    "library",
    "run",
    "test",
    "capabilities",
)
_NAME = r"[a-z0-9]+(-[a-z0-9]+)*"  # also a repository's name in a registry
_VERSION = r"[0-9][0-9A-Za-z.+~-]*"
# SPDX 2.3, annex D: licence identifiers joined by AND, OR, WITH.
_LICENCE = r"\(?[A-Za-z0-9.+-]+\)?( (AND|OR|WITH) \(?[A-Za-z0-9.+-]+\)?)*"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """`folder` is where the recipe and all files that it names lie; `numerics` is what it is built with by default."""

    folder: Path
    name: str
    version: str
    licence: str
    homepage: str
    description: str
    requires: tuple[str, ...]
    mpi: bool
    numerics: str
    sources: tuple[Source, ...]
    patches: tuple[Patch, ...]
    build: Build
    programs: tuple[Program, ...]
    libraries: tuple[Library, ...]
    run: Run | None
    tests: tuple[Test, ...]
    capabilities: Capabilities


def parse(text: str, *, where: str, folder: Path) -> Recipe:
    """The recipe that `text` describes; `where` is its file's name for errors.

    Raises UsageError that names the file and the full path of the key which is wrong.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where}: not TOML: {error}") from error
    table = Table(where, "", values, _KEYS)
    name = table.text("name", pattern=_NAME, form="a name in lower-case letters, digits and single dashes")
    requires = table.texts("requires", ())
    if len(set(requires)) < len(requires):
        table.fail("requires", "names a recipe twice")
    build = parse_build(table)
    programs = parse_programs(table, build)
    libraries = parse_libraries(table, build)
    if not programs and not libraries:
        table.fail("program", "missing; a recipe makes at least one [[program]] or [[library]]")
    sources = parse_sources(table)
    if not sources:
        table.fail("source", "missing; a recipe has at least one [[source]]")
    if isinstance(build, SourcesBuild) and not build.sources and not all(program.sources for program in programs):
        table.fail("build.sources", "missing; a build of kind 'sources' needs files to compile")
    run = parse_run(table, programs)
    return Recipe(
        folder=folder,
        name=name,
        version=table.text("version", pattern=_VERSION, form="a version that starts with a digit"),
        licence=table.text("licence", pattern=_LICENCE, form="an SPDX licence expression, such as 'BSD-3-Clause'"),
        homepage=table.text("homepage", "", pattern=r"https?://\S+", form="a web address"),
        description=table.text("description"),
        requires=requires,
        mpi=table.truth("mpi"),
        numerics=table.choice("numerics", NUMERICS, "fast"),
        sources=sources,
        patches=parse_patches(table),
        build=build,
        programs=programs,
        libraries=libraries,
        run=run,
        tests=parse_tests(table, programs, run),
        capabilities=parse_capabilities(table),
    )
