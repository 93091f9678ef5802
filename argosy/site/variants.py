"""Which variants of an application a CPU is to run: those whose vectors take few instructions there.

wasmtime runs every variant on every CPU that it knows (relaxed SIMD not with exact numerics: `model.variant.choose`).
But where x86-64 lacks SSSE3 or SSE4.1 it calls a function for some vector operations: as measured, a shuffle takes
10.1 ns beside 1.1, a floor 12.9 beside 1.6. There the program without vectors is the faster one. Relaxed
operations are never the slower ones: without FMA a relaxed multiply-add is a multiplication and an addition, as the
plain ones are, and a relaxed maximum takes 1.3 ns beside 4.5.
"""

from __future__ import annotations

from collections.abc import Sequence

from argosy.model.target import Target
from argosy.model.variant import BASELINE, VARIANTS

# By architecture, the CPU features (Cranelift's names) without which vectors are not worth it.
_NEEDED = {
    "x86_64": frozenset({"has_ssse3", "has_sse41"}),
    "aarch64": frozenset[str](),  # NEON is part of it
}


def usable(targets: Sequence[Target]) -> tuple[str, ...]:
    """The variants that all of these CPUs are to run, the simplest first."""
    return VARIANTS if all(_has_vectors(target) for target in targets) else (BASELINE,)


def _has_vectors(target: Target) -> bool:
    needed = _NEEDED.get(target.architecture)
    return needed is not None and needed <= target.features
