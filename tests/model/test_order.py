"""Of two artifacts the newer one is told only by what is signed."""

from __future__ import annotations

import pytest

from argosy.model.order import Order


def order(version: str | None = None, signed_at: int | None = None, created: str | None = None) -> Order:
    return Order(version=version, signed_at=signed_at, created=created)


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (order("1.5"), order("1.4")),
        (order("1.10"), order("1.9")),
        (order("2.0"), order("2.0rc1")),
        (order("1.5", 200), order("1.5", 100)),
        (order("1.5", 100), order("1.4", 100)),
        (order("1.5", 100), order("1.4")),
        (order(None, 200), order(None, 100)),
        (order("trunk", 200), order("stable", 100)),  # no versions; the time decides
        (order(created="2026-02-01T00:00:00Z"), order(created="2026-02-01T01:00:00+02:00")),
    ],
)
def test_what_rises_in_one_order_and_falls_in_none_is_newer(new: Order, old: Order) -> None:
    assert new.step_back(old) is None
    assert old.step_back(new) is not None


@pytest.mark.parametrize(
    ("new", "old", "reason"),
    [
        (order("1.4", 300), order("1.5", 200), "it is version 1.4, the former 1.5"),
        (order("1.6", 100), order("1.5", 200), "it was signed 1970-01-01T00:01:40Z, the former 1970-01-01T00:03:20Z"),
        (order("1.5", 200), order("1.5", 200), "nothing that is signed says that it is newer"),
        (order(), order(), "nothing that is signed says that it is newer"),
        (order("1.6"), order("1.5", 200), "do not say when they were made"),
        (order("x"), order("1.5"), "nothing that is signed"),
        (order(created="yesterday"), order(created="2026-01-31T21:00:00Z"), "nothing that is signed"),
    ],
)
def test_what_falls_in_one_order_or_rises_in_none_is_not(new: Order, old: Order, reason: str) -> None:
    assert reason in str(new.step_back(old))


def test_a_later_signature_makes_the_same_artifact_newer_and_an_earlier_one_not_older() -> None:
    assert order("1", 5).renewed(9).signed_at == 9
    assert order("1", 9).renewed(5).signed_at == 9
    assert order("1").renewed(None).signed_at is None
