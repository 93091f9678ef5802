"""What each tag was seen to name last: a tag may not move back to what is older.

A registry, or whoever has taken it over, can show an old artifact with its old and good signature: one with a flaw
that the newer one has not. A signature does not say which tag it is for, nor that nothing newer exists. So this user's
own record does: for each place and tag, the digest that was accepted last and the signed words that order it (see
`argosy.model.order`): its version, when it was signed, when it was created. Another digest is accepted only if none of
these words falls and one rises. None of them can be made newer without a key of the policy: an attacker who replays
has what was really signed, at the time that is in it; a time in the future is not counted; and where several keys must
sign, the time is one that so many of them state.

What this cannot see: a user's very first sight of a tag (pin the digest, or have `signed_within_days` in the rule),
and a registry that goes on showing what was the newest once (the same). A publisher who takes a version back signs the
former one anew, which makes it the newer one only where its version is not lower; else the user says so, by digest or
with `argosy verify --accept-rollback`. A reference by digest means those very bytes, and is not asked about here.

A record is one small file for each tag, only the user's to write, replaced whole, under a lock (where the file system
has locks) from the comparison to the change. One that cannot be read is not taken for an absent one: that would be a
way around it.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from argosy.errors import ArgosyError
from argosy.files import UnwritableError, distrust, lock, write_whole
from argosy.folders import state_root
from argosy.model import strict_json
from argosy.model.digest import Digest
from argosy.model.order import Order

_FORMAT = 1
_LARGEST = 65536
_ADVICE = "if you know why, remove it: the tag's next sight is then its first"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a tag named: the manifest's digest and its place among others."""

    digest: Digest
    order: Order


@dataclass(frozen=True, kw_only=True)
class TagRecord:
    """The record of the tag `tag` at `place` (`host/repository`, or a folder's path)."""

    place: str
    tag: str

    @property
    def path(self) -> Path:
        name = hashlib.sha256(f"{self.place}\n{self.tag}".encode()).hexdigest()
        return state_root() / "tags" / f"{name}.json"

    def refusal(self, found: Seen, last: Seen | None) -> str | None:
        """Why `found` must not follow `last`, which is what is recorded; None where it may."""
        if last is None or last.digest == found.digest:
            return None
        reason = found.order.step_back(last.order)
        return None if reason is None else f"{self.tag} named {last.digest} before, and has moved back: {reason}"

    def advance(self, found: Seen, *, back: bool = False) -> str | None:
        """Record `found` unless it must not follow: gives why not. `back` records it whatever was there before."""
        if not back and (last := self.last()) is not None and _joined(last, found) == last:
            return None  # nothing to write: the ranks of a job come by all at once, and may only read
        try:
            with lock(self.path.with_suffix(".lock")):
                return self._advance(found, back)
        except UnwritableError as error:
            advice = "name a folder of your own by $ARGOSY_STATE, or the artifact by its digest: REF@sha256:…"
            raise ArgosyError(f"cannot record what {self.tag} names: {error.what}", advice=advice) from error

    def _advance(self, found: Seen, back: bool) -> str | None:
        last = None if back else self.last()
        refusal = self.refusal(found, last)
        if refusal is None:
            write_whole(self.path, self._text(_joined(last, found)), mode=0o600)
        return refusal

    def last(self) -> Seen | None:
        """What is recorded, None for a tag that was never seen. Raises ArgosyError for a record that is not right."""
        try:
            self._check(self.path.parent)
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            advice = "name a folder of your own by $ARGOSY_STATE"
            raise ArgosyError(f"cannot read {self.path}: {error.strerror}", advice=advice) from error
        with os.fdopen(descriptor, "rb") as file:
            self._check(self.path, os.fstat(descriptor))
            data = file.read(_LARGEST + 1)
        value = strict_json.read(data, str(self.path), limit=_LARGEST)
        digest, version, created, signed_at = (value.get(key) for key in ("digest", "version", "created", "signed_at"))
        right = (
            value.get("format") == _FORMAT
            and (value.get("place"), value.get("tag")) == (self.place, self.tag)
            and isinstance(digest, str)
            and isinstance(version, str | None)
            and isinstance(created, str | None)
            and (signed_at is None or type(signed_at) is int)
        )
        if not right:
            raise ArgosyError(f"{self.path} is not the record of {self.place}:{self.tag}", advice=_ADVICE)
        order = Order(version=version, created=created, signed_at=signed_at)  # type: ignore[arg-type]
        return Seen(digest=Digest.parse(str(digest)), order=order)

    def _text(self, seen: Seen) -> bytes:
        return strict_json.write(
            {
                "format": _FORMAT,
                "place": self.place,
                "tag": self.tag,
                "digest": str(seen.digest),
                "version": seen.order.version,
                "created": seen.order.created,
                "signed_at": seen.order.signed_at,
            }
        )

    @staticmethod
    def _check(path: Path, status: os.stat_result | None = None) -> None:
        if reason := distrust(status or path.stat()):
            raise ArgosyError(f"{path} records what tags named: {reason}", advice=_ADVICE)


def _joined(last: Seen | None, found: Seen) -> Seen:
    """What is to be recorded where `found` follows `last`: of the same artifact the newer time counts."""
    if last is None or last.digest != found.digest:
        return found
    return Seen(digest=found.digest, order=found.order.renewed(last.order.signed_at))
