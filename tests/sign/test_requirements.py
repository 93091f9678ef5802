"""A rule that requires attestations accepts just those, and says what is wrong with each other one."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import pytest
from artifacts import key

from argosy.model.digest import Digest
from argosy.model.policy import KeyFile, Policy, Rule
from argosy.model.policy_rule import RequiredAttestation
from argosy.sign import attestation, cosign, dsse
from argosy.sign.attestation import PROVENANCE, SPDX, Statement, Subject
from argosy.sign.dsse import Envelope
from argosy.sign.keys import PrivateKey
from argosy.sign.trust import Trust
from argosy.sign.verdict import Verdict
from argosy.sign.verify import verify

HERE = "registry.example.org/hpc/argo"
DIGEST, OTHER = Digest.of(b"artifact"), Digest.of(b"another artifact")
NOW = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC)
CI = "https://ci.example.org/argosy"
BUILT = RequiredAttestation(predicate_type=PROVENANCE, keys=("builder",), builders=(CI,))


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PrivateKey]:
    folder: Path = tmp_path_factory.mktemp("keys")
    return {name: key(folder, name) for name in ("mate", "builder", "second", "pirate")}


def decide(
    keys: dict[str, PrivateKey], required: RequiredAttestation, *envelopes: Envelope, builder: object = None
) -> Verdict:
    """By a policy whose rule requires that; `builder` are fields of the key of that name."""
    files = tuple(
        KeyFile(name=name, file=f"{name}.pub", **(builder or {} if name == "builder" else {}))  # type: ignore[arg-type]
        for name in ("mate", "builder", "second")
    )
    rule = Rule(match="registry.example.org/hpc/*", keys=("mate",), attestations=(required,))
    policy = Policy(source="policy.toml", keys=files, rules=(rule,))
    trust = Trust(policy=policy, keys={file.name: keys[file.name].public for file in files})
    signature = cosign.sign(keys["mate"], identity=HERE, digest=DIGEST, signed_at=int(NOW.timestamp()))
    return verify(trust, repository=HERE, digest=DIGEST, signatures=[signature], attestations=envelopes, now=NOW)


def statement(kind: str = PROVENANCE, *, digest: Digest = DIGEST, builder: str = CI) -> Statement:
    predicate = {"runDetails": {"builder": {"id": builder}}} if kind == PROVENANCE else {}
    return Statement(subjects=(Subject(digest=digest, name="argo"),), predicate_type=kind, predicate=predicate)


def refused(verdict: Verdict, check: str, reason: str) -> None:
    assert not verdict.accepted and check in verdict.refused(), verdict.steps
    assert reason in verdict.reason


def test_the_required_attestation_is_accepted_and_told(keys: dict[str, PrivateKey]) -> None:
    verdict = decide(keys, BUILT, attestation.sign(keys["builder"], statement()))
    assert verdict.accepted and f"attested {PROVENANCE} by builder, built by {CI}" in verdict.steps[-1].text


def test_without_it_a_good_signature_does_not_suffice(keys: dict[str, PrivateKey]) -> None:
    refused(decide(keys, BUILT), "attestation-missing", f"no attestation of type {PROVENANCE} is there")


def test_a_wrong_predicate_type_is_refused(keys: dict[str, PrivateKey]) -> None:
    # CVE-2022-35929: any attestation was taken for the one that was asked for.
    for kind in (SPDX, PROVENANCE + "1", PROVENANCE.upper(), "https://slsa.dev/provenance/v0.2/"):
        other = attestation.sign(keys["builder"], statement(kind))
        refused(decide(keys, BUILT, other), "attestation-missing", f"those that hold are of type: {kind}")


def test_a_wrong_payload_type_is_refused(keys: dict[str, PrivateKey]) -> None:
    wrong = dsse.sign(keys["builder"], payload_type="application/json", payload=statement().to_bytes())
    refused(decide(keys, BUILT, wrong), "attestation", "its payload is of type 'application/json'")
    # Called in-toto afterwards it is not what was signed.
    renamed = replace(wrong, payload_type=attestation.IN_TOTO)
    refused(decide(keys, BUILT, renamed), "attestation", "was made by no trusted key, or was changed")


def test_a_statement_about_another_artifact_is_refused(keys: dict[str, PrivateKey]) -> None:
    other = attestation.sign(keys["builder"], statement(digest=OTHER))
    refused(decide(keys, BUILT, other), "attestation", f"is about another artifact: {OTHER}")


def test_another_builder_is_refused(keys: dict[str, PrivateKey]) -> None:
    for builder in ("https://laptop.example.org", CI + "/x", CI[:-1]):
        other = attestation.sign(keys["builder"], statement(builder=builder))
        refused(decide(keys, BUILT, other), "attestation-builder", f"was built by {builder!r}")
    anyone = replace(BUILT, builders=())
    assert decide(keys, anyone, attestation.sign(keys["builder"], statement(builder="x"))).accepted


def test_the_keys_of_signatures_are_not_those_of_attestations(keys: dict[str, PrivateKey]) -> None:
    by_mate = attestation.sign(keys["mate"], statement())
    refused(decide(keys, BUILT, by_mate), "attestation-threshold", "by 'mate' has 0 signers that count, needed 1")
    by_pirate = attestation.sign(keys["pirate"], statement())
    refused(decide(keys, BUILT, by_pirate), "attestation", "made by no trusted key")


def test_a_key_that_is_expired_or_revoked_attests_nothing(keys: dict[str, PrivateKey]) -> None:
    made = attestation.sign(keys["builder"], statement())
    late = {"expires": NOW}
    refused(decide(keys, BUILT, made, builder=late), "attestation-threshold", "'builder' expired on 2026-11-22")
    stolen = {"revoked": "stolen"}
    refused(decide(keys, BUILT, made, builder=stolen), "attestation-threshold", "'builder' is revoked: stolen")


def test_so_many_signers_as_are_needed_must_have_signed_the_same_statement(keys: dict[str, PrivateKey]) -> None:
    two = replace(BUILT, keys=("builder", "second"), threshold=2, builders=(CI, CI + "2"))
    builder, second = (attestation.sign(keys[name], statement()) for name in ("builder", "second"))
    assert decide(keys, two, builder, second).accepted
    refused(decide(keys, two, builder, builder), "attestation-threshold", "has 1 signers that count, needed 2")
    another = attestation.sign(keys["second"], statement(builder=CI + "2"))
    refused(decide(keys, two, builder, another), "attestation-threshold", "has 1 signers that count, needed 2")


def test_one_bad_among_good_attestations_is_told_and_not_in_the_way(keys: dict[str, PrivateKey]) -> None:
    good = attestation.sign(keys["builder"], statement())
    bad = [
        attestation.sign(keys["pirate"], statement()),
        attestation.sign(keys["builder"], statement(builder="https://laptop.example.org")),
        replace(good, payload=good.payload + b" "),
    ]
    verdict = decide(keys, BUILT, *bad, good)
    assert verdict.accepted and [step.check for step in verdict.steps if not step.held] == ["attestation"] * 2


def test_a_signature_is_no_attestation_and_an_attestation_no_signature(keys: dict[str, PrivateKey]) -> None:
    from argosy.sign import bundle

    signed = bundle.sign(keys["builder"], identity=HERE, digest=DIGEST)
    refused(decide(keys, BUILT, signed), "attestation-missing", bundle.SIGN_PREDICATE)
    trust = Trust(
        policy=Policy(
            source="policy.toml",
            keys=(KeyFile(name="builder", file="b.pub"),),
            rules=(Rule(match="**", keys=("builder",), unnamed=True),),
        ),
        keys={"builder": keys["builder"].public},
    )
    made = bundle.entry(attestation.sign(keys["builder"], statement()))
    refused(
        verify(trust, repository=HERE, digest=DIGEST, signatures=[made], now=NOW),
        "payload",
        f"the signature's statement is of type {PROVENANCE!r}",
    )
