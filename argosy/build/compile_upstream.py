"""Builds by the application's own make, autotools or CMake: here the recipe is the unit that is built anew."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from argosy import process
from argosy.build import steps, wrappers
from argosy.build.compile_sources import note_step
from argosy.build.workplace import Workplace
from argosy.errors import ArgosyError, did_you_mean
from argosy.model.recipe_build import AutotoolsBuild, CmakeBuild, MakeBuild, Program
from argosy.progress import progress

HOST = "wasm32-unknown-wasi"
_BUILD = "x86_64-pc-linux-gnu"

# Installed files know only this name, and lie in the recipe's prefix: no folder of this machine gets into them.
_INSTALLED = "/usr"

# Read by configure before it asks anything (Autoconf's manual, "Site Defaults"). The canonical names are answered
# because an old package's config.sub knows no wasm32, and because they must be the same on every build host; the rest
# is what configure would run a program for, as wasi-libc answers it.
_CONFIG_SITE = f"""\
ac_cv_build={_BUILD}
ac_cv_host={HOST}
ac_cv_target={HOST}
ac_cv_func_malloc_0_nonnull=yes
ac_cv_func_calloc_0_nonnull=yes
ac_cv_func_realloc_0_nonnull=yes
ac_cv_func_memcmp_working=yes
ac_cv_func_strtod=yes
ac_cv_func_chown_works=no
ac_cv_func_fork_works=no
ac_cv_func_vfork_works=no
ac_cv_func_mmap_fixed_mapped=no
"""


def make(place: Workplace, build: MakeBuild) -> None:
    """Run make in the source tree. Raises ArgosyError naming the recipe, with the last lines of what it said."""
    wrappers.write(place)
    _make(place, place.folder, build.targets, build.variables, build.install)
    _collect(place, place.folder)


def autotools(place: Workplace, build: AutotoolsBuild) -> None:
    """Run configure and make in a folder of their own. Raises ArgosyError as `make` does."""
    configure = place.folder / "configure"
    if not configure.is_file():
        raise ArgosyError(
            f"recipe {place.recipe.name} is built by autotools, but there is no configure in "
            f"{place.recipe.build.settings.folder!r} of its sources",
            advice="set build.folder, or use a release archive, which has configure, instead of a repository's",
        )
    wrappers.write(place)
    folder = _fresh_folder(place)
    site = place.work / "config.site"
    site.write_text(_CONFIG_SITE)
    options = [f"--host={HOST}", f"--build={_BUILD}", f"--prefix={_INSTALLED}", "--disable-shared", "--enable-static"]
    probe = {wrappers.PROBE: "1", "CONFIG_SITE": str(site)}
    _run(place, ["sh", str(configure), *options, *build.configure], folder, "configuring", probe)
    _make(place, folder, build.targets, build.variables, build.install)
    _collect(place, folder)


def cmake(place: Workplace, build: CmakeBuild) -> None:
    """Run CMake in a folder of its own, with Ninja. Raises ArgosyError as `make` does."""
    wrappers.write(place)
    folder = _fresh_folder(place)
    options = [
        f"-DCMAKE_TOOLCHAIN_FILE={wrappers.toolchain_file(place)}",
        "-DCMAKE_BUILD_TYPE=Release",
        f"-DCMAKE_INSTALL_PREFIX={_INSTALLED}",
        "-DCMAKE_INSTALL_LIBDIR=lib",
        *build.configure,
    ]
    probe = {wrappers.PROBE: "1"}
    _run(place, ["cmake", "-G", "Ninja", "-S", str(place.folder), "-B", ".", *options], folder, "configuring", probe)
    targets = [argument for target in build.targets for argument in ("--target", target)]
    _run(place, ["cmake", "--build", ".", "--parallel", str(place.jobs), *targets], folder, "building")
    if build.install:
        _run(place, ["cmake", "--install", ".", "--prefix", str(place.prefix)], folder, "installing")
    _collect(place, folder)


def _fresh_folder(place: Workplace) -> Path:
    folder = place.work / "build"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _make(
    place: Workplace, folder: Path, targets: Sequence[str], given: Mapping[str, str], install: Sequence[str]
) -> None:
    variables = [f"{name}={value}" for name, value in given.items()]
    _run(place, ["make", f"-j{place.jobs}", *targets, *variables], folder, "building")
    if install:
        root = place.work / "root"
        shutil.rmtree(root, ignore_errors=True)
        where = [f"DESTDIR={root}", f"prefix={_INSTALLED}", f"PREFIX={_INSTALLED}"]
        _run(place, ["make", *install, *where, *variables], folder, "installing")
        installed = root / _INSTALLED.lstrip("/")
        if not installed.is_dir():
            raise ArgosyError(
                f"`make {' '.join(install)}` of recipe {place.recipe.name} installed nothing below $(DESTDIR)$(prefix)",
                advice=f"see {place.log}; give its makefile's own names in build.variables",
            )
        shutil.copytree(installed, place.prefix, dirs_exist_ok=True, symlinks=True)


def _run(
    place: Workplace,
    command: Sequence[str],
    folder: Path,
    doing: str,
    further: Mapping[str, str] | None = None,
) -> None:
    environment = {**wrappers.environment(place), **(further or {})}
    name = place.recipe.name
    with progress(f"{doing} {name}", None, unit="line") as advance:
        arguments = _found(command, environment["PATH"])
        done = process.run(arguments, folder=folder, environment=environment, log=place.log, on_line=advance)
    if done.status != 0:
        raise steps.failure(f"{doing} recipe {name}", name, tuple(command), done, place.log)


def _found(command: Sequence[str], path: str) -> list[str]:
    """The command with its program's full path, looked for where the build itself would find it."""
    program = shutil.which(command[0], path=path)
    if program is None:
        raise ArgosyError(
            f"there is no {command[0]} here, which this recipe's build needs",
            advice="pip install cmake ninja" if command[0] == "cmake" else f"install {command[0]} (Debian: make)",
        )
    return [program, *command[1:]]


def _collect(place: Workplace, folder: Path) -> None:
    """Finish every program that the build made, and make what it installed usable where it lies."""
    for program in place.recipe.programs:
        _finish(place, folder, program)
    for library in place.recipe.libraries:
        if not (place.prefix / f"lib/lib{library.name}.a").is_file():
            found = sorted(path.name for path in (place.prefix / "lib").glob("*.a"))
            raise ArgosyError(
                f"recipe {place.recipe.name} installed no lib{library.name}.a",
                advice=f"it installed {', '.join(found) or 'no library'}; see build.install and {place.log}",
            )
    # libtool's notes and pkg-config's say /usr, where nothing lies.
    for note in place.prefix.glob("lib/*.la"):
        note.unlink()
    for package in place.prefix.glob("lib/pkgconfig/*.pc"):
        package.write_text(re.sub(r"(?m)^prefix=.*$", "prefix=${pcfiledir}/../..", package.read_text()))


def _finish(place: Workplace, folder: Path, program: Program) -> None:
    made = folder / program.path
    if not made.is_file():
        known = [path.relative_to(folder).as_posix() for path in folder.rglob(f"*{made.name}*") if path.is_file()]
        raise ArgosyError(
            f"recipe {place.recipe.name} did not make its program {program.name}: there is no {program.path}",
            advice=f"in its build folder: {did_you_mean(program.path, known)}; see {place.log}",
        )
    steps.run(note_step(place, made, program))
