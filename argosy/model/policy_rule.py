"""One rule of the trust policy: what the artifacts of the repositories that it covers need."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from argosy.errors import did_you_mean
from argosy.model.ceiling import CEILING_KEYS, UNLIMITED, Ceiling, parse_ceiling
from argosy.model.digest import Digest
from argosy.model.strict import Table

RULE_KEYS = (
    "match",
    "keys",
    "threshold",
    "signed_as",
    "unnamed",
    "signed_within_days",
    "pinned",
    "rollback",
    "attestations",
    "grants",
)
_ATTESTATION_KEYS = ("predicate_type", "keys", "threshold", "builders")
_PATTERN = r"[A-Za-z0-9.:_*\[\]-]+(?:/[a-z0-9._*-]+)*"
_LONGEST_DAYS = 36500


@dataclass(frozen=True, kw_only=True)
class RequiredAttestation:
    """An in-toto statement about the artifact, of this predicate type, signed by `threshold` different ones of `keys`.

    `builders`, where there are any, are the identities of which one must have built it (`builder.id` of SLSA's
    provenance): a key says who speaks, not what made the artifact.
    """

    predicate_type: str
    keys: tuple[str, ...]
    threshold: int = 1
    builders: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Artifacts of repositories that `match` fits need signatures by `threshold` different ones of `keys`.

    `match` is `host[:port]/repository`, where `*` stands for one part of the path or a piece of it and `**` for any
    number of parts. A signature must have been made for the very repository that the artifact is taken from, unless
    `signed_as` lists patterns of the names it may bear instead (for a mirror). `unnamed` also accepts signatures that
    name no repository, as the bundles of cosign 3 do: then any artifact that these keys ever signed is accepted here.

    `signed_within_days` counts only signatures that say when they were made, and not longer ago than this: a registry
    that keeps showing what is long outdated is then found out. `pinned`, where there are any, are the digests of the
    only artifacts that are accepted. `rollback` lets a tag move back to what is older (see argosy/sign/tag_record.py).
    `attestations` must all be there. `grants` is the most that a run may be granted.
    """

    match: str
    keys: tuple[str, ...]
    threshold: int = 1
    signed_as: tuple[str, ...] = ()
    unnamed: bool = False
    signed_within_days: int | None = None
    pinned: tuple[Digest, ...] = ()
    rollback: bool = False
    attestations: tuple[RequiredAttestation, ...] = ()
    grants: Ceiling = UNLIMITED

    def covers(self, repository: str) -> bool:
        return fits(self.match, repository)

    def accepts_identity(self, identity: str | None, repository: str) -> bool:
        """Whether a signature that names `identity`, or nothing, may stand for an artifact taken from `repository`."""
        if identity is None:
            return self.unnamed
        if self.signed_as:
            return any(fits(pattern, identity) for pattern in self.signed_as)
        return identity == repository


def fits(pattern: str, repository: str) -> bool:
    """Whether `repository` fits `pattern`: `*` stays within one part of the path, `**` spans parts."""
    pieces = {"**": ".*", "*": "[^/]*"}
    expression = "".join(pieces.get(piece) or re.escape(piece) for piece in re.split(r"(\*\*|\*)", pattern))
    return re.fullmatch(expression, repository) is not None


def parse_rule(table: Table, names: Sequence[str]) -> Rule:
    """The rule in `table`; `names` are the policy's keys. Raises UsageError naming the key that is wrong."""
    keys = _keys(table, names)
    signed_as = table.texts("signed_as", ())
    for position, pattern in enumerate(signed_as):
        if not re.fullmatch(_PATTERN, pattern):
            table.fail(f"signed_as[{position}]", f"{pattern!r} is not a pattern of repositories")
    days = table.has("signed_within_days")
    return Rule(
        match=table.text(
            "match", pattern=_PATTERN, form="a pattern of repositories, as in registry.example.org/hpc/**"
        ),
        keys=keys,
        threshold=table.whole("threshold", 1, least=1, most=len(keys)),
        signed_as=signed_as,
        unnamed=table.truth("unnamed", False),
        signed_within_days=table.whole("signed_within_days", least=1, most=_LONGEST_DAYS) if days else None,
        pinned=_pinned(table),
        rollback=table.truth("rollback", False),
        attestations=tuple(_attestation(one, keys, names) for one in table.tables("attestations", _ATTESTATION_KEYS)),
        grants=parse_ceiling(table.table("grants", CEILING_KEYS)),
    )


def _keys(table: Table, names: Sequence[str]) -> tuple[str, ...]:
    keys = table.texts("keys")
    if not keys:
        table.fail("keys", "must name at least one key")
    for position, name in enumerate(keys):
        if name not in names:
            table.fail(f"keys[{position}]", f"{name!r} is not a key of this policy; {did_you_mean(name, names)}")
        if name in keys[:position]:
            table.fail(f"keys[{position}]", f"{name!r} is listed twice")
    return keys


def _pinned(table: Table) -> tuple[Digest, ...]:
    digests = table.texts("pinned", ())
    if table.has("pinned") and not digests:
        table.fail("pinned", "names no digest: nothing would be accepted")
    for position, text in enumerate(digests):
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", text):
            table.fail(f"pinned[{position}]", f"{text!r} is not a digest: sha256: and 64 lower-case hexadecimal digits")
    return tuple(Digest.parse(text) for text in digests)


def _attestation(table: Table, keys: tuple[str, ...], names: Sequence[str]) -> RequiredAttestation:
    signers = _keys(table, names) if table.has("keys") else keys
    builders = table.texts("builders", ())
    if table.has("builders") and not builders:
        table.fail("builders", "names no builder: nothing would be accepted")
    return RequiredAttestation(
        predicate_type=table.text("predicate_type", pattern=r"https?://\S+", form="a predicate type, which is a URI"),
        keys=signers,
        threshold=table.whole("threshold", 1, least=1, most=len(signers)),
        builders=builders,
    )
