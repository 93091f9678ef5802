"""Sigstore bundles made with a key, as cosign 3 makes them: a DSSE envelope around an in-toto statement.

A signature is the statement whose predicate is cosign's own; others are attestations. cosign's own signatures say "this
digest" and no name; ours name the repository as the statement's subject. Sources: sigstore's protobuf-specs (bundle
v0.3), cosign's predicate https://sigstore.dev/cosign/sign/v1.
"""

from __future__ import annotations

import base64

from argosy.errors import ArgosyError
from argosy.model import strict_json
from argosy.model.digest import Digest
from argosy.sign import attestation, dsse
from argosy.sign.attestation import IN_TOTO, STATEMENT, Statement, Subject
from argosy.sign.cosign import Claim, SignatureEntry
from argosy.sign.dsse import Envelope
from argosy.sign.keys import PrivateKey, PublicKey

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
CONTENT_ANNOTATION = "dev.sigstore.bundle.content"
PREDICATE_ANNOTATION = "dev.sigstore.bundle.predicateType"
SIGN_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
LARGEST_BUNDLE = 4 << 20


def envelope(data: bytes, what: str = "the signature's bundle") -> Envelope:
    """The envelope in a bundle, not yet believed. Raises ArgosyError when it is none, or not signed by one key."""
    bundle = strict_json.read(data, what, limit=LARGEST_BUNDLE)
    content, material = bundle.get("dsseEnvelope"), bundle.get("verificationMaterial")
    if bundle.get("mediaType") != BUNDLE or not isinstance(content, dict) or not isinstance(material, dict):
        raise ArgosyError(f"{what} is not a {BUNDLE} with an envelope")
    if "publicKey" not in material:
        raise ArgosyError(f"{what} was made with a certificate; only keys are known here")
    found = dsse.parse(content, what)
    if len(found.signatures) != 1:
        raise ArgosyError(f"{what} must hold exactly one signature")
    return found


def to_bytes(envelope: Envelope, key: PublicKey) -> bytes:
    """The bundle around an envelope that `key`'s owner signed."""
    # What Go's JSON library writes for protobuf: cosign finds the key by this hint among several.
    hint = base64.b64encode(bytes.fromhex(key.fingerprint.hex)).decode()
    return strict_json.write(
        {
            "mediaType": BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": hint}},
            "dsseEnvelope": envelope.to_json(),
        }
    )


def sign(key: PrivateKey, *, identity: str, digest: Digest) -> Envelope:
    """A signature by `key` that the manifest `digest` is the artifact of the repository `identity`."""
    subject = Subject(digest=digest, name=identity)
    return attestation.sign(key, Statement(subjects=(subject,), predicate_type=SIGN_PREDICATE, predicate={}))


def entry(found: Envelope) -> SignatureEntry:
    """The signature in a bundle's envelope, not yet believed. Raises ArgosyError when it holds no statement."""
    if found.payload_type != IN_TOTO:
        raise ArgosyError(f"the signature's bundle holds no {IN_TOTO}")
    return SignatureEntry(
        payload=found.payload,
        signature=found.signatures[0],
        signed=found.signed,
        claim=claim,
    )


def claim(payload: bytes) -> Claim:
    """What the statement says. Raises ArgosyError unless it is cosign's statement about exactly one digest."""
    statement = attestation.parse(payload, "the signature's statement", kinds=(STATEMENT,))
    if statement.predicate_type != SIGN_PREDICATE:
        raise ArgosyError(f"the signature's statement is of type {statement.predicate_type[:100]!r}")
    if len(statement.subjects) != 1:
        raise ArgosyError("the signature's statement must be about one SHA-256 digest")
    return Claim(identity=statement.subjects[0].name, digest=statement.subjects[0].digest)
