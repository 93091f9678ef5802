"""What came of tests, written down as they end: a run that was interrupted goes on where it stopped.

The file's first line says what was run (the MPI library, the launcher, the suite's programs); each other line is one
outcome as JSON. A line that was cut off by the end of the run is run again.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from mpich_jobs import Verdict
from mpich_lists import ListedTest
from mpich_outcomes import Outcome

from argosy.errors import UsageError


class Kept:
    """The outcomes in one file, for one state of what is tested. Raises UsageError when the file is of another."""

    def __init__(self, path: Path, *, subject: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, object]] = {}
        lines = path.read_text().split("\n") if path.exists() else [""]
        if lines == [""]:
            path.write_text(json.dumps({"subject": subject}) + "\n")
            return
        if json.loads(lines[0]) != {"subject": subject}:
            raise UsageError(
                f"{path} keeps outcomes of another MPI library or another state of Argosy",
                advice="name another file, or remove this one",
            )
        whole = lines[1:-1]  # what has no end of line was being written
        self._known = {str(row["test"]): row for row in map(json.loads, whole)}
        path.write_text("\n".join([lines[0], *whole, ""]))

    def outcome(self, test: ListedTest) -> Outcome | None:
        """What came of the test before; None where it has not run."""
        row = self._known.get(test.name)
        if row is None:
            return None
        return Outcome(
            test=test,
            library=str(row["library"]),
            native=_verdict(row["native"]),
            wasm=_verdict(row["wasm"]),
            inapplicable=str(row["not_applicable"]),
            seconds=float(str(row["seconds"])),
        )

    def keep(self, outcome: Outcome) -> None:
        """Write it down, at once."""
        with self._lock, self._path.open("a") as file:
            file.write(json.dumps(as_rows([outcome])[0]) + "\n")


def as_rows(outcomes: Sequence[Outcome]) -> list[dict[str, object]]:
    """Outcomes as JSON's objects."""
    return [
        {
            "test": outcome.test.name,
            "folder": outcome.test.row,
            "library": outcome.library,
            "native": None if outcome.native is None else asdict(outcome.native),
            "wasm": None if outcome.wasm is None else asdict(outcome.wasm),
            "not_applicable": outcome.inapplicable,
            "reason": "" if outcome.state == "passed" else outcome.reason,
            "seconds": outcome.seconds,
        }
        for outcome in outcomes
    ]


def _verdict(row: object) -> Verdict | None:
    return Verdict(passed=bool(row["passed"]), reason=str(row["reason"])) if isinstance(row, dict) else None
