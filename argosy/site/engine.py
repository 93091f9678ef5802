"""The wasmtime settings, in one place: what precompilation uses and what the launcher must use to load its result.

Python applies them through the wheel's own C API, the launcher through the same functions, called from a header that
`c_settings` writes. Two settings differ by numerics, and one launcher loads both: `exact` canonicalizes NaNs (not
compared when code is loaded) and refuses relaxed SIMD, whose results may differ between CPUs (code without a feature
loads where the feature is allowed).
"""

from __future__ import annotations

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
GIB = 1 << 30
MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One call `wasmtime_config_<name>_set(config, value)`; `exact` is the value for exact numerics if it differs."""

    name: str
    value: bool | int
    exact: bool | int | None = None

    def for_numerics(self, numerics: Numerics) -> bool | int:
        """The value that this kind of numerics asks for."""
        return self.exact if numerics == "exact" and self.exact is not None else self.value


SETTINGS = (
    Setting(name="wasm_relaxed_simd", value=True, exact=False),
    # setjmp/longjmp and C++ exceptions.
    Setting(name="wasm_exceptions", value=True),
    Setting(name="cranelift_nan_canonicalization", value=False, exact=True),
    Setting(name="cranelift_opt_level", value=1),  # speed
    # All that 32 bits can address is reserved once: no bounds checks, and a pointer that MPI holds stays valid.
    Setting(name="memory_reservation", value=4 * GIB),
    Setting(name="memory_guard_size", value=32 * MIB),
    Setting(name="memory_may_move", value=False),
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


def config(numerics: Numerics, target: Target | None = None) -> wasmtime.Config:
    """The settings as a wasmtime configuration that compiles for `target`, by default this machine's own CPU.

    The wheel's Cranelift has this machine's architecture only; for another, or a feature that it does not know, the
    engine made of the configuration ends the process. `site.cpu.require_compilable` checks before.
    """
    import wasmtime
    from wasmtime import _ffi

    made = wasmtime.Config()
    for setting in SETTINGS:
        getattr(_ffi, f"wasmtime_config_{setting.name}_set")(made.ptr(), setting.for_numerics(numerics))
    if target is not None:
        made.target = target.triple  # what is found on this machine then counts no more
        for feature in sorted(target.features):
            made.cranelift_flag_enable(feature)
    return made


def settings_text(numerics: Numerics) -> str:
    """The settings as one line, for keys of caches."""
    return " ".join(f"{setting.name}={int(setting.for_numerics(numerics))}" for setting in SETTINGS)


def c_settings() -> str:
    """The header `engine_settings.h`: the same settings for the launcher.

    The launcher's are those of `fast`: of the settings that differ, relaxed SIMD only has to be allowed for what uses
    it, and NaN canonicalization is a matter of compilation alone.
    """
    lines = [
        "/* Written by argosy/site/engine.py; precompiled code loads only under these settings. */",
        '#include "wasmtime.h"',
        "",
        "static void engine_settings(wasm_config_t *config) {",
    ]
    for setting in SETTINGS:
        value = setting.for_numerics("fast")
        text = str(value).lower() if isinstance(value, bool) else f"{value}u"
        lines.append(f"    wasmtime_config_{setting.name}_set(config, {text});")
    return "\n".join([*lines, "}", ""])
