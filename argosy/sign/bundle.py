"""Sigstore bundles as cosign 3 makes them with a key: a DSSE envelope around an in-toto statement.

Such a signature says "this digest" and no name: it does not say of which repository the artifact is. Whether that
suffices is for the policy (`unnamed`). Sources: sigstore's protobuf-specs (bundle v0.3), DSSE's protocol.md, in-toto's
Statement v1, cosign's predicate https://sigstore.dev/cosign/sign/v1.
"""

from __future__ import annotations

import base64
import binascii

from argosy.errors import ArgosyError
from argosy.model import strict_json
from argosy.model.digest import Digest
from argosy.sign.cosign import Claim, SignatureEntry

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PREDICATE_ANNOTATION = "dev.sigstore.bundle.predicateType"
SIGN_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
IN_TOTO = "application/vnd.in-toto+json"
LARGEST_BUNDLE = 1 << 20

_STATEMENT = "https://in-toto.io/Statement/v1"


def entry(data: bytes) -> SignatureEntry:
    """The signature in a bundle, not yet believed. Raises ArgosyError when it is not an envelope signed by one key."""
    bundle = strict_json.read(data, "the signature's bundle", limit=LARGEST_BUNDLE)
    envelope, material = bundle.get("dsseEnvelope"), bundle.get("verificationMaterial")
    if bundle.get("mediaType") != BUNDLE or not isinstance(envelope, dict) or not isinstance(material, dict):
        raise ArgosyError(f"the signature's bundle is not a {BUNDLE} with an envelope")
    if "publicKey" not in material:
        raise ArgosyError("the signature's bundle was made with a certificate; only keys are known here")
    signatures = envelope.get("signatures")
    if not isinstance(signatures, list) or len(signatures) != 1 or not isinstance(signatures[0], dict):
        raise ArgosyError("the signature's bundle must hold exactly one signature")
    if envelope.get("payloadType") != IN_TOTO:
        raise ArgosyError(f"the signature's bundle holds no {IN_TOTO}")
    payload = _decoded(envelope.get("payload"))
    return SignatureEntry(
        payload=payload,
        signature=_decoded(signatures[0].get("sig")),
        signed=pre_authentication_encoding(IN_TOTO, payload),
        claim=claim,
    )


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """The bytes that a DSSE signature covers (PAE)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def claim(payload: bytes) -> Claim:
    """What the statement says. Raises ArgosyError unless it is cosign's statement about exactly one digest."""
    statement = strict_json.read(payload, "the signature's statement", limit=LARGEST_BUNDLE)
    if statement.get("_type") != _STATEMENT or statement.get("predicateType") != SIGN_PREDICATE:
        raise ArgosyError(f"the signature's statement is of type {str(statement.get('predicateType'))[:100]!r}")
    subjects = statement.get("subject")
    subject = subjects[0] if isinstance(subjects, list) and len(subjects) == 1 else None
    digests = subject.get("digest") if isinstance(subject, dict) else None
    hexadecimal = digests.get("sha256") if isinstance(digests, dict) else None
    if not isinstance(hexadecimal, str):
        raise ArgosyError("the signature's statement must be about one SHA-256 digest")
    return Claim(identity=None, digest=Digest.parse(f"sha256:{hexadecimal}"))


def _decoded(text: object) -> bytes:
    try:
        return base64.b64decode(text if isinstance(text, str) else "!", validate=True)
    except (binascii.Error, ValueError):
        raise ArgosyError("the signature's bundle holds what is not base64") from None
