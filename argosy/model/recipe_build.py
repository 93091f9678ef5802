"""How a recipe is built: by compiling a list of sources, or by the application's own make, autotools or CMake."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from argosy.model.strict import Table

MEBIBYTE = 1 << 20
STACK = 8 * MEBIBYTE  # HPC codes keep work arrays on the stack; native systems give 8 MiB


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What every kind of build has.

    `folder`: where in the source tree the build works. `flags`: further compile flags for C and C++; `link`: further
    link arguments (`-lgslcblas`); `environment`: what the build's commands see besides Argosy's own; `stack_bytes`:
    the program's stack.
    """

    folder: str = "."
    flags: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    stack_bytes: int = STACK


@dataclass(frozen=True, kw_only=True)
class Special:
    """Sources (patterns) that are compiled with further flags, given last."""

    sources: tuple[str, ...]
    flags: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SourcesBuild:
    """Every file that `sources` match and `exclude` do not, compiled with the include folders and macros.

    Patterns are as in `pathlib.Path.glob` (`**` for any depth), relative to `folder`; C and C++ are told apart by the
    file's ending. Macros are `NAME` or `NAME=VALUE`. `copy` maps a new path in the tree to the file whose copy it is,
    for sources that expect their build to place headers.
    """

    settings: Settings = field(default_factory=Settings)
    sources: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()
    copy: Mapping[str, str] = field(default_factory=dict)
    special: tuple[Special, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MakeBuild:
    """`make TARGETS NAME=VALUE…`, then `make INSTALL` where the recipe names install targets."""

    settings: Settings = field(default_factory=Settings)
    targets: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    install: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AutotoolsBuild:
    """`configure ARGUMENTS` outside the source tree, then as make."""

    settings: Settings = field(default_factory=Settings)
    configure: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    install: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CmakeBuild:
    """`cmake ARGUMENTS` outside the source tree, then `cmake --build` of the targets and, where wished, `--install`."""

    settings: Settings = field(default_factory=Settings)
    configure: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    install: bool = False


Build: TypeAlias = SourcesBuild | MakeBuild | AutotoolsBuild | CmakeBuild


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program that the build makes.

    `path`: where an upstream build leaves it, relative to the build folder. `sources`: for builds of kind `sources`,
    the files that only this program has (its own `main`), besides the build's common ones.
    """

    name: str
    path: str
    sources: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Library:
    """A static library for recipes that require this one: `lib<name>.a`, and headers (name as included: its source).

    Of builds by make, autotools or CMake, it is what their install step puts into the prefix.
    """

    name: str
    headers: Mapping[str, str]


_COMMON = ("kind", "folder", "flags", "link", "environment", "stack_bytes")
_KEYS = {
    "sources": ("sources", "exclude", "includes", "defines", "copy", "special"),
    "make": ("targets", "variables", "install"),
    "autotools": ("configure", "targets", "variables", "install"),
    "cmake": ("configure", "targets", "install"),
}
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.+-]*"
_MACRO = r"[A-Za-z_][A-Za-z0-9_]*(=.*)?"


def parse_build(recipe: Table) -> Build:
    """The recipe's `[build]` table."""
    kind = recipe.table("build", {key for keys in _KEYS.values() for key in keys} | set(_COMMON)).choice("kind", _KEYS)
    table = recipe.table("build", (*_COMMON, *_KEYS[kind]))
    settings = Settings(
        folder=table.path_inside("folder", "."),
        flags=table.texts("flags", ()),
        link=table.texts("link", ()),
        environment=table.text_table("environment"),
        stack_bytes=table.whole("stack_bytes", STACK, least=65536, most=1 << 31),
    )
    match kind:
        case "sources":
            return SourcesBuild(
                settings=settings,
                sources=table.paths_inside("sources", ()),
                exclude=table.paths_inside("exclude", ()),
                includes=table.paths_inside("includes", ()),
                defines=_defines(table),
                copy=_paths(table, "copy"),
                special=tuple(
                    Special(sources=entry.paths_inside("sources"), flags=entry.texts("flags"))
                    for entry in table.tables("special", ("sources", "flags"))
                ),
            )
        case "make":
            return MakeBuild(
                settings=settings,
                targets=table.texts("targets", ()),
                variables=table.text_table("variables"),
                install=table.texts("install", ()),
            )
        case "autotools":
            return AutotoolsBuild(
                settings=settings,
                configure=table.texts("configure", ()),
                targets=table.texts("targets", ()),
                variables=table.text_table("variables"),
                install=table.texts("install", ()),
            )
        case _:
            return CmakeBuild(
                settings=settings,
                configure=table.texts("configure", ()),
                targets=table.texts("targets", ()),
                install=table.truth("install", False),
            )


def parse_programs(recipe: Table, build: Build) -> tuple[Program, ...]:
    """The recipe's `[[program]]` tables."""
    keys = ("name", "sources") if isinstance(build, SourcesBuild) else ("name", "path")
    programs: list[Program] = []
    for table in recipe.tables("program", keys):
        name = table.text("name", pattern=_NAME, form="a plain name")
        if any(name == other.name for other in programs):
            table.fail("name", f"there is already a program {name!r}")
        path = name if isinstance(build, SourcesBuild) else table.path_inside("path", name)
        sources = table.paths_inside("sources", ()) if isinstance(build, SourcesBuild) else ()
        programs.append(Program(name=name, path=path, sources=sources))
    return tuple(programs)


def parse_libraries(recipe: Table, build: Build) -> tuple[Library, ...]:
    """The recipe's `[[library]]` tables."""
    keys = ("name", "headers") if isinstance(build, SourcesBuild) else ("name",)
    return tuple(
        Library(
            name=table.text("name", pattern=_NAME, form="a plain name"),
            headers=_paths(table, "headers") if isinstance(build, SourcesBuild) else {},
        )
        for table in recipe.tables("library", keys)
    )


def _defines(table: Table) -> tuple[str, ...]:
    macros = table.texts("defines", ())
    for position, macro in enumerate(macros):
        if not re.fullmatch(_MACRO, macro):
            table.fail(f"defines[{position}]", f"{macro!r} is not NAME or NAME=VALUE")
    return macros


def _paths(table: Table, key: str) -> Mapping[str, str]:
    """A table from path to path, both inside."""
    entries = table.text_table(key)
    for name, value in entries.items():
        table.checked_path(key, name)
        table.checked_path(f"{key}.{name}", value)
    return entries
