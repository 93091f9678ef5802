"""Which variants of an application a CPU is to run: those whose vectors take few instructions there.

wasmtime runs every variant on every CPU that it knows. But without SSE4.1 it writes out many vector operations, and
without FMA it calls a function for each relaxed multiply-add: there the simpler variant is the faster one.
"""

from __future__ import annotations

from collections.abc import Sequence

from argosy.model.target import Target
from argosy.model.variant import BASELINE, RELAXED, SIMD, VARIANTS

# By architecture, the CPU features (Cranelift's names) without which a variant is not worth it.
_NEEDED: dict[str, dict[str, frozenset[str]]] = {
    "x86_64": {
        BASELINE: frozenset(),
        SIMD: frozenset({"has_ssse3", "has_sse41"}),
        RELAXED: frozenset({"has_ssse3", "has_sse41", "has_fma"}),
    },
    "aarch64": dict.fromkeys(VARIANTS, frozenset()),  # NEON and its fused multiply-add are part of it
}


def usable(targets: Sequence[Target]) -> tuple[str, ...]:
    """The variants that all of these CPUs are to run, the simplest first."""
    return tuple(variant for variant in VARIANTS if all(_is_usable(variant, target) for target in targets))


def _is_usable(variant: str, target: Target) -> bool:
    needed = _NEEDED.get(target.architecture, {BASELINE: frozenset()}).get(variant)
    return needed is not None and needed <= target.features
