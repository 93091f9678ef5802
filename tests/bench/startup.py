"""How long a program takes from start to exit: argosy-launch, the native program, and ch-run starting that.

All three print one line and end; no MPI. They run in turn, `--rounds` times each, and the medians are shown with their
ratios. A part that this machine lacks is named and left out.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import ratios
import wasmtime

from argosy.launcher import build, compiler
from argosy.site import engine

NATIVE, LAUNCH, CONTAINER = "native", "argosy-launch", "ch-run"
TEXT = "hello, world\n"
HELLO = """
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\10\\00\\00\\00\\0d\\00\\00\\00")
  (data (i32.const 16) "hello, world\\0a")
  (func (export "_start") (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
"""


def milliseconds(command: Sequence[str]) -> Mapping[str, float]:
    """One start to exit, without a shell between; raises when the program fails."""
    actions = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    start = time.perf_counter()
    child = os.posix_spawn(
        command[0], command, {**os.environ, "USER": os.environ.get("USER", "nobody")}, file_actions=actions
    )
    _, status = os.waitpid(child, 0)
    taken = time.perf_counter() - start
    if status != 0:
        raise SystemExit(f"{' '.join(command)} failed with wait status {status}")
    return {"start to exit": taken * 1e3}


def native_hello(folder: Path) -> Path:
    """The same program in C, linked statically where that works, so that it also runs in an empty container."""
    tools = compiler.find()
    source, program = folder / "hello.c", folder / "hello"
    source.write_text(f'#include <stdio.h>\nint main(void) {{ fputs("{TEXT.strip()}\\n", stdout); return 0; }}\n')
    for flags in (["-static"], []):
        done = subprocess.run([*tools.command, "-O2", *flags, source, "-o", program], capture_output=True)
        if done.returncode == 0:
            return program
    raise SystemExit(f"cannot compile {source}: {done.stderr.decode()}")


def precompiled_hello(folder: Path) -> Path:
    """The same program in wasm, compiled for this CPU."""
    program = folder / "hello.cwasm"
    module = wasmtime.Module(wasmtime.Engine(engine.config("fast")), wasmtime.wat2wasm(HELLO))
    program.write_bytes(module.serialize())
    program.chmod(0o644)
    return program


def container(folder: Path, program: Path) -> list[str] | str:
    """ch-run's command for the native program in a folder image; a text saying why not where that cannot work."""
    ch_run = shutil.which("ch-run")
    if ch_run is None:
        return "ch-run is not on PATH (apt install charliecloud)"
    image = folder / "image"
    for name in ("bin", "dev", "etc", "home", "mnt", "proc", "sys", "tmp", "usr", "var"):
        (image / name).mkdir(parents=True)
    for name in ("passwd", "group", "hosts", "resolv.conf"):
        (image / "etc" / name).touch()
    shutil.copy(program, image / "hello")
    command = [ch_run, str(image), "--", "/hello"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "USER": "nobody"})
    return command if done.stdout == TEXT else f"ch-run cannot start here: {done.stderr.strip()}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50, help="how often each is started, in turn (default 50)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        native = native_hello(folder)
        commands: dict[str, list[str]] = {NATIVE: [str(native)]}
        commands[LAUNCH] = [str(build.launcher(None)), str(precompiled_hello(folder))]
        absent = container(folder, native)
        if not isinstance(absent, str):
            commands[CONTAINER] = absent
        subjects: dict[str, Callable[[], Mapping[str, float]]] = {
            k: partial(milliseconds, v) for k, v in commands.items()
        }
        for measure in subjects.values():
            measure()  # what is read from disk the first time is not what is asked
        medians = {
            subject: taken["start to exit"] for subject, taken in ratios.in_turn(subjects, options.rounds).items()
        }
    row = partial(ratios.Row, name="start to exit", unit="ms", more_is_better=False)
    about = {"rounds": options.rounds, "cores": os.cpu_count(), "absent": [absent] if isinstance(absent, str) else []}
    if options.json:
        print(ratios.as_json([row(medians=medians)], NATIVE, **about))
        return 0
    print(ratios.table([row(medians=medians)], NATIVE))
    if isinstance(absent, str):
        print(f"without ch-run: {absent}")
    else:
        print(f"{LAUNCH} / {CONTAINER}: {medians[LAUNCH] / medians[CONTAINER]:.2f}  (aim: ≤ 1)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
