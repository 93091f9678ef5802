"""How a recipe's program is run, what its tests expect of it, and what it must be granted."""

from __future__ import annotations

import re
from dataclasses import dataclass

from argosy.model.quantity import parse_duration, parse_size
from argosy.model.recipe_build import Program
from argosy.model.strict import Table

TIMEOUT_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class Input:
    """A file beside the recipe that is copied into the run's folder under the name `name`."""

    file: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Show:
    """Lines worth showing after a run: those of `output` (as in Expectation) that the regular expression finds."""

    output: str
    lines: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """One way to run one of the recipe's programs; `timeout_seconds` ends a run that hangs."""

    program: str
    arguments: tuple[str, ...]
    ranks: int
    inputs: tuple[Input, ...]
    show: tuple[Show, ...]
    timeout_seconds: int


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What one output of a test must be: the run's standard output (`output` is "stdout") or a file that it writes.

    One of: `contains` and `absent` are text that must and must not occur; `matches` is a regular expression that must
    match `count` times (0: at least once) and whose first group, where it has one, must be a number within `value` ±
    max(absolute, relative·|value|), or between `least` and `most`; `same_as` is a file beside the recipe that the
    output must equal word for word, numbers within that tolerance, lines that match `ignore` left out on both sides.
    """

    output: str
    contains: str | None = None
    absent: str | None = None
    matches: str | None = None
    count: int = 0
    value: float | None = None
    least: float | None = None
    most: float | None = None
    same_as: str | None = None
    ignore: str | None = None
    relative: float = 0.0
    absolute: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Test:
    """A run whose exit status must be `status` and whose outputs must meet every expectation."""

    name: str
    run: Run
    status: int
    expectations: tuple[Expectation, ...]


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A folder that the program needs, by the name under which it sees it."""

    path: str
    writable: bool


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What the program must be granted: folders and environment variables. Without a grant it has neither.

    `memory` (bytes of each process) and `seconds` are what its runs usually need; None where it does not say.
    """

    folders: tuple[Folder, ...] = ()
    environment: tuple[str, ...] = ()
    memory: int | None = None
    seconds: int | None = None


_RUN_KEYS = ("program", "arguments", "ranks", "inputs", "show", "timeout_seconds")
_EXPECT_KEYS = (
    "output",
    "contains",
    "absent",
    "matches",
    "count",
    "value",
    "least",
    "most",
    "same_as",
    "ignore",
    "relative",
    "absolute",
)
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"


def parse_run(recipe: Table, programs: tuple[Program, ...]) -> Run | None:
    """The recipe's `[run]` table; None for a recipe without programs."""
    table = recipe.table("run", _RUN_KEYS)
    if programs:
        return _run(table, programs, None)
    if table.values:
        table.fail("", "has no meaning in a recipe without a [[program]]")
    return None


def _run(table: Table, programs: tuple[Program, ...], base: Run | None) -> Run:
    inputs = tuple(
        Input(file=entry.path_inside("file"), name=entry.path_inside("name", entry.text("file").rpartition("/")[2]))
        for entry in table.tables("inputs", ("file", "name"))
    )
    return Run(
        program=table.choice(
            "program", [program.name for program in programs], base.program if base else programs[0].name
        ),
        arguments=table.texts("arguments", base.arguments if base else ()),
        ranks=table.whole("ranks", base.ranks if base else 1, least=1, most=1 << 20),
        inputs=inputs if base is None or table.has("inputs") else base.inputs,
        show=_show(table) if base is None or table.has("show") else base.show,
        timeout_seconds=table.whole("timeout_seconds", base.timeout_seconds if base else TIMEOUT_SECONDS, least=1),
    )


def _show(table: Table) -> tuple[Show, ...]:
    return tuple(
        Show(output=entry.path_inside("output", "stdout"), lines=_expression(entry, "lines"))
        for entry in table.tables("show", ("output", "lines"))
    )


def _expression(table: Table, key: str, default: str | None = None) -> str:
    """A regular expression."""
    text = table.text(key, default)
    try:
        re.compile(text)
    except re.error as error:
        table.fail(key, f"is not a regular expression: {error}")
    return text


def parse_tests(recipe: Table, programs: tuple[Program, ...], base: Run | None) -> tuple[Test, ...]:
    """The recipe's `[[test]]` tables; what one does not say of its run is as in `[run]`."""
    tests: list[Test] = []
    for table in recipe.tables("test", ("name", "status", "expect", *_RUN_KEYS)):
        if base is None:
            table.fail("", "has no meaning in a recipe without a [[program]]")
        name = table.text("name", pattern=r"[a-z0-9][a-z0-9-]*", form="a name in lower case, such as 'four-ranks'")
        if any(name == other.name for other in tests):
            table.fail("name", f"there is already a test {name!r}")
        expectations = tuple(_expectation(entry) for entry in table.tables("expect", _EXPECT_KEYS))
        if not expectations:
            table.fail("expect", "missing; a test must expect something")
        tests.append(
            Test(
                name=name,
                run=_run(table, programs, base),
                status=table.whole("status", 0, most=255),
                expectations=expectations,
            )
        )
    return tuple(tests)


def _expectation(table: Table) -> Expectation:
    kinds = [kind for kind in ("contains", "absent", "matches", "same_as") if table.has(kind)]
    if len(kinds) != 1:
        table.fail("", "needs exactly one of contains, absent, matches, same_as")
    numeric = [key for key in ("value", "least", "most") if table.has(key)]
    if numeric and (not table.has("matches") or re.compile(_expression(table, "matches")).groups < 1):
        table.fail(numeric[0], "needs 'matches' with a group that holds the number")
    return Expectation(
        output=table.path_inside("output", "stdout"),
        contains=table.text("contains") if table.has("contains") else None,
        absent=table.text("absent") if table.has("absent") else None,
        matches=_expression(table, "matches") if table.has("matches") else None,
        count=table.whole("count", 0),
        value=table.number("value") if table.has("value") else None,
        least=table.number("least") if table.has("least") else None,
        most=table.number("most") if table.has("most") else None,
        same_as=table.path_inside("same_as") if table.has("same_as") else None,
        ignore=_expression(table, "ignore") if table.has("ignore") else None,
        relative=table.number("relative", 0.0),
        absolute=table.number("absolute", 0.0),
    )


def parse_capabilities(recipe: Table) -> Capabilities:
    """The recipe's `[capabilities]` table."""
    table = recipe.table("capabilities", ("folders", "environment", "memory", "time"))
    environment = table.texts("environment", ())
    for position, name in enumerate(environment):
        if not re.fullmatch(_VARIABLE, name):
            table.fail(f"environment[{position}]", f"{name!r} is not a variable's name")
    return Capabilities(
        folders=tuple(
            Folder(path=entry.text("path"), writable=entry.truth("writable", False))
            for entry in table.tables("folders", ("path", "writable"))
        ),
        environment=environment,
        memory=parse_size(table.text("memory")) if table.has("memory") else None,
        seconds=parse_duration(table.text("time")) if table.has("time") else None,
    )
