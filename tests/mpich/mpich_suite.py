"""MPICH's test suite as WebAssembly beside the same suite compiled natively, on the same MPI library.

    python tests/mpich/mpich_suite.py                                 # all of it: hours
    python tests/mpich/mpich_suite.py --library mpicc.mpich --jobs 1 --spare --keep outcomes
    python tests/mpich/mpich_suite.py --folder attr --folder coll
    python tests/mpich/mpich_suite.py --only 'coll/allred*' --library mpicc.openmpi
    python tests/mpich/mpich_suite.py --subset --json                 # the tests that CI runs

A test is one line of the suite's lists; it passes by the suite's own rules. The source is fetched once, from Debian's
archive or $ARGOSY_MIRROR; programs, and what passed natively, are kept in the cache. With --keep FILE outcomes are
written down as they come, and a run of the same goes on where the last one stopped. The exit status is 1 where --subset
is given and a test of it passes natively, fails in wasm, and explained.toml does not say why.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import mpich_jobs
import mpich_lists
import mpich_outcomes
import mpich_sources
from mpich_builds import Native, Wasm
from mpich_jobs import Verdict
from mpich_kept import Kept, as_rows
from mpich_lists import ListedTest
from mpich_outcomes import Outcome

from argosy import process
from argosy.errors import ArgosyError, UsageError, did_you_mean
from argosy.files import write_whole
from argosy.folders import cache_root
from argosy.launcher import build, mpi_library
from argosy.launcher.mpi_library import MpiLibrary
from argosy.mpi import guest
from argosy.progress import progress

SUBSET = Path(__file__).with_name("subset.txt")


def subset() -> list[str]:
    """The names of the tests that CI runs."""
    lines = (line.partition("#")[0].strip() for line in SUBSET.read_text().splitlines())
    return [line for line in lines if line]


def choose(
    tests: Sequence[ListedTest], folders: Sequence[str], only: Sequence[str], names: Sequence[str]
) -> list[ListedTest]:
    """The tests in these folders whose name or program matches one of `only`, and is in `names`; empty is no limit.

    Raises UsageError where one of `folders` or `names` does not exist, or nothing matches.
    """
    rows = {test.row for test in tests} | {test.program.folder for test in tests}
    for folder in folders:
        if folder not in rows:
            raise UsageError(f"the suite has no folder {folder!r}", advice=did_you_mean(folder, rows))
    known = {test.name for test in tests}
    for name in names:
        if name not in known:
            raise UsageError(f"the suite has no test {name!r}", advice=did_you_mean(name, known))
    chosen = [
        test
        for test in tests
        if (not folders or test.row in folders or test.program.folder in folders)
        and (not names or test.name in names)
        and (not only or any(fnmatch.fnmatchcase(own, one) for one in only for own in (test.name, test.program.path)))
    ]
    if not chosen:
        raise UsageError("no test of the suite is meant by that", advice="for example --only 'coll/allred*'")
    return chosen


class Suite:
    """Both sides for one MPI library, which $ARGOSY_MPICC must name while tests run."""

    def __init__(self, mpi: MpiLibrary, *, limit: int, spare: bool = False) -> None:
        self._mpi = mpi
        self._limit = limit
        self._allowed = " ".join(f"{name}={value}" for name, value in mpich_jobs.allowances(mpi).items())
        self._spare = spare
        self._tree = mpich_sources.tree()
        self._native = Native(mpi)
        self._wasm = Wasm()

    @property
    def library(self) -> str:
        """The library's kind, as explained.toml names it: "MPICH", "Open MPI", "MPI ABI"."""
        return self._mpi.kind

    @property
    def subject(self) -> str:
        """What outcomes depend on, in a word."""
        parts = (self._mpi.identity, str(build.launcher(self._mpi)), guest.digest(), self._tree.name, self._allowed)
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()

    def tests(self) -> list[ListedTest]:
        return mpich_lists.read(self._tree)

    def ready(self) -> None:
        """Compile what all tests share."""
        self._native.ready()
        self._wasm.ready()

    def in_wasm(self, test: ListedTest) -> Verdict:
        """The wasm side alone."""
        built = self._wasm.build(test.program)
        if built.file is None:
            return Verdict(passed=False, reason=built.reason)
        return mpich_jobs.wasm(test, built.file, self._mpi, self._limit)

    def outcome(self, test: ListedTest) -> Outcome:
        """Both sides."""
        reason = mpich_outcomes.inapplicable(test, self._tree)
        built = None if reason else self._wasm.build(test.program)
        if built is not None:
            reason = mpich_outcomes.inapplicable_build(built)
        if reason or built is None:
            return Outcome(test=test, library=self.library, inapplicable=reason)
        native = self._natively(test)
        if self._spare and not native.passed:
            left_out = Verdict(passed=False, reason="not run: it fails natively")
            return Outcome(test=test, library=self.library, native=native, wasm=left_out)
        begin = time.monotonic()
        wasm = self.in_wasm(test)
        seconds = round(time.monotonic() - begin, 1)
        return Outcome(test=test, library=self.library, native=native, wasm=wasm, seconds=seconds)

    def _natively(self, test: ListedTest) -> Verdict:
        """Passes are kept, for neither the program nor the library has changed; a failure may be a busy machine's."""
        built = self._native.build(test.program)
        if built.file is None:
            return Verdict(passed=False, reason=built.reason)
        name = hashlib.sha256(f"{built.file} {test.name} {self._allowed}".encode()).hexdigest()
        note = cache_root() / "mpich-tests" / "passed" / name
        if note.exists():
            return Verdict(passed=True)
        verdict = mpich_jobs.native(test, built.file, self._mpi, self._limit)
        if verdict.passed:
            write_whole(note, f"{test.name}\n".encode())
        return verdict


def outcomes(suite: Suite, tests: Sequence[ListedTest], jobs: int, kept: Kept | None = None) -> list[Outcome]:
    """Run the tests, so many at once, in their order; those that are kept are not run again."""
    suite.ready()

    def one(test: ListedTest) -> Outcome:
        outcome = kept.outcome(test) if kept else None
        if outcome is None:
            outcome = suite.outcome(test)
            if kept:
                kept.keep(outcome)
        advance()
        return outcome

    with progress("MPICH's tests", len(tests), unit="test") as advance, ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, tests))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", action="append", default=[], help="only this folder of the suite (again for more)")
    parser.add_argument(
        "--only", action="append", default=[], metavar="TEST", help="only tests of this name; * matches"
    )
    parser.add_argument("--subset", action="store_true", help="only the tests that CI runs")
    parser.add_argument(
        "--library", metavar="MPICC", help="the MPI library's mpicc (default: as `argosy run` finds it)"
    )
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="so many tests at once")
    parser.add_argument("--most-ranks", type=int, default=1000, metavar="N", help="leave out tests of more ranks")
    parser.add_argument("--listed", action="store_true", help="leave out tests of datatypes drawn at random")
    parser.add_argument("--limit", type=int, default=180, metavar="SECONDS", help="no test may take longer")
    parser.add_argument("--spare", action="store_true", help="do not run in wasm what fails natively")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write outcomes down there, and go on from them")
    parser.add_argument("--json", action="store_true", help="every outcome as JSON instead of the table")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, lambda *_: process.interrupt())
    try:
        if arguments.library:
            os.environ["ARGOSY_MPICC"] = arguments.library
        mpi = mpi_library.find()
        os.environ["ARGOSY_MPICC"] = str(mpi.mpicc)
        suite = Suite(mpi, limit=arguments.limit, spare=arguments.spare)
        names = subset() if arguments.subset else []
        known = [
            test
            for test in suite.tests()
            if test.ranks <= arguments.most_ranks and not (arguments.listed and test.generated)
        ]
        chosen = choose(known, arguments.folder, arguments.only, names)
        kept = Kept(arguments.keep, subject=suite.subject) if arguments.keep else None
        found = outcomes(suite, chosen, arguments.jobs, kept)
    except ArgosyError as error:
        print(f"mpich_suite: {error}", file=sys.stderr)
        return error.status
    if arguments.json:
        print(json.dumps(_as_json(mpi, found), indent=1))
    else:
        print(f"MPICH 4.0.2's test suite on {mpi.kind} {mpi.version}\n\n{mpich_outcomes.table(found)}")
    return int(arguments.subset and any(outcome.unexplained for outcome in found))


def _as_json(mpi: MpiLibrary, found: Sequence[Outcome]) -> dict[str, object]:
    rows = [{**asdict(row), "ratio": row.ratio} for row in mpich_outcomes.rows(found)]
    return {"library": f"{mpi.kind} {mpi.version}", "folders": rows, "tests": as_rows(found)}


if __name__ == "__main__":
    sys.exit(main())
