"""Signatures inside the wasm itself, so that a file which was copied without a registry can still be checked.

Source: tool-conventions, Signatures.md. It knows Ed25519 only and leaves room for others: ECDSA on P-256 has the number
`ECDSA_P256` here, its signature in DER as elsewhere. A signature covers the whole module and nothing beside it; the
name that it stands for is `layout/` and that of the recipe in the module's own note.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from argosy.errors import ArgosyError
from argosy.model import wasm, wasm_signature
from argosy.model.digest import Digest
from argosy.model.note import recipe_note
from argosy.model.wasm_signature import Encoding, HashesSignature, SignedHashes
from argosy.sign.cosign import Claim, SignatureEntry
from argosy.sign.keys import Algorithm, PrivateKey
from argosy.sign.trust import Trust
from argosy.sign.verdict import Verdict
from argosy.sign.verify import verify

ED25519, ECDSA_P256 = 0x01, 0xF1

_NUMBERS = {Algorithm.ED25519: ED25519, Algorithm.P256: ECDSA_P256}


def embed(module: bytes, key: PrivateKey, *, encoding: Encoding | None = None, source: str = "the module") -> bytes:
    """The module with a signature by `key` in it, beside those that are there; the same input gives the same bytes.

    `encoding`: by default that of the signatures that are there, else the document's. Raises WasmError for what is no
    module, ArgosyError where signatures are there that are of something else.
    """
    content, bare = wasm_signature.split(module, source=source)
    sets: tuple[SignedHashes, ...] = ()
    if content is not None:
        sets, found = wasm_signature.parse(content, source=source)
        encoding = encoding or found
    hashes = wasm_signature.hashes(bare, source=source)
    ours = SignedHashes(hashes=hashes, signatures=())
    if any(one.hashes != hashes for one in sets):
        raise ArgosyError(f"{source} holds a signature of another module, or of a part", advice="build it again")
    signature = HashesSignature(
        key=bytes.fromhex(key.public.fingerprint.hex),
        algorithm=_NUMBERS[key.public.algorithm],
        signature=key.sign(ours.message, repeatable=True),
    )
    before = tuple(each for one in sets for each in one.signatures if each != signature)
    whole = replace(ours, signatures=(*before, signature))
    return wasm_signature.join(wasm_signature.encode((whole,), encoding or Encoding.DOCUMENT), bare)


def bare_digest(module: bytes, *, source: str) -> Digest:
    """The digest that a module has without its signature section: that of what was built."""
    return Digest.of(wasm_signature.split(module, source=source)[1])


def entries(module: bytes, *, source: str) -> list[SignatureEntry]:
    """The signatures in a module, not yet believed; each is for the digest of the whole file, once it is found good.

    A signature of an unknown algorithm is passed over. Raises WasmError for what is no module or has a signature
    section that cannot be read.
    """
    content, bare = wasm_signature.split(module, source=source)
    if content is None:
        return []
    hashes = wasm_signature.hashes(bare, source=source)

    def claim(payload: bytes) -> Claim:
        if payload != b"".join(hashes):
            raise ArgosyError("it is for another module: this one was changed after it was signed")
        note = recipe_note(wasm.read(bare, source=source))
        return Claim(identity=f"layout/{note.name}" if note else None, digest=Digest.of(module))

    return [
        SignatureEntry(payload=b"".join(one.hashes), signature=each.signature, signed=one.message, claim=claim)
        for one in wasm_signature.parse(content, source=source)[0]
        for each in one.signatures
        if each.algorithm in _NUMBERS.values()
    ]


def verify_file(path: Path, trust: Trust, *, repository: str | None = None) -> Verdict:
    """As `verify_module`, of the file at `path`. Raises ArgosyError also where it cannot be read."""
    try:
        module = path.read_bytes()
    except OSError as error:
        raise ArgosyError(f"cannot read {path}: {error.strerror}") from error
    return verify_module(module, trust, source=str(path), repository=repository)


def verify_module(module: bytes, trust: Trust, *, source: str, repository: str | None = None) -> Verdict:
    """Decide on a module by the signatures in it; `repository` is what it should be, by default what it says.

    Raises WasmError where it is no module.
    """
    return verify(
        trust,
        repository=repository,
        digest=Digest.of(module),
        signatures=entries(module, source=source),
        parts=[bare_digest(module, source=source)],
    )
