"""What Argosy asks of a place that holds artifacts; an image-layout folder and a server answer alike."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from argosy.errors import ArgosyError
from argosy.files import begin_writing_out
from argosy.model.digest import Digest
from argosy.model.manifest import Descriptor
from argosy.model.strict_json import LARGEST_DOCUMENT
from argosy.oci.hashing import ParallelHash

Advance = Callable[[int], object]
_CHUNK = 1 << 20
_WRITE_OUT = 32 << 20


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
        """Write the blob to `file` while hashing it; raises when size or digest differ. `advance` hears each piece.

        `file`, open for reading and writing, may hold a beginning that an earlier, broken attempt left: a registry is
        then asked for the rest alone. After UnreachableError what came so far is in the file.
        """

    def has_blob(self, descriptor: Descriptor) -> bool:
        """Whether the blob is there."""

    def put_blob(self, descriptor: Descriptor, source: Path | bytes, advance: Advance, *, absent: bool = False) -> None:
        """Store a blob unless it is there; `absent`: it was just looked for, and is not."""

    def put_manifest(self, data: bytes, media_type: str, tag: str | None) -> Descriptor:
        """Store a manifest whose blobs are there, and let `tag`, when given, name it."""

    def put_referrers(self, manifests: Sequence[bytes]) -> None:
        """Store manifests that refer to artifacts and whose blobs are there; listed at once, which costs once."""

    def delete(self, selector: str | Digest) -> None:
        """Remove a tag, or a manifest; what refers to it stays, and in some registries so do the tags that name it."""

    def alone(self) -> AbstractContextManager[bool]:
        """Keep other writers of tags away while the block runs; gives whether this place can do that."""

    def tags(self) -> list[str]:
        """Every tag, sorted."""

    def referrers(self, digest: Digest, artifact_type: str | None = None) -> list[Descriptor]:
        """The manifests whose subject is `digest`, of one artifact type when it is given."""


def manifest_at(registry: Registry, tag: str) -> StoredManifest | None:
    """The manifest that a tag names now; None where there is no such tag."""
    try:
        return registry.manifest(tag)
    except NotFoundError:
        return None


def digest_at(registry: Registry, tag: str) -> Digest | None:
    """The digest of what a tag names now, which is not fetched; None where there is no such tag."""
    try:
        return registry.resolve(tag).digest
    except NotFoundError:
        return None


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


class Intake:
    """A blob's bytes on their way into `file`: counted, hashed, and never more of them than the descriptor says.

    `place` is where they come from, for errors.
    """

    def __init__(self, descriptor: Descriptor, file: IO[bytes], advance: Advance, place: str) -> None:
        self.descriptor = descriptor
        self.size = 0
        self._file, self._advance, self._place = file, advance, place
        self._begun = 0  # so many bytes are on their way to the disk
        self._digest = ParallelHash()

    @property
    def missing(self) -> int:
        """How many bytes are still to come."""
        return self.descriptor.size - self.size

    def take_up(self) -> int:
        """Read and hash what the file holds already; gives its size. More than the whole blob is thrown away."""
        self._file.seek(0)
        while piece := self._file.read(_CHUNK):
            self.size += len(piece)
            if self.size > self.descriptor.size:
                self.size = 0
                self._digest = ParallelHash()
                self._file.seek(0)
                self._file.truncate()
                break
            self._digest.update(piece)
        self._advance(self.size)
        return self.size

    def start_over(self) -> None:
        """Forget what came so far."""
        self._file.seek(0)
        self._file.truncate()
        self._advance(-self.size)
        self.size = self._begun = 0
        self._digest = ParallelHash()

    def take(self, piece: bytes) -> None:
        """Write some more. Raises ArgosyError when that is more than the whole."""
        if self.size + len(piece) > self.descriptor.size:
            raise ArgosyError(
                f"{self._place} sends more than the {self.descriptor.size} bytes of {self.descriptor.digest}",
                advice=_LIES,
            )
        self.size += len(piece)
        self._digest.update(piece)
        self._file.write(piece)
        self._advance(len(piece))
        if self.size - self._begun >= _WRITE_OUT:
            begin_writing_out(self._file, self._begun, self.size)
            self._begun = self.size

    def is_right(self) -> bool:
        """Whether all bytes came and have the digest."""
        return not self.missing and self._digest.hexdigest() == self.descriptor.digest.hex

    def check(self) -> None:
        """Raises ArgosyError unless size and digest came out right."""
        whole = self.descriptor
        if self.missing:
            raise ArgosyError(
                f"{self._place} gave {self.size} of the {whole.size} bytes of {whole.digest}",
                advice="the transfer was cut short; try again",
            )
        if not self.is_right():
            raise ArgosyError(
                f"{self._place} gave bytes with digest sha256:{self._digest.hexdigest()} for {whole.digest}",
                advice=_LIES,
            )


def copy_checked(
    pieces: Iterable[bytes], descriptor: Descriptor, file: IO[bytes], advance: Advance, place: str
) -> None:
    """Write `pieces` to `file`, never more than the descriptor's size.

    Raises ArgosyError, and leaves the file empty, unless size and digest come out right.
    """
    intake = Intake(descriptor, file, advance, place)
    intake.start_over()
    try:
        for piece in pieces:
            intake.take(piece)
        intake.check()
    except ArgosyError:
        intake.start_over()
        raise


def check_manifest_digest(data: bytes, digest: Digest, place: str) -> None:
    """Raises ArgosyError unless `data` has this digest."""
    if Digest.of(data) != digest:
        raise ArgosyError(f"{place} gave a manifest with digest {Digest.of(data)} for {digest}", advice=_LIES)


_LIES = "what is stored there was changed or damaged; nothing of it was used"
