"""A user's own program as a recipe with its lock, so that its build can prove of itself what a recipe's can.

The sources are those that were compiled, with each header below the program's root that the compiler read.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from argosy.build import code, compile_sources, recipes
from argosy.build.produce import LOCK, read_lock
from argosy.build.steps import CompileStep
from argosy.build.workplace import Workplace
from argosy.errors import ArgosyError
from argosy.files import sha256_of, write_whole
from argosy.model.digest import Digest
from argosy.model.lock import Lock
from argosy.model.recipe import Recipe
from argosy.model.recipe_build import SourcesBuild
from argosy.mpi import guest

_RECIPES = "recipe"  # the folder in the program's work that holds it, and what it requires


@dataclass(frozen=True, kw_only=True)
class Record:
    """The program's recipe, read back from its folder, and its lock's file."""

    recipe: Recipe
    lock: Path


def record(place: Workplace, required: Sequence[Recipe]) -> None:
    """Keep in `place.work` what the program, just linked, was built from; `required` are all recipes that it required.

    Raises ArgosyError where that cannot be told as a recipe.
    """
    (place.work / LOCK).unlink(missing_ok=True)
    above = place.work / _RECIPES
    shutil.rmtree(above, ignore_errors=True)
    folder = above / place.recipe.name
    for file in _read_files(place):
        target = folder / "src" / file.relative_to(place.source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    write_whole(folder / recipes.FILE, _text(place.recipe).encode())
    for other in required:
        shutil.copytree(other.folder, above / other.name)
    recipe = recipes.load(folder)
    locks = {other.name: read_lock(place.work.parent / other.name) for other in required}
    lock = Lock(
        recipe=recipe.name,
        version=recipe.version,
        recipe_digest=recipes.digest(recipe),
        sources={},
        patches={},
        toolchain=place.toolchain.provider,
        clang=place.toolchain.clang_version,
        toolchain_digest=Digest.parse(place.toolchain.digest),
        mpi_digest=Digest.parse(f"sha256:{guest.digest()}") if recipe.mpi else None,
        numerics=place.numerics,
        flags=place.flags,
        builder_digest=code.builder_digest(),
        requires={name: other.digest() for name, other in locks.items()},
        programs={
            program.name: Digest.parse(f"sha256:{sha256_of(place.program(program.name))}")
            for program in recipe.programs
        },
    )
    write_whole(place.work / LOCK, lock.render().encode())


def recorded(work: Path, name: str) -> Record | None:
    """What was kept of the program `name`; None where nothing could be."""
    if not (work / LOCK).is_file():
        return None
    return Record(recipe=recipes.load(work / _RECIPES / name), lock=work / LOCK)


def _read_files(place: Workplace) -> list[Path]:
    """The sources, and the headers below the root that they include, as the compiler told."""
    build = place.recipe.build
    assert isinstance(build, SourcesBuild)
    found: set[Path] = set()
    for step in compile_sources.steps(place, build):
        if isinstance(step, CompileStep):
            found |= {step.source, *_prerequisites(step.dependencies)}
    root = place.source.resolve()
    return sorted(path for path in found if path.resolve().is_relative_to(root) and path.is_relative_to(place.source))


def _prerequisites(file: Path) -> list[Path]:
    """The files that a rule in make's syntax names after its target."""
    try:
        text = file.read_text(errors="surrogateescape")
    except OSError as error:
        raise ArgosyError(f"cannot read {file}, which tells the headers: {error.strerror}") from error
    _, _, names = text.replace("\\\n", " ").partition(": ")
    return [Path(re.sub(r"\\([ #])", r"\1", name).replace("$$", "$")) for name in re.findall(r"(?:\\.|\S)+", names)]


def _text(recipe: Recipe) -> str:
    """The recipe.toml that says what the value does."""
    build = recipe.build
    assert isinstance(build, SourcesBuild)
    settings = build.settings
    top = {
        "name": recipe.name,
        "version": recipe.version,
        "licence": recipe.licence or "NOASSERTION",
        "description": recipe.description or "a program of its publisher's own",
        "requires": list(recipe.requires),
        "mpi": recipe.mpi,
        "numerics": recipe.numerics,
    }
    building = {
        "kind": "sources",
        "sources": list(build.sources),
        "includes": list(build.includes),
        "defines": list(build.defines),
        "flags": list(settings.flags),
        "link": list(settings.link),
        "stack_bytes": settings.stack_bytes,
    }
    programs = "".join(f'[[program]]\nname = "{program.name}"\n' for program in recipe.programs)
    return f'{_lines(top)}[[source]]\nfolder = "src"\n[build]\n{_lines(building)}{programs}'


def _lines(values: Mapping[str, object]) -> str:
    # JSON's texts, lists, numbers and truths are TOML's too.
    return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())
