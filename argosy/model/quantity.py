"""Sizes and durations as people write them: `500M`, `2GiB`; `90s`, `1h30m`, `2d`."""

from __future__ import annotations

import re

from argosy.errors import UsageError

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+)s?)?", re.IGNORECASE)
_SECONDS = (86400, 3600, 60, 1)


def parse_size(text: str) -> int:
    """Bytes of a size such as `500M`, `2GiB`, `1.5 TB`: units are powers of 1024. Raises UsageError."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is no size", advice="write bytes, or 500M, 2GiB, 1.5T")
    return int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " "))


def parse_duration(text: str) -> int:
    """Seconds of a duration such as `90`, `30m`, `1h30m`, `2d`. Raises UsageError; also for none at all."""
    match = _DURATION.fullmatch(text.strip())
    seconds = sum(int(part or 0) * unit for part, unit in zip(match.groups(), _SECONDS, strict=True)) if match else 0
    if not seconds:
        raise UsageError(f"{text!r} is no duration", advice="write seconds, or 30m, 1h30m, 2d")
    return seconds
