"""Envelopes around signed payloads (DSSE 1.0, protocol.md and envelope.md): the payload, its type, and signatures.

What is signed is the payload together with its type, so neither can be taken for another.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from argosy.errors import ArgosyError
from argosy.model import strict_json
from argosy.model.strict_json import JsonObject
from argosy.sign.keys import PrivateKey, PublicKey

ENVELOPE = "application/vnd.dsse.envelope.v1+json"
MOST_SIGNATURES = 16  # in one envelope; more would only keep a verifier busy


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """A payload with its type and signatures, as it was found: nothing of it is believed before a key accepted it."""

    payload_type: str
    payload: bytes
    signatures: tuple[bytes, ...]

    @property
    def signed(self) -> bytes:
        """The bytes that each signature covers."""
        return pre_authentication_encoding(self.payload_type, self.payload)

    def accepted_by(self, key: PublicKey) -> bool:
        """Whether one of the signatures was made by this key's owner."""
        return any(key.accepts(signature, self.signed) for signature in self.signatures)

    def to_json(self) -> JsonObject:
        return {
            "payload": base64.b64encode(self.payload).decode(),
            "payloadType": self.payload_type,
            "signatures": [{"sig": base64.b64encode(signature).decode()} for signature in self.signatures],
        }

    def to_bytes(self) -> bytes:
        """The envelope's JSON, as cosign's layers of attestations hold it."""
        return strict_json.write(self.to_json())


def sign(key: PrivateKey, *, payload_type: str, payload: bytes) -> Envelope:
    """An envelope with one signature by `key`."""
    signature = key.sign(pre_authentication_encoding(payload_type, payload))
    return Envelope(payload_type=payload_type, payload=payload, signatures=(signature,))


def parse(value: object, what: str) -> Envelope:
    """The envelope in a JSON value; `what` names it in errors. Raises ArgosyError for what is none."""
    if not isinstance(value, dict):
        raise ArgosyError(f"{what} is not a DSSE envelope")
    kind, signatures = value.get("payloadType"), value.get("signatures")
    if not isinstance(kind, str) or not kind.isascii() or not isinstance(signatures, list):
        raise ArgosyError(f"{what} is not a DSSE envelope")
    if not 0 < len(signatures) <= MOST_SIGNATURES:
        raise ArgosyError(f"{what} holds {len(signatures)} signatures; 1 to {MOST_SIGNATURES} are read")
    return Envelope(
        payload_type=kind,
        payload=_decoded(value.get("payload"), what),
        signatures=tuple(_decoded(one.get("sig") if isinstance(one, dict) else None, what) for one in signatures),
    )


def read(data: bytes, what: str) -> Envelope:
    """The envelope in JSON bytes. Raises ArgosyError for what is none."""
    return parse(strict_json.read(data, what), what)


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """The bytes that a DSSE signature covers (PAE)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _decoded(text: object, what: str) -> bytes:
    try:
        return base64.b64decode(text if isinstance(text, str) else "!", validate=True)
    except (binascii.Error, ValueError):
        raise ArgosyError(f"{what} holds what is not base64") from None
