"""Attestations where the artifact is: bundles that refer to it, and cosign 2's manifest at the tag `sha256-<hex>.att`.

cosign 3 looks for the bundles and, only where there are none at all, for the tag; cosign 2 looks for the tag alone. So
each attestation is stored in both forms.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Sequence

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.manifest import MANIFEST, Manifest
from argosy.oci.attach import Attachment, attach
from argosy.oci.merge import merge
from argosy.oci.registry import Registry, StoredManifest, manifest_at, small_blob
from argosy.sign import attestation, bundle, cosign, dsse
from argosy.sign.attestation import Report, Statement
from argosy.sign.dsse import Envelope
from argosy.sign.keys import PrivateKey, PublicKey
from argosy.sign.trust import Trust
from argosy.sign.verdict import Verdict

_MOST_BYTES = 32 << 20  # of all bundles, or all layers, of one artifact: they are read into memory


def read_attestations(registry: Registry, digest: Digest) -> list[Envelope]:
    """The envelopes of statements that are stored for the manifest `digest`, none of them checked, each once.

    For `argosy.sign.attestation.verify`. What cannot be read as an envelope is passed over. Raises ArgosyError when
    there are more than a verifier should look at.
    """
    tagged = _tagged(registry, manifest_at(registry, cosign.attestation_tag(digest)))
    return list(dict.fromkeys((*read_bundles(registry, digest), *tagged)))


def trusted_attestations(registry: Registry, verdict: Verdict, trust: Trust, digest: Digest) -> Report:
    """The attestations of an artifact that the policy accepted, as far as keys signed them that count for it.

    These are the keys that may sign it, and those whose attestations the policy requires. `digest` is the artifact's:
    the verdict's own, or that of a member of the index that was accepted.
    """
    rule = trust.policy.rule_for(verdict.identity or "")
    if rule is None:
        return Report(attestations=(), refused=())
    now = datetime.datetime.now(datetime.UTC)
    names = dict.fromkeys((*rule.keys, *(name for each in rule.attestations for name in each.keys)))
    keys = {name: trust.keys[name] for name in names if trust.policy.key(name).refusal(now) is None}
    return attestation.verify(read_attestations(registry, digest), digest=digest, keys=keys)


def read_bundles(registry: Registry, digest: Digest, *, signatures: bool = False) -> list[Envelope]:
    """The envelopes in the bundles that refer to the manifest `digest`: attestations, or cosign's `signatures`.

    Which it is, is the word of the bundle's annotation, or both where it has none: only the signed payload tells.
    """
    referrers = registry.referrers(digest, bundle.BUNDLE)
    if len(referrers) > cosign.MOST_SIGNATURES:
        raise ArgosyError(f"{registry.name}: {len(referrers)} bundles refer to {digest}; so many are not read")
    found, left = [], _MOST_BYTES
    for referrer in referrers:
        kind = referrer.annotations.get(bundle.PREDICATE_ANNOTATION)
        if kind is not None and (kind == bundle.SIGN_PREDICATE) != signatures:
            continue
        manifest = Manifest.parse(registry.manifest(referrer.digest).data)
        for layer in manifest.layers[:1]:
            data = small_blob(registry, layer, limit=min(bundle.LARGEST_BUNDLE, left))
            left -= len(data)
            with contextlib.suppress(ArgosyError):
                found.append(bundle.envelope(data))
    return found


def add_attestation(registry: Registry, *, digest: Digest, statement: Statement, key: PrivateKey) -> bool:
    """As `add_attestations`, of one; whether it is new."""
    return add_attestations(registry, digest=digest, statements=[statement], key=key) > 0


def add_attestations(
    registry: Registry,
    *,
    digest: Digest,
    statements: Sequence[Statement],
    key: PrivateKey,
    beside: Sequence[Attachment] = (),
) -> int:
    """Sign statements about the manifest `digest` and store them beside those that are there; gives how many are new.

    New is one that by this key is not there yet, in one of the two forms. `beside` is attached in the same go.
    """
    kinds = {attestation.sign(key, one): one.predicate_type for one in statements}
    there = read_bundles(registry, digest)
    unbundled = {one: kind for one, kind in kinds.items() if not _holds(there, one, key.public)}
    bundles = [_bundled(one, kind, key.public) for one, kind in unbundled.items()]
    if bundles or beside:
        attach(registry, digest, [*beside, *bundles])
    added = set(unbundled)

    def change(stored: StoredManifest | None) -> tuple[bytes, str] | None:
        tagged = _tagged(registry, stored)
        missing = [(one, kind) for one, kind in kinds.items() if not _holds(tagged, one, key.public)]
        if not missing:
            return None
        added.update(one for one, _ in missing)
        new = cosign.append_attestations(None if stored is None else stored.data, missing)
        manifest = Manifest.parse(new.manifest)
        registry.put_blob(manifest.config, new.config, lambda amount: None)
        for layer, payload in zip(manifest.layers[-len(missing) :], new.payloads, strict=True):
            registry.put_blob(layer, payload, lambda amount: None)
        return new.manifest, MANIFEST

    merge(registry, cosign.attestation_tag(digest), change)
    return len(added)


def add_signature_bundle(registry: Registry, *, digest: Digest, envelope: Envelope, key: PrivateKey) -> bool:
    """Store a signature that `key` made as a bundle that refers to the manifest `digest`; False when it is there."""
    if _holds(read_bundles(registry, digest, signatures=True), envelope, key.public):
        return False
    attach(registry, digest, [_bundled(envelope, bundle.SIGN_PREDICATE, key.public)])
    return True


def _bundled(envelope: Envelope, predicate_type: str, key: PublicKey) -> Attachment:
    return Attachment(
        artifact_type=bundle.BUNDLE,
        content=bundle.to_bytes(envelope, key),
        annotations={bundle.CONTENT_ANNOTATION: "dsse-envelope", bundle.PREDICATE_ANNOTATION: predicate_type},
    )


def _holds(stored: list[Envelope], envelope: Envelope, key: PublicKey) -> bool:
    """Whether one that says the same, by this key, is among those that are stored."""
    return any(
        one.payload == envelope.payload and one.payload_type == envelope.payload_type and one.accepted_by(key)
        for one in stored
    )


def _tagged(registry: Registry, stored: StoredManifest | None) -> list[Envelope]:
    if stored is None:
        return []
    what = f"{registry.name}: the manifest of attestations"
    manifest = Manifest.parse(stored.data, media_type=stored.descriptor.media_type, what=what)
    found, left = [], _MOST_BYTES
    for layer in cosign.attestation_layers(manifest):
        data = small_blob(registry, layer, limit=min(bundle.LARGEST_BUNDLE, left))
        left -= len(data)
        with contextlib.suppress(ArgosyError):
            found.append(dsse.read(data, what))
    return found
