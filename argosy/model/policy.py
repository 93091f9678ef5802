"""The trust policy: which keys must have signed what, by repository. What no rule names is refused."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass

from argosy.errors import UsageError, did_you_mean
from argosy.model.strict import Table

VERSION = 1
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_PATTERN = r"[A-Za-z0-9.:_*\[\]-]+(?:/[a-z0-9._*-]+)*"


@dataclass(frozen=True, kw_only=True)
class KeyFile:
    """A public key by the name that the rules use; `file` is relative to the policy's own folder."""

    name: str
    file: str


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Artifacts of repositories that `match` fits need signatures by `threshold` different ones of `keys`.

    `match` is `host[:port]/repository`, where `*` stands for one part of the path or a piece of it and `**` for any
    number of parts. A signature must have been made for the very repository that the artifact is taken from, unless
    `signed_as` lists patterns of the names it may bear instead (for a mirror). `unnamed` also accepts signatures that
    name no repository, as the bundles of cosign 3 do: then any artifact that these keys ever signed is accepted here.
    """

    match: str
    keys: tuple[str, ...]
    threshold: int = 1
    signed_as: tuple[str, ...] = ()
    unnamed: bool = False

    def covers(self, repository: str) -> bool:
        return fits(self.match, repository)

    def accepts_identity(self, identity: str | None, repository: str) -> bool:
        """Whether a signature that names `identity`, or nothing, may stand for an artifact taken from `repository`."""
        if identity is None:
            return self.unnamed
        if self.signed_as:
            return any(fits(pattern, identity) for pattern in self.signed_as)
        return identity == repository


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Keys and rules in the file's order; `source` names the file in messages."""

    source: str
    keys: tuple[KeyFile, ...]
    rules: tuple[Rule, ...]

    @classmethod
    def parse(cls, text: str, *, source: str) -> Policy:
        """Read a policy.toml. Raises UsageError naming the file and the key that is wrong."""
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{source}: not TOML: {error}") from None
        top = Table(source, "", values, ("version", "keys", "repositories"))
        if top.whole("version") != VERSION:
            top.fail("version", f"{values['version']} is not known here; this Argosy reads version {VERSION}")
        keys = _keys(top)
        names = [key.name for key in keys]
        tables = top.tables("repositories", ("match", "keys", "threshold", "signed_as", "unnamed"))
        return cls(source=source, keys=keys, rules=tuple(_rule(table, names) for table in tables))

    def rule_for(self, repository: str) -> Rule | None:
        """The first rule, in the file's order, that covers the repository."""
        return next((rule for rule in self.rules if rule.covers(repository)), None)


def fits(pattern: str, repository: str) -> bool:
    """Whether `repository` fits `pattern`: `*` stays within one part of the path, `**` spans parts."""
    pieces = {"**": ".*", "*": "[^/]*"}
    expression = "".join(pieces.get(piece) or re.escape(piece) for piece in re.split(r"(\*\*|\*)", pattern))
    return re.fullmatch(expression, repository) is not None


def _keys(top: Table) -> tuple[KeyFile, ...]:
    given = top.values.get("keys", {})
    table = Table(top.where, "keys", given, given if isinstance(given, dict) else ())
    found = []
    for name in table.values:
        if not re.fullmatch(_NAME, name):
            table.fail(name, "a key's name is letters, digits and . _ -")
        found.append(KeyFile(name=name, file=table.table(name, ("file",)).path_inside("file")))
    return tuple(found)


def _rule(table: Table, names: list[str]) -> Rule:
    keys = table.texts("keys")
    if not keys:
        table.fail("keys", "must name at least one key")
    for position, name in enumerate(keys):
        if name not in names:
            table.fail(f"keys[{position}]", f"{name!r} is not a key of this policy; {did_you_mean(name, names)}")
        if name in keys[:position]:
            table.fail(f"keys[{position}]", f"{name!r} is listed twice")
    signed_as = table.texts("signed_as", ())
    for position, pattern in enumerate(signed_as):
        if not re.fullmatch(_PATTERN, pattern):
            table.fail(f"signed_as[{position}]", f"{pattern!r} is not a pattern of repositories")
    return Rule(
        match=table.text(
            "match", pattern=_PATTERN, form="a pattern of repositories, as in registry.example.org/hpc/**"
        ),
        keys=keys,
        threshold=table.whole("threshold", 1, least=1, most=len(keys)),
        signed_as=signed_as,
        unnamed=table.truth("unnamed", False),
    )
