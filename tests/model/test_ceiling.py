"""The most that a policy lets a run be granted."""

from __future__ import annotations

import dataclasses

import pytest

from argosy.errors import UsageError
from argosy.model.ceiling import UNLIMITED, Ceiling, Request
from argosy.model.policy import Policy

NOTHING = Request(memory=None, seconds=None, folders={}, environment=(), spawn=0, connect=False)
POLICY = """
version = 1
[keys.mate]
file = "mate.pub"
[[repositories]]
match = "registry.site/**"
keys = ["mate"]
[repositories.grants]
memory = "2GiB"
time = "12h"
read = ["/data"]
write = ["/scratch"]
environment = ["OMP_*", "LANG"]
spawn = 4
connect = false
"""


@pytest.fixture
def ceiling() -> Ceiling:
    rule = Policy.parse(POLICY, source="policy.toml").rule_for("registry.site/hpc/hpcc")
    assert rule is not None
    return rule.grants


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"memory": 3 << 30}, "bytes of memory, of at most"),
        ({"seconds": 43201}, "43201 seconds, of at most 43200"),
        ({"folders": {"/home/me": False}}, "the folder /home/me to read"),
        ({"folders": {"/data/mesh": True}}, "the folder /data/mesh to write"),
        ({"folders": {"/database": False}}, "the folder /database to read"),
        ({"environment": ["PATH"]}, "the variable PATH"),
        ({"spawn": 5}, "5 processes to start"),
        ({"connect": True}, "connections"),
    ],
)
def test_what_is_more_is_refused_in_its_own_words(ceiling: Ceiling, asked: dict[str, object], said: str) -> None:
    (refusal,) = ceiling.refusals(dataclasses.replace(NOTHING, **asked))  # type: ignore[arg-type]
    assert said in refusal
    assert UNLIMITED.refusals(dataclasses.replace(NOTHING, **asked)) == ()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "asked",
    [
        {"memory": 2 << 30, "seconds": 43200, "spawn": 4},
        {"folders": {"/data/mesh": False, "/scratch/me": True, "/scratch": True}},
        {"folders": {"/scratch/me": False}},
        {"environment": ["OMP_NUM_THREADS", "LANG"]},
        {},
    ],
)
def test_what_is_within_is_granted(ceiling: Ceiling, asked: dict[str, object]) -> None:
    assert ceiling.refusals(dataclasses.replace(NOTHING, **asked)) == ()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong", ['memory = "much"', 'time = "later"', 'read = ["data"]', 'write = ["/a/../b"]', "disk = 1"]
)
def test_a_wrong_ceiling_is_refused_when_the_policy_is_read(wrong: str) -> None:
    with pytest.raises(UsageError):
        Policy.parse(
            POLICY + wrong
            if wrong.startswith("disk")
            else POLICY.replace(next(line for line in POLICY.splitlines() if line.startswith(wrong.split()[0])), wrong),
            source="policy.toml",
        )
