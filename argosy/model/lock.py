"""The lock: everything that a build was made of, and the digests of what it made. Equal builds have equal locks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from argosy.errors import UsageError
from argosy.model.digest import Digest
from argosy.model.recipe_source import SHA256, SHA256_FORM
from argosy.model.strict import Table

FORMAT = 1

_KEYS = (
    "format",
    "recipe",
    "version",
    "recipe_digest",
    "sources",
    "patches",
    "toolchain",
    "clang",
    "toolchain_digest",
    "mpi_digest",
    "numerics",
    "flags",
    "builder_digest",
    "requires",
    "programs",
)


@dataclass(frozen=True, kw_only=True)
class Lock:
    """What a recipe's build was made of.

    `sources` and `patches`: digest by file name, of the recipe's files with what they are made from; `mpi_digest`: of
    the guest's MPI library, None where it was not used; `flags`: the user's compile flags besides the recipe's;
    `builder_digest`: of Argosy's own code that builds; `requires`: the digest of each required recipe's lock, by name;
    `programs`: the digest of each finished program, by name.
    """

    recipe: str
    version: str
    recipe_digest: Digest
    sources: Mapping[str, Digest]
    patches: Mapping[str, Digest]
    toolchain: str
    clang: str
    toolchain_digest: Digest
    mpi_digest: Digest | None
    numerics: str
    flags: tuple[str, ...]
    builder_digest: Digest
    requires: Mapping[str, Digest]
    programs: Mapping[str, Digest]

    def render(self) -> str:
        """JSON with sorted keys and a line each, so that equal locks are equal bytes and a difference is one line."""
        values = {
            "format": FORMAT,
            "recipe": self.recipe,
            "version": self.version,
            "recipe_digest": str(self.recipe_digest),
            "sources": _rendered(self.sources),
            "patches": _rendered(self.patches),
            "toolchain": self.toolchain,
            "clang": self.clang,
            "toolchain_digest": str(self.toolchain_digest),
            "mpi_digest": str(self.mpi_digest) if self.mpi_digest else "",
            "numerics": self.numerics,
            "flags": list(self.flags),
            "builder_digest": str(self.builder_digest),
            "requires": _rendered(self.requires),
            "programs": _rendered(self.programs),
        }
        return json.dumps(values, indent=2, sort_keys=True) + "\n"

    def digest(self) -> Digest:
        """The digest of `render()`, by which another lock names this one."""
        return Digest.of(self.render().encode())


def parse(text: str, *, where: str) -> Lock:
    """The lock that `render` wrote. Raises UsageError that names `where` and the wrong key."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}: not JSON: {error}") from error
    table = Table(where, "", values, _KEYS)
    table.whole("format", least=FORMAT, most=FORMAT)
    return Lock(
        recipe=table.text("recipe"),
        version=table.text("version"),
        recipe_digest=_digest(table, "recipe_digest"),
        sources=_digests(table, "sources"),
        patches=_digests(table, "patches"),
        toolchain=table.text("toolchain"),
        clang=table.text("clang"),
        toolchain_digest=_digest(table, "toolchain_digest"),
        mpi_digest=_digest(table, "mpi_digest") if table.text("mpi_digest") else None,
        numerics=table.text("numerics"),
        flags=table.texts("flags"),
        builder_digest=_digest(table, "builder_digest"),
        requires=_digests(table, "requires"),
        programs=_digests(table, "programs"),
    )


def _rendered(digests: Mapping[str, Digest]) -> dict[str, str]:
    return {name: str(digest) for name, digest in digests.items()}


def _digest(table: Table, key: str) -> Digest:
    return Digest.parse(table.text(key, pattern=f"sha256:{SHA256}", form=SHA256_FORM))


def _digests(table: Table, key: str) -> Mapping[str, Digest]:
    inner = table.table(key, table.text_table(key))
    return {name: _digest(inner, name) for name in inner.values}
