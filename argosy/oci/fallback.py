"""What refers to an artifact, in a registry without the referrers API: an index under a tag of its own.

Source: distribution specification 1.1, "Referrers Tag Schema".
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.manifest import INDEX, MANIFEST, Descriptor, Index, Manifest
from argosy.oci.merge import merge
from argosy.oci.registry import NotFoundError, Registry, StoredManifest, manifest_at

MOST_REFERRERS = 256


def referrers_tag(digest: Digest) -> str:
    """The tag under which the index of what refers to `digest` lies."""
    return f"{digest.algorithm}-{digest.hex}"


def referrer(entry: Descriptor, manifest: Manifest) -> Descriptor:
    """The descriptor by which a manifest is listed as a referrer: with its type and its annotations."""
    kind = manifest.artifact_type or manifest.config.media_type
    return replace(entry, media_type=MANIFEST, artifact_type=kind, annotations=manifest.annotations)


def listed(registry: Registry, digest: Digest) -> list[Descriptor]:
    """The manifests in the index that do refer to `digest`.

    What the index says of a manifest's type is not to be relied on: writers differ; so the manifest is asked. One that
    is listed and is not there any more is passed over.
    """
    stored = manifest_at(registry, referrers_tag(digest))
    return [] if stored is None else opened(registry, digest, _index(stored).manifests)


def opened(registry: Registry, subject: Digest, entries: Collection[Descriptor]) -> list[Descriptor]:
    """The entries as their manifests have it, without those that do not refer to `subject` or are not there any more.

    Raises ArgosyError where there are more than anybody should open.
    """
    if len(entries) > MOST_REFERRERS:
        raise ArgosyError(f"{registry.name}: {len(entries)} manifests refer to {subject}; so many are not read")
    found = []
    for entry in entries:
        try:
            manifest = Manifest.parse(registry.manifest(entry.digest).data)
        except NotFoundError:
            continue
        if manifest.subject is not None and manifest.subject.digest == subject:
            found.append(referrer(entry, manifest))
    return found


def add(registry: Registry, subject: Digest, entries: Sequence[Descriptor]) -> None:
    """List `entries` among what refers to `subject`, beside what others list at the same time."""

    def change(stored: StoredManifest | None) -> tuple[bytes, str] | None:
        index = Index() if stored is None else _index(stored)
        known = {one.digest for one in index.manifests}
        new = tuple(entry for entry in entries if entry.digest not in known)
        if not new:
            return None
        if len(index.manifests) + len(new) > MOST_REFERRERS:
            raise ArgosyError(
                f"{registry.name}: {len(index.manifests)} manifests refer to {subject} already; no more than "
                f"{MOST_REFERRERS} are read"
            )
        return replace(index, manifests=(*index.manifests, *new)).to_bytes(), INDEX

    merge(registry, referrers_tag(subject), change)


def remove(registry: Registry, subject: Digest, referrer: Digest) -> None:
    """List `referrer` no longer."""

    def change(stored: StoredManifest | None) -> tuple[bytes, str] | None:
        index = Index() if stored is None else _index(stored)
        kept = tuple(one for one in index.manifests if one.digest != referrer)
        return None if len(kept) == len(index.manifests) else (replace(index, manifests=kept).to_bytes(), INDEX)

    merge(registry, referrers_tag(subject), change)


def _index(stored: StoredManifest) -> Index:
    return Index.parse(stored.data, media_type=stored.descriptor.media_type)
