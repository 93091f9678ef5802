"""What the tests of Fortran share: f2c's library built once, and sources compiled as a recipe's or by mpif77."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from pathlib import Path

import mpi_programs
from needs import program

from argosy.build import produce, toolchain, wrappers
from argosy.build.workplace import Workplace
from argosy.model import recipe

_ROOT = Path(__file__).resolve().parent.parent.parent
_RECIPE = """\
name = "program"
version = "1"
licence = "Apache-2.0"
description = "a test's program"
mpi = true
requires = ["libf2c"]
[[source]]
folder = "src"
[build]
kind = "sources"
sources = ["*.f"]
[[program]]
name = "program"
"""


@functools.cache
def library() -> Path:
    """The folder that the recipe libf2c was built in."""
    program("f2c", "apt-get install f2c")
    path = _ROOT / "recipes/libf2c/recipe.toml"
    described = recipe.parse(path.read_text(), where=str(path), folder=path.parent)
    folder = Path(tempfile.mkdtemp(prefix="argosy-libf2c.")) / "libf2c"
    produce.produce(described, folder, toolchain=toolchain.find(), dependencies={}, options=produce.Options(jobs=2))
    return folder


def built(folder: Path, *names: str, extra: str = "") -> Path:
    """A recipe of these files of `programs/`, built in `folder`; gives the program."""
    (folder / "recipe/src").mkdir(parents=True)
    for name in names:
        source = mpi_programs.PROGRAMS / name
        (folder / "recipe/src" / source.name).write_bytes(source.read_bytes())
    described = recipe.parse(_RECIPE + extra, where="recipe.toml", folder=folder / "recipe")
    options = produce.Options()
    produce.produce(
        described,
        folder / "built",
        toolchain=toolchain.find(),
        dependencies={"libf2c": library()},
        options=options,
    )
    return folder / "built/program.wasm"


def mpif77(folder: Path) -> Path:
    """The wrapper that an upstream build is given."""
    described = recipe.parse(_RECIPE, where="recipe.toml", folder=folder)
    tools = toolchain.find()
    place = Workplace(
        recipe=described,
        toolchain=tools,
        source=folder / "source",
        work=folder / "work",
        prefix=folder / "prefix",
        mpi=produce.mpi_library(tools),
        dependencies={"libf2c": library()},
    )
    return wrappers.write(place) / "mpif77"


def run(*words: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command, in that folder."""
    return subprocess.run([str(word) for word in words], cwd=folder, capture_output=True, text=True)
