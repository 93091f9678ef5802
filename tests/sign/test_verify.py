"""The decision, and why: every way in which a signature does not suffice has its own reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from artifacts import key

from argosy.model import strict_json
from argosy.model.digest import Digest
from argosy.model.policy import KeyFile, Policy, Rule
from argosy.sign.cosign import sign, simple
from argosy.sign.keys import PrivateKey
from argosy.sign.trust import Trust
from argosy.sign.verify import verify

HERE = "registry.example.org/hpc/argo"
DIGEST, OTHER = Digest.of(b"artifact"), Digest.of(b"another artifact")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PrivateKey]:
    folder: Path = tmp_path_factory.mktemp("keys")
    return {name: key(folder, name) for name in ("mate", "captain", "pirate")}


def trust(keys: dict[str, PrivateKey], *rules: Rule) -> Trust:
    names = ("mate", "captain")
    policy = Policy(source="policy.toml", keys=tuple(KeyFile(name=n, file=f"{n}.pub") for n in names), rules=rules)
    return Trust(policy=policy, keys={name: keys[name].public for name in names})


MATE = Rule(match="registry.example.org/hpc/*", keys=("mate",))
BOTH = Rule(match="registry.example.org/hpc/*", keys=("captain", "mate"), threshold=2)


def test_a_signature_by_the_right_key_is_accepted(keys: dict[str, PrivateKey]) -> None:
    verdict = verify(
        trust(keys, MATE), repository=HERE, digest=DIGEST, signatures=[sign(keys["mate"], identity=HERE, digest=DIGEST)]
    )
    assert verdict.accepted and verdict.signers == ("mate",) and verdict.identity == HERE
    assert all(step.held for step in verdict.steps)


@pytest.mark.parametrize(
    ("signer", "identity", "digest", "reason"),
    [
        ("pirate", HERE, DIGEST, "made by no key of policy.toml"),
        ("captain", HERE, DIGEST, "key 'captain' may not sign for"),
        ("mate", HERE, OTHER, "is for another artifact"),
        ("mate", "registry.example.org/hpc/other", DIGEST, "is for another repository: registry.example.org/hpc/other"),
    ],
)
def test_a_signature_that_does_not_suffice_is_refused_by_its_reason(
    keys: dict[str, PrivateKey], signer: str, identity: str, digest: Digest, reason: str
) -> None:
    entry = sign(keys[signer], identity=identity, digest=digest)
    verdict = verify(trust(keys, MATE), repository=HERE, digest=DIGEST, signatures=[entry])
    assert not verdict.accepted and verdict.signers == () and verdict.identity is None
    assert reason in verdict.reason


def test_no_signature_and_no_rule_are_refused(keys: dict[str, PrivateKey]) -> None:
    entry = sign(keys["mate"], identity="elsewhere.org/argo", digest=DIGEST)
    unsigned = verify(trust(keys, MATE), repository=HERE, digest=DIGEST, signatures=[])
    uncovered = verify(trust(keys, MATE), repository="elsewhere.org/argo", digest=DIGEST, signatures=[entry])
    no_rules = verify(trust(keys), repository=None, digest=DIGEST, signatures=[entry])
    assert not unsigned.accepted and "has no signature" in unsigned.reason
    assert not uncovered.accepted and "no rule of policy.toml covers elsewhere.org/argo" in uncovered.reason
    assert not no_rules.accepted and "no rule" in no_rules.reason


def test_a_changed_payload_is_refused(keys: dict[str, PrivateKey]) -> None:
    entry = sign(keys["mate"], identity=HERE, digest=DIGEST)
    changed = simple(entry.payload.replace(b"hpc/argo", b"hpc/argO"), entry.signature)
    assert "or was changed" in verify(trust(keys, MATE), repository=HERE, digest=DIGEST, signatures=[changed]).reason


def payload(**critical: object) -> bytes:
    base: dict[str, object] = {
        "identity": {"docker-reference": HERE},
        "image": {"docker-manifest-digest": str(DIGEST)},
        "type": "cosign container image signature",
    }
    return strict_json.write({"critical": {**base, **critical}})


@pytest.mark.parametrize(
    "content",
    [
        payload(type="atomic container signature"),
        payload(image={}),
        payload(identity=None),
        payload(image={"docker-manifest-digest": "sha256:x"}),
        b'{"critical":null}',
        b"[]",
        payload()[:-1] + b',"critical":{}}',
        payload() + b" " * 70000,
    ],
)
def test_what_a_trusted_key_signed_must_still_be_a_payload(keys: dict[str, PrivateKey], content: bytes) -> None:
    good = simple(payload(), keys["mate"].sign(payload()))
    assert verify(trust(keys, MATE), repository=HERE, digest=DIGEST, signatures=[good]).accepted
    entry = simple(content, keys["mate"].sign(content))
    assert not verify(trust(keys, MATE), repository=HERE, digest=DIGEST, signatures=[entry]).accepted


def test_one_bad_signature_among_good_ones_is_told_and_not_counted(keys: dict[str, PrivateKey]) -> None:
    entries = [sign(keys[name], identity=HERE, digest=DIGEST) for name in ("pirate", "mate")]
    verdict = verify(trust(keys, MATE), repository=HERE, digest=DIGEST, signatures=entries)
    assert verdict.accepted and verdict.signers == ("mate",)
    assert [step.held for step in verdict.steps].count(False) == 1


def test_a_threshold_needs_different_keys(keys: dict[str, PrivateKey]) -> None:
    twice = [sign(keys["mate"], identity=HERE, digest=DIGEST) for _ in range(2)]
    refused = verify(trust(keys, BOTH), repository=HERE, digest=DIGEST, signatures=twice)
    assert not refused.accepted and "not enough signatures: 1, needed 2" in refused.reason
    both = [*twice, sign(keys["captain"], identity=HERE, digest=DIGEST)]
    accepted = verify(trust(keys, BOTH), repository=HERE, digest=DIGEST, signatures=both)
    assert accepted.accepted and accepted.signers == ("captain", "mate")


def test_a_mirror_serves_what_was_signed_elsewhere_only_where_the_rule_says(keys: dict[str, PrivateKey]) -> None:
    entry = sign(keys["mate"], identity=HERE, digest=DIGEST)
    mirror = "mirror.example.net/hpc/argo"
    plain = Rule(match="mirror.example.net/**", keys=("mate",))
    mapped = replace(plain, signed_as=("registry.example.org/hpc/*",))
    assert not verify(trust(keys, plain), repository=mirror, digest=DIGEST, signatures=[entry]).accepted
    assert verify(trust(keys, mapped), repository=mirror, digest=DIGEST, signatures=[entry]).accepted
    narrow = replace(plain, signed_as=("registry.example.org/bio/*",))
    assert not verify(trust(keys, narrow), repository=mirror, digest=DIGEST, signatures=[entry]).accepted


def test_in_a_folder_the_name_that_a_trusted_key_gave_is_taken(keys: dict[str, PrivateKey]) -> None:
    entries = [
        sign(keys["pirate"], identity="registry.example.org/hpc/treasure", digest=DIGEST),
        sign(keys["mate"], identity="elsewhere.org/argo", digest=DIGEST),
        sign(keys["mate"], identity=HERE, digest=DIGEST),
    ]
    verdict = verify(trust(keys, MATE), repository=None, digest=DIGEST, signatures=entries)
    assert verdict.accepted and verdict.identity == HERE
    assert not verify(trust(keys, MATE), repository=None, digest=DIGEST, signatures=entries[:2]).accepted


def test_signatures_under_different_names_do_not_add_up(keys: dict[str, PrivateKey]) -> None:
    entries = [
        sign(keys["mate"], identity="registry.example.org/hpc/one", digest=DIGEST),
        sign(keys["captain"], identity="registry.example.org/hpc/two", digest=DIGEST),
    ]
    assert not verify(trust(keys, BOTH), repository=None, digest=DIGEST, signatures=entries).accepted
