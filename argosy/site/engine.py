"""The wasmtime settings, in one place: what precompilation uses and what the launcher must use to load its result.

Python applies them through the wheel's own C API, the launcher through the same functions, called from a header that
`c_settings` writes. Two settings differ by numerics, and one launcher loads both: `exact` canonicalizes NaNs (not
compared when code is loaded) and refuses relaxed SIMD, whose results may differ between CPUs (code without a feature
loads where the feature is allowed). Those of memory differ by bounds, and the launcher chooses: `guard` reserves all
that 32 bits can address, so that the hardware finds each access that is out of bounds; `check` is for nodes that give
no process so many addresses (`ulimit -v`), and its code compares.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from argosy.errors import UsageError, did_you_mean
from argosy.model.target import Target

if TYPE_CHECKING:
    import wasmtime

Numerics = Literal["fast", "exact"]
NUMERICS: tuple[Numerics, ...] = ("fast", "exact")
Bounds = Literal["guard", "check"]
BOUNDS: tuple[Bounds, ...] = ("guard", "check")
GIB = 1 << 30
MIB = 1 << 20
# Addresses that a process must be able to have for `guard`: the guest's own, and a GiB for the libraries of the node.
GUARD_ADDRESSES = 5 * GIB


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One call `wasmtime_config_<name>_set(config, value)`, or for a `flag` of Cranelift's, of the function for all.

    `exact` is the value for exact numerics if it differs, `check` the one for code that checks its bounds.
    """

    name: str
    value: bool | int
    exact: bool | int | None = None
    check: bool | int | None = None
    flag: bool = False

    def of(self, numerics: Numerics, bounds: Bounds) -> bool | int:
        """The value that these numerics and bounds ask for."""
        if numerics == "exact" and self.exact is not None:
            return self.exact
        return self.check if bounds == "check" and self.check is not None else self.value


SETTINGS = (
    Setting(name="wasm_relaxed_simd", value=True, exact=False),
    # setjmp/longjmp and C++ exceptions.
    Setting(name="wasm_exceptions", value=True),
    Setting(name="cranelift_nan_canonicalization", value=False, exact=True),
    Setting(name="cranelift_opt_level", value=1),  # speed
    # All that 32 bits can address is reserved once: no bounds checks. Where they are checked, the launcher reserves
    # what the node gives (room.c). In both, memory never moves, so a pointer that MPI holds stays valid.
    Setting(name="memory_reservation", value=4 * GIB, check=0),
    Setting(name="memory_guard_size", value=32 * MIB, check=MIB),
    Setting(name="memory_may_move", value=False),
    # Pages that are first written when they are; wasmtime does that for the memory that it has made itself.
    Setting(name="memory_init_cow", value=True, check=False),
    # A process runs one guest: what it may guess at by speculation is its own, with guard pages as with checks.
    Setting(name="enable_heap_access_spectre_mitigation", value=True, check=False, flag=True),
    # Nothing of the component model is used.
    Setting(name="wasm_component_model", value=False),
)


def wasmtime_version() -> str:
    """The exact version of the installed wasmtime."""
    return metadata.version("wasmtime")


def wasmtime_library() -> Path:
    """The shared library inside the wasmtime wheel, to which the launcher links."""
    from wasmtime import _ffi

    return Path(_ffi.filename)


def parse_numerics(text: str) -> Numerics:
    """`fast` or `exact`; raises UsageError for anything else."""
    for numerics in NUMERICS:
        if text == numerics:
            return numerics
    raise UsageError(f"numerics are 'fast' or 'exact', not {text!r}", advice=did_you_mean(text, NUMERICS))


def parse_bounds(text: str) -> Bounds:
    """`guard` or `check`; raises UsageError for anything else."""
    for bounds in BOUNDS:
        if text == bounds:
            return bounds
    raise UsageError(f"bounds are 'guard' or 'check', not {text!r}", advice=did_you_mean(text, BOUNDS))


def bounds_here() -> Bounds:
    """What this process's limit of addresses (`ulimit -v`), which its children inherit, leaves room for."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return "guard" if limit == resource.RLIM_INFINITY or limit >= GUARD_ADDRESSES else "check"


def config(numerics: Numerics, target: Target | None = None, bounds: Bounds = "guard") -> wasmtime.Config:
    """The settings as a wasmtime configuration that compiles for `target`, by default this machine's own CPU.

    The wheel's Cranelift has this machine's architecture only; for another, or a feature that it does not know, the
    engine made of the configuration ends the process. `site.cpu.require_compilable` checks before.
    """
    import wasmtime
    from wasmtime import _ffi

    made = wasmtime.Config()
    for setting in SETTINGS:
        value = setting.of(numerics, bounds)
        if setting.flag:
            made.cranelift_flag_set(setting.name, str(value).lower())
        else:
            getattr(_ffi, f"wasmtime_config_{setting.name}_set")(made.ptr(), value)
    if target is not None:
        made.target = target.triple  # what is found on this machine then counts no more
        for feature in sorted(target.features):
            made.cranelift_flag_enable(feature)
    return made


def settings_text(numerics: Numerics, bounds: Bounds) -> str:
    """The settings as one line, for keys of caches."""
    return " ".join(f"{setting.name}={int(setting.of(numerics, bounds))}" for setting in SETTINGS)


def c_settings() -> str:
    """The header `engine_settings.h`: the same settings for the launcher.

    The launcher's are those of `fast`: of the settings that differ, relaxed SIMD only has to be allowed for what uses
    it, and NaN canonicalization is a matter of compilation alone.
    """
    lines = [
        "/* Written by argosy/site/engine.py; precompiled code loads only under these settings. */",
        '#include "wasmtime.h"',
        "",
        f"#define GUARD_ADDRESSES {GUARD_ADDRESSES}u",
        "",
        "static void engine_settings(wasm_config_t *config, bool checked) {",
    ]
    for setting in SETTINGS:
        guard, check = (_c_value(setting.of("fast", bounds)) for bounds in BOUNDS)
        if setting.flag:
            call = f'wasmtime_config_cranelift_flag_set(config, "{setting.name}", '
            guard, check = f'"{guard}"', f'"{check}"'
        else:
            call = f"wasmtime_config_{setting.name}_set(config, "
        value = guard if guard == check else f"checked ? {check} : {guard}"
        lines.append(f"    {call}{value});")
    return "\n".join([*lines, "}", ""])


def _c_value(value: bool | int) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value}u"
