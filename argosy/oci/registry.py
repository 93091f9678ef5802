"""What Argosy asks of a place that holds artifacts; an image-layout folder and a server answer alike."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.manifest import Descriptor
from argosy.model.strict_json import LARGEST_DOCUMENT

Advance = Callable[[int], object]


@dataclass(frozen=True, kw_only=True)
class StoredManifest:
    """A manifest's exact bytes; the descriptor's digest is computed from them, its media type is the server's word."""

    descriptor: Descriptor
    data: bytes


class NotFoundError(ArgosyError):
    """The tag, manifest or blob is not there."""


class Registry(Protocol):
    """One repository of a registry, or one image-layout folder.

    Everything raises ArgosyError naming the place, and NotFoundError (one of them) for what is not there.
    """

    @property
    def name(self) -> str:
        """The place, as messages name it: `host/repository` or `oci:PATH`."""

    def resolve(self, selector: str | Digest | None) -> Descriptor:
        """What a tag names now, without fetching it (None: the place's default, `latest` or the only artifact)."""

    def manifest(self, selector: str | Digest | None) -> StoredManifest:
        """The manifest that a tag names now, or that has this digest, which is then checked; at most 4 MiB."""

    def blob(self, descriptor: Descriptor, file: IO[bytes], advance: Advance) -> None:
        """Write the blob to `file` while hashing it; raises when size or digest differ. `advance` hears each piece."""

    def has_blob(self, descriptor: Descriptor) -> bool:
        """Whether the blob is there."""

    def put_blob(self, descriptor: Descriptor, source: Path | bytes, advance: Advance) -> None:
        """Store a blob unless it is there."""

    def put_manifest(self, data: bytes, media_type: str, tag: str | None) -> Descriptor:
        """Store a manifest whose blobs are there, and let `tag`, when given, name it."""

    def tags(self) -> list[str]:
        """Every tag, sorted."""

    def referrers(self, digest: Digest, artifact_type: str | None = None) -> list[Descriptor]:
        """The manifests whose subject is `digest`, of one artifact type when it is given."""


def small_blob(registry: Registry, descriptor: Descriptor, *, limit: int = LARGEST_DOCUMENT) -> bytes:
    """A blob that fits in memory. Raises ArgosyError, before fetching, when it claims to be larger than `limit`."""
    if descriptor.size > limit:
        raise ArgosyError(
            f"{registry.name}: {descriptor.digest} ({descriptor.media_type[:100]}) is {descriptor.size} bytes; "
            f"at most {limit} are accepted"
        )
    file = io.BytesIO()
    registry.blob(descriptor, file, lambda amount: None)
    return file.getvalue()


def open_source(source: Path | bytes) -> IO[bytes]:
    """A blob's bytes, opened to be read. Raises ArgosyError when the file cannot be."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        return source.open("rb")
    except OSError as error:
        raise ArgosyError(f"cannot read {source}: {error.strerror}") from error


def copy_checked(
    pieces: Iterable[bytes], descriptor: Descriptor, file: IO[bytes], advance: Advance, place: str
) -> None:
    """Write `pieces` to `file`, never more than the descriptor's size; raises unless size and digest come out right."""
    digest = hashlib.sha256()
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > descriptor.size:
            raise ArgosyError(
                f"{place} sends more than the {descriptor.size} bytes of {descriptor.digest}", advice=_LIES
            )
        digest.update(piece)
        file.write(piece)
        advance(len(piece))
    if size != descriptor.size:
        raise ArgosyError(
            f"{place} gave {size} of the {descriptor.size} bytes of {descriptor.digest}",
            advice="the transfer was cut short; try again",
        )
    if digest.hexdigest() != descriptor.digest.hex:
        raise ArgosyError(
            f"{place} gave bytes with digest sha256:{digest.hexdigest()} for {descriptor.digest}", advice=_LIES
        )


def check_manifest_digest(data: bytes, digest: Digest, place: str) -> None:
    """Raises ArgosyError unless `data` has this digest."""
    if Digest.of(data) != digest:
        raise ArgosyError(f"{place} gave a manifest with digest {Digest.of(data)} for {digest}", advice=_LIES)


_LIES = "what is stored there was changed or damaged; nothing of it was used"
