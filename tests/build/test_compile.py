"""Building recipes of kind `sources`: what is made, what stays the same everywhere, and how it fails."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import wasmtime
from wasm_programs import run, workplace

from argosy.build import compile, flags, produce, steps, toolchain
from argosy.build.inspect import inspect
from argosy.errors import ArgosyError, UsageError
from argosy.files import sha256_of
from argosy.model import wasm
from argosy.model.note import recipe_note
from argosy.model.variant import VARIANTS, variant_of

HELLO = '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n'
SOURCES = '[build]\nkind = "sources"\nsources = ["*.c"]\n[[program]]\nname = "trial"\n'


def test_a_program_is_built_and_notes_its_recipe_and_numerics(tmp_path: Path) -> None:
    (program,) = compile.build(workplace(tmp_path, SOURCES, {"hello.c": HELLO}, numerics="exact"))
    assert run(program) == (0, "hello\n")
    note = recipe_note(wasm.read(program.read_bytes()))
    assert note is not None
    assert (note.name, note.version, note.numerics) == ("trial", "1.0", "exact")


def test_the_same_sources_give_the_same_digest_in_every_folder(tmp_path: Path) -> None:
    files = {
        "deep/main.c": '#include <assert.h>\n#include <stdio.h>\n#include "own.h"\nint main(int n, char **a) {'
        ' assert(n < 9); printf("%s %s %s %s\\n", __FILE__, OWN, __DATE__, __TIME__); return 0; }',
        "include/own.h": "#define OWN own(__FILE__)\nstatic const char *own(const char *file) { return file; }\n",
        "other.cpp": '#include <cassert>\n#include <vector>\nextern "C" int other(int n)'
        " { std::vector<int> v(n); assert(v.at(0) == n); return 0; }",
    }
    build = SOURCES.replace('["*.c"]', '["**/*.c", "*.cpp"]\nincludes = ["include"]')
    digests = set()
    for folder in ("one", "quite/another/place"):
        (program,) = compile.build(workplace(tmp_path / folder, build, files))
        digests.add(sha256_of(program))
    assert len(digests) == 1
    status, printed = run(program)
    assert (status, printed.split()[:5]) == (0, ["/trial/deep/main.c", "/trial/deep/main.c", "Jan", "1", "2000"])


def test_a_symbol_that_nothing_defines_is_named_with_recipe_and_object(tmp_path: Path) -> None:
    files = {"use.c": "double dgemm_(int); int main(void) { return (int)dgemm_(1); }"}
    with pytest.raises(ArgosyError, match=r"recipe trial failed[\s\S]*dgemm_ \(used in use.c.o\)[\s\S]*`requires`"):
        compile.build(workplace(tmp_path, SOURCES, files))
    assert not (tmp_path / "trial/trial.wasm").exists()


def test_many_undefined_symbols_are_counted(tmp_path: Path) -> None:
    names = [f"missing_{n}" for n in range(30)]
    declared = "".join(f"int {name}(void);" for name in names)
    text = f"{declared} int main(void) {{ return {' + '.join(f'{name}()' for name in names)}; }}"
    with pytest.raises(ArgosyError, match=r"missing_0 \(used in many.c.o\)[\s\S]*and 18 more"):
        compile.build(workplace(tmp_path, SOURCES, {"many.c": text}))


def test_functions_called_with_another_signature_are_refused_at_link(tmp_path: Path) -> None:
    files = {
        "a.c": "int half(double); int main(void) { return half(2.0); }",
        "b.c": "int half(int x) { return x / 2; }",
    }
    with pytest.raises(ArgosyError, match="function signature mismatch: half"):
        compile.build(workplace(tmp_path, SOURCES, files))


def test_a_source_that_does_not_compile_is_named_with_the_compilers_words(tmp_path: Path) -> None:
    place = workplace(tmp_path, SOURCES, {"wrong.c": "int main(void) { return nowhere; }"})
    with pytest.raises(ArgosyError, match=r"compiling wrong.c of recipe trial failed[\s\S]*undeclared") as caught:
        compile.build(place)
    assert str(place.log) in str(caught.value)
    assert "nowhere" in place.log.read_text()


def test_a_compiler_that_crashes_is_reported_with_the_command_that_reproduces_it(tmp_path: Path) -> None:
    real = toolchain.find("packages")
    fake = tmp_path / "fake"
    (fake / "bin").mkdir(parents=True)
    (fake / "share").symlink_to(real.prefix / "share")
    (fake / "bin/clang").write_text("#!/bin/sh\necho 'Stack dump:'\nkill -SEGV $$\n")
    (fake / "bin/clang").chmod(0o755)
    place = workplace(tmp_path, SOURCES, {"hello.c": HELLO}, compiler=replace(real, prefix=fake))
    with pytest.raises(ArgosyError, match=r"the compiler itself crashed \(signal 11\)") as caught:
        compile.build(place)
    assert f"{fake}/bin/clang --target=wasm32-wasip1" in str(caught.value)
    assert "hello.c" in str(caught.value)


def test_a_program_without_main_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgosyError, match="has no main function"):
        compile.build(workplace(tmp_path, SOURCES, {"part.c": "int part(void) { return 1; }"}))


def test_a_path_of_this_machine_in_a_program_is_refused(tmp_path: Path) -> None:
    files = {"leak.c": f'#include <stdio.h>\nint main(void) {{ puts("{tmp_path}/trial/source/data"); return 0; }}'}
    with pytest.raises(ArgosyError, match=rf"has this machine's path {tmp_path}/trial"):
        compile.build(workplace(tmp_path, SOURCES, files))


def test_a_pattern_that_matches_nothing_is_named_by_its_key(tmp_path: Path) -> None:
    build = SOURCES.replace('["*.c"]', '["*.c", "solver/*.c"]')
    with pytest.raises(UsageError, match=r"recipe.toml: build.sources: 'solver/\*.c' matches no source"):
        compile.build(workplace(tmp_path, build, {"hello.c": HELLO}))


def test_a_dependency_gives_its_headers_and_library(tmp_path: Path) -> None:
    library = """
[build]
kind = "sources"
sources = ["twice.c"]
[[library]]
name = "twice"
headers = { "arithmetic/twice.h" = "twice.h" }
"""
    files = {"twice.c": '#include "twice.h"\nint twice(int x) { return 2 * x; }', "twice.h": "int twice(int);\n"}
    made = workplace(tmp_path, library, files, name="arithmetic")
    compile.build(made)
    build = SOURCES.replace("[[program]]", 'link = ["-ltwice"]\n[[program]]')
    user = {"use.c": "#include <arithmetic/twice.h>\nint main(void) { return twice(21); }"}
    (program,) = compile.build(workplace(tmp_path, build, user, dependencies={"arithmetic": made.prefix}))
    assert run(program)[0] == 42


def test_defines_special_flags_and_excluded_files_take_effect(tmp_path: Path) -> None:
    build = """
[build]
kind = "sources"
sources = ["*.c"]
exclude = ["never.c"]
defines = ["ANSWER=40"]
[[build.special]]
sources = ["more.c"]
flags = ["-DMORE=2"]
[[program]]
name = "trial"
"""
    files = {
        "main.c": "int more(void); int main(void) { return ANSWER + more(); }",
        "more.c": "int more(void) { return MORE; }",
        "never.c": "#error never",
    }
    (program,) = compile.build(workplace(tmp_path, build, files))
    assert run(program)[0] == 42


AXPY = """
#include <stdio.h>
#include <stdlib.h>
static double work(const double *x, const double *y, int n) {
  double sum = 0;
  for (int i = 0; i < n; i++) sum += x[i] * y[i] + x[i] * 0.1;
  return sum;
}
static void axpy(double a, const double *restrict x, double *restrict y, int n) {
  for (int i = 0; i < n; i++) y[i] = a * x[i] + y[i];
}
int main(int argc, char **argv) {
  static double x[1000], y[1000];
  for (int i = 0; i < 1000; i++) { x[i] = 1.0 / (i + argc); y[i] = 1.0 / (3 * i + argc); }
  axpy(1.0 / 3, x, y, 1000);
  printf("%.17g\\n", work(x, y, 1000));
}
"""


def test_fast_numerics_contract_and_exact_ones_do_not(tmp_path: Path) -> None:
    counted = {}
    for numerics in flags.NUMERICS:
        (program,) = compile.build(
            workplace(tmp_path / numerics, SOURCES.replace("[[p", 'flags = ["-ffast-math"]\n[[p'), {"axpy.c": AXPY})
            if numerics == "fast"
            else workplace(tmp_path / numerics, SOURCES, {"axpy.c": AXPY}, numerics=numerics)
        )
        functions = inspect(program).vectorized
        counted[numerics] = (sum(f.simd for f in functions) > 0, sum(f.relaxed_simd for f in functions) > 0)
    assert counted == {"fast": (True, True), "exact": (True, False)}


def test_a_variant_has_no_more_vectors_than_its_name_says(tmp_path: Path) -> None:
    built = {}
    for variant, asked in flags.VARIANTS.items():
        fast = SOURCES.replace("[[p", 'flags = ["-ffast-math"]\n[[p')
        place = replace(workplace(tmp_path / variant, fast, {"axpy.c": AXPY}), flags=asked)
        (built[variant],) = compile.build(place)
    assert {variant: variant_of(inspect(program).features) for variant, program in built.items()} == {
        variant: variant for variant in VARIANTS
    }
    assert list(flags.VARIANTS) == list(VARIANTS)
    assert {run(program)[0] for program in built.values()} == {0}


def test_exact_numerics_stay_exact_in_every_variant(tmp_path: Path) -> None:
    results = set()
    for variant, asked in flags.VARIANTS.items():
        place = workplace(tmp_path / variant, SOURCES, {"axpy.c": AXPY}, numerics="exact")
        (program,) = compile.build(replace(place, flags=asked))
        assert inspect(program).relaxed_simd == 0
        results.add(run(program))
    assert len(results) == 1


def test_exact_numerics_hold_against_a_recipe_that_asks_for_fast_math(tmp_path: Path) -> None:
    plain = workplace(tmp_path / "plain", SOURCES, {"axpy.c": AXPY}, numerics="exact")
    asking = SOURCES.replace("[[p", 'flags = ["-ffast-math", "-mrelaxed-simd"]\n[[p')
    asked = workplace(tmp_path / "asked", asking, {"axpy.c": AXPY}, numerics="exact")
    results = [run(compile.build(place)[0]) for place in (plain, asked)]
    assert results[0] == results[1]


def test_the_stack_is_large_and_its_overflow_is_a_trap(tmp_path: Path) -> None:
    text = """
#include <string.h>
static int fill(int depth, volatile char *above) {
  volatile char block[1 << 20];
  memset((void *)block, depth, sizeof block);
  int below = depth ? fill(depth - 1, block) : 0;
  return below + above[7] + block[9];
}
int main(int argc, char **argv) { char top[9] = {0}; return fill(argc > 1 ? 100 : 6, top) & 1; }
"""
    (program,) = compile.build(workplace(tmp_path, SOURCES, {"deep.c": text}))
    assert run(program) == (0, "")
    with pytest.raises(wasmtime.Trap, match="out of bounds memory access"):
        run(program, "deeper")


def test_long_double_setjmp_and_emulated_calls_link_by_themselves(tmp_path: Path) -> None:
    text = """
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
static jmp_buf place;
int main(void) {
  struct rusage usage;
  if (setjmp(place)) { printf("%.3Lf %d\\n", 1.0L / 3, getpid() > 0); return getrusage(RUSAGE_SELF, &usage); }
  signal(SIGINT, SIG_DFL);
  if (clock() < 0) return 9;
  longjmp(place, 1);
}
"""
    (program,) = compile.build(workplace(tmp_path, SOURCES, {"calls.c": text}))
    assert run(program) == (0, "0.333 1\n")


def test_cpp_recipes_throw_and_catch(tmp_path: Path) -> None:
    text = '#include <stdexcept>\nint main() { try { throw std::out_of_range("x"); } catch (...) { return 5; } }'
    (program,) = compile.build(workplace(tmp_path, SOURCES.replace("*.c", "*.cc"), {"throw.cc": text}))
    assert run(program)[0] == 5


def test_a_language_that_the_toolchain_lacks_is_refused_by_name(tmp_path: Path) -> None:
    only_c = replace(toolchain.find("packages"), languages=frozenset({"c"}), provider="debian")
    place = workplace(tmp_path, SOURCES.replace("*.c", "*.cc"), {"a.cc": "int main() {}"}, compiler=only_c)
    with pytest.raises(ArgosyError, match=r"a.cc of recipe trial is C\+\+, which the toolchain provider debian cannot"):
        compile.build(place)


def test_an_mpi_program_imports_what_it_calls_and_states_its_abi(tmp_path: Path) -> None:
    text = """
#include <mpi.h>
int main(int argc, char **argv) {
  int rank;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return MPI_Finalize();
}
"""
    mpi = produce.mpi_library(toolchain.find("packages"))
    (program,) = compile.build(workplace(tmp_path, SOURCES, {"ranks.c": text}, mpi=mpi))
    module = wasm.read(program.read_bytes())
    wanted = {thing.name for thing in module.imports if thing.module.startswith("argosy_mpi")}
    assert wanted == {"MPI_Init", "MPI_Comm_rank", "MPI_Finalize"}
    assert module.custom("argosy.abi") is not None
    assert any(export.kind == "table" for export in module.exports)


def test_the_users_environment_does_not_reach_the_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = tmp_path / "mine/stdio.h"
    header.parent.mkdir()
    header.write_text("#error the user's own header\n")
    monkeypatch.setenv("CPATH", str(header.parent))
    monkeypatch.setenv("CCC_OVERRIDE_OPTIONS", "+-DNO")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    assert os.environ["CPATH"]
    (program,) = compile.build(workplace(tmp_path, SOURCES, {"hello.c": HELLO}))
    assert run(program) == (0, "hello\n")


def test_an_empty_folder_for_temporary_files_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "")  # as some systems' batch jobs set it: compilers then write to the current folder
    assert "TMPDIR" not in steps.environment()
