"""Attestations are stored beside the artifact in both of cosign's forms, and found again, each once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from artifacts import Harbour, harbour, key
from registry_server import RegistryServer

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.manifest import Manifest
from argosy.model.reference import Reference
from argosy.oci.attach import Attachment, attach
from argosy.oci.attestations import add_attestation, add_attestations, read_attestations
from argosy.oci.copy import copy
from argosy.oci.layout import Layout
from argosy.oci.open import open_registry
from argosy.oci.signatures import has_bundle, read_signatures, sign_artifact
from argosy.sign import attestation, bundle, cosign
from argosy.sign.attestation import Statement, Subject
from argosy.sign.verify import verify

KIND = "https://example.org/weather/v1"


@pytest.fixture(params=["registry", "folder"])
def port(request: pytest.FixtureRequest, tmp_path: Path, open_server: RegistryServer) -> Iterator[Harbour]:
    name = tmp_path.name.replace("_", "-").strip("-")
    place = f"{open_server.host}/attest/{name}" if request.param == "registry" else f"oci:{tmp_path / 'layout'}"
    yield harbour(tmp_path, f"{place}:1.0", cargo=name.encode())


def statement(digest: Digest, weather: str) -> Statement:
    return Statement(subjects=(Subject(digest=digest),), predicate_type=KIND, predicate={"weather": weather})


def weathers(port: Harbour) -> list[object]:
    found = read_attestations(port.registry, port.digest)
    report = attestation.verify(found, digest=port.digest, keys={"mate": port.key.public})
    assert report.refused == ()
    assert len(report.attestations) == len(found)
    return [one.predicate["weather"] for one in report.attestations]


def test_attestations_are_found_again_each_once(port: Harbour) -> None:
    for weather, new in (("fair", True), ("foul", True), ("fair", False)):
        said = statement(port.digest, weather)
        assert add_attestation(port.registry, digest=port.digest, statement=said, key=port.key) is new
    assert sorted(map(str, weathers(port))) == ["fair", "foul"]
    tagged = Manifest.parse(port.registry.manifest(cosign.attestation_tag(port.digest)).data)
    assert len(tagged.layers) == len(port.registry.referrers(port.digest, bundle.BUNDLE)) == 2


def test_each_form_alone_is_found(port: Harbour) -> None:
    add_attestation(port.registry, digest=port.digest, statement=statement(port.digest, "fair"), key=port.key)
    [referrer] = port.registry.referrers(port.digest)
    port.registry.delete(referrer.digest)
    assert weathers(port) == ["fair"]
    add_attestation(port.registry, digest=port.digest, statement=statement(port.digest, "fair"), key=port.key)
    port.registry.delete(port.registry.resolve(cosign.attestation_tag(port.digest)).digest)
    assert weathers(port) == ["fair"]


def test_a_signature_is_stored_as_a_bundle_too_that_names_the_repository(port: Harbour) -> None:
    identity = "registry.example.org/argo"
    assert sign_artifact(port.registry, identity=identity, digest=port.digest, key=port.key)
    assert not sign_artifact(port.registry, identity=identity, digest=port.digest, key=port.key)
    [referrer] = port.registry.referrers(port.digest)
    assert referrer.artifact_type == bundle.BUNDLE
    assert referrer.annotations[bundle.PREDICATE_ANNOTATION] == bundle.SIGN_PREDICATE
    port.registry.delete(port.registry.resolve(cosign.signature_tag(port.digest)).digest)
    verdict = verify(
        port.trust,
        repository=identity,
        digest=port.digest,
        signatures=read_signatures(port.registry, port.digest),
    )
    assert verdict.accepted and verdict.identity == identity
    assert read_attestations(port.registry, port.digest) == []
    assert has_bundle(port.registry, port.digest)


def test_an_attestation_is_not_taken_for_a_signature(port: Harbour) -> None:
    add_attestation(port.registry, digest=port.digest, statement=statement(port.digest, "fair"), key=port.key)
    assert not has_bundle(port.registry, port.digest)
    port.registry.delete(port.registry.resolve(cosign.signature_tag(port.digest)).digest)
    assert read_signatures(port.registry, port.digest) == []


def test_attestations_travel_with_the_artifact(port: Harbour, tmp_path: Path) -> None:
    add_attestation(port.registry, digest=port.digest, statement=statement(port.digest, "fair"), key=port.key)
    target = open_registry(Reference.parse(f"oci:{tmp_path / 'elsewhere'}"))
    copy(port.registry, target, "1.0", tag="1.0")
    assert isinstance(target, Layout)
    assert read_attestations(target, port.digest) == read_attestations(port.registry, port.digest)


def test_six_who_attest_at_the_same_time_all_survive(port: Harbour, tmp_path: Path) -> None:
    signers = {f"signer{number}": key(tmp_path, f"signer{number}") for number in range(6)}

    def attest(name: str) -> bool:
        registry = open_registry(port.reference)  # connections of its own
        said = statement(port.digest, name)
        return add_attestation(registry, digest=port.digest, statement=said, key=signers[name])

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(attest, signers))
    keys = {name: signer.public for name, signer in signers.items()}
    for form in ("bundles", "tag"):
        report = attestation.verify(read_attestations(port.registry, port.digest), digest=port.digest, keys=keys)
        assert {one.signers[0]: one.predicate["weather"] for one in report.attestations} == {n: n for n in keys}, form
        for referrer in port.registry.referrers(port.digest, bundle.BUNDLE):
            port.registry.delete(referrer.digest)


def test_several_statements_are_stored_in_one_go(port: Harbour) -> None:
    said = [statement(port.digest, weather) for weather in ("fair", "foul")]
    bill = Attachment(artifact_type="application/vnd.example", content=b"bill")
    place = {"digest": port.digest, "statements": said, "key": port.key, "beside": [bill]}
    assert add_attestations(port.registry, **place) == 2
    assert add_attestations(port.registry, **place) == 0
    assert sorted(map(str, weathers(port))) == ["fair", "foul"]
    kinds = [one.artifact_type for one in port.registry.referrers(port.digest)]
    assert sorted(map(str, kinds)) == [bundle.BUNDLE, bundle.BUNDLE, "application/vnd.example"]


def test_more_than_a_verifier_should_read_is_refused(port: Harbour) -> None:
    junk = [Attachment(artifact_type=bundle.BUNDLE, content=bytes([number]) * (3 << 20)) for number in range(11)]
    attach(port.registry, port.digest, junk[:10])
    assert read_attestations(port.registry, port.digest) == []
    attach(port.registry, port.digest, junk[10:])
    with pytest.raises(ArgosyError, match="at most"):
        read_attestations(port.registry, port.digest)
    attach(
        port.registry,
        port.digest,
        [Attachment(artifact_type=bundle.BUNDLE, content=bytes([number])) for number in range(60)],
    )
    with pytest.raises(ArgosyError, match="so many are not read"):
        read_attestations(port.registry, port.digest)
