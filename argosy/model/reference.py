"""Where an artifact is: in a registry's repository or in an image-layout folder, by tag or by digest."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from argosy.errors import UsageError
from argosy.model.digest import Digest

# Distribution specification 1.1, "Pulling manifests"; hosts as in the reference grammar of distribution.
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
# Image specification, annotation org.opencontainers.image.ref.name; a layout's tags may hold / and :
_LAYOUT_TAG = re.compile(r"[A-Za-z0-9]+(?:[-._:@/+][A-Za-z0-9]+)*|[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_LONGEST_REPOSITORY = 255

_ADVICE = "write HOST[:PORT]/REPOSITORY[:TAG][@sha256:…] for a registry, or oci:FOLDER[:TAG] for an image-layout folder"


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A place and, in it, what is meant.

    `registry` is `host[:port]`, or None for an image-layout folder. `repository` is the name in the registry, or
    the folder's path as it was written; with `archive`, that of a tar file which holds such a folder. When both `tag`
    and `digest` are given the digest decides. When neither is given, a registry's tag `latest` or a layout's only
    artifact is meant.
    """

    registry: str | None
    repository: str
    tag: str | None = None
    digest: Digest | None = None
    archive: bool = False

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read `host[:port]/repository[:tag][@sha256:…]`, `oci:PATH[:TAG]`, `oci:PATH@sha256:…`, or the same two with
        `oci-archive:` for a tar file.

        Raises UsageError that names the part which is wrong.
        """
        if text.startswith(("oci:", "oci-archive:")):
            return _layout(text)
        return _registry(text)

    @property
    def layout(self) -> Path | None:
        """The image-layout folder, or None when this names a registry."""
        return Path(self.repository) if self.registry is None else None

    @property
    def name(self) -> str:
        """The place without tag or digest: `host/repository`, `oci:PATH` or `oci-archive:PATH`."""
        if self.registry is not None:
            return f"{self.registry}/{self.repository}"
        return f"{'oci-archive' if self.archive else 'oci'}:{self.repository}"

    def at(self, digest: Digest) -> Reference:
        """The same place, meaning exactly `digest`."""
        return replace(self, digest=digest)

    def tagged(self, tag: str) -> Reference:
        """The same place, meaning whatever `tag` names."""
        return Reference.parse(f"{self.name}:{tag}")

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        digest = f"@{self.digest}" if self.digest is not None else ""
        return f"{self.name}{tag}{digest}"


def check_repository(name: str) -> str:
    """`host[:port]/repository`, or a bare repository name, given back when well formed; else UsageError."""
    if len(name) > _LONGEST_REPOSITORY or not (_REPOSITORY.fullmatch(name) or _place(name)):
        raise UsageError(
            f"not a repository name: {name[:300]!r}",
            advice="lower-case letters, digits and single separators . _ - between / signs, as in hpc/hpcc",
        )
    return name


def _place(text: str) -> tuple[str, str] | None:
    """Host and repository, when `text` is `host/repository` with something that can only be a host."""
    host, slash, repository = text.partition("/")
    looks_like_host = "." in host or ":" in host or host.lower() == "localhost"
    if not slash or not looks_like_host or not _HOST.fullmatch(host) or not _REPOSITORY.fullmatch(repository):
        return None
    return host.lower(), repository


def _shown(text: str) -> str:
    """The wrong reference as an error may print it: a password that someone put before the host is left out."""
    return repr(re.sub(r"[^/@]*@(?!sha256:)", "…@", text)[:300])


def _split_digest(text: str) -> tuple[str, Digest | None]:
    place, at, digest = text.partition("@sha256:")
    return (place, Digest.parse(f"sha256:{digest}")) if at else (text, None)


def _registry(text: str) -> Reference:
    name, digest = _split_digest(text)
    tag: str | None = None
    head, colon, last = name.rpartition(":")
    if colon and "/" not in last and "/" in head:
        name, tag = head, last
        if not _TAG.fullmatch(tag):
            raise UsageError(f"not a tag: {tag[:200]!r} in {_shown(text)}", advice=_ADVICE)
    place = _place(name)
    if place is None or len(place[1]) > _LONGEST_REPOSITORY:
        raise UsageError(f"not a reference to an artifact: {_shown(text)}", advice=_ADVICE)
    return Reference(registry=place[0], repository=place[1], tag=tag, digest=digest)


def _layout(text: str) -> Reference:
    kind, _, place = text.partition(":")
    path, digest = _split_digest(place)
    path, colon, tag = path.partition(":")
    if not path or not path.isprintable():
        raise UsageError(f"no folder in the reference {_shown(text)}", advice=_ADVICE)
    if colon and not (len(tag) <= _LONGEST_REPOSITORY and _LAYOUT_TAG.fullmatch(tag)):
        raise UsageError(f"not a tag: {tag[:200]!r} in {_shown(text)}", advice=_ADVICE)
    return Reference(
        registry=None, repository=path, tag=tag if colon else None, digest=digest, archive=kind == "oci-archive"
    )
