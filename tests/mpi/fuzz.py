"""Fuzzes the launcher with sequences of MPI calls, right and wrong: handles made, freed, used again, mixed up.

Each sequence runs in a launcher of its own, as one rank (or two, with --ranks 2). A launcher that ends by a signal, in
a library's assertion, or with a sanitizer's report is a finding: the sequence is cut down to the calls that it takes,
saved in --save, and printed as calls. That the job ends because the guest asked for it, or waits for ever, is none.

    python tests/mpi/fuzz.py --minutes 30 --seed 1                 the MPICH wheel, one rank
    python tests/mpi/fuzz.py --minutes 5 --library openmpi          Debian's Open MPI (also: mpich, abi)
    python tests/mpi/fuzz.py --minutes 5 --sanitized                a launcher under AddressSanitizer and UBSan
    python tests/mpi/fuzz.py --replay findings/1234.json            one saved sequence again, said call by call
"""

# ruff: noqa: E402 (run as a script it has to find the tests' helpers and the package first)
from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent), str(Path(__file__).parents[2])]

import fuzz_guest
import mpi_programs
import sanitizers
from fuzz_calls import Call, Drawer

from argosy.model.digest import Digest
from argosy.mpi import binding
from argosy.mpi.api import Procedure
from argosy.site import precompile, run

SECONDS = 6.0  # a sequence takes a tenth of one; what takes longer waits for what never comes
_FAULT = re.compile(
    r"runtime error:|AddressSanitizer|Assertion failed|assertion .*failed|stack smashing|corrupted|double free"
    r"|free\(\): |malloc\(\): |realloc\(\): |munmap_chunk|Segmentation fault|Process received signal|Floating point exc"
)
# Where a library ends the job by itself, with words, for what only it can see: no memory is touched.
_STOPS = re.compile(
    r"typerep_yaksa_pack\.c"  # MPICH: the types of what is sent and what receives it do not match
    r"|typerep_yaksa_pack_external\.c"  # MPICH: external32 of a type for which it has no external form
    # MPICH: the same within a process, where what is sent is longer and is cut inside an element
    r"|misc/utils\.c at line \d+: actual_(un)?pack_bytes > 0"
)
_LINE_NUMBERS = re.compile(r"0x[0-9a-f]+|\b\d+\b")
_BEGAN, _OVER = 1 << 30, 1 << 29


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a sequence ended: `done`, `ended` (by the guest's own fault), `hung`, or `fault`, which is a finding."""

    how: str
    words: str
    last: int  # the step that was begun last
    sign: str = ""  # of a fault: what others of the same cause have too
    results: tuple[tuple[int, int], ...]  # step and what it gave; -1: left out, as it would have waited


@dataclass(kw_only=True)
class Target:
    """A launcher with the program that performs sequences."""

    library: str
    ranks: int
    procedures: Sequence[Procedure]
    command: Sequence[str]
    environment: dict[str, str]
    folder: Path
    numbers: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.numbers = {procedure.name: place for place, procedure in enumerate(self.procedures)}

    def perform(self, calls: Sequence[Call], seconds: float = SECONDS) -> Outcome:
        """Run the sequence in a new launcher."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        (self.folder / "sequence").write_bytes(b"".join(call.packed(self.numbers) for call in calls))
        with tempfile.TemporaryFile() as said:
            started = subprocess.Popen(
                self.command, env=self.environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=self.folder,
                start_new_session=True,
            )  # fmt: skip
            try:
                status = started.wait(timeout=seconds)
                hung = False
            except subprocess.TimeoutExpired:
                hung = True
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(started.pid, signal.SIGKILL)
                status = started.wait()
            said.seek(0)
            words = said.read(1 << 20).decode(errors="replace")
        return self._judged(status, hung, words)

    def _judged(self, status: int, hung: bool, words: str) -> Outcome:
        last, results = -1, []
        for rank in reversed(range(self.ranks)):
            trace = self.folder / f"trace.{rank}"
            text = trace.read_bytes() if trace.exists() else b""
            for index, result in struct.iter_unpack("<ii", text[: len(text) // 8 * 8]):
                if index & _BEGAN:
                    last = index & ~_BEGAN
                elif not index & _OVER:
                    results.append((index, result))
        how = "done" if status == 0 else "ended"
        killed = -status if status < 0 else status - 128 if status in (132, 135, 136, 137, 139) else 0
        found = _FAULT.search(words)
        if found is not None and _STOPS.search(_line_of(words, found.start())):
            how = "ended"
        elif found is not None or (killed and not hung):
            how = "fault"
        elif hung:
            how = "hung"
        sign = f"signal {killed}" if found is None else _LINE_NUMBERS.sub("", _line_of(words, found.start()))
        return Outcome(
            how=how, words=words[-8000:], last=last, results=tuple(results), sign=sign if how == "fault" else ""
        )


def target(library: str, *, ranks: int = 1, sanitized: bool = False) -> Target:
    """Build all that fuzzing that library takes; seconds when the launcher is there, a minute when it is not."""
    mpi = mpi_programs.library(library)
    os.environ["ARGOSY_MPICC"] = str(mpi.mpicc)
    environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    environment |= mpi_programs.OVERWRITING
    if sanitized:
        environment |= sanitizers.use()
    folder = mpi_programs.folder()
    header = folder / "probe.h"
    header.write_text("#include <mpi.h>\n")
    text = subprocess.run([mpi.mpicc, "-E", "-xc", header], capture_output=True, text=True, check=True).stdout
    declared = set(re.findall(r"\bMPI_\w+(?=\s*\()", text))
    procedures = [procedure for name, procedure in binding.imports().items() if name in declared]
    program = folder / f"fuzz_{library}.c"
    program.write_text(fuzz_guest.source(procedures))
    wasm = mpi_programs.compiled(str(program), "-O1", "-w")
    entry = precompile.precompile(wasm, Digest.of(wasm.read_bytes()), "fast")
    work = Path(tempfile.mkdtemp(prefix="argosy-fuzz."), "work")
    work.mkdir()
    grants = run.Grants(folders=(run.GrantedFolder(host=work, guest="."),))
    begin = run.prepare(entry, name="fuzz", ranks=None if ranks == 1 else ranks, grants=grants)
    environment = {**begin.environment, **environment}
    return Target(
        library=library, ranks=ranks, procedures=procedures, command=begin.command, environment=environment, folder=work
    )


def minimized(calls: Sequence[Call], still: Callable[[Sequence[Call]], bool], seconds: float = 180) -> list[Call]:
    """As few of the calls as `still` holds for, in the time given: chunks are dropped, then halves of chunks."""
    kept, size, end = list(calls), max(1, len(calls) // 2), time.monotonic() + seconds
    while size and time.monotonic() < end:
        place, dropped = 0, False
        while place < len(kept) and time.monotonic() < end:
            fewer = [*kept[:place], *kept[place + size :]]
            if fewer and still(fewer):
                kept, dropped = fewer, True
            else:
                place += size
        if size == 1 and not dropped:
            break
        size = max(1, size // 2) if not (size == 1 and dropped) else 1
    return kept


def saved(calls: Sequence[Call], about: dict[str, Any]) -> str:
    """The sequence as the text of a file that --replay reads."""
    return json.dumps(
        {**about, "calls": [_as_json(call) for call in calls], "shown": [str(call) for call in calls]}, indent=1
    )


def _as_json(call: Call) -> dict[str, Any]:
    return {
        "name": call.name,
        "arguments": call.arguments,
        "pokes": [[at, text.hex()] for at, text in call.pokes],
        "inner": None if call.inner is None else _as_json(call.inner),
    }


def _from_json(found: dict[str, Any]) -> Call:
    return Call(
        name=found["name"],
        arguments=tuple((tag, value) for tag, value in found["arguments"]),
        pokes=tuple((at, bytes.fromhex(text)) for at, text in found["pokes"]),
        inner=None if found["inner"] is None else _from_json(found["inner"]),
    )


@dataclass(kw_only=True)
class Tally:
    """What has run: sequences by how they ended, calls, and by procedure how often it succeeded or was refused."""

    ended: Counter[str] = field(default_factory=Counter)
    succeeded: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    hung_in: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    def add(self, calls: Sequence[Call], outcome: Outcome) -> None:
        self.ended[outcome.how] += 1
        for step, result in outcome.results:
            call = calls[step].inner or calls[step] if step < len(calls) else None
            if call is not None:
                kind = self.succeeded if result == 0 else self.left_out if result == -1 else self.refused
                kind[call.name] += 1
        if outcome.how == "hung" and 0 <= outcome.last < len(calls):
            self.hung_in[calls[outcome.last].name] += 1

    def report(self, target: Target) -> dict[str, Any]:
        names = {procedure.name for procedure in target.procedures}
        tried = set(self.succeeded) | set(self.refused) | set(self.left_out)
        return {
            "library": target.library,
            "ranks": target.ranks,
            "sequences": dict(self.ended),
            "calls": sum(self.succeeded.values()) + sum(self.refused.values()),
            "imports": len(names),
            "succeeded": len(names & set(self.succeeded)),
            "only refused": sorted(names & (tried - set(self.succeeded))),
            "never called": sorted(names - tried),
            "hung in": dict(self.hung_in.most_common(10)),
            "findings": self.findings,
        }


def fuzz(target: Target, *, seed: int, seconds: float, length: int, save: Path, sequences: int = 1 << 60) -> Tally:
    """Run sequences of the seeds `seed`, `seed` + 1… for so long; findings are minimized, printed and saved."""
    tally, end, seen = Tally(), time.monotonic() + seconds, Counter[str]()
    for number in range(seed, seed + sequences):
        if time.monotonic() >= end:
            break
        calls = Drawer(random.Random(number), target.procedures, ranks=target.ranks).sequence(length)
        outcome = target.perform(calls)
        tally.add(calls, outcome)
        if outcome.how != "fault":
            continue
        guilty = calls[outcome.last].name if 0 <= outcome.last < len(calls) else "start"
        sign = outcome.sign if "signal" not in outcome.sign else f"{outcome.sign} in {guilty}"
        seen[sign] += 1
        if seen[sign] > 1:  # known by now
            tally.findings.append(f"seed {number}: again {sign}")
            continue
        fewer = minimized(calls, functools.partial(_same, target, outcome.sign), seconds=30)
        ending = target.perform(fewer)
        save.mkdir(parents=True, exist_ok=True)
        path = save / f"{target.library}-{target.ranks}-{number}.json"
        path.write_text(saved(fewer, {"library": target.library, "ranks": target.ranks, "seed": number}))
        tally.findings.append(f"seed {number}: {sign}, saved as {path}")
        print(
            f"--- finding: {path}", *map(str, fewer), _last_lines(ending.words), sep="\n", file=sys.stderr, flush=True
        )
    return tally


def _same(target: Target, sign: str, calls: Sequence[Call]) -> bool:
    return target.perform(calls).sign == sign


def _line_of(words: str, place: int) -> str:
    return words[words.rfind("\n", 0, place) + 1 :].partition("\n")[0]


def _last_lines(words: str) -> str:
    lines = [line for line in words.splitlines() if line.strip()]
    reports = [place for place, line in enumerate(lines) if _FAULT.search(line)]
    first = reports[0] if reports else max(0, len(lines) - 8)
    return "\n".join(f"    {line[:200]}" for line in lines[first : first + 12])


def replay(path: Path, *, sanitized: bool, library: str | None) -> int:
    """Run a saved sequence and say each call with what it gave."""
    found = json.loads(path.read_text())
    calls = [_from_json(call) for call in found["calls"]]
    aimed = target(library or found["library"], ranks=found["ranks"], sanitized=sanitized)
    outcome = aimed.perform(calls)
    results = dict(outcome.results)
    for step, call in enumerate(calls):
        print(f"{step:4} {call}  ->  {results.get(step, '…' if step == outcome.last else '')}")
    print(f"{outcome.how}: {_last_lines(outcome.words)}")
    return 1 if outcome.how == "fault" else 0


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of what kills the launcher
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1, help="how long to go on (default: 1)")
    parser.add_argument("--seed", type=int, default=1, help="the first sequence's seed; the next has one more")
    parser.add_argument("--sequences", type=int, default=1 << 60, help="stop after so many")
    parser.add_argument("--length", type=int, default=400, help="calls of a sequence (default: 400)")
    parser.add_argument("--library", choices=mpi_programs.LIBRARIES, help="default: wheel")
    parser.add_argument("--ranks", type=int, default=1, choices=(1, 2))
    parser.add_argument("--sanitized", action="store_true", help="build the launcher with AddressSanitizer and UBSan")
    parser.add_argument("--save", type=Path, default=Path("findings"), help="folder for what is found")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run one saved sequence, and no others")
    parser.add_argument("--json", action="store_true", help="print what has run as JSON")
    options = parser.parse_args()
    if options.replay is not None:
        return replay(options.replay, sanitized=options.sanitized, library=options.library)
    aimed = target(options.library or "wheel", ranks=options.ranks, sanitized=options.sanitized)
    tally = fuzz(
        aimed, seed=options.seed, seconds=options.minutes * 60, length=options.length, save=options.save,
        sequences=options.sequences,
    )  # fmt: skip
    report = tally.report(aimed)
    if options.json:
        print(json.dumps(report, indent=1))
    else:
        print(f"{sum(report['sequences'].values())} sequences ({report['sequences']}), {report['calls']} calls")
        print(f"{report['succeeded']} of {report['imports']} imports succeeded at least once")
        print(f"{len(report['only refused'])} only refused: {' '.join(report['only refused'])}")
        print(f"{len(report['never called'])} never called: {' '.join(report['never called'])}")
        print(f"hung in: {report['hung in']}", *report["findings"], sep="\n")
    return 1 if tally.findings else 0


if __name__ == "__main__":
    sys.exit(main())
