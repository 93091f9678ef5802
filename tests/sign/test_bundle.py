"""Sigstore bundles: what they say is checked point by point, and they bind no name."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from artifacts import key

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.policy import KeyFile, Policy, Rule
from argosy.sign import bundle, dsse
from argosy.sign.keys import PrivateKey
from argosy.sign.trust import Trust
from argosy.sign.verdict import Verdict
from argosy.sign.verify import verify

DIGEST = Digest.of(b"artifact")
HERE = "registry.example.org/argo"
STATEMENT: dict[str, Any] = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"digest": {"sha256": DIGEST.hex}}],
    "predicateType": "https://sigstore.dev/cosign/sign/v1",
    "predicate": {},
}


@pytest.fixture(scope="module")
def mate(tmp_path_factory: pytest.TempPathFactory) -> PrivateKey:
    folder: Path = tmp_path_factory.mktemp("keys")
    return key(folder, "mate")


def made(mate: PrivateKey, statement: dict[str, Any], kind: str = bundle.IN_TOTO, **changes: Any) -> bytes:
    payload = json.dumps(statement).encode()
    signature = mate.sign(dsse.pre_authentication_encoding(kind, payload))
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": kind,
        "signatures": [{"sig": base64.b64encode(signature).decode()}],
    }
    material = {"publicKey": {"hint": ""}}
    value = {"mediaType": bundle.BUNDLE, "verificationMaterial": material, "dsseEnvelope": envelope, **changes}
    return json.dumps(value).encode()


def judged(mate: PrivateKey, data: bytes, *, unnamed: bool = True, repository: str | None = HERE) -> Verdict:
    rule = Rule(match="registry.example.org/*", keys=("mate",), unnamed=unnamed)
    policy = Policy(source="policy.toml", keys=(KeyFile(name="mate", file="mate.pub"),), rules=(rule,))
    trust = Trust(policy=policy, keys={"mate": mate.public})
    return verify(trust, repository=repository, digest=DIGEST, signatures=[bundle.entry(bundle.envelope(data))])


def test_the_bytes_that_are_signed_are_those_of_the_specification() -> None:
    # The example of DSSE's protocol.md.
    encoded = dsse.pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_a_bundle_is_accepted_where_the_policy_does_without_a_name(mate: PrivateKey) -> None:
    data = made(mate, STATEMENT)
    assert judged(mate, data).accepted
    assert "names no repository" in judged(mate, data, unnamed=False).reason
    assert "--repository" in judged(mate, data, repository=None).reason


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "https://in-toto.io/Statement/v0.1"},
        {"predicateType": "https://slsa.dev/provenance/v1"},
        {"subject": []},
        {"subject": [{"digest": {"sha256": DIGEST.hex}}, {"digest": {"sha256": Digest.of(b"other").hex}}]},
        {"subject": [{"digest": {"sha512": "00"}}]},
        {"subject": [{"digest": {"sha256": "../x"}}]},
        {"subject": [{"digest": {"sha256": Digest.of(b"other").hex}}]},
    ],
)
def test_another_statement_is_refused(mate: PrivateKey, change: dict[str, Any]) -> None:
    assert not judged(mate, made(mate, {**STATEMENT, **change})).accepted


def test_the_envelope_must_be_whole(mate: PrivateKey) -> None:
    good = made(mate, STATEMENT)
    for wrong in (
        made(mate, STATEMENT, kind="täxt"),
        made(mate, STATEMENT, kind="application/vnd.other+json"),
        made(mate, STATEMENT, mediaType="application/vnd.dev.sigstore.bundle.v0.1+json"),
        made(mate, STATEMENT, verificationMaterial={"certificate": {}}),
        made(mate, STATEMENT, dsseEnvelope=None),
        good.replace(b'"signatures": [', b'"signatures": [{}, '),
        good.replace(b'"sig": "', b'"sig": "!'),
    ):
        with pytest.raises(ArgosyError, match="bundle"):
            bundle.entry(bundle.envelope(wrong))


def test_a_signature_over_the_bare_payload_is_refused(mate: PrivateKey) -> None:
    entry = bundle.entry(bundle.envelope(made(mate, STATEMENT)))
    bare = replace(entry, signature=mate.sign(entry.payload))
    assert mate.public.accepts(entry.signature, entry.signed)
    assert not mate.public.accepts(bare.signature, bare.signed)
