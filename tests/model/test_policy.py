"""The policy's file is read strictly, and its patterns fit what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from argosy.errors import UsageError
from argosy.model.policy import Policy, fits

GOOD = """
version = 1
[keys.release]
file = "release.pub"
[keys.second]
file = "keys/second.pub"
[[repositories]]
match = "registry.example.org/hpc/*"
keys = ["release", "second"]
threshold = 2
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
