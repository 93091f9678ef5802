"""What a publisher says of a built module: from the module itself, its recipe and its lock, never typed by hand."""

from __future__ import annotations

from pathlib import Path

from argosy.build.inspect import Inspection, inspect
from argosy.errors import UsageError
from argosy.files import sha256_of
from argosy.model.artifact import Description
from argosy.model.digest import Digest
from argosy.model.recipe import Recipe
from argosy.model.recipe_source import Archive


def describe(wasm: Path, *, recipe: Recipe | None = None, lock: Path | None = None) -> Description:
    """The description of the module at `wasm`; a `recipe` adds licence, homepage, sources and what must be granted.

    Without a recipe the module's own note gives name and version, else the file's name. Raises ArgosyError when the
    file is no wasm module, UsageError when its note names another recipe.
    """
    found = inspect(wasm)
    if recipe is not None and found.recipe is not None and found.recipe.name != recipe.name:
        raise UsageError(
            f"{wasm} was made by the recipe {found.recipe.name!r}, not by {recipe.name!r}",
            advice="name the recipe that made it, or none",
        )
    said = Description(
        name=found.recipe.name if found.recipe else wasm.stem,
        version=found.recipe.version if found.recipe else None,
        numerics=found.recipe.numerics if found.recipe else None,
        mpi_abi=found.mpi_abi,
        imports=_import_names(found),
        features=found.features,
        lock=Digest(algorithm="sha256", hex=sha256_of(lock)) if lock is not None else None,
    )
    return _with_recipe(said, recipe) if recipe is not None else said


def _import_names(found: Inspection) -> tuple[str, ...]:
    return tuple(f"{module}.{name}" for module, names in found.imports.items() for name in names)


def _with_recipe(said: Description, recipe: Recipe) -> Description:
    return Description(
        name=recipe.name,
        version=recipe.version,
        summary=recipe.description,
        licence=recipe.licence,
        homepage=recipe.homepage or None,
        numerics=said.numerics,
        mpi_abi=said.mpi_abi,
        imports=said.imports,
        features=said.features,
        sources=tuple(source.digest for source in recipe.sources if isinstance(source, Archive)),
        folders=tuple(f"{folder.path}{'' if folder.writable else ':ro'}" for folder in recipe.capabilities.folders),
        environment=recipe.capabilities.environment,
        lock=said.lock,
    )
