"""What single MPI calls cost as WebAssembly beside the same C program compiled natively with the same MPI library.

    python tests/bench/mpi_calls.py                             # 20 rounds in turn, table on stdout
    python tests/bench/mpi_calls.py --library mpicc.openmpi --case ping_pong_0 --case allreduce_8 --rounds 50

The loops are in C (mpi_calls.c): calls that need no other rank on one rank, the others between two. A round runs each
program once, with a few batches of some milliseconds for every case, and the programs take turns. Minima are the calls
themselves; medians also hold what else the machine did, so the aims are read against the minima where it is not quiet.
The difference is nanoseconds per MPI call; the ratio is that of the times: a bandwidth's turned over.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import native
from mpi_program import compile_native, compile_wasm

from argosy import process
from argosy.errors import ArgosyError
from argosy.folders import cache_root
from argosy.launcher import build as launcher_build
from argosy.launcher import mpi_library
from argosy.launcher.mpi_library import MpiLibrary
from argosy.model.digest import Digest
from argosy.site.precompile import precompile

SOURCE = Path(__file__).with_name("mpi_calls.c")
NATIVE, WASM = "native", "wasm"

# Aims: nanoseconds more than native for one call, or the most that wasm may take of native's time.
PLAIN = ("comm_rank", "comm_size_dup", "type_size", "type_size_derived", "wtime", "iprobe", "test", "get_count")
MOST_NANOSECONDS: Mapping[str, float] = dict.fromkeys(PLAIN, 30)
MOST_RATIO: Mapping[str, float] = {
    "ping_pong_0": 1.05,
    "ping_pong_8k": 1.05,
    "ping_pong_4m": 1 / 0.98,  # bandwidth
    "allreduce_8": 1.05,
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One loop: how many calls a turn makes, and the nanoseconds of a turn in every batch, by subject."""

    name: str
    calls: int
    samples: Mapping[str, Sequence[float]]

    def minimum(self, subject: str) -> float:
        return min(self.samples[subject])

    def median(self, subject: str) -> float:
        return statistics.median(self.samples[subject])

    def difference(self) -> float:
        """Nanoseconds that a call takes longer as wasm, by the minima."""
        return (self.minimum(WASM) - self.minimum(NATIVE)) / self.calls

    def ratio(self) -> float:
        """Time as wasm over time natively, by the minima."""
        return self.minimum(WASM) / self.minimum(NATIVE)

    def meets_aim(self) -> bool | None:
        """None for a case without an aim."""
        if self.name in MOST_NANOSECONDS:
            return self.difference() <= MOST_NANOSECONDS[self.name]
        return self.ratio() <= MOST_RATIO[self.name] if self.name in MOST_RATIO else None


def measure(commands: Mapping[str, Sequence[str | Path]], arguments: Sequence[str], rounds: int) -> list[Case]:
    """Every case of `rounds` runs of each command, in turn; `commands` by subject lack the arguments."""
    calls: dict[str, int] = {}
    samples: dict[str, dict[str, list[float]]] = {}
    environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    for turn in range(rounds):
        subjects = list(commands) if turn % 2 == 0 else list(reversed(commands))
        for subject in subjects:
            command = [*commands[subject], *arguments]
            output = process.check(command, purpose=f"measuring {subject}", environment=environment)
            for line in output.splitlines():
                name, count, *taken = line.split()
                if not count.isdigit():
                    raise ArgosyError(f"mpi_calls says: {line}")
                calls[name] = int(count)
                samples.setdefault(name, {}).setdefault(subject, []).extend(map(float, taken))
    return [Case(name=name, calls=calls[name], samples=taken) for name, taken in samples.items()]


def table(cases: Sequence[Case]) -> str:
    """The cases as aligned text."""
    lines = [["", "native ns", "wasm ns", "ns/call", "ratio", "aim", "native median", "wasm median", "ratio"]]
    for case in cases:
        aim = ""
        if case.name in MOST_NANOSECONDS:
            aim = f"≤ {MOST_NANOSECONDS[case.name]:g} ns"
        elif case.name in MOST_RATIO:
            aim = f"≤ {MOST_RATIO[case.name]:.3g}"
        times = (case.minimum(NATIVE), case.minimum(WASM))
        medians = (case.median(NATIVE), case.median(WASM))
        lines.append(
            [
                *(case.name, *(f"{time:.1f}" for time in times), f"{case.difference():+.1f}", f"{case.ratio():.3f}"),
                f"{aim}{' short' if case.meets_aim() is False else ''}",
                *(*(f"{time:.1f}" for time in medians), f"{medians[1] / medians[0]:.3f}"),
            ]
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def as_json(cases: Sequence[Case], about: str, rounds: int) -> str:
    rows = [
        {
            "name": case.name,
            "calls": case.calls,
            "minima": {subject: case.minimum(subject) for subject in (NATIVE, WASM)},
            "medians": {subject: case.median(subject) for subject in (NATIVE, WASM)},
            "nanoseconds_per_call": case.difference(),
            "ratio": case.ratio(),
            "meets_aim": case.meets_aim(),
        }
        for case in cases
    ]
    return json.dumps({"about": about, "rounds": rounds, "cases": rows}, indent=2)


def find_library(name: str | None) -> MpiLibrary:
    if name is None:
        return mpi_library.find()
    mpicc = shutil.which(name)
    if mpicc is None:
        raise ArgosyError(f"{name} is no program here", advice="name the mpicc of an MPI library")
    return mpi_library.describe(Path(mpicc), chosen="--library")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", metavar="MPICC", help="its compiler wrapper (default: the one that a run uses)")
    parser.add_argument("--rounds", type=int, default=20, help="how often each program runs, in turn (default 20)")
    parser.add_argument("--batches", type=int, default=10, help="batches of each case in a round (default 10)")
    parser.add_argument("--milliseconds", type=float, default=1, help="about as long is a batch (default 1)")
    parser.add_argument("--case", action="append", default=[], help="measure this case alone (may be repeated)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    options = parser.parse_args()

    mpi = find_library(options.library)
    work = cache_root() / "bench" / "mpi_calls"
    work.mkdir(parents=True, exist_ok=True)
    wasm = compile_wasm(SOURCE, work)
    code = precompile(wasm, Digest.of(wasm.read_bytes()), "fast").path
    subjects: dict[str, list[str | Path]] = {
        NATIVE: [compile_native(mpi, SOURCE, work)],
        WASM: [launcher_build.launcher(mpi), code],
    }
    arguments = [str(options.milliseconds), str(options.batches), *options.case]
    cases: list[Case] = []
    for ranks in (1, 2):
        start = [mpi.start_command(), "-n", str(ranks)]
        cases += measure({name: [*start, *command] for name, command in subjects.items()}, arguments, options.rounds)
    if not cases:
        raise ArgosyError(f"no such case: {', '.join(options.case)}", advice=f"{SOURCE.name} lists them")
    about = f"{mpi.kind} {mpi.version}, {os.cpu_count()} cores, natively by {native.compiler(mpi)}"
    if options.json:
        print(as_json(cases, about, options.rounds))
    else:
        print(f"{about}; minima and medians of {options.rounds} rounds in turn\n\n{table(cases)}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ArgosyError as error:
        sys.exit(f"mpi_calls.py: error: {error}")
