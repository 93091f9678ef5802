"""A job's start, its memory, what each rank asks of the system, and how fast modules are precompiled.

    python tests/bench/scale.py                        # all of it, tables on stdout
    python tests/bench/scale.py --ranks 1 --ranks 8 --rounds 3 --json

The same small MPI program natively, as WebAssembly by `argosy run` (cold: nothing compiled yet; warm: all of it), as
WebAssembly by the launcher alone, as Slurm starts it, and natively in Charliecloud's ch-run, on the same MPI library.
The programs run in turn and medians are shown, with their ratios to native. Memory is each rank's proportional share
(PSS) while all ranks wait. System calls and opened files need strace; what is absent is named and left out.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import mpi_calls
import startup
from mpi_program import compile_native, compile_wasm

from argosy import process
from argosy.errors import ArgosyError
from argosy.launcher import build
from argosy.launcher.mpi_library import MpiLibrary
from argosy.model.digest import Digest
from argosy.site import cpu, engine
from argosy.site.precompile import precompile

SOURCE = Path(__file__).with_name("scale.c")
NATIVE, LAUNCHER, WARM, COLD, CONTAINER = "native", "launcher", "argosy run", "argosy run, cold", "ch-run"
HOLD = 3000  # milliseconds for which ranks wait to be looked at


def container(folder: Path, program: Path) -> list[str] | str:
    """ch-run's command for the native program in a folder image with the libraries that it needs; or why not."""
    made = startup.container(folder, startup.native_hello(folder))
    if isinstance(made, str):
        return made
    image = folder / "image"
    needed = process.check(["ldd", program], purpose="asking what the program links to")
    for path in {Path(word) for word in re.findall(r"(/\S+)", needed)} | {program}:
        target = image / str(path).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    # Ranks in containers of their own could not read each other's memory, which MPICH wants to: they join one.
    return [made[0], "--join", "--join-ct=RANKS", "--join-tag=TAG", str(image), "--", str(program)]


class Jobs:
    """How each subject starts so many ranks."""

    def __init__(self, mpi: MpiLibrary, folder: Path) -> None:
        self._mpi = mpi
        self._count = 0
        self.native = compile_native(mpi, SOURCE, folder)
        self.wasm = compile_wasm(SOURCE, folder)
        self.code = precompile(self.wasm, Digest.of(self.wasm.read_bytes()), "fast").path
        self.launcher = build.launcher(mpi)
        self.contained = container(folder, self.native)

    def ranks(self) -> dict[str, list[str]]:
        """What one rank of each subject is, for mpiexec."""
        subjects = {NATIVE: [str(self.native)], LAUNCHER: [str(self.launcher), str(self.code)]}
        if not isinstance(self.contained, str):
            subjects[CONTAINER] = self.contained
        return subjects

    def command(self, rank: Sequence[str], ranks: int, *arguments: str) -> list[str]:
        self._count += 1
        tag = f"argosy-{os.getpid()}-{self._count}"
        words = [word.replace("=RANKS", f"={ranks}").replace("=TAG", f"={tag}") for word in rank]
        return [str(self._mpi.start_command()), "-n", str(ranks), *words, *arguments]

    def by_argosy(self, ranks: int, *, cold: bool) -> None:
        """As its user starts it; cold removes the module's native code first, and nothing else."""
        if cold:
            shutil.rmtree(self.code.parent)
        self.run([sys.executable, "-m", "argosy.cli", "run", "-n", str(ranks), "--unsigned", str(self.wasm)])

    def run(self, command: Sequence[str]) -> None:
        environment = {**os.environ, "USER": os.environ.get("USER", "nobody")}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
        if done.returncode != 0 or done.stdout != "done\n":
            raise ArgosyError(f"{process.command_line(command)}: {done.stdout}{done.stderr}")


def seconds(action: Callable[[], None]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def start_times(jobs: Jobs, ranks: int, rounds: int) -> dict[str, float]:
    """Seconds from the start of a job to its end, the median of each subject, which run in turn."""
    subjects: dict[str, Callable[[], None]] = {
        name: (lambda rank=rank: jobs.run(jobs.command(rank, ranks))) for name, rank in jobs.ranks().items()
    }
    subjects[WARM] = lambda: jobs.by_argosy(ranks, cold=False)
    subjects[COLD] = lambda: jobs.by_argosy(ranks, cold=True)
    for action in subjects.values():
        action()
    taken: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, action in subjects.items():
            taken[name].append(seconds(action))
    return {name: statistics.median(values) for name, values in taken.items()}


def memory(jobs: Jobs, ranks: int) -> dict[str, float]:
    """MiB of each rank's proportional share, the mean over the ranks."""
    found = {}
    for name, rank in jobs.ranks().items():
        command = jobs.command(rank, ranks, str(HOLD))
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "USER": "nobody"}) as job:
            time.sleep(HOLD / 2000)
            shares = [share for pid in _below(job.pid) if (share := _share(pid, str(HOLD))) is not None]
            if job.wait() != 0 or len(shares) < ranks:
                raise ArgosyError(f"of {ranks} ranks of {name}, {len(shares)} were seen")
        found[name] = statistics.mean(shares) / 1024
    return found


def _below(pid: int) -> set[int]:
    """The processes that this one started, and those that they did."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(fields[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _share(pid: int, last_word: str) -> int | None:
    """KiB of a process whose command line ends in this word and that has started MPI; None for others."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        if last_word not in words or "-n" in words or "ch-run" in words[0]:
            return None
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        maps = Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return None
    match = re.search(r"^Pss:\s+(\d+) kB$", text, re.MULTILINE)
    return int(match[1]) if match and "libmpi" in maps else None


def system_calls(jobs: Jobs) -> dict[str, tuple[int, int]] | str:
    """Of one rank without mpiexec: all system calls, and files opened; by strace."""
    strace = shutil.which("strace")
    if strace is None:
        return "strace is not on PATH (apt install strace)"
    found = {}
    with tempfile.NamedTemporaryFile() as trace:
        for name in (NATIVE, LAUNCHER):
            subprocess.run(
                [strace, "-f", "-o", trace.name, *jobs.ranks()[name]],
                stdout=subprocess.DEVNULL,
                check=True,
                timeout=120,
            )
            lines = [line for line in Path(trace.name).read_text().splitlines() if "(" in line]
            opened = [line for line in lines if re.search(r"\bopen(at2?)?\(", line) and re.search(r"= \d+$", line)]
            found[name] = (len(lines), len(opened))
    return found


def throughput(wasm: Path, rounds: int) -> float:
    """MB of wasm per second that one core precompiles."""
    import wasmtime
    from wasmtime import _ffi

    data = wasm.read_bytes()
    config = engine.config("fast", cpu.host())
    _ffi.wasmtime_config_parallel_compilation_set(config.ptr(), False)
    compiler = wasmtime.Engine(config)
    taken = statistics.median(seconds(lambda: wasmtime.Module(compiler, data).close()) for _ in range(rounds))
    return len(data) / 1e6 / taken


def measure(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    mpi = mpi_calls.find_library(options.library)
    os.environ["ARGOSY_MPICC"] = str(mpi.mpicc)
    jobs = Jobs(mpi, folder)
    modules = options.module or [jobs.wasm]
    return {
        "about": f"{mpi.kind} {mpi.version}, {os.cpu_count()} cores",
        "start_seconds": {str(n): start_times(jobs, n, options.rounds) for n in options.ranks},
        "rank_mebibytes": {str(n): memory(jobs, n) for n in options.ranks},
        "system_calls": system_calls(jobs),
        "precompiled_megabytes_per_second_and_core": {path.name: throughput(path, options.rounds) for path in modules},
        "absent": [jobs.contained] if isinstance(jobs.contained, str) else [],
    }


def table(title: str, rows: Mapping[str, Mapping[str, float]]) -> str:
    """A row for each number of ranks: every subject's value, and in parentheses its ratio to native."""
    subjects = list(next(iter(rows.values())))
    lines = [[title, *subjects]]
    for ranks, values in rows.items():
        cells = [f"{value:.3g} ({value / values[NATIVE]:.2f})" for value in values.values()]
        lines.append([f"{ranks} ranks", *cells])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", metavar="MPICC", help="its compiler wrapper (default: the one that a run uses)")
    parser.add_argument("--ranks", type=int, action="append", help="so many ranks (again for more; default 1, 8, 64)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is started, in turn (default 5)")
    parser.add_argument("--module", type=Path, action="append", help="wasm to precompile (default: the program's own)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the tables")
    options = parser.parse_args()
    options.ranks = options.ranks or [1, 8, 64]
    with tempfile.TemporaryDirectory() as name:
        found = measure(options, Path(name))
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    print(f"{found['about']}; medians of {options.rounds} rounds in turn, ratios to native\n")
    print(table("seconds, start to end", found["start_seconds"]), end="\n\n")  # type: ignore[arg-type]
    print(table("MiB of each rank (PSS)", found["rank_mebibytes"]), end="\n\n")  # type: ignore[arg-type]
    calls = found["system_calls"]
    if isinstance(calls, dict):
        for subject, (every, opened) in calls.items():
            print(f"one rank, {subject}: {every} system calls, {opened} files opened")
    else:
        print(f"system calls: {calls}")
    for module, rate in found["precompiled_megabytes_per_second_and_core"].items():  # type: ignore[attr-defined]
        print(f"precompiled on one core: {rate:.2f} MB of {module} a second")
    for text in found["absent"]:  # type: ignore[attr-defined]
        print(f"without ch-run: {text}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ArgosyError as error:
        sys.exit(f"scale.py: error: {error}")
