"""Attestations: signed in-toto statements about an artifact, such as its provenance and its bill of materials.

Sources: in-toto's attestation framework (Statement v1, and v0.1 as cosign 2 writes it), SLSA's provenance v1 and v0.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from argosy.errors import ArgosyError
from argosy.model import strict_json
from argosy.model.digest import Digest
from argosy.model.strict_json import JsonObject
from argosy.sign import dsse
from argosy.sign.dsse import Envelope
from argosy.sign.keys import PrivateKey, PublicKey

IN_TOTO = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
SPDX = "https://spdx.dev/Document"

_STATEMENTS = (STATEMENT, "https://in-toto.io/Statement/v0.1")
_OLD_PROVENANCE = "https://slsa.dev/provenance/v0.2"
_MOST_SUBJECTS = 256


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a statement is about: a digest, and the name that its maker gives it, where there is one."""

    digest: Digest
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What a statement says; of its subjects those that have a SHA-256 digest."""

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: JsonObject

    def to_bytes(self) -> bytes:
        """The payload to sign; equal statements are equal bytes."""
        subjects = [
            {**({"name": one.name} if one.name else {}), "digest": {"sha256": one.digest.hex}} for one in self.subjects
        ]
        return strict_json.write(
            {
                "_type": STATEMENT,
                "subject": subjects,
                "predicateType": self.predicate_type,
                "predicate": self.predicate,
            }
        )


@dataclass(frozen=True, kw_only=True)
class Attestation:
    """A statement about one artifact that trusted keys signed.

    `signers` are the keys' names; `subject` is the artifact with the name that the statement gives it (a repository,
    where Argosy or cosign made it); `builder` is who built it, where the statement is a SLSA provenance.
    """

    signers: tuple[str, ...]
    subject: Subject
    predicate_type: str
    builder: str | None
    predicate: JsonObject
    payload: bytes


@dataclass(frozen=True, kw_only=True)
class Report:
    """The attestations that hold, and in words why each other one does not."""

    attestations: tuple[Attestation, ...]
    refused: tuple[str, ...]

    def of_type(self, predicate_type: str) -> tuple[Attestation, ...]:
        return tuple(one for one in self.attestations if one.predicate_type == predicate_type)


def sign(key: PrivateKey, statement: Statement) -> Envelope:
    """The statement in an envelope, signed by `key`."""
    return dsse.sign(key, payload_type=IN_TOTO, payload=statement.to_bytes())


def verify(envelopes: Sequence[Envelope], *, digest: Digest, keys: Mapping[str, PublicKey]) -> Report:
    """Which of the envelopes hold statements about the manifest `digest` that one of `keys`, given by name, signed.

    A payload is read only after a key accepted it with its type. The same statement by several keys, in one envelope
    or several, is one attestation with several signers. Raises nothing: what does not hold is told in `refused`.
    """
    found: dict[bytes, Attestation] = {}
    refused = []
    for number, envelope in enumerate(envelopes, 1):
        label = f"attestation {number} of {len(envelopes)}"
        signers = tuple(name for name, key in keys.items() if envelope.accepted_by(key))
        if not signers:
            refused.append(f"{label} was made by no trusted key, or was changed")
            continue
        try:
            attestation = _attestation(envelope, digest, signers)
        except ArgosyError as error:
            refused.append(f"{label}, by {', '.join(signers)}: {error.what}")
            continue
        earlier = found.get(envelope.payload)
        found[envelope.payload] = attestation if earlier is None else _joined(earlier, attestation, keys)
    return Report(attestations=tuple(found.values()), refused=tuple(refused))


def _attestation(envelope: Envelope, digest: Digest, signers: tuple[str, ...]) -> Attestation:
    if envelope.payload_type != IN_TOTO:
        raise ArgosyError(f"its payload is of type {envelope.payload_type[:100]!r}, not {IN_TOTO!r}")
    statement = parse(envelope.payload)
    subject = next((one for one in statement.subjects if one.digest == digest), None)
    if subject is None:
        about = ", ".join(str(one.digest) for one in statement.subjects[:3]) or "nothing with a SHA-256 digest"
        raise ArgosyError(f"it is about another artifact: {about}")
    return Attestation(
        signers=signers,
        subject=subject,
        predicate_type=statement.predicate_type,
        builder=_builder(statement),
        predicate=statement.predicate,
        payload=envelope.payload,
    )


def _joined(one: Attestation, other: Attestation, order: Iterable[str]) -> Attestation:
    both = {*one.signers, *other.signers}
    return replace(one, signers=tuple(name for name in order if name in both))


def parse(payload: bytes, what: str = "the statement", *, kinds: Sequence[str] = _STATEMENTS) -> Statement:
    """Read a statement, of one of these `kinds`, strictly. Raises ArgosyError naming the first thing that is wrong."""
    value = strict_json.read(payload, what)
    if value.get("_type") not in kinds:
        raise ArgosyError(f"{what} is of type {str(value.get('_type'))[:100]!r}, not {STATEMENT!r}")
    kind, subjects, predicate = (value.get(key) for key in ("predicateType", "subject", "predicate"))
    if not isinstance(kind, str) or not 0 < len(kind) <= 255 or not kind.isprintable():
        raise ArgosyError(f"{what}: predicateType is not a short text")
    if not isinstance(subjects, list) or not 0 < len(subjects) <= _MOST_SUBJECTS:
        raise ArgosyError(f"{what}: subject is not a list of 1 to {_MOST_SUBJECTS}")
    if not isinstance(predicate, dict | None):
        raise ArgosyError(f"{what}: predicate is not an object")
    read = (_subject(one, what) for one in subjects)
    return Statement(
        subjects=tuple(one for one in read if one is not None),
        predicate_type=kind,
        predicate=cast("JsonObject", predicate or {}),
    )


def _subject(value: object, what: str) -> Subject | None:
    digests = value.get("digest") if isinstance(value, dict) else None
    name = value.get("name") if isinstance(value, dict) else None
    if not isinstance(digests, dict) or not isinstance(name, str | None) or not (name or "").isprintable():
        raise ArgosyError(f"{what}: a subject is not a name with digests")
    hexadecimal = digests.get("sha256")
    if hexadecimal is None:
        return None
    return Subject(digest=Digest.parse(f"sha256:{hexadecimal}"), name=name or None)


def _builder(statement: Statement) -> str | None:
    """Who built the subject, of a SLSA provenance. Raises ArgosyError where such a one does not say."""
    if statement.predicate_type == PROVENANCE:
        details = statement.predicate.get("runDetails")
    elif statement.predicate_type == _OLD_PROVENANCE:
        details = statement.predicate
    else:
        return None
    builder = details.get("builder") if isinstance(details, dict) else None
    name = builder.get("id") if isinstance(builder, dict) else None
    if not isinstance(name, str) or not name or not name.isprintable():
        raise ArgosyError("it is a provenance that names no builder")
    return name
