"""The policy's file is read strictly, and its patterns fit what they say."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from argosy.errors import UsageError
from argosy.model.policy import Policy, fits

GOOD = """
version = 1
expires = 2027-12-31T00:00:00Z
[keys.release]
file = "release.pub"
not_before = 2026-01-01T00:00:00Z
expires = 2027-06-30T12:00:00+02:00
[keys.second]
file = "keys/second.pub"
revoked = "lost"
[[revoked]]
digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
reason = "wrong results"
[[repositories]]
match = "registry.example.org/hpc/*"
keys = ["release", "second"]
threshold = 2
signed_within_days = 90
rollback = true
pinned = ["sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"]
[[repositories.attestations]]
predicate_type = "https://slsa.dev/provenance/v1"
builders = ["https://ci.example.org"]
[[repositories.attestations]]
predicate_type = "https://spdx.dev/Document"
keys = ["second"]
[[repositories]]
match = "**"
keys = ["release"]
signed_as = ["registry.example.org/hpc/**"]
"""


def test_keys_and_rules_are_read_in_order() -> None:
    policy = Policy.parse(GOOD, source="policy.toml")
    assert [key.name for key in policy.keys] == ["release", "second"]
    assert [(rule.match, rule.threshold) for rule in policy.rules] == [("registry.example.org/hpc/*", 2), ("**", 1)]
    first = policy.rule_for("registry.example.org/hpc/hpcc")
    assert first is not None and first.threshold == 2


def test_expiry_revocation_and_what_a_rule_requires_are_read() -> None:
    policy = Policy.parse(GOOD, source="policy.toml")
    release, second = policy.keys
    early, good, late = (
        datetime.datetime(year, month, 1, tzinfo=datetime.UTC) for year, month in ((2025, 1), (2026, 5), (2027, 7))
    )
    assert release.refusal(good) is None
    assert "not yet" in str(release.refusal(early)) and "expired on 2027-06-30 10:00" in str(release.refusal(late))
    assert second.refusal(good) == "is revoked: lost"
    assert policy.expired(late) is None and policy.expired(late.replace(year=2028)) is not None
    rule = policy.rules[0]
    assert (rule.signed_within_days, rule.rollback, len(rule.pinned)) == (90, True, 1)
    assert (
        policy.revocation(policy.revoked[0].digest) == policy.revoked[0] and policy.revocation(rule.pinned[0]) is None
    )
    provenance, sbom = rule.attestations
    assert (provenance.keys, provenance.builders, provenance.threshold) == (
        ("release", "second"),
        ("https://ci.example.org",),
        1,
    )
    assert (sbom.keys, sbom.builders) == (("second",), ())
    assert policy.asks_attestations
    plain = policy.rules[1]
    assert (plain.signed_within_days, plain.rollback, plain.pinned, plain.attestations) == (None, False, (), ())


def test_what_ends_soon_or_has_ended_is_told() -> None:
    policy = Policy.parse(GOOD.replace('revoked = "lost"', "expires = 2030-01-01T00:00:00Z"), source="policy.toml")
    month = datetime.timedelta(days=30)

    def endings(year: int, month_of_year: int) -> tuple[str, ...]:
        return policy.endings(datetime.datetime(year, month_of_year, 15, tzinfo=datetime.UTC), within=month)

    assert endings(2027, 1) == ()
    assert endings(2027, 6) == ("key 'release' expires on 2027-06-30 10:00 UTC",)
    assert endings(2027, 12) == (
        "it expires on 2027-12-31 00:00 UTC",
        "key 'release' expired on 2027-06-30 10:00 UTC",
    )


def test_the_example_in_the_repository_is_a_policy() -> None:
    path = Path(__file__).resolve().parents[2] / "registry" / "trust" / "policy.toml"
    assert Policy.parse(path.read_text(), source=str(path)).rules


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version = 1", "", "version: missing"),
        ("version = 1", "version = 2", "reads version 1"),
        ("version = 1", "version = 1\nmode = 'lax'", "mode: unknown key"),
        ("threshold = 2", "treshold = 2", "did you mean 'threshold'"),
        ("threshold = 2", "threshold = 3", "not between 1 and 2"),
        ("threshold = 2", "threshold = 0", "not between 1 and 2"),
        ("threshold = 2", "threshold = true", "threshold"),
        ('["release", "second"]', "[]", "at least one key"),
        ('["release", "second"]', '["release", "release"]', "listed twice"),
        ('["release", "second"]', '["releas"]', "did you mean 'release'"),
        ('"release.pub"', '"../release.pub"', "without '..'"),
        ('"release.pub"', '"/etc/release.pub"', "below this folder"),
        ('match = "**"', "", "match: missing"),
        ('match = "**"', 'match = "a b"', "not a pattern"),
        ("[keys.release]", "[keys.'a b']", "key's name"),
        ("[[repositories]]", "[[repositories", "not TOML"),
        ("not_before = 2026-01-01T00:00:00Z", "not_before = 2026-01-01", "not_before: must be a date with a time"),
        ("not_before = 2026-01-01T00:00:00Z", "not_before = 2026-01-01T00:00:00", "says no offset from UTC"),
        ("not_before = 2026", "not_before = 2028", "would never count"),
        ("expires = 2027-12-31T00:00:00Z", 'expires = "2027"', "expires: must be a date with a time, not text"),
        ('revoked = "lost"', "revoked = true", "revoked: must be text"),
        ('revoked = "lost"', 'revoked = ""', "must say why"),
        ('reason = "wrong results"', "", "reason: missing"),
        ('digest = "sha256:0', 'digest = "sha512:0', "not a digest"),
        ("signed_within_days = 90", "signed_within_days = 0", "not between"),
        ("signed_within_days = 90", "signed_within_day = 90", "did you mean 'signed_within_days'"),
        ('pinned = ["sha256:f', 'pinned = ["sha256:F', "not a digest"),
        ("rollback = true", 'rollback = "yes"', "must be true or false"),
        ('builders = ["https://ci.example.org"]', "builders = []", "names no builder"),
        ('predicate_type = "https://spdx.dev/Document"', "", "predicate_type: missing"),
        ('predicate_type = "https://spdx.dev/Document"', 'predicate_type = "spdx"', "not a predicate type"),
        ('keys = ["second"]', 'keys = ["secnd"]', "did you mean 'second'"),
        ('keys = ["second"]', 'keys = ["second"]\nthreshold = 2', "not between 1 and 1"),
    ],
)
def test_a_wrong_policy_is_refused_by_its_key(old: str, new: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Policy.parse(GOOD.replace(old, new), source="policy.toml")


@pytest.mark.parametrize(
    ("pattern", "repository", "expected"),
    [
        ("host/a/*", "host/a/b", True),
        ("host/a/*", "host/a/b/c", False),
        ("host/a/*", "host/ab", False),
        ("host/a/**", "host/a/b/c", True),
        ("**", "anything/at:all", True),
        ("*/a", "host:5000/a", True),
        ("host/a", "host/ab", False),
        ("host/a", "hostXa", False),
        ("h.st/a", "host/a", False),
        ("127.0.0.1:*/x", "127.0.0.1:5000/x", True),
        ("127.0.0.1:*/x", "127.0.0.1:5000/y/x", False),
    ],
)
def test_a_star_stays_within_a_part_and_two_span_parts(pattern: str, repository: str, expected: bool) -> None:
    assert fits(pattern, repository) is expected


def test_keys_that_are_no_table_are_refused() -> None:
    with pytest.raises(UsageError, match="keys: must be a table"):
        Policy.parse("version = 1\nkeys = 3", source="policy.toml")
