"""Building by upstream's own make, autotools and CMake: small builds of each kind, written as upstreams write them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from needs import need
from wasm_programs import run, workplace

from argosy.build import compile, produce, toolchain, wrappers
from argosy.errors import ArgosyError
from argosy.files import sha256_of
from argosy.model import wasm

MAKEFILE = """\
prefix = /usr/local
CC ?= gcc
CFLAGS ?= -O2
all: solver libsolve.a
solve.o: solve.c solve.h
\t$(CC) $(CFLAGS) -c solve.c
libsolve.a: solve.o
\t$(AR) rcs $@ $<
\t$(RANLIB) $@
solver: main.c libsolve.a
\t$(CC) $(CFLAGS) main.c -L. -lsolve -o $@
install: all
\tmkdir -p $(DESTDIR)$(prefix)/include $(DESTDIR)$(prefix)/lib
\tcp solve.h $(DESTDIR)$(prefix)/include
\tcp libsolve.a $(DESTDIR)$(prefix)/lib
"""
FILES = {
    "main.c": '#include <stdio.h>\n#include "solve.h"\nint main(void) { printf("%d\\n", solve(6)); return 0; }\n',
    "solve.c": '#include "solve.h"\nint solve(int x) { return 7 * x; }\n',
    "solve.h": "int solve(int);\n",
}
MAKE = """
[build]
kind = "make"
variables = { CFLAGS = "-O1" }
install = ["install"]
[[program]]
name = "solver"
[[library]]
name = "solve"
"""

# What Autoconf writes, as far as a build meets it: the site file, the canonical host, a check of functions with a
# made-up signature, a header, and a Makefile from a template.
CONFIGURE = r"""#!/bin/sh
srcdir=`dirname "$0"`
test -n "$CONFIG_SITE" && . "$CONFIG_SITE"
for option; do case $option in
  --host=*) host=${option#*=} ;; --prefix=*) prefix=${option#*=} ;; --enable-*|--disable-*|--build=*) ;;
  *) echo "unknown option $option"; exit 1 ;;
esac; done
test "$ac_cv_host" = wasm32-unknown-wasi || { echo "configure: error: cannot guess host type"; exit 1; }
check() {
  echo "char $1 (); int main () { return $1 (); }" > conftest.c
  if $CC -o conftest conftest.c 2>conftest.err; then echo "#define HAVE_$1 1"; else echo "/* #undef HAVE_$1 */"; fi
}
{ check hypot; check no_such_function; echo "#define COMPILER \"$CC $CFLAGS\""; } > config.h
sed -e "s,@srcdir@,$srcdir,g" -e "s,@CC@,$CC,g" -e "s,@prefix@,$prefix,g" -e "s,@CFLAGS@,$CFLAGS,g" \
  "$srcdir/Makefile.in" > Makefile
"""
MAKEFILE_IN = """\
prefix = @prefix@
all: solver
solver: @srcdir@/main.c @srcdir@/solve.c
\t@CC@ @CFLAGS@ -I. -I@srcdir@ @srcdir@/main.c @srcdir@/solve.c -lm -o $@
"""
MAIN_CONFIGURED = """\
#include <math.h>
#include <stdio.h>
#include "config.h"
#include "solve.h"
#ifdef HAVE_no_such_function
#error found what is not there
#endif
#ifndef HAVE_hypot
#error did not find hypot
#endif
int main(void) { printf("%d %g %s\\n", solve(6), hypot(3, 4), COMPILER); return 0; }
"""
AUTOTOOLS = '[build]\nkind = "autotools"\n[[program]]\nname = "solver"\n'

CMAKELISTS = """\
cmake_minimum_required(VERSION 3.16)
project(solver C CXX)
include(CheckFunctionExists)
check_function_exists(hypot HAVE_HYPOT)
check_function_exists(no_such_function HAVE_NOTHING)
if(NOT HAVE_HYPOT OR HAVE_NOTHING)
  message(FATAL_ERROR "functions are not found as they are")
endif()
if(CMAKE_SIZEOF_VOID_P EQUAL 4 AND CMAKE_CROSSCOMPILING)
  set(wide 4)
endif()
add_library(solve SHARED_OR_NOT solve.c)
target_include_directories(solve PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
add_executable(solver main.cpp)
target_compile_definitions(solver PRIVATE POINTER=${wide})
target_link_libraries(solver solve)
install(TARGETS solve)
install(FILES solve.h DESTINATION include)
"""
MAIN_CPP = """\
#include <iostream>
extern "C" {
#include "solve.h"
}
int main() { std::cout << solve(6) << ' ' << POINTER << ' ' << __FILE__ << std::endl; }
"""
CMAKE = '[build]\nkind = "cmake"\ninstall = true\n[[program]]\nname = "solver"\n[[library]]\nname = "solve"\n'


@pytest.fixture(autouse=True)
def make_is_here() -> None:
    if shutil.which("make") is None:
        need("make", "apt-get install make")


def test_make_builds_and_installs_through_the_wrappers(tmp_path: Path) -> None:
    place = workplace(tmp_path, MAKE, {**FILES, "Makefile": MAKEFILE})
    (program,) = compile.build(place)
    assert run(program) == (0, "42\n")
    assert (place.prefix / "include/solve.h").is_file()
    assert (place.prefix / "lib/libsolve.a").read_bytes().startswith(b"!<arch>")
    assert "make install" in place.log.read_text()


def test_autotools_configures_for_wasm_and_finds_functions_as_they_are(tmp_path: Path) -> None:
    files = {**FILES, "main.c": MAIN_CONFIGURED, "configure": CONFIGURE, "Makefile.in": MAKEFILE_IN}
    digests = set()
    for folder in ("here", "there/deeper"):
        (program,) = compile.build(workplace(tmp_path / folder, AUTOTOOLS, files))
        digests.add(sha256_of(program))
    assert run(program) == (0, "42 5 cc -O3\n")
    assert len(digests) == 1


def test_cmake_builds_static_libraries_and_installs_them(tmp_path: Path) -> None:
    digests = set()
    for folder in ("here", "there/deeper"):
        files = {**FILES, "main.cpp": MAIN_CPP, "CMakeLists.txt": CMAKELISTS.replace(" SHARED_OR_NOT", "")}
        place = workplace(tmp_path / folder, CMAKE, files)
        (program,) = compile.build(place)
        digests.add(sha256_of(program))
    assert run(program) == (0, "42 4 /trial/main.cpp\n")
    assert len(digests) == 1
    assert (place.prefix / "lib/libsolve.a").is_file()
    assert (place.prefix / "include/solve.h").is_file()


def test_a_cmake_build_finds_mpi_and_what_a_dependency_installed(tmp_path: Path) -> None:
    made = workplace(tmp_path, MAKE, {**FILES, "Makefile": MAKEFILE}, name="solving")
    compile.build(made)
    lists = """\
cmake_minimum_required(VERSION 3.16)
project(user C)
find_package(MPI REQUIRED COMPONENTS C)
find_library(SOLVE solve REQUIRED)
find_path(SOLVE_INCLUDE solve.h REQUIRED)
add_executable(user user.c)
target_link_libraries(user ${SOLVE} MPI::MPI_C)
"""
    user = """\
#include <mpi.h>
#include <solve.h>
int main(int argc, char **argv) { MPI_Init(&argc, &argv); MPI_Finalize(); return solve(1); }
"""
    place = workplace(
        tmp_path,
        '[build]\nkind = "cmake"\n[[program]]\nname = "user"\n',
        {"CMakeLists.txt": lists, "user.c": user},
        name="using",
        dependencies={"solving": made.prefix},
        mpi=produce.mpi_library(toolchain.find("packages")),
    )
    (program,) = compile.build(place)
    imports = {thing.name for thing in wasm.read(program.read_bytes()).imports}
    assert {"MPI_Init", "MPI_Finalize"} <= imports


def test_the_mpi_wrapper_answers_what_configure_scripts_ask(tmp_path: Path) -> None:
    mpi = produce.mpi_library(toolchain.find("packages"))
    place = workplace(tmp_path, MAKE, {}, mpi=mpi)
    mpicc = wrappers.write(place) / "mpicc"

    def answer(*question: str) -> str:
        return subprocess.run([mpicc, *question], check=True, capture_output=True, text=True).stdout.strip()

    assert answer("-show") == f"cc -I{mpi}/include {mpi}/lib/argosy_abi.o -L{mpi}/lib -lmpi -Wl,--export-table"
    assert answer("-compile-info") == answer("-showme:compile") == f"-I{mpi}/include"
    assert "-lmpi" in answer("-link-info")
    assert answer("-showme:incdirs") == f"{mpi}/include"
    assert answer("-dumpmachine") == "wasm32-unknown-wasip1"
    assert "clang version" in answer("--version")


def test_nm_names_the_symbols_of_an_archive(tmp_path: Path) -> None:
    place = workplace(tmp_path, MAKE, {**FILES, "Makefile": MAKEFILE})
    compile.build(place)
    shown = subprocess.run(
        [wrappers.folder(place) / "nm", "-B", place.prefix / "lib/libsolve.a"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "solve.o:" in shown
    assert " T solve\n" in shown


def test_an_undefined_symbol_in_an_upstream_link_is_named_with_the_recipe(tmp_path: Path) -> None:
    files = {**FILES, "solve.c": "int elsewhere(int); int solve(int x) { return elsewhere(x); }", "Makefile": MAKEFILE}
    with pytest.raises(ArgosyError, match=r"building recipe trial failed: nothing defines\s+elsewhere \(used in"):
        compile.build(workplace(tmp_path, MAKE, files))


def test_a_failed_build_shows_its_last_lines_and_its_log(tmp_path: Path) -> None:
    files = {**FILES, "Makefile": "all:\n\t@echo first; echo the disk is made of cheese; exit 3\n"}
    place = workplace(tmp_path, MAKE, files)
    with pytest.raises(ArgosyError, match=rf"the disk is made of cheese[\s\S]*{place.log}"):
        compile.build(place)


def test_a_program_that_the_build_did_not_make_is_named(tmp_path: Path) -> None:
    build = MAKE.replace('name = "solver"', 'name = "solver"\npath = "bin/solver"')
    with pytest.raises(ArgosyError, match=r"did not make its program solver: there is no bin/solver\s+.*did you mean"):
        compile.build(workplace(tmp_path, build, {**FILES, "Makefile": MAKEFILE}))


def test_a_program_made_by_another_compiler_is_refused(tmp_path: Path) -> None:
    files = {**FILES, "Makefile": "solver:\n\tprintf '\\177ELF' > solver\n"}
    build = '[build]\nkind = "make"\n[[program]]\nname = "solver"\n'
    with pytest.raises(ArgosyError, match=r"recipe trial made solver, which is not a wasm module"):
        compile.build(workplace(tmp_path, build, files))


def test_a_library_that_was_not_installed_is_named(tmp_path: Path) -> None:
    build = MAKE.replace('name = "solve"\n', 'name = "solved"\n')
    with pytest.raises(ArgosyError, match=r"recipe trial installed no libsolved.a\s+it installed libsolve.a"):
        compile.build(workplace(tmp_path, build, {**FILES, "Makefile": MAKEFILE}))


def test_an_interrupted_build_leaves_no_process_and_no_program(tmp_path: Path) -> None:
    files = {**FILES, "Makefile": f"all:\n\t@echo $$$$ > {tmp_path}/pid; sleep 600; sleep 600\n"}
    place = workplace(tmp_path, MAKE, files)
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); from wasm_programs import workplace\n"
        "import test_compile_upstream as t; from argosy.build import compile\n"
        "compile.build(workplace(Path(sys.argv[2]), t.MAKE, {}))\n"
    )
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{here}:{here.parent}"}
    child = subprocess.Popen([sys.executable, "-c", program, here, tmp_path], env=environment, stderr=subprocess.PIPE)
    pid = tmp_path / "pid"
    for _ in range(600):
        if pid.exists() and pid.read_text().strip():
            break
        time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    errors = child.communicate(timeout=60)[1]
    assert child.returncode != 0, errors
    for _ in range(100):
        if not Path(f"/proc/{int(pid.read_text())}").exists():
            break
        time.sleep(0.1)
    assert not Path(f"/proc/{int(pid.read_text())}").exists()
    assert not place.program("solver").exists()


def test_an_early_error_of_a_parallel_build_is_shown_besides_the_last_lines(tmp_path: Path) -> None:
    noise = "; ".join(["echo compiling more"] * 60)
    makefile = (
        f"all: wrong other\nwrong:\n\t@echo 'a.c:1: error: the cause' >&2; exit 1\nother:\n\t@sleep 0.3; {noise}\n"
    )
    with pytest.raises(ArgosyError, match=r"a.c:1: error: the cause[\s\S]*compiling more"):
        compile.build(workplace(tmp_path, MAKE, {**FILES, "Makefile": makefile}))
