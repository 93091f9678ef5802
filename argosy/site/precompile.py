"""From verified wasm to native code, in the AOT cache: for this CPU, or for a set of features that many have."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.target import Target
from argosy.progress import progress
from argosy.site import aot_cache, cache_limit, cpu, engine
from argosy.site.aot_cache import Code, Entry, Key
from argosy.site.engine import Bounds


def precompile(
    wasm: Path, digest: Digest, numerics: str, target: Target | None = None, bounds: Bounds | None = None
) -> Entry:
    """The native code of the module at `wasm`, whose bytes must have `digest`, from the cache or compiled now.

    `target` None is this machine's own CPU, with all that it has; `bounds` None what this process's limit of addresses
    leaves room for. Raises ArgosyError when the bytes are others, when they are no valid wasm under these numerics,
    when this machine cannot compile for `target`, or when the cache cannot be written; UsageError for unknown numerics.
    Where it compiled although there is code for other CPUs in the cache, `refused` says what this target lacks for it.
    """
    kind = engine.parse_numerics(numerics)
    host = cpu.host()
    if target is not None and target != host:
        cpu.require_compilable(target)
    key = Key(wasm=digest, numerics=kind, target=target or host, bounds=bounds or engine.bounds_here())
    entry = aot_cache.find_or_compile(key, lambda: _compile(wasm, digest, key))
    if not entry.compiled:
        return entry
    cache_limit.keep_within_limit()
    others = aot_cache.targets(digest, kind, key.bounds)
    lacking = sorted({reason for reason in (why_not(key.target, other) for other in others) if reason})
    if entry.refused or not lacking:
        return entry
    return dataclasses.replace(entry, refused=f"what is there is for other CPUs: {'; '.join(lacking)}")


def for_this_cpu(wasm: Path, digest: Digest, numerics: str, bounds: Bounds | None = None) -> Entry:
    """Native code of the module that this CPU can run: its own, else what was prepared for CPUs with less, else new.

    `bounds` None is as for `precompile`, which also says what it raises.
    """
    kind = engine.parse_numerics(numerics)
    bounds = bounds or engine.bounds_here()
    host = cpu.host()
    own = Key(wasm=digest, numerics=kind, target=host, bounds=bounds)
    if entry := aot_cache.entry(own):
        return entry
    for target in aot_cache.targets(digest, kind, bounds):
        if not host.missing_for(target) and (entry := aot_cache.entry(dataclasses.replace(own, target=target))):
            return entry
    return precompile(wasm, digest, numerics, bounds=bounds)


def why_not(machine: Target, code: Target) -> str:
    """Why a CPU cannot run code for a target, in words that name each feature that is missing; empty when it can."""
    if machine.triple != code.triple:
        return f"it is code for {code.architecture}, and this is {machine.architecture}"
    missing = sorted(machine.missing_for(code))
    return f"it needs {', '.join(missing)}, which this CPU lacks" if missing else ""


def _compile(wasm: Path, digest: Digest, key: Key) -> Code:
    import wasmtime

    try:
        data = wasm.read_bytes()
    except OSError as error:
        raise ArgosyError(f"cannot read {wasm}: {error.strerror}") from error
    if Digest.of(data) != digest:
        raise ArgosyError(f"{wasm} is not {digest}", advice="pull the artifact again")
    target = None if key.target == cpu.host() else key.target
    try:
        with progress(f"compile {wasm.name}", None, unit="module"):
            module = wasmtime.Module(wasmtime.Engine(engine.config(key.numerics, target, key.bounds)), data)
    except wasmtime.WasmtimeError as error:
        advice = "build it without -mrelaxed-simd, or as 'fast'" if "relaxed SIMD" in str(error) else ""
        raise ArgosyError(
            f"wasmtime cannot compile {wasm} with {key.numerics} numerics: {error}", advice=advice
        ) from error
    imports = tuple(f"{one.module}.{one.name}" for one in module.imports)
    return Code(data=bytes(module.serialize()), imports=imports)
