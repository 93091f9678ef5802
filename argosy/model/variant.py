"""Variants of one application, by the vectors that they use, and the index that groups them (image specification).

Each is an artifact of its own. The index says of each, as its platform's variant, what it is: the first, `baseline`,
names none, so that a reader who knows nothing of variants takes the one that runs everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from argosy.errors import ArgosyError, UsageError
from argosy.model.artifact import Description
from argosy.model.content import ARCHITECTURE, OS
from argosy.model.manifest import MANIFEST, Descriptor, Index, Platform

BASELINE, SIMD, RELAXED = "baseline", "simd", "relaxed-simd"
VARIANTS = (BASELINE, SIMD, RELAXED)  # each runs wherever a later one does; the later the faster


# Tells which variants can be used, the simplest first; asked only where there is a choice.
Usable = Callable[[], Sequence[str]]


def all_variants() -> Sequence[str]:
    """For places that are no node: the best that there is."""
    return VARIANTS


def variant_of(features: Iterable[str]) -> str:
    """The variant that a module which uses these Wasm features is."""
    used = set(features)
    return RELAXED if RELAXED in used else SIMD if SIMD in used else BASELINE


def platform(variant: str) -> Platform:
    """How an index names the variant."""
    return Platform(architecture=ARCHITECTURE, os=OS, variant=None if variant == BASELINE else variant)


def members(index: Index, what: str) -> dict[str, Descriptor]:
    """The modules' manifests that the index names, by variant. Raises ArgosyError where it names one twice."""
    found: dict[str, Descriptor] = {}
    for entry in index.manifests:
        for_wasm = entry.platform is None or (entry.platform.architecture, entry.platform.os) == (ARCHITECTURE, OS)
        if entry.media_type != MANIFEST or not for_wasm:
            continue
        variant = (entry.platform.variant if entry.platform else None) or BASELINE
        if variant in found:
            raise ArgosyError(f"{what} has two variants {variant[:100]!r}: which one is meant cannot be told")
        found[variant] = entry
    return found


def choose(index: Index, usable: Sequence[str], what: str) -> tuple[str, Descriptor]:
    """The best variant in the index that is `usable`, and its descriptor. Raises ArgosyError when there is none."""
    found = members(index, what)
    if Description.from_annotations(index.annotations).numerics == "exact":
        usable = [variant for variant in usable if variant != RELAXED]  # its results differ between CPUs
    best = next((variant for variant in reversed(VARIANTS) if variant in found and variant in usable), None)
    if best is None:
        there = ", ".join(variant[:100] for variant in found) or "no Wasm module at all"
        raise ArgosyError(
            f"{what} has none of the variants that can be used here: {', '.join(usable)}", advice=f"it has: {there}"
        )
    return best, found[best]


def parse(text: str) -> str:
    """A variant's name. Raises UsageError for another text."""
    if text not in VARIANTS:
        raise UsageError(f"there is no variant {text!r}", advice=f"there are: {', '.join(VARIANTS)}")
    return text
