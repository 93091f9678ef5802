"""What an upstream build calls: `mpicc`, `mpicxx`, `mpif77`, `cc`, `c++`, `f77`, `ar`, `ranlib`, `nm`; CMake's file.

Each wrapper is a script for sh, for an upstream build calls it thousands of times. They lie in one folder that comes
first in PATH, so that a build that notes its compiler's name notes `mpicc` and no folder of this machine.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import argosy
from argosy.build import flags
from argosy.build.toolchain import TARGET
from argosy.build.workplace import Workplace

# Set while configure or CMake probes: their checks call functions with made-up signatures and without declarations.
PROBE = "ARGOSY_PROBE"
_PROBE_LINK = "-Wl,--no-fatal-warnings"
_PROBE_COMPILE = "-Wno-implicit-function-declaration -Wno-implicit-int -Wno-int-conversion -Wno-return-mismatch"

_COMPILER = """\
#!/bin/sh
{runtime}{queries}
case " $* " in
*" -c "*|*" -S "*|*" -E "*|*" -M "*|*" -MM "*|*" -fsyntax-only "*|" -v "|" --version "|"  ")
    exec {driver} {before} ${{{probe}:+{probe_compile}}} "$@" {after} ;;
esac
exec {driver} {before} {link_before} ${{{probe}:+{probe_compile} {probe_link}}} "$@" {after} {link_after}
"""

# The questions of MPICH's wrapper (-show, -compile-info, -link-info) and Open MPI's (-showme:…): FindMPI and autoconf's
# macros for MPI ask them.
_QUERIES = """\
case "$1" in
-show|--show|-showme|--showme) shift; echo {name} {mpi_compile} {mpi_link} "$@"; exit 0 ;;
-compile-info|-compile_info|-showme:compile|--showme:compile) echo {asked_compile}; exit 0 ;;
-link-info|-link_info|-showme:link|--showme:link) echo {asked_link}; exit 0 ;;
-showme:incdirs|--showme:incdirs) echo {folder}/include; exit 0 ;;
-showme:libdirs|--showme:libdirs) echo {folder}/lib; exit 0 ;;
-showme:libs|--showme:libs) echo mpi; exit 0 ;;
esac"""

_CMAKE = """\
# Written by Argosy: what CMake must know to compile {recipe} for WebAssembly.
set(CMAKE_SYSTEM_NAME WASI)
set(CMAKE_SYSTEM_VERSION 1)
set(CMAKE_SYSTEM_PROCESSOR wasm32)
list(APPEND CMAKE_MODULE_PATH "{modules}")
set(UNIX ON)
set(CMAKE_C_COMPILER "{bin}/{cc}")
{cxx}set(CMAKE_AR "{bin}/ar" CACHE FILEPATH "")
set(CMAKE_RANLIB "{bin}/ranlib" CACHE FILEPATH "")
set(CMAKE_NM "{bin}/nm" CACHE FILEPATH "")
set(CMAKE_STRIP "{bin}/strip" CACHE FILEPATH "")
set(CMAKE_C_COMPILER_TARGET {target})
set(CMAKE_CXX_COMPILER_TARGET {target})
set(CMAKE_SYSROOT "{sysroot}")
set(CMAKE_EXECUTABLE_SUFFIX "")
set(BUILD_SHARED_LIBS OFF CACHE BOOL "")
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
set(CMAKE_FIND_ROOT_PATH {roots})
set(CMAKE_PREFIX_PATH {roots})
# Programs of the build host, but headers, libraries and packages only of the target.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
{mpi}"""

_CMAKE_PLATFORM = """\
# WASI as a platform of CMake: static libraries only, no run path.
set_property(GLOBAL PROPERTY TARGET_SUPPORTS_SHARED_LIBS FALSE)
set(CMAKE_STATIC_LIBRARY_PREFIX "lib")
set(CMAKE_STATIC_LIBRARY_SUFFIX ".a")
set(CMAKE_EXECUTABLE_SUFFIX "")
set(CMAKE_FIND_LIBRARY_PREFIXES "lib")
set(CMAKE_FIND_LIBRARY_SUFFIXES ".a")
set(CMAKE_DL_LIBS "")
set(UNIX TRUE)
"""

_CMAKE_MPI = """\
set(MPI_C_COMPILER "{bin}/mpicc" CACHE FILEPATH "")
set(MPI_CXX_COMPILER "{bin}/mpicxx" CACHE FILEPATH "")
set(MPI_CXX_SKIP_MPICXX TRUE CACHE BOOL "")
"""


_LANGUAGES = {"clang": "c", "clang++": "c++", "f77": "fortran"}
_NAMES = {"c": "cc", "c++": "c++", "fortran": "f77"}


def folder(place: Workplace) -> Path:
    """Where the wrappers are."""
    return place.work / "wrappers"


def toolchain_file(place: Workplace) -> Path:
    """CMake's toolchain file."""
    return place.work / "wasi.cmake"


def write(place: Workplace) -> Path:
    """Write all wrappers and the CMake files; gives the wrappers' folder."""
    place.work.mkdir(parents=True, exist_ok=True)
    bin_folder = folder(place)
    scripts = {
        "cc": _compiler(place, "clang", mpi=False),
        "ar": _tool(place, "llvm-ar"),
        "ranlib": _tool(place, "llvm-ranlib"),
        "wasm-ld": _tool(place, "wasm-ld"),
        "nm": _nm(place),
        # Names are for backtraces and the linker has dropped all else: there is nothing to strip.
        "strip": "#!/bin/sh\nexit 0\n",
    }
    if "c++" in place.toolchain.languages:
        scripts["c++"] = _compiler(place, "clang++", mpi=False)
    if flags.has_fortran(place):
        scripts["f77"] = _compiler(place, "f77", mpi=False)
    if place.mpi is not None:
        if flags.has_fortran(place):
            scripts["mpif77"] = _compiler(place, "f77", mpi=True)
        scripts["mpicc"] = _compiler(place, "clang", mpi=True)
        if "c++" in place.toolchain.languages:
            scripts["mpicxx"] = scripts["mpic++"] = _compiler(place, "clang++", mpi=True)
    for name, script in scripts.items():
        _write(bin_folder / name, script, mode=0o755)
    _write(place.work / "cmake/Platform/WASI.cmake", _CMAKE_PLATFORM)
    _write(toolchain_file(place), _cmake(place))
    return bin_folder


def environment(place: Workplace) -> Mapping[str, str]:
    """What an upstream build's commands see: the wrappers first in PATH, the recipe's variables, nothing of the user's.

    CC, CXX, AR… are plain names; HOME and TMPDIR are folders of the build.
    """
    bin_folder = folder(place)
    for name in ("home", "tmp"):
        (place.work / name).mkdir(parents=True, exist_ok=True)
    tools = str(Path(sys.executable).parent)  # cmake and ninja of this Python's environment
    system = [path for path in os.environ.get("PATH", os.defpath).split(os.pathsep) if path and path != tools]
    prefixes = [str(prefix) for prefix in place.dependencies.values()]
    compilers = {"CC": compiler(place), "AR": "ar", "RANLIB": "ranlib", "NM": "nm", "LD": "wasm-ld", "STRIP": "strip"}
    if "c++" in place.toolchain.languages:
        compilers["CXX"] = "mpicxx" if place.mpi else "c++"
    if place.mpi:
        compilers["MPICC"] = "mpicc"
    if flags.has_fortran(place):
        compilers["F77"] = "mpif77" if place.mpi else "f77"
    return {
        "PATH": os.pathsep.join([str(bin_folder), tools, *system]),
        "HOME": str(place.work / "home"),
        "TMPDIR": str(place.work / "tmp"),
        "LC_ALL": "C",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": flags.SOURCE_DATE_EPOCH,
        "ZERO_AR_DATE": "1",
        **compilers,
        "CFLAGS": "-O3",
        "CXXFLAGS": "-O3",
        "PKG_CONFIG_LIBDIR": os.pathsep.join(f"{prefix}/lib/pkgconfig" for prefix in prefixes),
        **place.recipe.build.settings.environment,
    }


def compiler(place: Workplace) -> str:
    """The C compiler's name as an upstream build sees it."""
    return "mpicc" if place.mpi else "cc"


def _compiler(place: Workplace, driver: str, *, mpi: bool) -> str:
    mpi_compile = (f"-I{place.mpi}/include",) if mpi else ()
    mpi_link = flags.mpi_link(place) if mpi else ()
    language = _LANGUAGES[driver]
    fortran = language == "fortran"
    command = flags.fortran_driver(place) if fortran else (str(place.toolchain.tool(driver)),)
    queries = _QUERIES.format(
        name=_NAMES[language],
        mpi_compile=_quoted(mpi_compile),
        mpi_link=_quoted(mpi_link),
        asked_compile=_quoted(mpi_compile),
        asked_link=_quoted(mpi_link),
        folder=place.mpi,
    )
    return _COMPILER.format(
        runtime=_runtime(place) if driver == "clang++" else "",
        queries=queries if mpi else "",
        driver=_quoted(command),
        before=_quoted(flags.compile_before(place, language)),
        after=_quoted(flags.compile_after(place, mpi=mpi)),
        link_before=_quoted(flags.link_before(place, language)),
        link_after=_quoted(flags.link_after(place, mpi=mpi, fortran=fortran)),
        probe=PROBE,
        probe_compile=_PROBE_COMPILE,
        probe_link=_PROBE_LINK,
    )


def _quoted(arguments: Sequence[str]) -> str:
    return shlex.join(arguments)


def _tool(place: Workplace, name: str) -> str:
    return f'#!/bin/sh\nexec {shlex.quote(str(place.toolchain.tool(name)))} "$@"\n'


def _python(module: str, *arguments: Path) -> str:
    """A command for sh that runs one of Argosy's modules."""
    package = shlex.quote(str(Path(argosy.__file__).parent.parent))
    return f"PYTHONPATH={package} {shlex.join([sys.executable, '-m', module, *map(str, arguments)])}"


def _runtime(place: Workplace) -> str:
    """Lines for sh that make the C++ runtime at the first call."""
    target = place.toolchain.cpp_runtime
    if target is None:
        return ""
    command = _python("argosy.build.toolchain_runtime", place.toolchain.prefix, target)
    return f"[ -d {shlex.quote(str(target))} ] || {command} >&2 || exit 1\n"


def _nm(place: Workplace) -> str:
    """The toolchain's nm, or Argosy's where it has none."""
    if place.toolchain.tool("llvm-nm").exists():
        return _tool(place, "llvm-nm")
    return f'#!/bin/sh\n{_python("argosy.build.nm")} "$@"\n'


def _cmake(place: Workplace) -> str:
    bin_folder = folder(place)
    cpp = "c++" in place.toolchain.languages
    cxx = f'set(CMAKE_CXX_COMPILER "{bin_folder}/{"mpicxx" if place.mpi else "c++"}")\n' if cpp else ""
    roots = [*place.dependencies.values(), *([place.mpi] if place.mpi else [])]
    return _CMAKE.format(
        recipe=place.recipe.name,
        modules=place.work / "cmake",
        bin=bin_folder,
        cc=compiler(place),
        cxx=cxx,
        target=TARGET,
        sysroot=place.toolchain.sysroot,
        roots=" ".join(f'"{root}"' for root in roots),
        mpi=_CMAKE_MPI.format(bin=bin_folder) if place.mpi else "",
    )


def _write(path: Path, text: str, *, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
