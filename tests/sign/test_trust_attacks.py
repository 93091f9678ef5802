"""What an attacker may try with signatures and keys: each is refused, and by its own reason."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import pytest
from artifacts import key
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from argosy.errors import ArgosyError, UsageError
from argosy.model.digest import Digest
from argosy.model.policy import KeyFile, Policy, Revoked, Rule
from argosy.sign.cosign import SignatureEntry, sign, simple
from argosy.sign.keys import Algorithm, PrivateKey, generate, load_private
from argosy.sign.trust import Trust, load_trust, write_policy
from argosy.sign.verdict import Verdict
from argosy.sign.verify import verify

HERE = "registry.example.org/hpc/argo"
DIGEST, LAYER, OTHER = Digest.of(b"artifact"), Digest.of(b"its wasm"), Digest.of(b"another artifact")
NOW = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
MATE = Rule(match="registry.example.org/hpc/*", keys=("mate",))
BOTH = replace(MATE, keys=("captain", "mate"), threshold=2)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PrivateKey]:
    folder: Path = tmp_path_factory.mktemp("keys")
    edwards = generate(folder / "edwards.key", algorithm=Algorithm.ED25519)
    return {**{name: key(folder, name) for name in ("mate", "captain", "pirate")}, "ed": load_private(edwards.private)}


def trust(keys: dict[str, PrivateKey], rule: Rule, **changes: object) -> Trust:
    """A policy of one rule; `changes` are fields of the policy, or `mate=…` for fields of that key."""
    mate = changes.pop("mate", {})
    files = tuple(
        KeyFile(name=name, file=f"{name}.pub", **(mate if name == "mate" else {}))  # type: ignore[arg-type]
        for name in ("mate", "captain", "ed")
    )
    policy = replace(Policy(source="policy.toml", keys=files, rules=(rule,)), **changes)  # type: ignore[arg-type]
    return Trust(policy=policy, keys={file.name: keys[file.name].public for file in files})


def signed(key: PrivateKey, *, identity: str = HERE, digest: Digest = DIGEST, days: float = 0) -> SignatureEntry:
    """A signature that says it was made `days` before now."""
    return sign(key, identity=identity, digest=digest, signed_at=int((NOW - days * DAY).timestamp()))


def decide(trust: Trust, *signatures: SignatureEntry, repository: str | None = HERE) -> Verdict:
    return verify(trust, repository=repository, digest=DIGEST, signatures=signatures, parts=[LAYER], now=NOW)


def refused(verdict: Verdict, check: str, reason: str) -> None:
    assert not verdict.accepted and verdict.signers == () and verdict.identity is None
    assert check in verdict.refused(), verdict.steps
    assert reason in verdict.reason


def test_a_signature_of_another_digest_repository_or_key_is_refused(keys: dict[str, PrivateKey]) -> None:
    mine = trust(keys, MATE)
    assert decide(mine, signed(keys["mate"])).accepted
    refused(decide(mine, signed(keys["mate"], digest=OTHER)), "digest", f"is for another artifact: {OTHER}")
    elsewhere = signed(keys["mate"], identity="registry.example.org/hpc/other")
    refused(decide(mine, elsewhere), "repository", "is for another repository: registry.example.org/hpc/other")
    refused(decide(mine, signed(keys["pirate"])), "key", "was made by no key of policy.toml")
    refused(decide(mine, signed(keys["captain"])), "authority", "the key 'captain' may not sign for")


def test_one_bad_among_good_signatures_is_told_and_neither_counted_nor_in_the_way(keys: dict[str, PrivateKey]) -> None:
    bad = simple(signed(keys["mate"]).payload, signed(keys["mate"], digest=OTHER).signature)
    verdict = decide(trust(keys, MATE), bad, signed(keys["mate"]))
    assert verdict.accepted and [step.check for step in verdict.steps if not step.held] == ["key"]
    refused(decide(trust(keys, BOTH), bad, signed(keys["mate"])), "threshold", "signatures: 1, needed 2")


def test_one_key_that_signs_twice_is_one_signer(keys: dict[str, PrivateKey]) -> None:
    twice = [signed(keys["mate"]), signed(keys["mate"], days=1)]
    refused(decide(trust(keys, BOTH), *twice), "threshold", "not enough signatures: 1, needed 2")
    both = decide(trust(keys, BOTH), *twice, signed(keys["captain"], days=2))
    assert both.accepted and both.signers == ("captain", "mate")


def test_the_same_signature_written_in_another_way_is_the_same_signer(keys: dict[str, PrivateKey]) -> None:
    entry = signed(keys["mate"])
    r, s = utils.decode_dss_signature(entry.signature)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
    twin = simple(entry.payload, utils.encode_dss_signature(r, order - s))
    assert decide(trust(keys, MATE), twin).accepted  # ECDSA allows it
    refused(decide(trust(keys, BOTH), entry, twin), "threshold", "not enough signatures: 1, needed 2")


@pytest.mark.parametrize(
    ("changes", "check", "reason"),
    [
        ({"expires": NOW - DAY}, "key-expired", "which expired on 2026-11-21"),
        ({"expires": NOW}, "key-expired", "which expired on"),
        ({"not_before": NOW + DAY}, "key-expired", "which counts from 2026-11-23 12:00 UTC on"),
        ({"revoked": "the laptop was stolen"}, "key-revoked", "which is revoked: the laptop was stolen"),
    ],
)
def test_a_key_that_is_expired_or_revoked_counts_for_nothing(
    keys: dict[str, PrivateKey], changes: dict[str, object], check: str, reason: str
) -> None:
    # Also not for what it says to have signed when it was good: whoever has the key writes the date.
    for days in (0, 400):
        refused(decide(trust(keys, MATE, mate=changes), signed(keys["mate"], days=days)), check, reason)
    one_of_two = replace(BOTH, threshold=1)
    assert decide(trust(keys, one_of_two, mate=changes), signed(keys["mate"]), signed(keys["captain"])).signers == (
        "captain",
    )


def test_a_key_counts_from_its_beginning_to_its_end(keys: dict[str, PrivateKey]) -> None:
    period = {"not_before": NOW - DAY, "expires": NOW + DAY}
    assert decide(trust(keys, MATE, mate=period), signed(keys["mate"])).accepted


def test_after_the_policys_own_end_nothing_is_accepted(keys: dict[str, PrivateKey]) -> None:
    assert decide(trust(keys, MATE, expires=NOW + DAY), signed(keys["mate"])).accepted
    refused(decide(trust(keys, MATE, expires=NOW), signed(keys["mate"])), "policy-expired", "policy.toml expired on")


@pytest.mark.parametrize("digest", [DIGEST, LAYER])
def test_a_revoked_artifact_or_module_is_refused_however_well_it_is_signed(
    keys: dict[str, PrivateKey], digest: Digest
) -> None:
    revoked = (Revoked(digest=digest, reason="CVE-2026-1"),)
    verdict = decide(trust(keys, MATE, revoked=revoked), signed(keys["mate"]))
    refused(verdict, "revoked", "is revoked: CVE-2026-1")
    assert str(digest) in verdict.reason
    assert decide(trust(keys, MATE, revoked=(Revoked(digest=OTHER, reason="x"),)), signed(keys["mate"])).accepted


def test_what_is_not_pinned_is_refused_and_what_is_pinned_must_be_signed_too(keys: dict[str, PrivateKey]) -> None:
    refused(decide(trust(keys, replace(MATE, pinned=(OTHER,))), signed(keys["mate"])), "pinned", "is not one of")
    pinned = trust(keys, replace(MATE, pinned=(OTHER, DIGEST)))
    assert decide(pinned, signed(keys["mate"])).accepted
    refused(decide(pinned), "unsigned", "has no signature")


def test_signatures_grow_old_where_the_rule_says_so(keys: dict[str, PrivateKey]) -> None:
    rule = replace(MATE, signed_within_days=30)
    assert decide(trust(keys, rule), signed(keys["mate"], days=29)).accepted
    stale = decide(trust(keys, rule), signed(keys["mate"], days=31))
    refused(stale, "signature-expired", "was made on 2026-10-22, more than 30 days ago")
    timeless = signed(keys["mate"]).payload.replace(b'"timestamp"', b'"timestamps"')
    undated = simple(timeless, keys["mate"].sign(timeless))
    assert decide(trust(keys, MATE), undated).accepted
    refused(decide(trust(keys, rule), undated), "signature-expired", "does not say when it was made")


def test_a_signature_from_the_future_does_not_count(keys: dict[str, PrivateKey]) -> None:
    assert decide(trust(keys, MATE), signed(keys["mate"], days=-0.005)).accepted  # clocks differ a little
    future = decide(trust(keys, MATE), signed(keys["mate"], days=-1))
    refused(future, "signature-time", "made in the future: 2026-11-23")


def test_less_signers_than_the_threshold_cannot_move_the_time_of_signing(keys: dict[str, PrivateKey]) -> None:
    both = decide(trust(keys, BOTH), signed(keys["mate"]), signed(keys["captain"], days=7))
    assert both.signed_at == int((NOW - 7 * DAY).timestamp())
    again = decide(
        trust(keys, BOTH), signed(keys["mate"]), signed(keys["captain"], days=7), signed(keys["captain"], days=2)
    )
    assert again.signed_at == int((NOW - 2 * DAY).timestamp())
    one = decide(trust(keys, replace(BOTH, threshold=1)), signed(keys["mate"]), signed(keys["captain"], days=7))
    assert one.signed_at == int(NOW.timestamp())


def test_a_signature_of_one_kind_of_key_is_none_of_another(keys: dict[str, PrivateKey]) -> None:
    rule = replace(MATE, keys=("mate", "ed"))
    payload = signed(keys["mate"]).payload
    assert decide(trust(keys, rule), simple(payload, keys["ed"].sign(payload))).signers == ("ed",)
    # Nothing in a signature says how it is to be checked, so nothing there can be changed; what is left is its bytes.
    r, s = utils.decode_dss_signature(keys["mate"].sign(payload))
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    p384 = ec.generate_private_key(ec.SECP384R1())
    strangers = [
        raw,  # 64 bytes, as long as one of Ed25519
        p384.sign(payload, ec.ECDSA(hashes.SHA256())),
        _rsa().sign(payload, padding.PKCS1v15(), hashes.SHA256()),
        keys["mate"].key.sign(payload, ec.ECDSA(hashes.SHA512())),  # type: ignore[call-arg, arg-type]
        utils.encode_dss_signature(0, 0),  # CVE-2022-21449
        keys["ed"].sign(payload)[:-1] + b"\xff",
        b"",
        bytes(64),
    ]
    for stranger in strangers:
        refused(decide(trust(keys, rule), simple(payload, stranger)), "key", "was made by no key")


@pytest.mark.parametrize("kind", ["rsa", "p384", "secp256k1"])
def test_a_policys_key_of_another_kind_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    write_policy(tmp_path / "policy.toml", keys={"mate": key(tmp_path, "m").public}, repositories=["**"])
    curve = {"p384": ec.SECP384R1(), "secp256k1": ec.SECP256K1()}
    public = _rsa().public_key() if kind == "rsa" else ec.generate_private_key(curve[kind]).public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "mate.pub").write_bytes(public.public_bytes(serialization.Encoding.PEM, spki))
    with pytest.raises(ArgosyError, match=r"mate\.pub.*ECDSA on P-256 or Ed25519"):
        load_trust(tmp_path / "policy.toml")


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_policy_below_a_folder_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    policy = tmp_path / "site" / "trust" / "policy.toml"
    write_policy(policy, keys={"mate": key(tmp_path, "m").public}, repositories=["**"])
    load_trust(policy)
    (tmp_path / "site").chmod(mode)
    with pytest.raises(ArgosyError, match=r"can be replaced: .*/site can be written by others"):
        load_trust(policy)
    (tmp_path / "site").chmod(0o1777)  # as /tmp: others cannot rename what is not theirs
    load_trust(policy)


def test_a_link_that_others_can_replace_is_refused(tmp_path: Path) -> None:
    write_policy(tmp_path / "trust/policy.toml", keys={"mate": key(tmp_path, "m").public}, repositories=["**"])
    for name in ("open", "shut"):
        (tmp_path / name).mkdir()
    for name in ("policy.toml", "mate.pub"):
        (tmp_path / "open" / name).symlink_to(f"../trust/./{name}")
    (tmp_path / "shut/hop").symlink_to(tmp_path / "open")
    for link in ("open/policy.toml", "shut/hop/policy.toml"):
        (tmp_path / "open").chmod(0o755)
        assert load_trust(tmp_path / link).keys
        (tmp_path / "open").chmod(0o777)
        with pytest.raises(ArgosyError, match=r"can be replaced: .*/open can be written by others"):
            load_trust(tmp_path / link)
    (tmp_path / "shut/round").symlink_to("round")
    with pytest.raises(ArgosyError, match="cannot read"):
        load_trust(tmp_path / "shut/round")


def test_a_first_policy_lets_tags_move_back_in_own_folders_only(tmp_path: Path) -> None:
    patterns = ["layout/**", "registry.example.org/**"]
    write_policy(tmp_path / "policy.toml", keys={"mate": key(tmp_path, "m").public}, repositories=patterns)
    assert [rule.rollback for rule in load_trust(tmp_path / "policy.toml").policy.rules] == [True, False]


def test_a_policy_that_says_less_than_it_seems_to_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="says no offset from UTC"):
        Policy.parse("version = 1\nexpires = 2027-01-01T00:00:00", source="policy.toml")


def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
