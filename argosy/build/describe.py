"""What a publisher says of a built module: from the module itself, its recipe and its lock, never typed by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from argosy.build.inspect import Inspection, inspect
from argosy.errors import ArgosyError, UsageError
from argosy.model import lock as locks
from argosy.model.artifact import Description
from argosy.model.digest import Digest
from argosy.model.recipe import Recipe
from argosy.model.recipe_source import Archive


def describe(wasm: Path, *, recipe: Recipe | None = None, lock: Path | None = None) -> Description:
    """The description of the module at `wasm`.

    A `recipe` adds licence, homepage, sources and what must be granted; a `lock` its own digest and those of the
    sources. Without either the module's own note gives name and version, else the file's name. Raises ArgosyError when
    the file is no wasm module, UsageError when recipe or lock are of another one.
    """
    found = inspect(wasm)
    said = Description(
        name=found.recipe.name if found.recipe else wasm.stem,
        version=found.recipe.version if found.recipe else None,
        numerics=found.recipe.numerics if found.recipe else None,
        mpi_abi=found.mpi_abi,
        imports=tuple(f"{module}.{name}" for module, names in found.imports.items() for name in names),
        features=found.features,
    )
    if recipe is not None:
        said = _with_recipe(said, found, recipe)
    return _with_lock(said, found, lock) if lock is not None else said


def _with_recipe(said: Description, found: Inspection, recipe: Recipe) -> Description:
    if found.recipe is not None and found.recipe.name != recipe.name:
        raise UsageError(
            f"{found.path} was made by the recipe {found.recipe.name!r}, not by {recipe.name!r}",
            advice="name the recipe that made it, or none",
        )
    return replace(
        said,
        name=recipe.name,
        version=recipe.version,
        summary=recipe.description,
        licence=recipe.licence,
        homepage=recipe.homepage or None,
        sources=tuple(source.digest for source in recipe.sources if isinstance(source, Archive)),
        folders=tuple(f"{folder.path}{'' if folder.writable else ':ro'}" for folder in recipe.capabilities.folders),
        environment=recipe.capabilities.environment,
        memory=recipe.capabilities.memory,
        seconds=recipe.capabilities.seconds,
    )


def _with_lock(said: Description, found: Inspection, lock: Path) -> Description:
    try:
        text = lock.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ArgosyError(f"cannot read the lock {lock}: {error}", advice="build again, or leave out --lock") from error
    stated = locks.parse(text, where=str(lock))
    if found.digest not in stated.programs.values():
        raise UsageError(
            f"{lock} is not the lock of {found.path}: it names no program {found.digest}",
            advice="name the lock.json that was written when this very file was built",
        )
    return replace(said, sources=tuple(stated.sources.values()), lock=Digest.of(text.encode()))
