"""cosign's signatures: a simple-signing payload, kept as a layer of the manifest tagged `sha256-<hex>.sig`.

Attestations, as cosign 2 keeps them, are layers of the one tagged `sha256-<hex>.att`.

Source: cosign's specs/SIGNATURE_SPEC.md and containers/image's "Simple signing" payload.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from argosy.errors import ArgosyError
from argosy.model import strict_json
from argosy.model.digest import Digest
from argosy.model.manifest import Descriptor, Manifest
from argosy.sign.dsse import ENVELOPE, Envelope
from argosy.sign.keys import PrivateKey

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature"
LARGEST_PAYLOAD = 65536
MOST_SIGNATURES = 64  # more would only keep a verifier busy (CVE-2024-29902)

_LATEST = 253402300800  # the year 10000
_PREDICATE_ANNOTATION = "predicateType"
_TYPE = "cosign container image signature"
_IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a payload says: that the manifest of this digest is the artifact of this name, where it gives a name.

    `signed_at`: when the signature was made, in seconds since 1970, where the signer says.
    """

    identity: str | None
    digest: Digest
    signed_at: int | None = None


@dataclass(frozen=True, kw_only=True)
class SignatureEntry:
    """One signature as it was found, not yet believed.

    `signature` is DER, over the bytes `signed`; `claim` reads `payload`, once the signature is found good.
    """

    payload: bytes
    signature: bytes
    signed: bytes
    claim: Callable[[bytes], Claim]


@dataclass(frozen=True, kw_only=True)
class SignatureManifest:
    """A manifest of signatures and the blobs that it names, ready to be stored."""

    manifest: bytes
    config: bytes
    payloads: tuple[bytes, ...]


def signature_tag(digest: Digest) -> str:
    """The tag under which the signatures of the manifest `digest` are kept."""
    return f"{digest.algorithm}-{digest.hex}.sig"


def attestation_tag(digest: Digest) -> str:
    """The tag under which cosign 2 keeps the attestations of the manifest `digest`."""
    return f"{digest.algorithm}-{digest.hex}.att"


def companion_tags(digest: Digest) -> tuple[str, ...]:
    """The tags under which cosign keeps signatures, attestations and bills of materials of the manifest `digest`."""
    return tuple(f"{digest.algorithm}-{digest.hex}.{kind}" for kind in ("sig", "att", "sbom"))


def is_companion_tag(tag: str) -> bool:
    """Whether a tag holds signatures, attestations or referrers of something else, not an artifact."""
    algorithm, _, rest = tag.partition("-")
    return algorithm == "sha256" and len(rest.split(".")[0]) == 64


def sign(key: PrivateKey, *, identity: str, digest: Digest, signed_at: int | None = None) -> SignatureEntry:
    """A signature by `key` that the manifest `digest` is the artifact of the repository `identity`.

    `signed_at` is the time that it states (default: now), as in containers/image's "Simple signing":
    `optional.timestamp`.
    """
    payload = strict_json.write(
        {
            "critical": {
                "identity": {"docker-reference": identity},
                "image": {"docker-manifest-digest": str(digest)},
                "type": _TYPE,
            },
            "optional": {"timestamp": int(time.time()) if signed_at is None else signed_at},
        }
    )
    return simple(payload, key.sign(payload))


def simple(payload: bytes, signature: bytes) -> SignatureEntry:
    """A signature directly over a simple-signing payload."""
    return SignatureEntry(payload=payload, signature=signature, signed=payload, claim=claim)


def claim(payload: bytes) -> Claim:
    """What the payload says. Raises ArgosyError when it is not a simple-signing payload in every point."""
    value = strict_json.read(payload, "the signature's payload", limit=LARGEST_PAYLOAD)
    critical, optional = value.get("critical"), value.get("optional")
    identity, image = (critical.get(key) if isinstance(critical, dict) else None for key in ("identity", "image"))
    if not isinstance(critical, dict) or not isinstance(identity, dict) or not isinstance(image, dict):
        raise ArgosyError("the signature's payload is not a simple-signing payload")
    if critical.get("type") != _TYPE:
        raise ArgosyError(f"the signature's payload is of type {str(critical.get('type'))[:100]!r}, not {_TYPE!r}")
    name, digest = identity.get("docker-reference"), image.get("docker-manifest-digest")
    if not isinstance(name, str) or not isinstance(digest, str):
        raise ArgosyError("the signature's payload names no artifact")
    moment = optional.get("timestamp") if isinstance(optional, dict) else None
    signed_at = moment if type(moment) is int and 0 <= moment < _LATEST else None
    return Claim(identity=name, digest=Digest.parse(digest), signed_at=signed_at)


def append(existing: bytes | None, entry: SignatureEntry, *, instead_of: Sequence[bytes] = ()) -> SignatureManifest:
    """The manifest of signatures with one more; `existing` is the one that is stored now, None for none yet.

    Layers that are there stay as they are, but for the signatures that it takes the place of. Its `payloads` hold only
    the new blob.
    """
    layers = () if existing is None else Manifest.parse(existing, what="the signatures' manifest").layers
    replaced = {base64.b64encode(signature).decode() for signature in instead_of}
    layers = tuple(one for one in layers if one.annotations.get(SIGNATURE_ANNOTATION) not in replaced)
    layer = Descriptor(
        media_type=SIMPLE_SIGNING,
        digest=Digest.of(entry.payload),
        size=len(entry.payload),
        annotations={SIGNATURE_ANNOTATION: base64.b64encode(entry.signature).decode()},
    )
    return _with_layers((*layers, layer), (entry.payload,))


def append_attestations(existing: bytes | None, envelopes: Sequence[tuple[Envelope, str]]) -> SignatureManifest:
    """The manifest of attestations, as cosign 2 keeps it, with more; `existing` and `payloads` as for `append`.

    Each envelope comes with its statement's predicate type.
    """
    layers = () if existing is None else Manifest.parse(existing, what="the attestations' manifest").layers
    payloads = tuple(envelope.to_bytes() for envelope, _ in envelopes)
    new = tuple(
        Descriptor(
            media_type=ENVELOPE,
            digest=Digest.of(data),
            size=len(data),
            # cosign takes the annotation for what tells its layers, and leaves its text empty: the envelope is signed.
            annotations={SIGNATURE_ANNOTATION: "", _PREDICATE_ANNOTATION: kind},
        )
        for data, (_, kind) in zip(payloads, envelopes, strict=True)
    )
    return _with_layers((*layers, *new), payloads)


def union(first: bytes, second: bytes) -> SignatureManifest | None:
    """The manifest of the signatures (or attestations) in both; None where the first one holds them all."""
    layers, others = (Manifest.parse(one, what="the signatures' manifest").layers for one in (first, second))
    missing = tuple(layer for layer in others if layer not in layers)
    return _with_layers((*layers, *missing), ()) if missing else None


def _with_layers(layers: tuple[Descriptor, ...], payloads: tuple[bytes, ...]) -> SignatureManifest:
    if len(layers) > MOST_SIGNATURES:
        raise ArgosyError(f"these are {len(layers)} signatures; more than {MOST_SIGNATURES} are not read")
    config = strict_json.write(
        {
            "architecture": "",
            "created": "0001-01-01T00:00:00Z",
            "history": [{"created": "0001-01-01T00:00:00Z"} for _ in layers],
            "os": "",
            "rootfs": {"type": "layers", "diff_ids": [str(one.digest) for one in layers]},
            "config": {},
        }
    )
    manifest = Manifest(
        config=Descriptor(media_type=_IMAGE_CONFIG, digest=Digest.of(config), size=len(config)), layers=layers
    )
    return SignatureManifest(manifest=manifest.to_bytes(), config=config, payloads=payloads)


def attestation_layers(manifest: Manifest) -> list[Descriptor]:
    """Each layer that claims to be an attestation. Raises ArgosyError as `signature_layers` does."""
    if len(manifest.layers) > MOST_SIGNATURES:
        raise ArgosyError(f"{len(manifest.layers)} attestations are stored; more than {MOST_SIGNATURES} are not read")
    return [layer for layer in manifest.layers if layer.media_type == ENVELOPE]


def signature_layers(manifest: Manifest) -> list[tuple[Descriptor, bytes]]:
    """Each layer that claims to be a signature, with its DER signature; anything else in the manifest is passed over.

    Raises ArgosyError when there are more than a verifier should look at.
    """
    if len(manifest.layers) > MOST_SIGNATURES:
        raise ArgosyError(f"{len(manifest.layers)} signatures are stored; more than {MOST_SIGNATURES} are not read")
    found = []
    for layer in manifest.layers:
        encoded = layer.annotations.get(SIGNATURE_ANNOTATION)
        if layer.media_type != SIMPLE_SIGNING or encoded is None or layer.size > LARGEST_PAYLOAD:
            continue
        try:
            found.append((layer, base64.b64decode(encoded, validate=True)))
        except (binascii.Error, ValueError):
            continue
    return found
