"""HPCC with exact numerics on x86-64 and on emulated Arm CPUs, from one wasm: are the results the same, bit by bit?

    python tests/arm/hpcc_on_arm.py                          # builds it, runs all, prints a table
    python tests/arm/hpcc_on_arm.py --cpu cortex-a53 --json

Compared is what HPCC prints of its results with all digits that it prints: the residuals, norms and errors of HPL,
PTRANS, DGEMM's check, FFT and RandomAccess, and the sizes of the problems. Not compared are times and rates, and what
HPCC derives from them (how many updates RandomAccess has time for). The exit status is 1 where anything differs.
"""

# ruff: noqa: E402 (run as a script it has to find the tests' helpers and the package first)
from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent), str(TESTS / "mpi"), str(TESTS / "bench")]

import arm_node
import hpcc as hpcc_bench
from test_arm import CPUS

from argosy import process
from argosy.errors import ArgosyError
from argosy.folders import cache_root
from argosy.launcher import build, mpi_library
from argosy.model.digest import Digest
from argosy.site.precompile import precompile

RESULTS = re.compile(
    r"^(?:HPL_(?:N|NB|nprow|npcol|RnormI|Anorm1|AnormI|Xnorm1|XnormI|BnormI|eps)|PTRANS_(?:residual|n|nb)"
    r"|MPIFFT_(?:N|maxErr)|StarFFT_N|SingleFFT_N|Star(?:DGEMM|STREAM)_\w*(?:N|VectorSize)|DGEMM_N|STREAM_VectorSize"
    r"|MPIRandomAccess_(?:N|ErrorsFraction|Errors)|RandomAccess_N|CommWorldProcs|Success)=.*$"
    r"|^\|\|Ax-b\|\|.*$|^.*residual.*(?:PASSED|FAILED).*$",
    re.MULTILINE,
)


SCONSTRUCT = """\
env = Environment(tools=["argosy"])
recipes = env.ArgosyRecipes("{}", build="build")
"""


def exact_hpcc(folder: Path) -> Path:
    """HPCC's wasm, built with exact numerics in this folder."""
    (folder / "SConstruct").write_text(SCONSTRUCT.format(TESTS.parent / "recipes"))
    command = [sys.executable, "-m", "SCons", "-j2", "NUMERICS=exact", "hpcc"]
    process.check(command, purpose="building HPCC", folder=folder)
    return folder / "build" / "hpcc" / "hpcc.wasm"


def results(commands: Sequence[Sequence[str]], folder: Path, size: int) -> tuple[str, ...]:
    """The lines of results that the job of these ranks prints; `size` is the order of HPL's matrix."""
    folder.mkdir()
    (folder / "hpccinf.txt").write_text(hpcc_bench.hpcc_input(size, len(commands)))
    words = [str(mpi_library.find().start_command())]
    for number, command in enumerate(commands):
        words += [*([":"] if number else []), "-n", "1", *command]
    environment = {**os.environ, **arm_node.EMULATED}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=3600)
    if done.returncode != 0:
        raise ArgosyError(f"HPCC ended with {done.returncode}: {done.stdout}{done.stderr}")
    return tuple(found[0].strip() for found in RESULTS.finditer((folder / "hpccoutf.txt").read_text()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpu", action="append", default=[], choices=CPUS, help="only on this (may be repeated)")
    parser.add_argument("--wasm", type=Path, help="HPCC's wasm, built already with exact numerics")
    parser.add_argument(
        "--size", type=int, default=100, help="order of HPL's matrix, which sizes the rest (default 100)"
    )
    parser.add_argument("--mixed", action="store_true", help="also one job with a rank here and one on a Cortex-A72")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    options = parser.parse_args()
    node = arm_node.find()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wasm = options.wasm or exact_hpcc(folder)
        digest = Digest.of(wasm.read_bytes())
        grant = ["--dir", ".::."]
        here = [str(build.launcher(mpi_library.find())), *grant, str(precompile(wasm, digest, "exact").path)]
        ranks: dict[str, list[list[str]]] = {"x86-64": [here, here]}
        for cpu in options.cpu or CPUS:
            command = ("precompile", "--json", "--unsigned", wasm)
            done = node.argosy(cpu, *command, cache=cache_root() / "tools" / "arm64-cache")
            if done.returncode != 0:
                raise ArgosyError(f"precompiling on {cpu}: {done.stderr}")
            arm = node.rank(cpu, Path(json.loads(done.stdout)["path"]), options=grant)
            ranks[cpu] = [arm, arm]
            if options.mixed and cpu == "cortex-a72":
                ranks["x86-64 and cortex-a72"] = [here, arm]
        found = {
            name: results(commands, folder / name.replace(" ", "-"), options.size) for name, commands in ranks.items()
        }
    return report(found, digest, as_json=options.json)


def report(found: Mapping[str, tuple[str, ...]], digest: Digest, *, as_json: bool) -> int:
    reference = found["x86-64"]
    differing = {name: [line for line in lines if line not in reference] for name, lines in found.items()}
    same = {name: lines == reference for name, lines in found.items()}
    if as_json:
        print(json.dumps({"wasm": str(digest), "compared": reference, "same": same, "differing": differing}, indent=2))
    else:
        print(f"{digest}\n\n" + "\n".join(f"  {line}" for line in reference) + "\n")
        for name, lines in found.items():
            told = "the reference" if name == "x86-64" else "the same" if same[name] else f"differs: {differing[name]}"
            print(f"{name:24} {len(lines)} results: {told}")
    return 0 if all(same.values()) and len(reference) > 10 else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ArgosyError as error:
        sys.exit(f"hpcc_on_arm.py: error: {error}")
