"""Of an application's variants a node takes the best that it can use."""

from __future__ import annotations

from dataclasses import replace

import pytest

from argosy.errors import ArgosyError, UsageError
from argosy.model import variant
from argosy.model.digest import Digest
from argosy.model.manifest import INDEX, MANIFEST, Descriptor, Index, Platform
from argosy.model.target import Target
from argosy.model.variant import BASELINE, RELAXED, SIMD, VARIANTS
from argosy.site import variants as for_cpu


def entry(name: str) -> Descriptor:
    return Descriptor(media_type=MANIFEST, digest=Digest.of(name.encode()), size=1, platform=variant.platform(name))


ALL = Index(manifests=tuple(entry(name) for name in VARIANTS))


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ((), BASELINE),
        (("bulk-memory", "sign-extension"), BASELINE),
        (("simd",), SIMD),
        (("relaxed-simd", "simd"), RELAXED),
    ],
)
def test_a_module_is_the_variant_of_the_vectors_that_it_uses(features: tuple[str, ...], expected: str) -> None:
    assert variant.variant_of(features) == expected


@pytest.mark.parametrize(
    ("usable", "chosen"),
    [((BASELINE,), BASELINE), ((BASELINE, SIMD), SIMD), (VARIANTS, RELAXED), ((SIMD,), SIMD)],
)
def test_the_best_usable_one_is_chosen(usable: tuple[str, ...], chosen: str) -> None:
    assert variant.choose(ALL, usable, "it") == (chosen, entry(chosen))
    backwards = replace(ALL, manifests=ALL.manifests[::-1])
    assert variant.choose(backwards, usable, "it") == (chosen, entry(chosen))


def test_what_is_not_there_is_passed_over_and_what_is_for_others_too() -> None:
    amd64 = replace(entry(BASELINE), platform=Platform(architecture="amd64", os="linux"))
    nested = replace(entry(RELAXED), media_type=INDEX)
    some = Index(manifests=(amd64, nested, entry(SIMD), replace(entry(BASELINE), platform=None)))
    assert variant.choose(some, VARIANTS, "it")[0] == SIMD
    assert variant.choose(some, (BASELINE,), "it")[1].platform is None
    with pytest.raises(ArgosyError, match="none of the variants that can be used here: baseline") as none:
        variant.choose(Index(manifests=(entry(SIMD), amd64)), (BASELINE,), "it")
    assert none.value.advice == "it has: simd"
    with pytest.raises(ArgosyError, match="none of the variants"):
        variant.choose(Index(manifests=(amd64, nested)), VARIANTS, "it")


def test_exact_numerics_take_no_relaxed_vectors() -> None:
    exact = replace(ALL, annotations={"dev.argosy.numerics": "exact"})
    assert variant.choose(exact, VARIANTS, "it")[0] == SIMD
    with pytest.raises(ArgosyError, match="none of the variants"):
        variant.choose(exact, (RELAXED,), "it")


def test_two_of_one_name_are_ambiguous() -> None:
    twice = Index(manifests=(entry(SIMD), replace(entry(SIMD), digest=Digest.of(b"other"))))
    with pytest.raises(ArgosyError, match="two variants 'simd'"):
        variant.choose(twice, VARIANTS, "it")


def test_a_reader_that_knows_no_variants_finds_the_baseline_first() -> None:
    assert ALL.manifests[0].platform == Platform(architecture="wasm", os="wasip1")
    assert [one.platform and one.platform.variant for one in ALL.manifests] == [None, "simd", "relaxed-simd"]
    assert Index.parse(ALL.to_bytes()) == ALL


def test_an_unknown_variant_is_told() -> None:
    with pytest.raises(UsageError, match="no variant 'avx512'"):
        variant.parse("avx512")


def cpu(triple: str, *features: str) -> Target:
    return Target(triple=f"{triple}-unknown-linux-gnu", features=frozenset(features))


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ([cpu("x86_64")], (BASELINE,)),
        ([cpu("x86_64", "has_sse3", "has_ssse3")], (BASELINE,)),
        ([cpu("x86_64", "has_sse3", "has_ssse3", "has_sse41")], VARIANTS),
        ([cpu("x86_64", "has_ssse3", "has_sse41", "has_avx2", "has_fma")], VARIANTS),
        ([cpu("aarch64")], VARIANTS),
        ([cpu("riscv64")], (BASELINE,)),
        ([cpu("x86_64", "has_ssse3", "has_sse41", "has_fma"), cpu("x86_64")], (BASELINE,)),
    ],
)
def test_a_cpu_takes_what_its_own_instructions_do(targets: list[Target], expected: tuple[str, ...]) -> None:
    assert for_cpu.usable(targets) == expected
