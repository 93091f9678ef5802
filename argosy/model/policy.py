"""The trust policy: which keys must have signed what, by repository. What no rule names is refused."""

from __future__ import annotations

import datetime
import re
import tomllib
from dataclasses import dataclass

from argosy.errors import UsageError
from argosy.model.digest import Digest
from argosy.model.policy_rule import RULE_KEYS, Rule, fits, parse_rule
from argosy.model.strict import Table

__all__ = ["KeyFile", "Policy", "Revoked", "Rule", "fits"]

VERSION = 1
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


@dataclass(frozen=True, kw_only=True)
class KeyFile:
    """A public key by the name that the rules use; `file` is relative to the policy's own folder.

    Outside of `not_before` to `expires`, or `revoked` (which says why), the key counts for nothing, whenever its
    signatures say that they were made: who has stolen a key can write any date.
    """

    name: str
    file: str
    not_before: datetime.datetime | None = None
    expires: datetime.datetime | None = None
    revoked: str | None = None

    def refusal(self, now: datetime.datetime) -> str | None:
        """Why the key counts for nothing now, None where it counts."""
        if self.revoked is not None:
            return f"is revoked: {self.revoked}"
        if self.expires is not None and now >= self.expires:
            return f"expired on {_day(self.expires)}"
        if self.not_before is not None and now < self.not_before:
            return f"counts from {_day(self.not_before)} on, not yet"
        return None


@dataclass(frozen=True, kw_only=True)
class Revoked:
    """An artifact that is not to be run any more: the digest of its index, its manifest or its wasm, and why."""

    digest: Digest
    reason: str


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Keys and rules in the file's order; `source` names the file in messages.

    After `expires` nothing is accepted until somebody has renewed the file: revocations that never arrive at a node
    must not leave it trusting for ever.
    """

    source: str
    keys: tuple[KeyFile, ...]
    rules: tuple[Rule, ...]
    revoked: tuple[Revoked, ...] = ()
    expires: datetime.datetime | None = None

    @classmethod
    def parse(cls, text: str, *, source: str) -> Policy:
        """Read a policy.toml. Raises UsageError naming the file and the key that is wrong."""
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{source}: not TOML: {error}") from None
        top = Table(source, "", values, ("version", "expires", "keys", "repositories", "revoked"))
        if top.whole("version") != VERSION:
            top.fail("version", f"{values['version']} is not known here; this Argosy reads version {VERSION}")
        keys = _keys(top)
        names = [key.name for key in keys]
        return cls(
            source=source,
            keys=keys,
            rules=tuple(parse_rule(table, names) for table in top.tables("repositories", RULE_KEYS)),
            revoked=tuple(_revoked(table) for table in top.tables("revoked", ("digest", "reason"))),
            expires=top.moment("expires"),
        )

    def rule_for(self, repository: str) -> Rule | None:
        """The first rule, in the file's order, that covers the repository."""
        return next((rule for rule in self.rules if rule.covers(repository)), None)

    def key(self, name: str) -> KeyFile:
        """The key that has this name in the policy."""
        return next(key for key in self.keys if key.name == name)

    def expired(self, now: datetime.datetime) -> str | None:
        """Why the whole policy counts no more, None where it does."""
        return None if self.expires is None or now < self.expires else f"expired on {_day(self.expires)}"

    def endings(self, now: datetime.datetime, *, within: datetime.timedelta) -> tuple[str, ...]:
        """What somebody should renew: what has expired by `now`, or will `within` that time."""
        ends = [("it", self.expires), *((f"key {key.name!r}", key.expires) for key in self.keys if not key.revoked)]
        return tuple(
            f"{what} {'expired' if end <= now else 'expires'} on {_day(end)}"
            for what, end in ends
            if end is not None and end <= now + within
        )

    def revocation(self, digest: Digest) -> Revoked | None:
        """The entry that takes back the artifact or module of this digest."""
        return next((one for one in self.revoked if one.digest == digest), None)

    @property
    def asks_attestations(self) -> bool:
        """Whether any rule needs more than signatures."""
        return any(rule.attestations for rule in self.rules)


def _keys(top: Table) -> tuple[KeyFile, ...]:
    given = top.values.get("keys", {})
    table = Table(top.where, "keys", given, given if isinstance(given, dict) else ())
    found = []
    for name in table.values:
        if not re.fullmatch(_NAME, name):
            table.fail(name, "a key's name is letters, digits and . _ -")
        entry = table.table(name, ("file", "not_before", "expires", "revoked"))
        key = KeyFile(
            name=name,
            file=entry.path_inside("file"),
            not_before=entry.moment("not_before"),
            expires=entry.moment("expires"),
            revoked=_reason(entry, "revoked") if entry.has("revoked") else None,
        )
        if key.not_before and key.expires and key.not_before >= key.expires:
            entry.fail("expires", "lies before not_before: the key would never count")
        found.append(key)
    return tuple(found)


def _revoked(table: Table) -> Revoked:
    form = "a digest: sha256: and 64 lower-case hexadecimal digits"
    digest = table.text("digest", pattern=r"sha256:[0-9a-f]{64}", form=form)
    return Revoked(digest=Digest.parse(digest), reason=_reason(table, "reason"))


def _reason(table: Table, key: str) -> str:
    reason = table.text(key)
    if not reason.strip() or not reason.isprintable():
        table.fail(key, "must say why, in a line")
    return reason


def _day(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
