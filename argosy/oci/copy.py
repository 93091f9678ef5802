"""An artifact from one place to another, with all that is said of it: signatures, attestations, bills of materials.

No digest changes. What the target has is not sent again; what both repositories of one registry can share is mounted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from argosy.errors import ArgosyError
from argosy.files import lock, resumable_file
from argosy.folders import cache_root
from argosy.model.digest import Digest
from argosy.model.manifest import INDEX, MANIFEST, Descriptor, Index, Manifest
from argosy.oci.layout import Layout
from argosy.oci.merge import merge
from argosy.oci.registry import Advance, Registry, StoredManifest, manifest_at, small_blob
from argosy.progress import progress
from argosy.sign import cosign

_MOST_MANIFESTS = 1024  # of one artifact: its index's, its referrers', theirs
_DEEPEST = 4
_SMALL = 1 << 20  # bytes: such a blob is worth no file on its way


@dataclass(frozen=True, kw_only=True)
class Copied:
    """What was copied: the artifact's digest, and how much of it all had to be sent."""

    digest: Digest
    manifests: int
    blobs: int
    bytes: int


def copy(
    source: Registry, target: Registry, selector: str | Digest | None, *, tag: str | None, companions: bool = True
) -> Copied:
    """Copy what `selector` names in `source`, and let `tag` (None: nothing) name it in `target`.

    With `companions`, also what refers to it and cosign's tags beside it; signatures that the target has already stay.
    The tag is set last: a copy that is interrupted leaves it as it was. Raises ArgosyError.
    """
    work = _Copy(source, target, companions)
    stored = source.manifest(selector)
    digest = work.manifest(stored, depth=0, tag=None if companions else tag)
    if tag is not None and companions:
        target.put_manifest(stored.data, stored.descriptor.media_type, tag)
    return Copied(digest=digest, manifests=len(work.seen), blobs=work.blobs, bytes=work.bytes)


class _Copy:
    def __init__(self, source: Registry, target: Registry, companions: bool) -> None:
        self._source, self._target, self._companions = source, target, companions
        self.seen: set[Digest] = set()
        self.blobs = 0
        self.bytes = 0

    def manifest(self, stored: StoredManifest, *, depth: int, tag: str | None = None) -> Digest:
        """Copy a manifest after what it names, let `tag` name it, and then copy what refers to it."""
        digest, media_type = stored.descriptor.digest, stored.descriptor.media_type
        if digest in self.seen:
            return digest
        self.seen.add(digest)
        what = f"{self._source.name}@{digest}"
        if depth > _DEEPEST or len(self.seen) > _MOST_MANIFESTS:
            raise ArgosyError(f"{what}: what belongs to it is nested too deeply, or too much, to be genuine")
        if media_type == INDEX:
            for entry in Index.parse(stored.data, what=what).manifests:
                self.manifest(self._source.manifest(entry.digest), depth=depth + 1)
        elif media_type == MANIFEST:
            manifest = Manifest.parse(stored.data, what=what)
            for blob in {one.digest: one for one in (manifest.config, *manifest.layers)}.values():
                self._blob(blob)
        else:
            raise ArgosyError(f"{what} is of media type {media_type[:100]!r}, which is not copied")
        self._target.put_manifest(stored.data, media_type, tag)
        if self._companions:
            self._beside(digest, depth)
        return digest

    def _beside(self, digest: Digest, depth: int) -> None:
        for entry in self._source.referrers(digest):
            self.manifest(self._source.manifest(entry.digest), depth=depth + 1)
        for tag in cosign.companion_tags(digest):
            stored = manifest_at(self._source, tag)
            if stored is None:
                continue
            for layer in (manifest := Manifest.parse(stored.data)).layers:
                self._blob(layer)
            self._blob(manifest.config)
            merge(self._target, tag, self._with_theirs(stored))

    def _with_theirs(self, ours: StoredManifest) -> Callable[[StoredManifest | None], tuple[bytes, str] | None]:
        """A change that adds our signatures to those that the target has."""

        def change(theirs: StoredManifest | None) -> tuple[bytes, str] | None:
            if theirs is None:
                return ours.data, MANIFEST
            both = cosign.union(theirs.data, ours.data)
            if both is None:
                return None
            config = Manifest.parse(both.manifest).config
            self._target.put_blob(config, both.config, lambda amount: None)
            return both.manifest, MANIFEST

        return change

    def _blob(self, blob: Descriptor) -> None:
        if self._target.has_blob(blob) or self._mounted(blob):
            return
        self.blobs += 1
        self.bytes += blob.size
        with progress(f"copy {blob.digest.hex[:12]}", 2 * blob.size) as advance:
            if isinstance(self._source, Layout) and self._source.has_blob(blob):
                advance(blob.size)
                self._target.put_blob(blob, self._source.blob_path(blob), advance, absent=True)
            elif blob.size <= _SMALL:
                data = small_blob(self._source, blob)
                advance(blob.size)
                self._target.put_blob(blob, data, advance, absent=True)
            elif isinstance(self._target, Layout):
                advance(blob.size)
                self._target.fetch_blob(blob, self._source, advance)
            else:
                self._through_a_file(blob, advance)

    def _mounted(self, blob: Descriptor) -> bool:
        source, target = self._source, self._target
        if isinstance(source, Layout) or isinstance(target, Layout):
            return False
        from argosy.oci.remote import Remote

        return (
            isinstance(source, Remote)
            and isinstance(target, Remote)
            and source.transport.base == target.transport.base
            and source.repository != target.repository
            and target.mount(blob, source.repository)
        )

    def _through_a_file(self, blob: Descriptor, advance: Advance) -> None:
        """Fetch it whole, so that nothing is sent on that is not what it should be; a broken fetch goes on later."""
        folder = cache_root() / "transfers"
        path = folder / blob.digest.hex
        with lock(folder / f"{blob.digest.hex}.lock"):
            with resumable_file(path) as file:
                self._source.blob(blob, file, advance)
            try:
                self._target.put_blob(blob, path, advance, absent=True)
            finally:
                path.unlink(missing_ok=True)
