"""HPCC as WebAssembly beside the same sources compiled natively, with the same MPI and input: a table of ratios.

    python tests/bench/hpcc.py                    # 2 ranks, 5 rounds in turn, table on stdout
    python tests/bench/hpcc.py --json --plot hpcc.png
    python tests/bench/hpcc.py --memory           # what other ways to hold a guest's memory cost, beside the usual one

The reference is `mpicc -O3`; `-O3 -march=native` runs beside it, since that is what a site compiles for itself and
what precompilation on the node stands against. Needs an MPI library with its mpicc and a native C compiler; which one
the mpicc calls can be chosen ($MPICH_CC, $OMPI_CC), and is printed, for gcc and clang differ by a tenth and more.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import native
import ratios

from argosy import process
from argosy.errors import ArgosyError
from argosy.folders import cache_root
from argosy.launcher import build as launcher_build
from argosy.launcher import mpi_library
from argosy.launcher.mpi_library import MpiLibrary
from argosy.model.digest import Digest
from argosy.site import engine
from argosy.site.precompile import precompile

Commands = dict[str, list[str | Path]]

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = "native -O3"
USUAL = "wasm"  # bounds found by guard pages, huge pages where the kernel has them
# Run the command that follows, and all that it starts, without huge pages.
WITHOUT_HUGE_PAGES = """
import ctypes, os, sys
PR_SET_THP_DISABLE = 41  # linux/prctl.h
if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0:
    sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
os.execv(sys.argv[1], sys.argv[1:])
"""

# HPCC's own names: what they are, their unit, whether more is better, and the project's aim for wasm / native.
QUANTITIES: dict[str, tuple[str, str, bool, float | None]] = {
    "HPL_Tflops": ("HPL", "Tflop/s", True, 0.9),
    "StarDGEMM_Gflops": ("DGEMM, all ranks", "Gflop/s", True, 0.9),
    "SingleDGEMM_Gflops": ("DGEMM, one rank", "Gflop/s", True, 0.9),
    "StarSTREAM_Copy": ("STREAM copy, all ranks", "GB/s", True, 0.9),
    "StarSTREAM_Triad": ("STREAM triad, all ranks", "GB/s", True, 0.9),
    "SingleSTREAM_Triad": ("STREAM triad, one rank", "GB/s", True, 0.9),
    "StarFFT_Gflops": ("FFT, all ranks", "Gflop/s", True, 0.9),
    "SingleFFT_Gflops": ("FFT, one rank", "Gflop/s", True, 0.9),
    "MPIFFT_Gflops": ("FFT over MPI", "Gflop/s", True, 0.9),
    "PTRANS_GBs": ("PTRANS", "GB/s", True, 0.9),
    "StarRandomAccess_GUPs": ("RandomAccess, all ranks", "GUP/s", True, 0.9),
    "SingleRandomAccess_GUPs": ("RandomAccess, one rank", "GUP/s", True, 0.9),
    "MPIRandomAccess_GUPs": ("RandomAccess over MPI", "GUP/s", True, 0.9),
    "AvgPingPongLatency_usec": ("ping-pong latency", "µs", False, 1.1),
    "NaturallyOrderedRingLatency_usec": ("ring latency", "µs", False, 1.1),
    "AvgPingPongBandwidth_GBytes": ("ping-pong bandwidth", "GB/s", True, None),
}


def hpcc_input(size: int, ranks: int) -> str:
    """An input whose HPL matrix has order `size`, which sizes the rest too, on a grid of 1 x `ranks`."""
    text = Path(__file__).with_name("hpccinf.txt").read_text()
    return text.replace("SIZE", str(size), 1).replace("RANKS", str(ranks), 1)


def summary(output: str) -> dict[str, float]:
    """The benchmarked quantities of one `hpccoutf.txt`. Raises ArgosyError when the run was not a success."""
    values = dict(re.findall(r"^(\w+)=(\S+)$", output, re.MULTILINE))
    if values.get("Success") != "1" or "FAILED" in output:
        raise ArgosyError("HPCC did not finish with success: its output file has failed checks")
    return {name: float(values[name]) for name in QUANTITIES}


def measure(command: list[str | Path], folder: Path, text: str) -> Mapping[str, float]:
    """One run of HPCC in a fresh folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "hpccinf.txt").write_text(text)
    process.check(command, purpose="running HPCC", folder=folder)
    return summary((folder / "hpccoutf.txt").read_text())


def against_native(mpi: MpiLibrary, wasm: Path, ranks: int, work: Path) -> tuple[str, Commands]:
    """The subjects of the comparison with native code, and which of them is the reference."""
    start = [mpi.start_command(), "-n", str(ranks)]
    tuned = ("-O3", "-march=native")
    return REFERENCE, {
        REFERENCE: [*start, native.build(ROOT / "recipes", "hpcc", work / "o3", mpi=mpi, flags=("-O3",))],
        "native -march=native": [*start, native.build(ROOT / "recipes", "hpcc", work / "tuned", mpi=mpi, flags=tuned)],
        USUAL: launch(mpi, wasm, ranks, "guard"),
    }


def memory(mpi: MpiLibrary, wasm: Path, ranks: int, work: Path) -> tuple[str, Commands]:
    """The ways to hold a guest's memory, and which of them is the usual one."""
    usual = launch(mpi, wasm, ranks, "guard")
    return USUAL, {
        USUAL: usual,
        "bounds checked": launch(mpi, wasm, ranks, "check"),
        "without huge pages": [sys.executable, "-c", WITHOUT_HUGE_PAGES, *usual],
    }


def launch(mpi: MpiLibrary, wasm: Path, ranks: int, bounds: engine.Bounds) -> list[str | Path]:
    """The command that starts the module's ranks."""
    code = precompile(wasm, Digest.of(wasm.read_bytes()), "fast", bounds=bounds).path
    return [mpi.start_command(), "-n", str(ranks), launcher_build.launcher(mpi), "--dir", ".", code]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, default=2, help="ranks, and columns of HPL's process grid (default 2)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each side runs, in turn (default 5)")
    parser.add_argument("--size", type=int, default=2400, help="order of HPL's matrix; sizes the rest too")
    parser.add_argument("--wasm", type=Path, default=ROOT / "build/hpcc/hpcc.wasm", help="as `scons hpcc` made it")
    parser.add_argument("--memory", action="store_true", help="compare ways to hold memory, not wasm with native")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--plot", type=Path, help="write a bar chart there (.png or .svg)")
    options = parser.parse_args()
    if not options.wasm.exists():
        raise ArgosyError(f"{options.wasm} is not there", advice="build it first: scons hpcc")

    mpi = mpi_library.find()
    work = cache_root() / "bench" / "hpcc"
    text = hpcc_input(options.size, options.ranks)
    reference, commands = (memory if options.memory else against_native)(mpi, options.wasm, options.ranks, work)
    subjects: dict[str, Callable[[], Mapping[str, float]]] = {
        name: partial(measure, command, work / "run", text) for name, command in commands.items()
    }
    medians = ratios.in_turn(subjects, options.rounds)
    rows = [
        ratios.Row(
            name=label,
            unit=unit,
            more_is_better=more,
            aim=None if options.memory else aim,
            medians={subject: medians[subject][name] for subject in medians},
        )
        for name, (label, unit, more, aim) in QUANTITIES.items()
    ]
    about = (
        f"HPCC 1.5.0, {options.ranks} ranks, N = {options.size}, {mpi.kind} {mpi.version}, {os.cpu_count()} cores, "
        f"natively by {native.compiler(mpi)}"
    )
    if options.json:
        print(
            ratios.as_json(
                rows, reference, about=about, rounds=options.rounds, wasm=str(Digest.of(options.wasm.read_bytes()))
            )
        )
    else:
        print(f"{about}; medians of {options.rounds} rounds in turn\n\n{ratios.table(rows, reference)}")
    if options.plot:
        ratios.plot(rows, reference, about, options.plot)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ArgosyError as error:
        sys.exit(f"hpcc.py: error: {error}")
