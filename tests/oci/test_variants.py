"""An index of variants: what is signed is the index, and nothing is run that it does not name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from artifacts import key, module
from registry_server import RegistryServer

from argosy.errors import ArgosyError, UsageError
from argosy.model.artifact import Description
from argosy.model.digest import Digest
from argosy.model.manifest import INDEX, MANIFEST, Index
from argosy.model.policy import Revoked
from argosy.model.reference import Reference
from argosy.model.variant import BASELINE, RELAXED, SIMD, VARIANTS, members
from argosy.oci import archive
from argosy.oci.attestations import add_attestation
from argosy.oci.copy import copy
from argosy.oci.layout import Layout
from argosy.oci.open import open_registry
from argosy.oci.pack import Packed, group, pack
from argosy.oci.pull import UntrustedError, check, pull_verified
from argosy.oci.push import push
from argosy.oci.registry import NotFoundError, Registry
from argosy.oci.remove import remove
from argosy.oci.signatures import add_signature
from argosy.sign.attestation import PROVENANCE, Statement, Subject
from argosy.sign.keys import PrivateKey
from argosy.sign.trust import Trust, load_trust, write_policy

FEATURES = {BASELINE: (), SIMD: ("simd",), RELAXED: ("relaxed-simd", "simd")}


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """A tag that names an index of three variants, of which only the index is signed."""

    reference: Reference
    registry: Registry
    packed: dict[str, Packed]
    digest: Digest
    key: PrivateKey
    trust: Trust


def described(variant: str, **changes: object) -> Description:
    said = Description(name="argo", version="1.0", numerics="fast", features=FEATURES[variant])
    return replace(said, **changes)  # type: ignore[arg-type]


def fleet(folder: Path, text: str) -> Fleet:
    reference = Reference.parse(text)
    registry = open_registry(reference, patience=2)
    packed = {name: pack(module(folder / f"{name}.wasm", name.encode()), described(name)) for name in VARIANTS}
    for one in packed.values():
        push(one, registry, tag=None)
    index = group([(packed[name], described(name)) for name in reversed(VARIANTS)])
    digest = registry.put_manifest(index, INDEX, reference.tag).digest
    signer = key(folder, "mate")
    identity = reference.name if reference.registry else "layout/argo"
    add_signature(registry, identity=identity, digest=digest, key=signer)
    policy = folder / "trust/policy.toml"
    write_policy(policy, keys={"mate": signer.public}, repositories=["**"])
    return Fleet(
        reference=reference, registry=registry, packed=packed, digest=digest, key=signer, trust=load_trust(policy)
    )


@pytest.fixture
def ships(tmp_path: Path) -> Fleet:
    return fleet(tmp_path, f"oci:{tmp_path}/dist:1.0")


@pytest.mark.parametrize("best", VARIANTS)
def test_the_best_usable_variant_is_pulled(ships: Fleet, tmp_path: Path, best: str) -> None:
    usable = VARIANTS[: VARIANTS.index(best) + 1]
    pulled = pull_verified(
        ships.registry, ships.reference, ships.trust, usable=lambda: usable, cache=tmp_path / "cache"
    )
    assert (pulled.variant, pulled.digest) == (best, ships.packed[best].module)
    assert pulled.read() == ships.packed[best].wasm.read_bytes()
    assert pulled.manifest_digest == ships.packed[best].digest
    assert pulled.description.features == FEATURES[best]


def test_a_registry_serves_variants_too(open_server: RegistryServer, tmp_path: Path) -> None:
    ships = fleet(tmp_path, f"{open_server.host}/fleet/argo:1.0")
    pulled = pull_verified(
        ships.registry, ships.reference, ships.trust, usable=lambda: (BASELINE,), cache=tmp_path / "cache"
    )
    assert (pulled.variant, pulled.identity) == (BASELINE, ships.reference.name)


def test_the_index_covers_its_members_and_they_do_not_cover_it(ships: Fleet, tmp_path: Path) -> None:
    alone = ships.reference.at(ships.packed[SIMD].digest)
    with pytest.raises(UntrustedError, match="has no signature"):
        pull_verified(ships.registry, alone, ships.trust, cache=tmp_path / "cache")
    # An index of others' making, with members that are signed.
    forged = Index.parse(ships.registry.manifest("1.0").data)
    forged = replace(forged, manifests=forged.manifests[:1])
    for one in ships.packed.values():
        add_signature(ships.registry, identity="layout/argo", digest=one.digest, key=ships.key)
    ships.registry.put_manifest(forged.to_bytes(), INDEX, "1.0")
    with pytest.raises(UntrustedError, match="has no signature"):
        pull_verified(ships.registry, ships.reference, ships.trust, cache=tmp_path / "cache")
    pull_verified(ships.registry, alone, ships.trust, cache=tmp_path / "cache")


def test_a_member_that_is_not_what_the_index_names_is_refused(ships: Fleet, tmp_path: Path) -> None:
    blobs = tmp_path / "dist/blobs/sha256"
    (blobs / ships.packed[RELAXED].digest.hex).write_bytes(ships.packed[SIMD].manifest)
    with pytest.raises(ArgosyError, match="gave a manifest with digest"):
        pull_verified(ships.registry, ships.reference, ships.trust, cache=tmp_path / "cache")


@pytest.mark.parametrize("which", ["index", "manifest", "module"])
def test_index_member_and_module_can_be_revoked(ships: Fleet, tmp_path: Path, which: str) -> None:
    packed = ships.packed[SIMD]
    digest = {"index": ships.digest, "manifest": packed.digest, "module": packed.module}[which]
    policy = replace(ships.trust.policy, revoked=(Revoked(digest=digest, reason="wrong results"),))
    trust = replace(ships.trust, policy=policy)
    verdict = check(ships.registry, ships.reference, trust, usable=lambda: (BASELINE, SIMD)).verdict
    assert verdict.refused() == ("revoked",)
    other = check(ships.registry, ships.reference, trust, usable=lambda: (BASELINE,)).verdict
    assert other.accepted is (which != "index")


def test_the_chosen_member_is_what_must_be_attested(ships: Fleet) -> None:
    policy = Path(ships.trust.policy.source)
    required = f'[[repositories.attestations]]\npredicate_type = "{PROVENANCE}"\n'
    policy.write_text(f"{policy.read_text()}{required}")
    trust = load_trust(policy)
    predicate = {"runDetails": {"builder": {"id": "https://ci.example.org"}}}
    for digest in (ships.digest, ships.packed[SIMD].digest):
        statement = Statement(subjects=(Subject(digest=digest),), predicate_type=PROVENANCE, predicate=predicate)
        add_attestation(ships.registry, digest=digest, statement=statement, key=ships.key)
    accepted = check(ships.registry, ships.reference, trust, usable=lambda: (BASELINE, SIMD)).verdict
    assert accepted.accepted
    refused = check(ships.registry, ships.reference, trust).verdict
    assert refused.refused() == ("attestation-missing",)


def test_an_index_that_names_itself_or_another_index_is_no_application(ships: Fleet) -> None:
    nested = Index(manifests=(replace(ships.registry.resolve("1.0"), size=1),))
    ships.registry.put_manifest(nested.to_bytes(), INDEX, "nested")
    with pytest.raises(ArgosyError, match="none of the variants"):
        check(ships.registry, ships.reference.tagged("nested"), ships.trust)


def test_what_are_no_variants_of_one_application_are_not_grouped(ships: Fleet) -> None:
    with pytest.raises(UsageError, match=r"are the same variant, simd"):
        group([(ships.packed[SIMD], described(SIMD)), (ships.packed[RELAXED], described(SIMD))])
    for change in ({"name": "other"}, {"version": "2.0"}, {"numerics": "exact"}, {"mpi_abi": "1.0"}):
        with pytest.raises(UsageError, match=f"their {next(iter(change))} differs"):
            group([(ships.packed[BASELINE], described(BASELINE)), (ships.packed[SIMD], described(SIMD, **change))])


def test_a_copy_takes_all_variants_along(ships: Fleet, tmp_path: Path, open_server: RegistryServer) -> None:
    place = open_registry(Reference.parse(f"{open_server.host}/fleet/copied"), patience=2)
    copied = copy(ships.registry, place, "1.0", tag="1.0")
    with archive.opened(tmp_path / "fleet.tar", write=True) as layout:
        copy(place, layout, "1.0", tag="1.0")
    back = Layout(tmp_path / "back")
    with archive.opened(tmp_path / "fleet.tar", write=False) as layout:
        copy(layout, back, "1.0", tag="1.0")
    assert copied.digest == ships.digest == back.resolve("1.0").digest
    assert back.manifest("1.0").data == ships.registry.manifest("1.0").data
    reference = Reference.parse(f"oci:{tmp_path}/back:1.0")
    pulled = pull_verified(back, reference, ships.trust, usable=lambda: (BASELINE, SIMD), cache=tmp_path / "cache")
    assert pulled.variant == SIMD


def test_an_index_goes_with_the_members_that_nothing_else_names(ships: Fleet) -> None:
    ships.registry.put_manifest(ships.packed[SIMD].manifest, MANIFEST, "kept")
    remove(ships.registry, ships.reference)
    ships.registry.manifest(ships.packed[SIMD].digest)
    for name in (BASELINE, RELAXED):
        with pytest.raises(NotFoundError):
            ships.registry.manifest(ships.packed[name].digest)
    assert ships.registry.tags() == ["kept"]


def test_a_layout_takes_no_index_whose_members_it_has_not(ships: Fleet, tmp_path: Path) -> None:
    data = ships.registry.manifest("1.0").data
    assert set(members(Index.parse(data), "it")) == set(VARIANTS)
    with pytest.raises(NotFoundError, match="which the new manifest names"):
        Layout(tmp_path / "empty").put_manifest(data, INDEX, "1.0")
