"""Taking an artifact out of a place, and with it what was only said of it."""

from __future__ import annotations

import contextlib

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.manifest import INDEX, Index
from argosy.model.reference import Reference
from argosy.oci.fallback import referrers_tag
from argosy.oci.registry import Registry, digest_at, manifest_at
from argosy.sign import cosign


def remove(registry: Registry, reference: Reference) -> list[str | Digest]:
    """Remove the tag or the artifact that `reference` names; gives what was removed.

    A tag goes alone where another one names the artifact too. Otherwise the artifact goes with every tag of it, what
    refers to it, and cosign's tags beside it; of an index also the members that nothing else names. Raises
    NotFoundError, ArgosyError where the registry does not do that.
    """
    if reference.digest is None:
        tag = reference.tag or "latest"
        digest = registry.resolve(tag).digest
        tags = _names(registry, digest)
        if any(other != tag for other in tags):
            registry.delete(tag)
            return [tag]
    else:
        digest = reference.digest
        registry.manifest(digest)
        tags = _names(registry, digest)
    return _remove_whole(registry, digest, tags, set())


def _remove_whole(registry: Registry, digest: Digest, tags: list[str], seen: set[Digest]) -> list[str | Digest]:
    seen.add(digest)
    removed: list[str | Digest] = []
    stored = registry.manifest(digest)
    members = Index.parse(stored.data).manifests if stored.descriptor.media_type == INDEX else ()
    for entry in registry.referrers(digest):
        if entry.digest not in seen:
            removed += _remove_whole(registry, entry.digest, [], seen)
    for tag in (*cosign.companion_tags(digest), referrers_tag(digest)):
        companion = digest_at(registry, tag)
        if companion is not None:
            _remove_tagged(registry, companion, [tag])
            removed.append(companion)
    _remove_tagged(registry, digest, tags)
    removed.append(digest)
    if members:
        kept = _in_use(registry)
        for entry in members:
            if entry.digest not in seen and entry.digest not in kept:
                removed += _remove_whole(registry, entry.digest, [], seen)
    return removed


def _in_use(registry: Registry) -> set[Digest]:
    """What the tags of applications name, and the members of those that are indexes."""
    found: set[Digest] = set()
    for tag in registry.tags():
        stored = None if cosign.is_companion_tag(tag) else manifest_at(registry, tag)
        if stored is None:
            continue
        found.add(stored.descriptor.digest)
        if stored.descriptor.media_type == INDEX:
            found.update(entry.digest for entry in Index.parse(stored.data).manifests)
    return found


def _remove_tagged(registry: Registry, digest: Digest, tags: list[str]) -> None:
    """Remove a manifest, and the tags of it: for some registries these go with it, for others they stay."""
    registry.delete(digest)
    for tag in tags:
        with contextlib.suppress(ArgosyError):
            registry.delete(tag)
        if digest_at(registry, tag) == digest:
            raise ArgosyError(f"{registry.name}: {tag} still names {digest}, which was deleted")


def _names(registry: Registry, digest: Digest) -> list[str]:
    """The tags of an artifact."""
    return [tag for tag in registry.tags() if not cosign.is_companion_tag(tag) and digest_at(registry, tag) == digest]
