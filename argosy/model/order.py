"""Which of two artifacts that one tag named is the newer one, as far as what is signed says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from packaging.version import InvalidVersion, Version

VERSION = "org.opencontainers.image.version"
CREATED = "org.opencontainers.image.created"


@dataclass(frozen=True, kw_only=True)
class Order:
    """The signed words by which artifacts are ordered, each None where it is not said.

    `version` and `created` (RFC 3339) are annotations of the manifest that is signed. `signed_at` is when the
    signatures that counted were made, in seconds since 1970.
    """

    version: str | None = None
    created: str | None = None
    signed_at: int | None = None

    @classmethod
    def of(cls, annotations: Mapping[str, str], signed_at: int | None) -> Order:
        """What the annotations of a manifest and the time of its signatures say."""
        return cls(version=annotations.get(VERSION), created=annotations.get(CREATED), signed_at=signed_at)

    def renewed(self, signed_at: int | None) -> Order:
        """The same artifact, seen with signatures of another time too: the newer counts."""
        return replace(self, signed_at=max(filter(None, (self.signed_at, signed_at)), default=None))

    def step_back(self, older: Order) -> str | None:
        """Why this artifact cannot be taken for one that came after `older`; None where it can.

        No order that both state may fall, and one must rise. A time of signature that `older` had must not be missing:
        a registry can leave a signature out.
        """
        if older.signed_at is not None and self.signed_at is None:
            return "its signatures do not say when they were made, as those of the former did"
        pairs = (
            ("version", _version(self.version), _version(older.version), self.version, older.version),
            ("signed", self.signed_at, older.signed_at, _day(self.signed_at), _day(older.signed_at)),
            ("created", _moment(self.created), _moment(older.created), self.created, older.created),
        )
        risen = False
        for what, new, old, new_text, old_text in pairs:
            if new is None or old is None:
                continue
            if new < old:  # type: ignore[operator]
                verb = "is version" if what == "version" else f"was {what}"
                return f"it {verb} {new_text}, the former {old_text}"
            risen = risen or new > old  # type: ignore[operator]
        return None if risen else "nothing that is signed says that it is newer"


def _version(text: str | None) -> Version | None:
    try:
        return None if text is None else Version(text)
    except InvalidVersion:
        return None


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _day(seconds: int | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
