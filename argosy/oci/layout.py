"""An OCI image-layout folder as a registry without a server (image specification, "Image Layout").

Blobs are whole or absent and named by digest, so they need no lock. Only index.json is read, changed and replaced
under one: `.index.lock`, a file of its own, because index.json itself is replaced at each change.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from argosy.errors import ArgosyError
from argosy.files import lock, resumable_file, sha256_of, whole_file, write_whole
from argosy.model import strict_json
from argosy.model.digest import Digest
from argosy.model.manifest import INDEX, MANIFEST, REF_NAME, Descriptor, Index, Manifest, declared_media_type
from argosy.oci.registry import (
    Advance,
    NotFoundError,
    Registry,
    StoredManifest,
    check_manifest_digest,
    copy_checked,
    open_source,
)
from argosy.sign.cosign import is_companion_tag

_LAYOUT = strict_json.write({"imageLayoutVersion": "1.0.0"})
_CHUNK = 1 << 20


class Layout:
    """The folder at `path`; it is made at the first write."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        return f"oci:{self.path}"

    def resolve(self, selector: str | Digest | None) -> Descriptor:
        return self.manifest(selector).descriptor

    def manifest(self, selector: str | Digest | None) -> StoredManifest:
        digest = selector if isinstance(selector, Digest) else self._entry(selector).digest
        data = self._read(self._blob_path(digest), f"the manifest {digest}")
        check_manifest_digest(data, digest, self.name)
        media_type = declared_media_type(data, f"{self.name}, manifest {digest}")
        return StoredManifest(descriptor=Descriptor(media_type=media_type, digest=digest, size=len(data)), data=data)

    def blob(self, descriptor: Descriptor, file: IO[bytes], advance: Advance) -> None:
        if not self.has_blob(descriptor):
            raise NotFoundError(f"{self.name} has no blob {descriptor.digest}")
        with open_source(self._blob_path(descriptor.digest)) as source:
            copy_checked(iter(lambda: source.read(_CHUNK), b""), descriptor, file, advance, self.name)

    def has_blob(self, descriptor: Descriptor) -> bool:
        with self._reachable():
            return self._blob_path(descriptor.digest).is_file()

    def put_blob(self, descriptor: Descriptor, source: Path | bytes, advance: Advance, *, absent: bool = False) -> None:
        path = self._blob_path(descriptor.digest)
        with self._reachable():
            # A blob that was damaged where it lies is put right by storing it again.
            there = path.is_file() and sha256_of(path) == descriptor.digest.hex
            if there:
                os.utime(path)  # somebody counts on it: see `collect`
        if there:
            advance(descriptor.size)
            return
        self._prepare()
        place = "the artifact" if isinstance(source, bytes) else str(source)
        with open_source(source) as opened, whole_file(path) as file:
            copy_checked(iter(lambda: opened.read(_CHUNK), b""), descriptor, file, advance, place)

    def fetch_blob(self, descriptor: Descriptor, source: Registry, advance: Advance) -> None:
        """Store a blob that `source` has; of one that breaks off, what came is there for the next time."""
        self._prepare()
        with resumable_file(self._blob_path(descriptor.digest)) as file:
            source.blob(descriptor, file, advance)

    def put_manifest(self, data: bytes, media_type: str, tag: str | None) -> Descriptor:
        entry = Descriptor(media_type=media_type, digest=Digest.of(data), size=len(data))
        needed: tuple[Descriptor, ...] = ()
        if media_type == MANIFEST:
            manifest = Manifest.parse(data)
            entry = replace(entry, artifact_type=manifest.artifact_type)
            needed = (manifest.config, *manifest.layers)
        elif media_type == INDEX:
            needed = Index.parse(data).manifests
        self._prepare()
        with self._changing() as index:
            for blob in needed:
                if not self.has_blob(blob):
                    raise NotFoundError(f"{self.name} has no blob {blob.digest}, which the new manifest names")
            write_whole(self._blob_path(entry.digest), data)
            self._replace(index, _with(index.manifests, entry, tag))
        return entry

    def put_referrers(self, manifests: Sequence[bytes]) -> None:
        for data in manifests:
            self.put_manifest(data, MANIFEST, None)

    def delete(self, selector: str | Digest) -> None:
        digest = selector if isinstance(selector, Digest) else self._entry(selector).digest
        with self._changing() as index:
            entries = index.manifests
            if isinstance(selector, str):
                entries = tuple(_untagged(one) if _tag(one) == selector else one for one in entries)
            else:
                entries = tuple(one for one in entries if one.digest != digest)
                if len(entries) == len(index.manifests):
                    raise NotFoundError(f"{self.name} has no manifest {digest}")
            self._replace(index, entries)
            if isinstance(selector, Digest) and digest.hex not in self._reached(replace(index, manifests=entries)):
                self._blob_path(digest).unlink(missing_ok=True)

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        self._prepare()
        with lock(self.path / ".writer.lock"):
            yield True

    def collect(self, *, older_than: float) -> list[Digest]:
        """Remove the blobs that no manifest of index.json leads to; gives their digests.

        Of a writer that has stored its blobs and not yet its manifest nothing is taken as long as its blobs, or its
        looking for them, are not `older_than` so many seconds.
        """
        newest = time.time() - older_than
        removed = []
        with self._changing() as index, self._reachable():
            kept = self._reached(index)
            for path in sorted((self.path / "blobs").glob("*/*")):
                try:
                    if path.name in kept or path.stat().st_mtime > newest:
                        continue
                    path.unlink()
                except FileNotFoundError:
                    continue  # it was another writer's, who has given it its name
                if not path.name.startswith("."):  # what a writer left that was killed
                    removed.append(Digest(algorithm=path.parent.name, hex=path.name))
        return removed

    def _reached(self, index: Index) -> set[str]:
        """The names of the blobs that the index leads to."""
        found: set[str] = set()
        waiting = list(index.manifests)
        while waiting:
            entry = waiting.pop()
            if entry.digest.hex in found:
                continue
            found.add(entry.digest.hex)
            if entry.media_type == INDEX:
                waiting += Index.parse(self.manifest(entry.digest).data).manifests
            elif entry.media_type == MANIFEST:
                manifest = Manifest.parse(self.manifest(entry.digest).data)
                found |= {one.digest.hex for one in (manifest.config, *manifest.layers)}
        return found

    def _replace(self, index: Index, entries: tuple[Descriptor, ...]) -> None:
        write_whole(self.path / "index.json", Index(manifests=entries, annotations=index.annotations).to_bytes())

    def tags(self) -> list[str]:
        return sorted({tag for entry in self._index().manifests if (tag := _tag(entry)) is not None})

    def referrers(self, digest: Digest, artifact_type: str | None = None) -> list[Descriptor]:
        found: dict[Digest, Descriptor] = {}
        for entry in self._index().manifests:
            if entry.media_type != MANIFEST:
                continue
            manifest = Manifest.parse(self.manifest(entry.digest).data, what=f"{self.name}, manifest {entry.digest}")
            kind = manifest.artifact_type or manifest.config.media_type
            if manifest.subject is not None and manifest.subject.digest == digest and artifact_type in (None, kind):
                found[entry.digest] = replace(entry, artifact_type=kind, annotations=manifest.annotations)
        return list(found.values())

    def blob_path(self, descriptor: Descriptor) -> Path:
        """Where the blob's bytes are, unchecked."""
        return self._blob_path(descriptor.digest)

    def _blob_path(self, digest: Digest) -> Path:
        return self.path / "blobs" / digest.algorithm / digest.hex

    def _read(self, path: Path, what: str) -> bytes:
        """A small file's bytes; of a large one just enough that the strict reader sees that it is too large."""
        try:
            with path.open("rb") as file:
                return file.read(strict_json.LARGEST_DOCUMENT + 1)
        except (FileNotFoundError, NotADirectoryError):
            advice = "" if self.path.is_dir() else "there is no such folder"
            raise NotFoundError(f"{self.name} has not {what}", advice=advice) from None
        except OSError as error:
            raise ArgosyError(f"cannot read {path}: {error.strerror}") from error

    def _index(self) -> Index:
        layout = strict_json.read(
            self._read(self.path / "oci-layout", "the file oci-layout"), f"{self.name}/oci-layout"
        )
        if layout.get("imageLayoutVersion") != "1.0.0":
            raise ArgosyError(
                f"{self.name} is an image layout of version {str(layout.get('imageLayoutVersion'))[:50]!r}, not '1.0.0'"
            )
        return Index.parse(self._read(self.path / "index.json", "an index.json"), what=f"{self.name}/index.json")

    def _entry(self, tag: str | None) -> Descriptor:
        entries = self._index().manifests
        if tag is not None:
            found = [entry for entry in entries if _tag(entry) == tag]
            if len({entry.digest for entry in found}) > 1:
                raise ArgosyError(f"{self.name} has the tag {tag!r} for {len(found)} different artifacts")
        else:
            found = [one for one in entries if (name := _tag(one)) is not None and not is_companion_tag(name)]
            found = found or [one for one in entries if _tag(one) is None]
        if len({entry.digest for entry in found}) == 1:
            return found[0]
        known = ", ".join(tag for tag in self.tags() if not is_companion_tag(tag)) or "no tags"
        if tag is None and found:
            raise ArgosyError(f"{self.name} holds several artifacts: say which", advice=f"it has: {known}")
        raise NotFoundError(f"{self.name} has no {f'tag {tag!r}' if tag else 'artifact'}", advice=f"it has: {known}")

    def _prepare(self) -> None:
        """Make the folder a layout. Another writer may be doing so too: oci-layout is there before anything else."""
        with self._reachable():
            others = [one for one in self.path.iterdir() if not one.name.startswith(".")] if self.path.is_dir() else []
            if (self.path / "oci-layout").is_file():
                return
        if others:
            raise ArgosyError(
                f"{self.path} is a folder with other things in it, not an image layout",
                advice="name a new or empty folder",
            )
        write_whole(self.path / "oci-layout", _LAYOUT)

    @contextlib.contextmanager
    def _reachable(self) -> Iterator[None]:
        """Tells what the operating system does not allow."""
        try:
            yield
        except OSError as error:
            raise ArgosyError(f"cannot use the image layout {self.path}: {error.strerror}") from error

    @contextlib.contextmanager
    def _changing(self) -> Iterator[Index]:
        with lock(self.path / ".index.lock"):
            yield self._index() if (self.path / "index.json").exists() else Index()


def _tag(entry: Descriptor) -> str | None:
    return entry.annotations.get(REF_NAME)


def _untagged(entry: Descriptor) -> Descriptor:
    return replace(entry, annotations={key: text for key, text in entry.annotations.items() if key != REF_NAME})


def _with(entries: tuple[Descriptor, ...], new: Descriptor, tag: str | None) -> tuple[Descriptor, ...]:
    """The index's entries with `new`, tagged or not. What had the tag before stays, without it, found by digest."""
    if tag is not None:
        new = replace(new, annotations={REF_NAME: tag})
        entries = tuple(_untagged(one) if _tag(one) == tag else one for one in entries)
    tagged = {one.digest for one in (*entries, new) if _tag(one) is not None}
    kept: list[Descriptor] = []
    for one in (*entries, new):
        redundant = _tag(one) is None and (one.digest in tagged or any(one.digest == other.digest for other in kept))
        if not redundant:
            kept.append(one)
    return tuple(kept)
