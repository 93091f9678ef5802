"""What tracing costs a call of MPI: `python tests/bench/traced_calls.py [--rounds N]`, traced beside untraced runs.

Rounds of both take turns, on one rank; the least of all counts, for what is more is other processes' doing. Uses the
MPI library that `argosy run` would ($ARGOSY_MPICC).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

_HERE = Path(__file__).parent
sys.path[:0] = [str(_HERE.parent), str(_HERE.parent / "mpi")]

import mpi_programs  # noqa: E402

from argosy.model.digest import Digest  # noqa: E402
from argosy.site import precompile, run  # noqa: E402


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    wasm = mpi_programs.compiled(str(_HERE / "traced_calls.c"))
    entry = precompile.precompile(wasm, Digest.of(wasm.read_bytes()), "fast")
    with tempfile.TemporaryDirectory() as folder:
        starts = {
            "untraced": run.prepare(entry, name="calls", ranks=1),
            "traced": run.prepare(entry, name="calls", ranks=1, trace=Path(folder)),
        }
        found: dict[str, list[list[float]]] = {name: [] for name in starts}
        for _ in range(rounds):
            for name, start in starts.items():
                done = subprocess.run(start.command, env=start.environment, capture_output=True, text=True, check=True)
                found[name].append([float(word) for word in done.stdout.split()])
    print("ns a call     MPI_Comm_size  MPI_Sendrecv (0 bytes, to itself)")
    for name, times in found.items():
        least = [min(column) for column in zip(*times, strict=True)]
        print(f"{name:<12}  {least[0]:>13.1f}  {least[1]:>13.1f}")


if __name__ == "__main__":
    main()
