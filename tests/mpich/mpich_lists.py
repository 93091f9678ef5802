"""What the suite says of itself: its `testlist`s (what to run, how) and its `Makefile.am`s (what programs are made of).

The lists' form is described by the suite's own `runtests.in`: `program [ranks [key=value …]]`, `#` for comments. A
`testlist.in` has `@name@` where configure puts "" or "#"; `maint/dtp-test-config.txt` stands for lists that configure
writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# The rows of the table. Fortran's folders are not among them, nor those that need patched MPI libraries (ft, ckpoint).
FOLDERS = (
    *("attr", "basic", "coll", "comm", "cxx", "datatype", "errhan", "errors", "group", "impls", "info", "init", "io"),
    *("mpi_t", "part", "perf", "pt2pt", "rma", "spawn", "threads", "topo"),
)
_FORTRAN = {"f77", "f90", "f08"}
_DEFAULT_SECONDS = 180
# What configure takes when nothing is chosen.
_DTP_TYPES = ("MPI_INT", "MPI_INT:4+MPI_DOUBLE:8")


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program of the suite: its sources relative to the suite's folder, and the macros that it is compiled with."""

    folder: str
    name: str
    sources: tuple[str, ...]
    macros: tuple[str, ...] = ()
    threads: bool = False

    @property
    def path(self) -> str:
        return f"{self.folder}/{self.name}"


@dataclass(frozen=True, kw_only=True)
class ListedTest:
    """One line of a list.

    `expected_failure`: the suite's own note of why MPICH fails it. `result`: "" (it prints " No Errors"), or the list's
    resultTest; `memory`: GB of all ranks together; `large`: the suite's configure leaves it out unless asked.
    """

    program: Program
    ranks: int
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str]
    seconds: int = _DEFAULT_SECONDS
    result: str = ""
    expected_failure: str = ""
    memory: float = 0.0
    large: bool = False
    generated: bool = False

    @property
    def name(self) -> str:
        """The line's words that tell it from every other: what `--only` and the subset's file name a test by."""
        variables = (f"{name}={value}" for name, value in self.environment.items())
        return " ".join([self.program.path, str(self.ranks), *self.arguments, *variables])

    @property
    def row(self) -> str:
        """The table's row that it belongs to."""
        return self.program.folder.partition("/")[0]


def read(tree: Path) -> list[ListedTest]:
    """Every test in C and C++, in the order of the folders and of their lists, none twice."""
    found: dict[str, ListedTest] = {}
    generated = list(_generated(tree))
    for row in FOLDERS:
        for folder in sorted({path.parent for path in (tree / row).rglob("Makefile.am")}):
            if _FORTRAN & set(folder.relative_to(tree).parts):
                continue
            made = programs(tree, folder.relative_to(tree).as_posix())
            for test in (*_listed(tree, folder, made), *_implied(tree, folder, made)):
                found.setdefault(test.name, test)
            for path, words in generated:
                if path.parent == folder and path.name in made:
                    test = _test(made[path.name], words, large=False, generated=True)
                    found.setdefault(test.name, test)
    return list(found.values())


def programs(tree: Path, folder: str) -> dict[str, Program]:
    """The programs of one folder by name, as its `Makefile.am` says."""
    text = re.sub(r"\\\n", " ", (tree / folder / "Makefile.am").read_text())
    settings = dict(re.findall(r"^(?:nodist_)?(\w+)[ \t]*\+?=[ \t]*(.*)$", text, re.MULTILINE))
    names = " ".join(re.findall(r"^(?:noinst|EXTRA)_PROGRAMS[ \t]*\+?=(.*)$", text, re.MULTILINE)).split()
    ending = ".cxx" if "Makefile_cxx" in text else ".c"
    return {name: _program(tree, folder, name, settings, ending, "Makefile_threads" in text) for name in names}


def _program(tree: Path, folder: str, name: str, settings: Mapping[str, str], ending: str, threads: bool) -> Program:
    words = settings.get(f"{name}_SOURCES", f"{name}{ending}").split()
    flags = f"{settings.get(f'{name}_CPPFLAGS', '')} {settings.get(f'{name}_CFLAGS', '')}".split()
    return Program(
        folder=folder,
        name=name,
        sources=tuple(f"{folder}/{word}" for word in words if word.endswith((".c", ".cxx"))),
        macros=tuple(flag for flag in flags if flag.startswith("-D")),
        threads=threads,
    )


def _listed(tree: Path, folder: Path, made: Mapping[str, Program]) -> Iterator[ListedTest]:
    for name in ("testlist.in", "testlist"):
        path = folder / name
        if not path.exists():
            continue
        for line in path.read_text().splitlines():
            large = line.startswith("@largetest@")
            line = re.sub(r"^@(largetest|namepub_tests)@", "", line).partition("#")[0]
            words = line.split()
            if not words or words[0].startswith("@") or (folder / words[0]).is_dir():
                continue
            program = _named(tree, folder, words[0], made)
            if program is not None:
                yield _test(program, words[1:], large=large)
        return


def _named(tree: Path, folder: Path, name: str, made: Mapping[str, Program]) -> Program | None:
    """The program that a list's first word names, which may lie in another folder."""
    if "/" not in name:
        here = folder.relative_to(tree).as_posix()
        return made.get(name) or _program(tree, here, name, {}, ".c", threads=False)
    target = (folder / name).resolve()
    return programs(tree, target.parent.relative_to(tree.resolve()).as_posix()).get(target.name)


def _implied(tree: Path, folder: Path, made: Mapping[str, Program]) -> Iterator[ListedTest]:
    """Where there is no list, each program with two ranks (runtests, "ProcessImplicitList")."""
    if not any((folder / name).exists() for name in ("testlist", "testlist.in")):
        for program in made.values():
            yield _test(program, ["2"], large=False)


def _test(program: Program, words: Sequence[str], *, large: bool, generated: bool = False) -> ListedTest:
    pairs = [(key, value) for key, separator, value in (word.partition("=") for word in words[1:]) if separator]
    settings = dict(pairs)
    return ListedTest(
        program=program,
        ranks=int(words[0]) if words else 2,
        arguments=tuple(value for key, value in pairs if key == "arg"),
        environment=dict(_variable(value) for key, value in pairs if key == "env"),
        seconds=int(settings.get("timeLimit", _DEFAULT_SECONDS)),
        result=settings.get("resultTest", ""),
        expected_failure=settings.get("xfail", ""),
        memory=float(settings.get("mem", 0)),
        large=large,
        generated=generated,
    )


def _variable(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _generated(tree: Path) -> Iterator[tuple[Path, list[str]]]:
    """Program and list words of each test of datatypes drawn at random, as `maint/gentests_dtp.sh` writes them."""
    seed = 1
    for line in (tree / "maint/dtp-test-config.txt").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        path, extra, counts, passed, ranks, least, most, _ = (*line.split(":"), "")[:8]
        smallest, largest = int(least), int(most or least)
        for kind in _DTP_TYPES:
            size, before = 0, 0
            for count in map(int, counts.split()):
                size = min(max(size * before // count, smallest), largest) if size else largest
                before = before or count
                amounts = [f"arg=-count={count}"]
                if path.startswith(("pt2pt/", "part/")):
                    amounts = [f"arg=-sendcnt={count} arg=-recvcnt={other}" for other in (count, 2 * count)]
                for amount in amounts:
                    words = f"{ranks} arg=-type={kind} {amount} arg=-seed={seed} arg=-testsize={size}".split()
                    yield tree / path, [*words, *(f"arg={one}" for one in extra.split()), *passed.split()]
                    seed += 1
