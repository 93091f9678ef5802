"""What came of each test on both sides, and the table of all, one row a folder."""

from __future__ import annotations

import fnmatch
import functools
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mpich_builds import Built
from mpich_jobs import Verdict
from mpich_lists import FOLDERS, ListedTest

_THREADS = re.compile(r"\b(MTest_Start_thread|pthread_create)\b")
_CPP_BINDINGS = re.compile(r"\bMPI::")
_QMPI = re.compile(r"\bQMPI_")
_OF_MPICH = ("MPIX_", "MPIR_", "MPICH", "PMPIX_", "MPIO_")
_GIGABYTE = 1 << 30
_WASM32_GIGABYTES = 4.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`native` and `wasm` are None where the test does not apply, which `inapplicable` then gives the reason of."""

    test: ListedTest
    library: str = ""
    native: Verdict | None = None
    wasm: Verdict | None = None
    inapplicable: str = ""
    seconds: float = 0.0

    @property
    def counts(self) -> bool:
        """Whether wasm is held to it: it applies, and passes natively."""
        return self.native is not None and self.native.passed

    @property
    def reason(self) -> str:
        """Why it fails in wasm, in a line: as explained in explained.toml, else what the run said."""
        return explanation(self.test, self.library) or ("" if self.wasm is None else self.wasm.reason)

    @property
    def unexplained(self) -> bool:
        """Whether wasm is held to it, fails it, and nobody has said why."""
        return self.counts and self.state == "failed" and not explanation(self.test, self.library)

    @property
    def state(self) -> str:
        """The outcome in a word."""
        if self.inapplicable:
            return "not applicable"
        return "passed" if self.wasm is not None and self.wasm.passed else "failed"


def inapplicable(test: ListedTest, tree: Path) -> str:
    """Why the test cannot mean anything in wasm32 or on this machine, from its sources and its line; or ""."""
    sources = [tree / source for source in test.program.sources]
    texts = "".join(path.read_text(errors="replace") for path in sources if path.exists())
    if test.program.threads or _THREADS.search(texts):
        return "needs threads, which wasm32-wasip1 does not have"
    if test.row == "cxx" or _CPP_BINDINGS.search(texts) or not all(path.exists() for path in sources):
        return "calls the MPI:: bindings for C++, which MPI-3.0 removed"
    if _QMPI.search(texts):
        return "calls what only MPICH has: QMPI"
    if test.expected_failure:
        return "the suite leaves it out unless told --enable-xfail: MPICH itself is known to fail it"
    if test.large:
        return "the suite leaves it out unless told --enable-large-tests: it counts beyond 32 bits"
    if test.memory > _WASM32_GIGABYTES * test.ranks or test.memory > _machine_gigabytes():
        return f"needs {test.memory:g} GB of memory for {test.ranks} ranks"
    return ""


def inapplicable_build(built: Built) -> str:
    """Why a program that could not be built is not MPI's or wasm's concern; or ""."""
    if "requires expression of integer type" in built.said:
        return "takes handles for integers, which MPICH's are and the standard's ABI does not have"
    if not built.missing or any(name.startswith(("MPI_", "PMPI_")) for name in built.missing):
        return ""
    own = [name for name in built.missing if name.startswith(_OF_MPICH)]
    if own:
        return f"calls what only MPICH has: {', '.join(own)}"
    return f"calls what WASI does not have: {', '.join(built.missing)}"


def explanation(test: ListedTest, library: str) -> str:
    """What explained.toml says of the test on that kind of MPI library; or ""."""
    explained = _explained()
    for reasons in (explained.get(library, {}), explained):
        for pattern, text in reasons.items() if isinstance(reasons, Mapping) else ():
            if isinstance(text, str) and fnmatch.fnmatchcase(test.name, pattern):
                return text
    return ""


@functools.cache
def _explained() -> Mapping[str, str | Mapping[str, str]]:
    return tomllib.loads(Path(__file__).with_name("explained.toml").read_text())


def _machine_gigabytes() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIGABYTE


@dataclass(frozen=True, kw_only=True)
class Row:
    """The counts of one folder; `both` of the `native` passes pass in wasm too."""

    name: str
    tests: int
    inapplicable: int
    native: int
    wasm: int
    both: int

    @property
    def ratio(self) -> float | None:
        return self.both / self.native if self.native else None


def rows(outcomes: Sequence[Outcome]) -> list[Row]:
    """One row per folder that has outcomes, and their sum."""
    names = [name for name in FOLDERS if any(outcome.test.row == name for outcome in outcomes)]
    found = [_row(name, [outcome for outcome in outcomes if outcome.test.row == name]) for name in names]
    return [*found, _row("all", outcomes)]


def _row(name: str, outcomes: Sequence[Outcome]) -> Row:
    return Row(
        name=name,
        tests=len(outcomes),
        inapplicable=sum(bool(outcome.inapplicable) for outcome in outcomes),
        native=sum(outcome.counts for outcome in outcomes),
        wasm=sum(outcome.state == "passed" for outcome in outcomes),
        both=sum(outcome.counts and outcome.state == "passed" for outcome in outcomes),
    )


def table(outcomes: Sequence[Outcome]) -> str:
    """Markdown: the counts, then every test that does not pass in wasm with its reason."""
    lines = [
        "| folder | tests | not applicable | pass natively | pass in wasm | of native's |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows(outcomes):
        ratio = "" if row.ratio is None else f"{100 * row.ratio:.1f} %"
        lines.append(f"| {row.name} | {row.tests} | {row.inapplicable} | {row.native} | {row.wasm} | {ratio} |")
    lines += _listing(
        "Fails in wasm, passes natively", (one for one in outcomes if one.counts and one.state == "failed")
    )
    lines += _listing(
        "Fails on both sides",
        (one for one in outcomes if one.native and not one.native.passed and one.state == "failed"),
    )
    reasons: dict[str, int] = {}
    for outcome in outcomes:
        if outcome.inapplicable:
            reasons[outcome.inapplicable] = reasons.get(outcome.inapplicable, 0) + 1
    if reasons:
        lines += ["", "Not applicable:", ""]
        lines += [f"- {count} × {reason}" for reason, count in sorted(reasons.items(), key=lambda one: -one[1])]
    return "\n".join(lines)


def _listing(title: str, outcomes: Iterable[Outcome]) -> list[str]:
    lines = [f"- {one.test.name}: {one.reason}" for one in outcomes]
    return ["", f"{title}:", "", *lines] if lines else []
