"""Taking an artifact out of a place, and with it what was only said of it."""

from __future__ import annotations

from argosy.model.digest import Digest
from argosy.model.manifest import INDEX, Index
from argosy.model.reference import Reference
from argosy.oci.fallback import referrers_tag
from argosy.oci.registry import NotFoundError, Registry
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
        if any(
            other != tag and not cosign.is_companion_tag(other) and _names(registry, other, digest)
            for other in registry.tags()
        ):
            registry.delete(tag)
            return [tag]
    else:
        digest = reference.digest
        registry.manifest(digest)
    return _remove_whole(registry, digest, set())


def _remove_whole(registry: Registry, digest: Digest, seen: set[Digest]) -> list[str | Digest]:
    seen.add(digest)
    removed: list[str | Digest] = []
    stored = registry.manifest(digest)
    members = Index.parse(stored.data).manifests if stored.descriptor.media_type == INDEX else ()
    for entry in registry.referrers(digest):
        if entry.digest not in seen:
            removed += _remove_whole(registry, entry.digest, seen)
    for tag in (*cosign.companion_tags(digest), referrers_tag(digest)):
        try:
            companion = registry.resolve(tag).digest
        except NotFoundError:
            continue
        registry.delete(companion)
        removed.append(companion)
    registry.delete(digest)
    removed.append(digest)
    if members:
        kept = _named(registry)
        for entry in members:
            if entry.digest not in seen and entry.digest not in kept:
                removed += _remove_whole(registry, entry.digest, seen)
    return removed


def _named(registry: Registry) -> set[Digest]:
    """What the tags of applications name, and the members of those that are indexes."""
    found: set[Digest] = set()
    for tag in registry.tags():
        if cosign.is_companion_tag(tag):
            continue
        try:
            stored = registry.manifest(tag)
        except NotFoundError:
            continue
        found.add(stored.descriptor.digest)
        if stored.descriptor.media_type == INDEX:
            found.update(entry.digest for entry in Index.parse(stored.data).manifests)
    return found


def _names(registry: Registry, tag: str, digest: Digest) -> bool:
    try:
        return registry.resolve(tag).digest == digest
    except NotFoundError:
        return False
