"""Builds of kind `sources`: a list of files, each compiled by itself. The whole build is a list of steps."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from argosy.build import flags, fortran, toolchain_runtime
from argosy.build.steps import ArchiveStep, CompileStep, CopyStep, LinkStep, NoteStep, Step
from argosy.build.workplace import Workplace
from argosy.errors import ArgosyError, UsageError
from argosy.model.note import RecipeNote
from argosy.model.recipe_build import Program, SourcesBuild

LANGUAGES = {
    **{".c": "c", ".cc": "c++", ".cpp": "c++", ".cxx": "c++", ".C": "c++", ".c++": "c++"},
    **dict.fromkeys(fortran.SUFFIXES, "fortran"),
}
_DRIVERS = {"c": "clang", "c++": "clang++"}


def copies(place: Workplace, build: SourcesBuild) -> list[CopyStep]:
    """What must be copied within the source tree before anything is compiled or counted."""
    return [
        CopyStep(source=place.folder / source, target=place.folder / target)
        for target, source in sorted(build.copy.items())
    ]


def steps(place: Workplace, build: SourcesBuild) -> list[Step]:
    """Every step of the build, each after what it needs, except `copies`, which must be done already.

    Raises UsageError for a pattern that matches nothing, ArgosyError for a language that the toolchain lacks.
    """
    runtime = place.toolchain.cpp_runtime
    if runtime and any(_language(place, path) == "c++" for path in _all_sources(place, build)):
        toolchain_runtime.ensure(place.toolchain.prefix, runtime)
    common = _compile_all(place, build, _matching(place, build.sources, build.exclude, "build.sources"))
    made: list[Step] = [*common]
    for library in place.recipe.libraries:
        made.append(_archive(place, common, place.prefix / f"lib/lib{library.name}.a"))
        made += [
            CopyStep(source=place.folder / source, target=place.prefix / "include" / name)
            for name, source in sorted(library.headers.items())
        ]
    for program in place.recipe.programs:
        files = _matching(place, program.sources, (), f"program {program.name}: sources")
        own = _compile_all(place, build, [file for file in files if file not in {step.source for step in common}])
        link = _link(place, program, [*common, *own])
        made += [*own, link, note_step(place, link.target, program)]
    return made


def _all_sources(place: Workplace, build: SourcesBuild) -> list[Path]:
    patterns = (*build.sources, *(pattern for program in place.recipe.programs for pattern in program.sources))
    return _matching(place, patterns, build.exclude, "build.sources")


def note_step(place: Workplace, linked: Path, program: Program) -> NoteStep:
    """The last step of every program, however it was linked."""
    recipe = place.recipe
    note = RecipeNote(name=recipe.name, version=recipe.version, numerics=place.numerics)
    strangers = (place.source, place.work, place.prefix, place.toolchain.prefix, *place.dependencies.values())
    target = place.program(program.name)
    return NoteStep(recipe=recipe.name, source=linked, target=target, note=note, strangers=strangers)


def _matching(place: Workplace, patterns: Iterable[str], without: Iterable[str], key: str) -> list[Path]:
    """The files that the patterns match, sorted by path, so that every build host links them in the same order."""
    excluded = {path for pattern in without for path in place.folder.glob(pattern)}
    found: set[Path] = set()
    for pattern in patterns:
        matched = {path for path in place.folder.glob(pattern) if path.is_file()}
        if not matched:
            raise UsageError(
                f"{place.recipe.folder}/recipe.toml: {key}: {pattern!r} matches no source of {place.recipe.name}",
                advice=f"patterns are relative to build.folder, {place.recipe.build.settings.folder!r}",
            )
        found |= matched - excluded
    return sorted(found)


def _compile_all(place: Workplace, build: SourcesBuild, sources: Iterable[Path]) -> list[CompileStep]:
    special = [
        (set(_matching(place, entry.sources, (), f"build.special[{n}].sources")), entry.flags)
        for n, entry in enumerate(build.special)
    ]
    own = (
        *(f"-I{(place.folder / folder).as_posix()}" for folder in build.includes),
        *(f"-D{macro}" for macro in build.defines),
    )
    after = flags.compile_after(place, mpi=place.recipe.mpi)
    return [
        _compile(place, source, own, (*after, *(flag for files, more in special if source in files for flag in more)))
        for source in sources
    ]


def _compile(place: Workplace, source: Path, own: tuple[str, ...], after: tuple[str, ...]) -> CompileStep:
    target = place.work / "objects" / f"{source.relative_to(place.source)}.o"
    dependencies = target.with_suffix(".d")
    language = _language(place, source)
    command = (*_driver(place, language), *flags.compile_before(place, language), *own, *after)
    return CompileStep(
        recipe=place.recipe.name,
        source=source,
        target=target,
        dependencies=dependencies,
        command=(*command, "-MD", "-MF", str(dependencies), "-c", str(source), "-o", str(target)),
    )


def _driver(place: Workplace, language: str) -> tuple[str, ...]:
    return flags.fortran_driver(place) if language == "fortran" else (str(place.toolchain.tool(_DRIVERS[language])),)


def _language(place: Workplace, source: Path) -> str:
    language = LANGUAGES.get(source.suffix)
    if language is None:
        raise UsageError(
            f"{place.recipe.folder}/recipe.toml: build.sources: {source.name} is neither C, C++ nor Fortran 77",
            advice=f"files that end in {', '.join(LANGUAGES)} can be compiled",
        )
    if language == "fortran":
        _check_fortran(place, source)
    elif language not in place.toolchain.languages:
        raise ArgosyError(
            f"{source.name} of recipe {place.recipe.name} is {language.upper()}, "
            f"which the toolchain provider {place.toolchain.provider} cannot compile",
            advice="use ARGOSY_TOOLCHAIN=packages",
        )
    return language


def _check_fortran(place: Workplace, source: Path) -> None:
    if not flags.has_fortran(place):
        raise UsageError(
            f"{source.name} of recipe {place.recipe.name} is Fortran 77, which needs its library",
            advice='write requires = ["libf2c"] in the recipe',
        )
    if shutil.which("f2c") is None:
        raise ArgosyError(
            f"{source.name} of recipe {place.recipe.name} is Fortran 77, and f2c, which makes C of it, is not here",
            advice="apt-get install f2c, or build it from https://www.netlib.org/f2c/",
        )


def _archive(place: Workplace, objects: list[CompileStep], target: Path) -> ArchiveStep:
    sources = tuple(step.target for step in objects)
    return ArchiveStep(
        recipe=place.recipe.name,
        sources=sources,
        target=target,
        command=(str(place.toolchain.tool("llvm-ar")), "rcsD", str(target), *(str(path) for path in sources)),
    )


def _link(place: Workplace, program: Program, objects: list[CompileStep]) -> LinkStep:
    languages = {_language(place, step.source) for step in objects}
    language = "c++" if "c++" in languages else "c"
    target = place.work / f"{program.name}.wasm"
    sources = tuple(step.target for step in objects)
    command = (str(place.toolchain.tool(_DRIVERS[language])), *flags.link_before(place, language))
    after = flags.link_after(place, mpi=place.recipe.mpi, fortran="fortran" in languages)
    libraries = [path for prefix in place.dependencies.values() for path in sorted((prefix / "lib").glob("*.a"))]
    if place.mpi and place.recipe.mpi:
        libraries += [place.mpi / "lib/argosy_abi.o", place.mpi / "lib/libmpi.a"]
    return LinkStep(
        recipe=place.recipe.name,
        sources=(*sources, *libraries),
        target=target,
        command=(*command, *(str(path) for path in sources), *after, "-o", str(target)),
    )
