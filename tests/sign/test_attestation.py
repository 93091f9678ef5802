"""Attestations hold only for the digest, the key and the types that were signed; each refusal has its own reason."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from artifacts import key

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.sign import attestation, dsse
from argosy.sign.attestation import IN_TOTO, PROVENANCE, SPDX, Report, Statement, Subject
from argosy.sign.dsse import Envelope
from argosy.sign.keys import Algorithm, PrivateKey, generate, load_private

DIGEST = Digest.of(b"artifact")
OTHER = Digest.of(b"other")
BUILT = Statement(
    subjects=(Subject(digest=DIGEST, name="registry.example.org/argo"),),
    predicate_type=PROVENANCE,
    predicate={"buildDefinition": {}, "runDetails": {"builder": {"id": "https://builder.example/1"}}},
)


@pytest.fixture(scope="module")
def mate(tmp_path_factory: pytest.TempPathFactory) -> PrivateKey:
    folder: Path = tmp_path_factory.mktemp("mate")
    return key(folder, "mate")


@pytest.fixture(scope="module")
def captain(tmp_path_factory: pytest.TempPathFactory) -> PrivateKey:
    pair = generate(tmp_path_factory.mktemp("captain") / "captain.key", algorithm=Algorithm.ED25519)
    return load_private(pair.private)


def signed(mate: PrivateKey, payload: object, kind: str = IN_TOTO) -> Envelope:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return dsse.sign(mate, payload_type=kind, payload=data)


def judged(mate: PrivateKey, *envelopes: Envelope, **others: PrivateKey) -> Report:
    keys = {"mate": mate.public, **{name: other.public for name, other in others.items()}}
    return attestation.verify(envelopes, digest=DIGEST, keys=keys)


def refusal(mate: PrivateKey, envelope: Envelope) -> str:
    report = judged(mate, envelope)
    assert not report.attestations
    return report.refused[0]


def changed(**changes: Any) -> dict[str, Any]:
    return {**json.loads(BUILT.to_bytes()), **changes}


def test_a_provenance_tells_its_builder_subject_and_signer(mate: PrivateKey) -> None:
    [found] = judged(mate, attestation.sign(mate, BUILT)).attestations
    assert (found.signers, found.predicate_type) == (("mate",), PROVENANCE)
    assert found.builder == "https://builder.example/1"
    assert found.subject == Subject(digest=DIGEST, name="registry.example.org/argo")
    assert judged(mate, attestation.sign(mate, BUILT)).of_type(SPDX) == ()


def test_an_envelope_survives_its_json(mate: PrivateKey) -> None:
    envelope = attestation.sign(mate, BUILT)
    assert dsse.read(envelope.to_bytes(), "it") == envelope


def test_one_bad_among_good_ones_does_no_harm_and_is_told(mate: PrivateKey, captain: PrivateKey) -> None:
    report = judged(mate, attestation.sign(captain, BUILT), attestation.sign(mate, BUILT))
    assert [one.signers for one in report.attestations] == [("mate",)]
    assert report.refused == ("attestation 1 of 2 was made by no trusted key, or was changed",)


def test_one_statement_by_two_keys_has_two_signers(mate: PrivateKey, captain: PrivateKey) -> None:
    both = (attestation.sign(captain, BUILT), attestation.sign(mate, BUILT), attestation.sign(mate, BUILT))
    assert [one.signers for one in judged(mate, *both, captain=captain).attestations] == [("mate", "captain")]
    together = replace(both[0], signatures=(*both[0].signatures, *both[1].signatures))
    assert [one.signers for one in judged(mate, together, captain=captain).attestations] == [("mate", "captain")]


def test_a_changed_payload_or_type_is_refused(mate: PrivateKey) -> None:
    good = attestation.sign(mate, BUILT)
    for wrong in (
        replace(good, payload=good.payload.replace(b"example/1", b"example/2")),
        replace(good, payload_type="application/json"),
        replace(good, signatures=(mate.sign(good.payload),)),
    ):
        assert "no trusted key" in refusal(mate, wrong)


def test_another_payload_type_is_refused_though_it_was_signed(mate: PrivateKey) -> None:
    assert "not 'application/vnd.in-toto+json'" in refusal(mate, signed(mate, changed(), "application/json"))


def test_a_statement_about_another_artifact_is_refused(mate: PrivateKey) -> None:
    about = replace(BUILT, subjects=(Subject(digest=OTHER),))
    assert f"about another artifact: {OTHER}" in refusal(mate, attestation.sign(mate, about))


def test_a_provenance_without_a_builder_is_refused(mate: PrivateKey) -> None:
    for nobody in ({}, {"runDetails": {}}, {"runDetails": {"builder": {"id": 7}}}, {"builder": {"id": "x"}}):
        assert "names no builder" in refusal(mate, signed(mate, changed(predicate=nobody)))


def test_a_builder_is_read_from_a_provenance_alone(mate: PrivateKey) -> None:
    [found] = judged(mate, signed(mate, changed(predicateType=SPDX))).attestations
    assert found.builder is None


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (changed(_type="https://in-toto.io/Statement/v2"), "is of type"),
        (changed(predicateType=""), "predicateType"),
        (changed(predicateType="x\u001b[2J"), "predicateType"),
        (changed(predicateType=[PROVENANCE]), "predicateType"),
        (changed(subject=[]), "subject is not a list"),
        (changed(subject=[{"digest": {"sha256": DIGEST.hex}}] * 300), "subject is not a list"),
        (changed(subject=[{"name": "x"}]), "a subject is not"),
        (changed(subject=[{"digest": {"sha256": "../x"}}]), "not a digest"),
        (changed(subject=[{"digest": {"sha512": DIGEST.hex * 2}}]), "nothing with a SHA-256 digest"),
        (changed(subject={"digest": {"sha256": DIGEST.hex}}), "subject is not a list"),
        (changed(predicate="built"), "predicate is not an object"),
        (b'{"_type": 1, "_type": 2}', "twice"),
        (b"[" * 100_000, "nested too deeply"),
        (b"no statement", "not valid JSON"),
    ],
)
def test_what_is_no_statement_is_refused_though_it_was_signed(mate: PrivateKey, payload: object, reason: str) -> None:
    assert reason in refusal(mate, signed(mate, payload))


@pytest.mark.parametrize(
    "change",
    [
        {"payload": "!"},
        {"payload": None},
        {"payloadType": 3},
        {"payloadType": "\ud800"},
        {"signatures": []},
        {"signatures": [{"sig": "!"}]},
        {"signatures": ["x"]},
        {"signatures": [{"sig": ""}] * 100},
    ],
)
def test_what_is_no_envelope_is_refused(mate: PrivateKey, change: dict[str, Any]) -> None:
    value = {**attestation.sign(mate, BUILT).to_json(), **change}
    with pytest.raises(ArgosyError, match="it "):
        dsse.parse(value, "it")
