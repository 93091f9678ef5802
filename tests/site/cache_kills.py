"""Kills processes at random instants while they compile into the cache, make room in it, or import into it.

    python tests/site/cache_kills.py --count 500

After each kill every entry that the cache would load is read and checked. The exit status is 1 where one is wrong, or
where the cache cannot be used any more. Prints how many kills hit each kind of work, and how many entries were whole.
"""

# ruff: noqa: E402 (run as a script it has to find the tests' helpers and the package first)
from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

import guests

from argosy.files import sha256_of
from argosy.model.digest import Digest
from argosy.sign.keys import generate, load_private
from argosy.site import aot_folder, cache_contents, cache_limit, cache_transfer
from argosy.site.precompile import precompile

# Works without end; ready when it says so, and killed some milliseconds later.
WORKER = """
import os, sys
from pathlib import Path
from argosy.model.digest import Digest
from argosy.sign.keys import load_public
from argosy.site import aot_cache, aot_folder, cache_contents, cache_limit, cache_transfer, cpu
from argosy.site.aot_cache import Code, Key
from argosy.site.precompile import precompile
kind, folder = sys.argv[1], Path(sys.argv[2])
cache_limit.RECENT = cache_contents.RECENT = 0.0
modules = sorted(folder.glob("*.wasm"))
trusted = load_public(folder / "admin.pub")
cpu.host()
print("ready", flush=True)
while True:
    if kind == "import":
        cache_transfer.import_from(folder / "nodes.tar", trusted)
    for path in modules:
        if kind == "precompile":
            precompile(path, Digest.parse("sha256:" + path.stem), "fast")
    if kind != "import":
        cache_limit.clean(aot_folder.own(), limit=0)
    else:
        for one in aot_folder.own().glob("*/*.json"):
            one.unlink(missing_ok=True)
"""


def prepare(folder: Path) -> None:
    """Modules, a key, and an export of their code, in `folder`; the cache is `folder`/cache."""
    for number in range(4):
        wasm = guests.say(f"module {number}\n" * (1 + 200 * number))
        (folder / f"{Digest.of(wasm).hex}.wasm").write_bytes(wasm)
    for path in folder.glob("*.wasm"):
        precompile(path, Digest.parse(f"sha256:{path.stem}"), "fast")
    generate(folder / "admin.key")
    entries = cache_contents.contents(aot_folder.own())
    cache_transfer.export(entries, folder / "nodes.tar", load_private(folder / "admin.key"))


def kill_one(kind: str, folder: Path, seconds: float) -> None:
    """Start a worker of this kind and kill it so long after it began."""
    with subprocess.Popen([sys.executable, "-c", WORKER, kind, folder], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        if worker.stdout.readline() != "ready\n":
            raise SystemExit(f"a worker did not start: {kind}")
        time.sleep(seconds)
        if worker.poll() is not None:
            raise SystemExit(f"a worker ended by itself: {kind}, status {worker.returncode}")
        worker.send_signal(signal.SIGKILL)


def wrong_entries() -> list[str]:
    """What of the cache would be loaded and is not whole, or not what its note says."""
    found = cache_contents.contents(aot_folder.own(), thorough=True)
    wrong = []
    for one in found:
        # Without its note code does not count: a compilation or removal that was cut short leaves just that.
        halves = one.problem in (f"{one.code.name} is missing", f"{one.note_path.name} is missing")
        if one.problem and not halves:
            wrong.append(f"{one.code}: {one.problem}")
        elif not one.problem and (one.note is None or sha256_of(one.code) != one.note.sha256):
            wrong.append(f"{one.code}: verified, and not what its note says")
    return wrong


def campaign(folder: Path, count: int, seed: int) -> Counter[str]:
    """Kill `count` workers; gives how many of each kind. Raises SystemExit at the first wrong entry."""
    draw = random.Random(seed)
    kinds: Counter[str] = Counter()
    for number in range(count):
        kind = ("precompile", "evict", "import")[number % 3]
        if kind == "evict":  # something to remove
            for path in folder.glob("*.wasm"):
                precompile(path, Digest.parse(f"sha256:{path.stem}"), "fast")
        kill_one(kind, folder, draw.uniform(0, 0.05))
        if wrong := wrong_entries():
            raise SystemExit(f"after kill {number + 1} ({kind}): {wrong}")
        kinds[kind] += 1
    cache_limit.clean(aot_folder.own())
    for path in folder.glob("*.wasm"):
        precompile(path, Digest.parse(f"sha256:{path.stem}"), "fast")
    found = cache_contents.contents(aot_folder.own(), thorough=True)
    if len(found) != 4 or any(one.problem for one in found):
        raise SystemExit(f"the cache cannot be used any more: {found}")
    return kinds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500, help="how many processes to kill (default 500)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["ARGOSY_CACHE"] = str(folder / "cache")
        prepare(folder)
        kinds = campaign(folder, options.count, options.seed)
    print(f"{options.count} processes killed ({dict(kinds)}): no entry that would be loaded was wrong")
    return 0


if __name__ == "__main__":
    sys.exit(main())
