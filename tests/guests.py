"""Small guests for the tests, in wasm's text format, and what runs them."""

from __future__ import annotations

import os
import subprocess
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import wasmtime

from argosy.model.digest import Digest
from argosy.site import engine

_WASI = {
    "fd_write": "(param i32 i32 i32 i32) (result i32)",
    "fd_read": "(param i32 i32 i32 i32) (result i32)",
    "proc_exit": "(param i32)",
    "args_sizes_get": "(param i32 i32) (result i32)",
    "args_get": "(param i32 i32) (result i32)",
    "environ_sizes_get": "(param i32 i32) (result i32)",
    "environ_get": "(param i32 i32) (result i32)",
    "path_open": "(param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)",
}
_MPI = {
    "MPI_Init": "(param i32 i32) (result i32)",
    "MPI_Finalize": "(result i32)",
    "MPI_Comm_rank": "(param i32 i32) (result i32)",
    "MPI_Comm_size": "(param i32 i32) (result i32)",
    "MPI_Barrier": "(param i32) (result i32)",
}
COMM_WORLD = 0x101  # the MPI ABI's MPI_COMM_WORLD
# What makes a guest one of each of the variants, by the vectors that it uses.
VECTORS = {
    "baseline": "",
    "simd": '(func (export "v") (result i32) (i32x4.extract_lane 0 (i32x4.splat (i32.const 1))))',
    "relaxed-simd": '(func (export "v") (result i32) (i32x4.extract_lane 0 (i32x4.relaxed_trunc_f32x4_s '
    "(f32x4.splat (f32.const 1)))))",
}


def module(body: str, *, extra_imports: str = "") -> bytes:
    """A module with one page of memory, the imports that `body` calls as `$name`, and `body`.

    `$write address length` prints bytes of memory, `$number value` a decimal digit and a line's end.
    """
    body = textwrap.dedent(body) + (
        """
        (func $write (param $at i32) (param $size i32)
          (i32.store (i32.const 65520) (local.get $at))
          (i32.store (i32.const 65524) (local.get $size))
          (drop (call $fd_write (i32.const 1) (i32.const 65520) (i32.const 1) (i32.const 65528))))
        (func $digit (param $value i32)
          (i32.store8 (i32.const 65516) (i32.add (i32.const 48) (local.get $value)))
          (i32.store8 (i32.const 65517) (i32.const 10))
          (call $write (i32.const 65516) (i32.const 2)))
        """
    )
    imports = [
        f'(import "{space}" "{name}" (func ${name} {signature}))'
        for space, names in (("wasi_snapshot_preview1", _WASI), ("argosy_mpi_1", _MPI))
        for name, signature in names.items()
        if f"call ${name} " in body or f"call ${name})" in body
    ]
    text = f'(module {" ".join(imports)} {extra_imports} (memory (export "memory") 1) {body})'
    return bytes(wasmtime.wat2wasm(text))


def say(text: str, *, status: int | None = None, more: str = "") -> bytes:
    """A guest that prints `text` and leaves with `status` (None: by returning from _start); `more` is what else is in
    it."""
    data = "".join(f"\\{byte:02x}" for byte in text.encode())
    leave = "" if status is None else f"(call $proc_exit (i32.const {status}))"
    write = f"(call $write (i32.const 64) (i32.const {len(text.encode())}))"
    return module(f'(data (i32.const 64) "{data}") (func (export "_start") {write} {leave}) {more}')


def show() -> bytes:
    """A guest that prints its arguments, then its variables, each with a zero byte after it."""
    return module(
        """
        (func (export "_start")
          (drop (call $args_sizes_get (i32.const 0) (i32.const 4)))
          (drop (call $args_get (i32.const 1024) (i32.const 2048)))
          (call $write (i32.const 2048) (i32.load (i32.const 4)))
          (drop (call $environ_sizes_get (i32.const 0) (i32.const 4)))
          (drop (call $environ_get (i32.const 1024) (i32.const 2048)))
          (call $write (i32.const 2048) (i32.load (i32.const 4))))
        """
    )


def put(folder: Path, wasm: bytes) -> tuple[Path, Digest]:
    """The module as a file, and its digest."""
    path = folder / f"{Digest.of(wasm).hex[:12]}.wasm"
    path.write_bytes(wasm)
    return path, Digest.of(wasm)


def code(folder: Path, wasm: bytes, numerics: engine.Numerics = "fast", bounds: engine.Bounds = "guard") -> Path:
    """The module's native code in a file that the launcher trusts."""
    path = folder / f"{Digest.of(wasm).hex[:12]}-{bounds}.cwasm"
    path.write_bytes(wasmtime.Module(wasmtime.Engine(engine.config(numerics, bounds=bounds)), wasm).serialize())
    path.chmod(0o644)
    return path


def start(
    command: Sequence[str | Path],
    *,
    stdin: str = "",
    timeout: float = 60,
    environment: Mapping[str, str] | None = None,
    addresses: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; its outputs are kept apart. `addresses` are the bytes that `ulimit -v` leaves it."""
    limit = [] if addresses is None else ["prlimit", f"--as={addresses}"]
    return subprocess.run(
        [*limit, *map(str, command)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **(environment or {})},
    )
