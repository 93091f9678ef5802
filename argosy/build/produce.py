"""From a recipe to its finished folder: sources fetched, laid out, patched, built, and the lock written last."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from argosy.build import code, compile, patches, recipes, sources, unpack
from argosy.build.sources import Note
from argosy.build.toolchain import TARGET, Toolchain
from argosy.build.workplace import Workplace
from argosy.errors import ArgosyError, UsageError
from argosy.files import sha256_of, write_whole
from argosy.folders import cache_root
from argosy.model import lock as locks
from argosy.model.digest import Digest
from argosy.model.lock import Lock
from argosy.model.recipe import Recipe
from argosy.model.recipe_source import Archive
from argosy.mpi import guest

LOCK = "lock.json"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user may choose: numerics ("" for the recipe's own), further compile flags, and how many jobs at once."""

    numerics: str = ""
    flags: tuple[str, ...] = ()
    jobs: int = 1


def produce(
    recipe: Recipe,
    folder: Path,
    *,
    toolchain: Toolchain,
    dependencies: Mapping[str, Path],
    options: Options,
    note: Note = lambda _: None,
) -> Lock:
    """Build `recipe` into `folder`: `<program>.wasm`, `include/`, `lib/`, and `lock.json` when all else is there.

    `dependencies`: the finished folders of every recipe that it requires, directly or not, dependents first. What was
    in `folder` goes. Raises ArgosyError naming the recipe; then there is no lock, and the log is `work/build.log`.
    """
    _empty(folder)
    numerics = options.numerics or recipe.numerics
    required = {name: read_lock(path) for name, path in dependencies.items()}
    for name, other in required.items():
        if other.numerics != numerics:
            raise UsageError(
                f"{recipe.name} is built with numerics {numerics!r} and requires {name}, built with {other.numerics!r}",
                advice=f"build all with one: NUMERICS={numerics}",
            )
    place = Workplace(
        recipe=recipe,
        toolchain=toolchain,
        source=folder / "source",
        work=folder / "work",
        prefix=folder,
        mpi=mpi_library(toolchain) if recipe.mpi else None,
        dependencies=dependencies,
        numerics=numerics,
        flags=options.flags,
        jobs=options.jobs,
    )
    prepare(recipe, place.source, note=note)
    programs = compile.build(place)
    lock = Lock(
        recipe=recipe.name,
        version=recipe.version,
        recipe_digest=recipes.digest(recipe),
        sources={source.file: source.digest for source in recipe.sources if isinstance(source, Archive)},
        patches={patch.file: patch.digest for patch in recipe.patches},
        toolchain=toolchain.provider,
        clang=toolchain.clang_version,
        toolchain_digest=Digest.parse(toolchain.digest),
        mpi_digest=Digest.parse(f"sha256:{guest.digest()}") if recipe.mpi else None,
        numerics=numerics,
        flags=options.flags,
        builder_digest=code.builder_digest(),
        requires={name: other.digest() for name, other in required.items()},
        programs={path.stem: Digest.parse(f"sha256:{sha256_of(path)}") for path in programs},
    )
    shutil.rmtree(place.source)
    write_whole(folder / LOCK, lock.render().encode())
    return lock


def prepare(recipe: Recipe, tree: Path, *, note: Note = lambda _: None) -> None:
    """Make the recipe's patched source tree at `tree`, which must not be there yet."""
    tree.mkdir(parents=True)
    for source in recipe.sources:
        file = sources.fetch(source, note=note) if isinstance(source, Archive) else None
        unpack.lay_out(source, file=file, recipe_folder=recipe.folder, tree=tree)
    for patch in recipe.patches:
        patches.apply(patch, recipe_folder=recipe.folder, tree=tree)


def mpi_library(toolchain: Toolchain) -> Path:
    """The folder of the guest's MPI library for this toolchain, made in the cache where it is not there yet."""
    clang, archiver = toolchain.tool("clang"), toolchain.tool("llvm-ar")
    folder = cache_root() / "mpi" / f"{Digest.parse(toolchain.digest).hex[:16]}-{guest.digest()[:16]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    flags = [f"--target={TARGET}", f"--sysroot={toolchain.sysroot}"]
    return guest.build(folder, clang=[clang], archiver=[archiver], flags=flags)


def read_lock(folder: Path) -> Lock:
    """The lock of a finished folder. Raises ArgosyError where there is none."""
    path = folder / LOCK
    try:
        return locks.parse(path.read_text(), where=str(path))
    except OSError as error:
        raise ArgosyError(f"{folder} holds no finished build: {error.strerror or error}") from error


def _empty(folder: Path) -> None:
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    except OSError as error:
        raise ArgosyError(f"cannot make {folder} anew: {error.strerror or error}") from error
