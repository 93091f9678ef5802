"""The signature section of a wasm module (tool-conventions, Signatures.md): its place, its encoding, what it hashes.

The document and `wasmsign2`, which its author wrote, encode differently: the tool puts a length before each set of
hashes and before each signature. Both are read; which is written is the writer's choice.
"""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass

from argosy.model import wasm
from argosy.model.wasm import Section
from argosy.model.wasm_cursor import Cursor, WasmError

SECTION = "signature"
DELIMITER = "signature_delimiter"
PREAMBLE = bytes([1, 1, 1])  # version, content type (module), hash function (SHA-256)
MESSAGE = b"wasmsig" + PREAMBLE  # what comes before the hashes in the bytes that are signed

_HEADER = 8  # bytes before the first section
_HASH = 32
_MOST = 64  # sets, hashes of one, signatures in all: more would only keep a verifier busy
_LONGEST = 1024  # bytes of a key's identifier, and of a signature


class Encoding(enum.Enum):
    """How sets and signatures follow each other."""

    DOCUMENT = "document"
    WASMSIGN2 = "wasmsign2"


@dataclass(frozen=True, kw_only=True)
class HashesSignature:
    """One signature over hashes: the identifier of its key (any bytes), its algorithm's number, its bytes."""

    key: bytes
    algorithm: int
    signature: bytes


@dataclass(frozen=True, kw_only=True)
class SignedHashes:
    """Hashes, and the signatures over them; they are believed by nobody yet."""

    hashes: tuple[bytes, ...]
    signatures: tuple[HashesSignature, ...]

    @property
    def message(self) -> bytes:
        """The bytes that each signature covers."""
        return MESSAGE + b"".join(self.hashes)


def split(data: bytes, *, source: str) -> tuple[bytes | None, bytes]:
    """The content of a module's signature section, None where it has none, and the module without that section.

    Raises WasmError for what is no module, and for a signature section that is not the first: readers could differ.
    """
    found = wasm.sections(data, source=source)
    signatures = [section for section in found if section.custom == SECTION]
    if not signatures:
        return None, data
    if signatures[0] is not found[0] or len(signatures) > 1:
        raise WasmError(
            "a signature section that is not the one at the beginning", name=source, offset=signatures[-1].offset
        )
    section = signatures[0]
    end = section.offset + section.size
    name = Cursor(data, name=source, start=section.offset, end=end)
    name.text("the section's name")
    return data[name.at : end], data[:_HEADER] + data[end:]


def join(content: bytes, module: bytes) -> bytes:
    """The module, which has no signature section, with one of this content."""
    return module[:_HEADER] + wasm.custom_section(SECTION, content) + module[_HEADER:]


def hashes(module: bytes, *, source: str) -> tuple[bytes, ...]:
    """The rolling SHA-256 of a module without its signature section, at each delimiter and at its end."""
    state, at, found = hashlib.sha256(), _HEADER, []
    sections: tuple[Section, ...] = wasm.sections(module, source=source)
    for section in sections:
        if section.custom == DELIMITER:
            state.update(module[at : section.offset + section.size])
            at = section.offset + section.size
            found.append(state.digest())
    if at < len(module) or not found:
        state.update(module[at:])
        found.append(state.digest())
    return tuple(found)


def encode(sets: tuple[SignedHashes, ...], encoding: Encoding) -> bytes:
    """The section's content."""
    framed = wasm.sized if encoding is Encoding.WASMSIGN2 else bytes
    content = bytearray(PREAMBLE + wasm.unsigned(len(sets)))
    for one in sets:
        encoded = wasm.unsigned(len(one.hashes)) + b"".join(one.hashes) + wasm.unsigned(len(one.signatures))
        for each in one.signatures:
            encoded += framed(wasm.sized(each.key) + bytes([each.algorithm]) + wasm.sized(each.signature))
        content += framed(encoded)
    return bytes(content)


def parse(content: bytes, *, source: str) -> tuple[tuple[SignedHashes, ...], Encoding]:
    """The sets in a section's content, and how they were encoded. Raises WasmError for what is neither encoding."""
    if content[:3] != PREAMBLE:
        raise WasmError(f"a signature section of an unknown kind, {content[:3].hex()}", name=source, offset=0)
    try:
        return _sets(content, source, Encoding.DOCUMENT), Encoding.DOCUMENT
    except WasmError as error:
        try:
            return _sets(content, source, Encoding.WASMSIGN2), Encoding.WASMSIGN2
        except WasmError:
            raise error from None


def _sets(content: bytes, source: str, encoding: Encoding) -> tuple[SignedHashes, ...]:
    cursor = Cursor(content, name=f"{source}, its signature section", start=len(PREAMBLE))
    found, left = [], _MOST
    for _ in range(_count(cursor, "sets of hashes", _MOST)):
        part = _framed(cursor, encoding, "a set of hashes")
        sums = tuple(part.take(_HASH, "a hash") for _ in range(_count(part, "hashes", _MOST)))
        signatures = []
        for _ in range(_count(part, "signatures", left)):
            left -= 1
            one = _framed(part, encoding, "a signature")
            signatures.append(
                HashesSignature(
                    key=_bytes(one, "a key's identifier"),
                    algorithm=one.byte("an algorithm"),
                    signature=_bytes(one, "a signature"),
                )
            )
            if one is not part:
                one.finish("a signature")
        if part is not cursor:
            part.finish("a set of hashes")
        found.append(SignedHashes(hashes=sums, signatures=tuple(signatures)))
    cursor.finish("the signature section")
    return tuple(found)


def _framed(cursor: Cursor, encoding: Encoding, what: str) -> Cursor:
    return cursor if encoding is Encoding.DOCUMENT else cursor.part(cursor.unsigned(f"the length of {what}"), what)


def _bytes(cursor: Cursor, what: str) -> bytes:
    size = cursor.unsigned(f"the length of {what}")
    if size > _LONGEST:
        raise cursor.error(f"{what} of {size} bytes")
    return cursor.take(size, what)


def _count(cursor: Cursor, what: str, most: int) -> int:
    count = cursor.count(what)
    if count > most:
        raise cursor.error(f"{count} {what}, of {most} at most")
    return count
