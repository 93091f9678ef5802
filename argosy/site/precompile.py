"""From verified wasm to native code of this CPU, in the AOT cache."""

from __future__ import annotations

from pathlib import Path

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.target import Target
from argosy.progress import progress
from argosy.site import aot_cache, cpu, engine
from argosy.site.aot_cache import Code, Entry, Key
from argosy.site.engine import Numerics


def precompile(wasm: Path, digest: Digest, numerics: str, target: Target | None = None) -> Entry:
    """The native code of the module at `wasm`, whose bytes must have `digest`, from the cache or compiled now.

    `target` None is this machine's own CPU. Raises ArgosyError when the bytes are others, when they are no valid wasm
    under these numerics, or when the cache cannot be written; UsageError for unknown numerics.
    """
    kind = engine.parse_numerics(numerics)
    host = cpu.host()
    if target is not None and target != host:
        raise ArgosyError(f"cannot compile for {target} here", advice="compile on a node with that CPU")
    key = Key(wasm=digest, numerics=kind, target=host)
    return aot_cache.find_or_compile(key, lambda: _compile(wasm, digest, kind))


def _compile(wasm: Path, digest: Digest, numerics: Numerics) -> Code:
    import wasmtime

    try:
        data = wasm.read_bytes()
    except OSError as error:
        raise ArgosyError(f"cannot read {wasm}: {error.strerror}") from error
    if Digest.of(data) != digest:
        raise ArgosyError(f"{wasm} is not {digest}", advice="pull the artifact again")
    try:
        with progress(f"compile {wasm.name}", None, unit="module"):
            module = wasmtime.Module(wasmtime.Engine(engine.config(numerics)), data)
    except wasmtime.WasmtimeError as error:
        advice = "build it without -mrelaxed-simd, or as 'fast'" if "relaxed SIMD" in str(error) else ""
        raise ArgosyError(f"wasmtime cannot compile {wasm} with {numerics} numerics: {error}", advice=advice) from error
    imports = tuple(f"{one.module}.{one.name}" for one in module.imports)
    return Code(data=bytes(module.serialize()), imports=imports)
