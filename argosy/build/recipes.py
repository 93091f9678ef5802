"""Recipes on disk: finding them, reading them, and the order in which they can be built."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from argosy.errors import UsageError, did_you_mean
from argosy.files import sha256_of
from argosy.model.digest import Digest
from argosy.model.recipe import Recipe, parse
from argosy.model.recipe_source import Archive, Beside

FILE = "recipe.toml"


def load(folder: Path) -> Recipe:
    """The recipe in `folder`, with every file that it names there and every patch as its digest says.

    Raises UsageError that names the recipe's file and the key.
    """
    path = folder / FILE
    where = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UsageError(f"{where}: there is no such recipe") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{where}: cannot be read: {error}") from error
    recipe = parse(text, where=where, folder=folder)
    if recipe.name != folder.resolve().name:
        raise UsageError(f"{where}: name: {recipe.name!r} must be the name of the recipe's folder")
    _check_files(recipe, where)
    return recipe


def _check_files(recipe: Recipe, where: str) -> None:
    needed = [(f"source[{n}].folder", s.folder) for n, s in enumerate(recipe.sources) if isinstance(s, Beside)]
    needed += [(f"patch[{n}].file", patch.file) for n, patch in enumerate(recipe.patches)]
    runs = [("run", recipe.run), *((f"test[{n}]", test.run) for n, test in enumerate(recipe.tests))]
    needed += [(f"{key}.inputs", file.file) for key, run in runs if run for file in run.inputs]
    needed += [
        (f"test[{n}].expect[{m}].same_as", expectation.same_as)
        for n, test in enumerate(recipe.tests)
        for m, expectation in enumerate(test.expectations)
        if expectation.same_as
    ]
    for key, name in needed:
        if not (recipe.folder / name).exists():
            raise UsageError(f"{where}: {key}: there is no {name!r} beside the recipe")
    for position, patch in enumerate(recipe.patches):
        found = sha256_of(recipe.folder / patch.file)
        if found != patch.digest.hex:
            raise UsageError(
                f"{where}: patch[{position}].sha256: {patch.file} has {found}, not {patch.digest.hex}",
                advice="if the patch is meant to be as it is now, write its digest into the recipe",
            )


def load_all(folder: Path) -> Mapping[str, Recipe]:
    """Every recipe in a folder of `folder`, by name, sorted; what each requires is there, without a cycle.

    Raises UsageError as `load` and `order` do.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder of recipes")
    recipes = {path.parent.name: load(path.parent) for path in sorted(folder.glob(f"*/{FILE}"))}
    order(recipes, recipes)
    return recipes


def order(recipes: Mapping[str, Recipe], wanted: Iterable[str]) -> tuple[Recipe, ...]:
    """The `wanted` recipes and all that they require, each after what it requires.

    Raises UsageError for a name that no recipe has, a requirement that no recipe meets, and a cycle, named in full.
    """
    ordered: dict[str, Recipe] = {}

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            cycle = " → ".join((*trail[trail.index(name) :], name))
            raise UsageError(f"{recipes[name].folder / FILE}: requires: the recipes require each other: {cycle}")
        if name in ordered:
            return
        if name not in recipes:
            where = f"{recipes[trail[-1]].folder / FILE}: requires: " if trail else ""
            raise UsageError(f"{where}there is no recipe {name!r}; {did_you_mean(name, recipes)}")
        for required in recipes[name].requires:
            visit(required, (*trail, name))
        ordered[name] = recipes[name]

    for name in wanted:
        visit(name, ())
    return tuple(ordered.values())


def digest(recipe: Recipe) -> Digest:
    """The digest of all that the recipe says about what is built, with the files in folders that are sources.

    Where a source is fetched from does not count, nor how the programs are described, run and tested. Of files, names
    and contents count, whatever their times and owners; hidden files and editors' back-up files do not.
    """
    sources = [replace(source, locations=()) if isinstance(source, Archive) else source for source in recipe.sources]
    what = (recipe.name, recipe.version, recipe.requires, recipe.mpi, recipe.numerics)
    lines = [repr((*what, sources, recipe.patches, recipe.build, recipe.programs, recipe.libraries)) + "\n"]
    for source in recipe.sources:
        if isinstance(source, Beside):
            lines += _files(recipe.folder / source.folder)
    return Digest.of("".join(lines).encode())


def files(folder: Path) -> Iterator[Path]:
    """The files below `folder` that count: not hidden ones, and not editors' back-up files."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") or part.endswith("~") for part in name.parts):
            yield path


def _files(folder: Path) -> Iterator[str]:
    for path in sorted(files(folder)):
        yield f"{sha256_of(path)} {path.stat().st_mode & 0o100:o} {path.relative_to(folder).as_posix()}\n"
