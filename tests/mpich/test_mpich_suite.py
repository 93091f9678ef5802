"""Programs of MPICH's own test suite, compiled by our mpicc, pass as WebAssembly; and the suite's rules are kept."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mpich_suite
import pytest
from mpich_builds import Built, yielding
from mpich_jobs import Verdict, allowances, judge
from mpich_kept import Kept
from mpich_lists import ListedTest, Program, programs, read
from mpich_outcomes import Outcome, inapplicable_build, rows, table
from needs import need

from argosy.errors import ArgosyError, UsageError
from argosy.launcher import mpi_library

SUBSET = mpich_suite.subset()
# Of these, so many on the other libraries too; all of them by `mpich_suite.py --subset --library …`.
SAMPLE = SUBSET[::15]
DEBIAN = Path("/usr/bin/mpicc.mpich")
OTHERS = (Path("/usr/bin/mpicc.openmpi"), Path(sys.prefix, "bin", "mpicc_abi"))


def library() -> mpi_library.MpiLibrary:
    """The one that $ARGOSY_MPICC names, else Debian's MPICH, whose version the suite is of, else any."""
    if DEBIAN.exists() and "ARGOSY_MPICC" not in os.environ:
        return mpi_library.describe(DEBIAN, chosen="the tests")
    return mpi_library.find()


def prepared(mpi: mpi_library.MpiLibrary) -> Iterator[mpich_suite.Suite]:
    """The suite on that library, its utilities compiled."""
    try:
        made = mpich_suite.Suite(mpi, limit=120)
    except ArgosyError as error:
        need("MPICH's source", str(error))
    made.ready()
    with pytest.MonkeyPatch.context() as settings:
        settings.setenv("ARGOSY_MPICC", str(mpi.mpicc))
        yield made


@pytest.fixture(scope="module")
def suite() -> Iterator[mpich_suite.Suite]:
    """The suite on the MPI library of this machine."""
    try:
        mpi = library()
    except ArgosyError as error:
        need("an MPI library", str(error))
    yield from prepared(mpi)


@pytest.fixture(scope="module", params=OTHERS)
def elsewhere(request: pytest.FixtureRequest) -> Iterator[mpich_suite.Suite]:
    """The suite on one of the other libraries; its wasm programs are the same files."""
    mpicc: Path = request.param
    if not mpicc.exists():
        need(str(mpicc), "pip install mpich, apt-get install libopenmpi-dev")
    yield from prepared(mpi_library.describe(mpicc, chosen="the tests"))


@pytest.fixture(scope="module")
def by_name(suite: mpich_suite.Suite) -> dict[str, ListedTest]:
    return {test.name: test for test in suite.tests()}


@pytest.mark.parametrize("name", SUBSET)
def test_what_the_suite_asks_of_an_mpi_library_holds_in_wasm(
    suite: mpich_suite.Suite, by_name: dict[str, ListedTest], name: str
) -> None:
    assert suite.in_wasm(by_name[name]) == Verdict(passed=True)


@pytest.mark.parametrize("name", SAMPLE)
def test_the_same_wasm_passes_on_other_mpi_libraries(
    elsewhere: mpich_suite.Suite, by_name: dict[str, ListedTest], name: str
) -> None:
    outcome = elsewhere.outcome(by_name[name])
    assert not outcome.unexplained, outcome.reason


def test_mpichs_ranks_yield_while_they_poll(tmp_path: Path) -> None:
    if not DEBIAN.exists():
        need("Debian's MPICH", "apt-get install libmpich-dev")
    mpi = mpi_library.describe(DEBIAN, chosen="the tests")
    program, bindings = tmp_path / "program", tmp_path / "bindings"
    program.with_suffix(".c").write_text(
        "#include <mpi.h>\nint main(void) { MPI_Init(0, 0); return MPI_Finalize(); }\n"
    )
    subprocess.run([mpi.mpicc, program.with_suffix(".c"), "-o", program], check=True)
    linker = {"LD_DEBUG": "bindings", "LD_DEBUG_OUTPUT": str(bindings), "LD_BIND_NOW": "1"}
    subprocess.run([program], env={**os.environ, **allowances(mpi), **linker}, check=True, timeout=60)
    (said,) = tmp_path.glob("bindings.*")
    bound = [line for line in said.read_text().splitlines() if "`ucp_worker_progress'" in line]
    assert any("libmpi" in line and f"to {yielding(mpi)}" in line for line in bound), bound


def test_outcomes_are_kept_as_they_come_and_go_on_from_there(tmp_path: Path) -> None:
    path = tmp_path / "outcomes"
    path.touch()  # as `mktemp` makes one
    first, second = read(small_tree(tmp_path / "tree"))[:2]
    passed = Outcome(test=first, library="MPICH", native=Verdict(passed=True), wasm=Verdict(passed=True), seconds=1.5)
    Kept(path, subject="one").keep(passed)
    with path.open("a") as file:
        file.write('{"test": "coll/one 4 -count')  # the run ended here
    again = Kept(path, subject="one")
    assert again.outcome(first) == passed
    assert again.outcome(second) is None
    left_out = Outcome(test=second, library="MPICH", inapplicable="needs threads")
    again.keep(left_out)
    assert [Kept(path, subject="one").outcome(test) for test in (first, second)] == [passed, left_out]
    with pytest.raises(UsageError, match="another"):
        Kept(path, subject="other")


def test_what_fails_natively_is_spared_where_that_is_asked(
    suite: mpich_suite.Suite, by_name: dict[str, ListedTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []
    monkeypatch.setattr(suite, "_natively", lambda _: Verdict(passed=False, reason="too slow"))
    monkeypatch.setattr(suite, "in_wasm", lambda test: ran.append(test) or Verdict(passed=True))
    for spare, runs in ((True, 0), (False, 1)):
        monkeypatch.setattr(suite, "_spare", spare)
        assert not suite.outcome(by_name[SUBSET[0]]).counts
        assert len(ran) == runs


def test_only_what_passes_natively_fails_in_wasm_and_is_not_explained_counts_against_the_subset() -> None:
    def outcome(program: str, library: str, native: bool, wasm: bool) -> Outcome:
        test = ListedTest(program=Program(folder="init", name=program, sources=()), ranks=1, environment={})
        return Outcome(test=test, library=library, native=Verdict(passed=native), wasm=Verdict(passed=wasm))

    assert outcome("one", "MPICH", True, False).unexplained
    assert not outcome("one", "MPICH", True, True).unexplained
    assert not outcome("one", "MPICH", False, False).unexplained
    assert not outcome("version", "MPICH", True, False).unexplained


def test_the_subset_is_of_150_tests_or_more_and_none_twice() -> None:
    assert len(SUBSET) == len(set(SUBSET)) >= 150


@pytest.mark.parametrize(
    ("result", "status", "output", "passed"),
    [
        ("", 0, " No Errors\n", True),
        ("", 0, " No Errors\nsomething else\n", False),
        ("", 1, " No Errors\n", False),
        ("", 0, "", False),
        ("", 0, "Found 1 errors\n", False),
        ("TestStatus", 1, "", True),
        ("TestStatus", 0, " No Errors\n", False),
        ("TestErrFatal", 134, "a trap", True),
        ("TestErrFatal", 0, "", False),
        ("TestStatusNoErrors", 1, " No Errors\n", True),
        ("TestStatusNoErrors", 0, " No Errors\n", False),
    ],
)
def test_a_test_passes_by_the_suites_own_rules(result: str, status: int, output: str, passed: bool) -> None:
    verdict = judge(result, status, output)
    assert verdict.passed is passed
    assert bool(verdict.reason) is not passed


def small_tree(folder: Path) -> Path:
    for name, text in {
        "coll/Makefile.am": (
            "include $(top_srcdir)/Makefile_single.mtest\n"
            "noinst_PROGRAMS = one \\\n    two\n"
            "two_SOURCES = one.c help.c help.h\n"
            "two_CPPFLAGS = -DTWICE $(AM_CPPFLAGS)\n"
        ),
        "coll/testlist.in": (
            "# a comment\none 4 arg=-count=10 env=A=b=c timeLimit=30 mem=1.5\ntwo 2 resultTest=TestStatus # why\n"
            "one\n@largetest@two 8\n@iodir@\n"
        ),
        "basic/Makefile.am": "include $(top_srcdir)/Makefile_single.mtest\nnoinst_PROGRAMS = alone\n",
        "threads/pt2pt/Makefile.am": "include $(top_srcdir)/Makefile_threads.mtest\nnoinst_PROGRAMS = many\n",
        "threads/pt2pt/testlist": "many 2\n",
        "maint/dtp-test-config.txt": "# a comment\ncoll/one::1 512:mem=1.2:4:16:1024:0\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_lists_say_what_to_run_and_how(tmp_path: Path) -> None:
    found = {test.name: test for test in read(small_tree(tmp_path))}
    assert list(found) == [
        "basic/alone 2",
        "coll/one 4 -count=10 A=b=c",
        "coll/two 2",
        "coll/one 2",
        "coll/two 8",
        "coll/one 4 -type=MPI_INT -count=1 -seed=1 -testsize=1024",
        "coll/one 4 -type=MPI_INT -count=512 -seed=2 -testsize=16",
        "coll/one 4 -type=MPI_INT:4+MPI_DOUBLE:8 -count=1 -seed=3 -testsize=1024",
        "coll/one 4 -type=MPI_INT:4+MPI_DOUBLE:8 -count=512 -seed=4 -testsize=16",
        "threads/pt2pt/many 2",
    ]
    first = found["coll/one 4 -count=10 A=b=c"]
    assert (first.seconds, first.memory, first.environment) == (30, 1.5, {"A": "b=c"})
    assert found["coll/two 2"].result == "TestStatus"
    assert found["coll/two 8"].large
    assert found["threads/pt2pt/many 2"].program.threads


def test_makefiles_say_what_programs_are_made_of(tmp_path: Path) -> None:
    assert programs(small_tree(tmp_path), "coll")["two"] == Program(
        folder="coll", name="two", sources=("coll/one.c", "coll/help.c"), macros=("-DTWICE",)
    )


def test_what_a_program_lacks_is_named_and_only_mpi_counts_as_a_failure() -> None:
    of_mpi = Built(file=None, said="wasm-ld: error: a.o: undefined symbol: MPI_T_init_thread\nundefined symbol: fork\n")
    assert of_mpi.reason == "lacks MPI_T_init_thread"
    assert inapplicable_build(of_mpi) == ""
    of_mpich = Built(file=None, said="wasm-ld: error: a.o: undefined symbol: MPIX_Comm_revoke\n")
    assert inapplicable_build(of_mpich) == "calls what only MPICH has: MPIX_Comm_revoke"
    of_unix = Built(file=None, said="x.c:1: fatal error: 'netdb.h' file not found\n")
    assert inapplicable_build(of_unix) == "calls what WASI does not have: netdb.h"


def test_the_ratio_is_of_what_passes_natively() -> None:
    def outcome(name: str, native: bool, wasm: bool, reason: str = "") -> Outcome:
        test = ListedTest(program=Program(folder="coll", name=name, sources=()), ranks=2, environment={})
        if reason:
            return Outcome(test=test, inapplicable=reason)
        return Outcome(test=test, native=Verdict(passed=native), wasm=Verdict(passed=wasm, reason="why not"))

    found = [
        outcome("a", True, True),
        outcome("b", True, False),
        outcome("c", False, True),
        outcome("d", False, False),
        outcome("e", True, True, reason="needs threads"),
    ]
    [coll, _] = rows(found)
    assert (coll.tests, coll.inapplicable, coll.native, coll.wasm, coll.ratio) == (5, 1, 2, 2, 0.5)
    text = table(found)
    assert "| coll | 5 | 1 | 2 | 2 | 50.0 % |" in text
    assert "- coll/b 2: why not" in text
    assert "- 1 × needs threads" in text


def test_a_wrong_folder_or_test_is_named_with_what_was_meant(tmp_path: Path) -> None:
    known = read(small_tree(tmp_path))
    assert [test.name for test in mpich_suite.choose(known, ["threads"], [], [])] == ["threads/pt2pt/many 2"]
    assert [test.name for test in mpich_suite.choose(known, [], ["coll/tw*"], [])] == ["coll/two 2", "coll/two 8"]
    with pytest.raises(UsageError, match="no folder 'cool'"):
        mpich_suite.choose(known, ["cool"], [], [])
    with pytest.raises(UsageError, match="no test of the suite"):
        mpich_suite.choose(known, [], ["coll/four"], [])
    with pytest.raises(UsageError, match="no test 'coll/two 9'"):
        mpich_suite.choose(known, [], [], ["coll/two 9"])
