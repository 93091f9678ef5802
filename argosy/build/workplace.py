"""Where one recipe is built and with what: the frozen value that every kind of build is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from argosy.build.toolchain import Toolchain
from argosy.model.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """One recipe's build.

    `source`: the unpacked and patched tree, which the build may write to. `work`: objects, wrappers and logs. `prefix`:
    where headers, libraries and programs (`<program>.wasm`) are installed. `mpi`: the folder with the guest's
    `include/mpi.h`, `lib/libmpi.a`, `lib/argosy_abi.o`; None where the recipe does not use MPI. `dependencies`: the
    prefixes of all required recipes by name, each before what it requires itself, as a linker wants them. `flags`: the
    user's further compile flags, after the recipe's.
    """

    recipe: Recipe
    toolchain: Toolchain
    source: Path
    work: Path
    prefix: Path
    mpi: Path | None = None
    dependencies: Mapping[str, Path] = field(default_factory=dict)
    numerics: str = "fast"
    flags: tuple[str, ...] = ()
    jobs: int = 1

    @property
    def folder(self) -> Path:
        """The folder in the source tree that the recipe builds in."""
        return self.source / self.recipe.build.settings.folder

    @property
    def log(self) -> Path:
        """The file that every command of the build and its output are written to."""
        return self.work / "build.log"

    def program(self, name: str) -> Path:
        """Where the finished program goes."""
        return self.prefix / f"{name}.wasm"
