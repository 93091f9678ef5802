"""Sizes and durations as people write them."""

from __future__ import annotations

import pytest

from argosy.errors import UsageError
from argosy.model.quantity import parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "count"), [("1000", 1000), ("2K", 2048), ("1.5 MiB", 3 << 19), ("2g", 2 << 30), ("1TB", 1 << 40)]
)
def test_sizes_are_read_as_people_write_them(text: str, count: int) -> None:
    assert parse_size(text) == count


def test_what_is_no_size_is_refused() -> None:
    for text in ("", "much", "-1G", "1 parsec"):
        with pytest.raises(UsageError, match="no size"):
            parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("1h30m", 5400), ("2d", 172800), ("1d2h3m4s", 93784)]
)
def test_durations_are_read_as_people_write_them(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "soon", "-3h", "1h 30m", "1.5h", "m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no duration"):
        parse_duration(text)
