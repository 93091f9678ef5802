"""What the build tests share: a recipe from a few lines of text, its workplace, and a run of what was built."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import wasmtime

from argosy.build import toolchain
from argosy.build.toolchain import Toolchain
from argosy.build.workplace import Workplace
from argosy.model.recipe import Recipe, parse

HEADER = """\
name = "{name}"
version = "1.0"
licence = "MIT"
description = "A trial"
mpi = {mpi}
[[source]]
folder = "src"
"""


def recipe(folder: Path, build: str, *, name: str = "trial", mpi: bool = False) -> Recipe:
    """The recipe with that text after its header."""
    text = HEADER.format(name=name, mpi="true" if mpi else "false") + build
    return parse(text, where=f"{name}/recipe.toml", folder=folder)


def workplace(
    folder: Path,
    build: str,
    files: Mapping[str, str],
    *,
    name: str = "trial",
    compiler: Toolchain | None = None,
    dependencies: Mapping[str, Path] | None = None,
    numerics: str = "fast",
    mpi: Path | None = None,
) -> Workplace:
    """A recipe with these sources, ready to be built in `folder`."""
    source = folder / name / "source"
    for path, text in files.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(text)
    return Workplace(
        recipe=recipe(folder, build, name=name, mpi=mpi is not None),
        toolchain=compiler or toolchain.find("packages"),
        source=source,
        work=folder / name / "work",
        prefix=folder / name,
        mpi=mpi,
        dependencies=dependencies or {},
        numerics=numerics,
        jobs=2,
    )


def run(program: Path, *arguments: str, folder: Path | None = None) -> tuple[int, str]:
    """Run a program without MPI; gives its exit status and what it printed. `folder` is its current folder."""
    configuration = wasmtime.Config()
    configuration.wasm_exceptions = True
    configuration.wasm_function_references = True
    engine = wasmtime.Engine(configuration)
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    store = wasmtime.Store(engine)
    printed = program.with_suffix(".printed")
    wasi = wasmtime.WasiConfig()
    wasi.argv = [program.name, *arguments]
    wasi.stdout_file = str(printed)
    wasi.stderr_file = str(program.with_suffix(".errors"))
    if folder is not None:
        wasi.preopen_dir(str(folder), ".")
    store.set_wasi(wasi)
    instance = linker.instantiate(store, wasmtime.Module.from_file(engine, str(program)))
    start = instance.exports(store)["_start"]
    assert isinstance(start, wasmtime.Func)
    try:
        start(store)
        status = 0
    except wasmtime.ExitTrap as left:
        status = left.code
    return status, printed.read_text()
