"""Signatures where the artifact is: cosign's manifest at the tag `sha256-<hex>.sig`, and bundles that refer to it."""

from __future__ import annotations

import contextlib

from argosy.errors import ArgosyError
from argosy.model.artifact import Description
from argosy.model.digest import Digest
from argosy.model.manifest import INDEX, MANIFEST, Index, Manifest
from argosy.model.reference import Reference, check_repository
from argosy.oci.attestations import add_signature_bundle, read_bundles
from argosy.oci.merge import merge
from argosy.oci.registry import Registry, StoredManifest, manifest_at, small_blob
from argosy.sign import bundle, cosign
from argosy.sign.cosign import Claim, SignatureEntry
from argosy.sign.keys import PrivateKey


def signed_name(reference: Reference, manifest: StoredManifest, repository: str | None = None) -> str:
    """The name under which an artifact is signed: its `docker-reference` in cosign's payload.

    For a registry that is `host[:port]/repository`. A layout folder has no such name: it is `repository` when
    given (where the artifact will be published), else `layout/` and the artifact's own title.
    """
    if repository is not None:
        return check_repository(repository)
    if reference.registry is not None:
        return reference.name
    index = manifest.descriptor.media_type == INDEX
    said = Index.parse(manifest.data) if index else Manifest.parse(manifest.data)
    title = Description.from_annotations(said.annotations).name
    if not title:
        raise ArgosyError(
            f"the artifact in {reference.name} has no title to be signed under", advice="name it with --repository"
        )
    return check_repository(f"layout/{title.lower()}")


def members_of(stored: StoredManifest, what: str) -> tuple[Digest, ...]:
    """The manifests that an index names; none for what is a manifest itself."""
    if stored.descriptor.media_type != INDEX:
        return ()
    return tuple(one.digest for one in Index.parse(stored.data, what=what).manifests if one.media_type == MANIFEST)


def read_signatures(registry: Registry, digest: Digest) -> list[SignatureEntry]:
    """The signatures that are stored for the manifest `digest`, none of them checked: cosign's `.sig` and bundles."""
    bundles: list[SignatureEntry] = []
    for envelope in read_bundles(registry, digest, signatures=True):
        with contextlib.suppress(ArgosyError):
            bundles.append(bundle.entry(envelope))
    return _simple_signatures(registry, digest) + bundles


def has_bundle(registry: Registry, digest: Digest) -> bool:
    """Whether a bundle with a signature seems to be stored for the manifest `digest`, by its annotation alone."""
    return any(
        one.annotations.get(bundle.PREDICATE_ANNOTATION) == bundle.SIGN_PREDICATE
        for one in registry.referrers(digest, bundle.BUNDLE)
    )


def _simple_signatures(registry: Registry, digest: Digest) -> list[SignatureEntry]:
    stored = manifest_at(registry, cosign.signature_tag(digest))
    return [] if stored is None else _signatures_in(registry, stored)


def _signatures_in(registry: Registry, stored: StoredManifest) -> list[SignatureEntry]:
    manifest = Manifest.parse(
        stored.data, media_type=stored.descriptor.media_type, what=f"{registry.name}: the manifest of signatures"
    )
    return [
        cosign.simple(small_blob(registry, layer, limit=cosign.LARGEST_PAYLOAD), signature)
        for layer, signature in cosign.signature_layers(manifest)
    ]


def sign_artifact(registry: Registry, *, identity: str, digest: Digest, key: PrivateKey, renew: bool = False) -> bool:
    """Sign the manifest `digest` as `identity`, and store the signature in both of cosign's forms.

    cosign 2 looks at `.sig` alone, cosign 3 only where no bundle refers to the artifact, not even an attestation. False
    when signatures by this key that say the same are there already; `renew` as for `add_signature`: the time of a
    signature is in `.sig` alone.
    """
    signed = bundle.sign(key, identity=identity, digest=digest)
    bundled = add_signature_bundle(registry, digest=digest, envelope=signed, key=key)
    return add_signature(registry, identity=identity, digest=digest, key=key, renew=renew) or bundled


def add_signature(registry: Registry, *, identity: str, digest: Digest, key: PrivateKey, renew: bool = False) -> bool:
    """Sign the manifest `digest` as `identity` and store the signature as `.sig`, beside those that are there.

    False when a signature by this key that says the same is there already. With `renew` one that was made earlier does
    not suffice and is replaced: the new one says that the artifact is (still, or again) what is meant now.
    """
    entry = cosign.sign(key, identity=identity, digest=digest)
    said = entry.claim(entry.payload)
    since = said.signed_at or 0

    def change(stored: StoredManifest | None) -> tuple[bytes, str] | None:
        same = {} if stored is None else _same(registry, stored, said, key)
        if any(not renew or signed_at >= since for signed_at in same.values()):
            return None
        new = cosign.append(None if stored is None else stored.data, entry, instead_of=tuple(same))
        manifest = Manifest.parse(new.manifest)
        registry.put_blob(manifest.config, new.config, lambda amount: None)
        for payload in new.payloads:
            registry.put_blob(manifest.layers[-1], payload, lambda amount: None)
        return new.manifest, MANIFEST

    return merge(registry, cosign.signature_tag(digest), change)


def _same(registry: Registry, stored: StoredManifest, said: Claim, key: PrivateKey) -> dict[bytes, int]:
    """The stored signatures by this key that say the same, each with the time when it was made (0: it does not say)."""
    found = {}
    for one in _signatures_in(registry, stored):
        if key.public.accepts(one.signature, one.payload):
            with contextlib.suppress(ArgosyError):
                claim = one.claim(one.payload)
                if (claim.identity, claim.digest) == (said.identity, said.digest):
                    found[one.signature] = claim.signed_at or 0
    return found
