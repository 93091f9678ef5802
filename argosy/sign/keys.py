"""Signing keys: ECDSA on P-256 or Ed25519, private in PKCS8 PEM (RFC 5958), public in SPKI PEM (RFC 5280).

A key has one algorithm, by its type: a signature names none, so none can be taken for another.
"""

from __future__ import annotations

import enum
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from argosy.errors import ArgosyError, UsageError
from argosy.files import write_whole
from argosy.model.digest import Digest
from argosy.sign import cosign_key
from argosy.terminal import ask

PASSWORD_VARIABLE = "ARGOSY_KEY_PASSWORD"
_LARGEST_KEY_FILE = 65536
_KINDS = "ECDSA on P-256 or Ed25519"


class Algorithm(enum.Enum):
    """How a new key shall sign."""

    P256 = "ecdsa-p256"
    ED25519 = "ed25519"


@dataclass(frozen=True)
class PublicKey:
    """A key that checks signatures."""

    key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

    @property
    def algorithm(self) -> Algorithm:
        return Algorithm.ED25519 if isinstance(self.key, ed25519.Ed25519PublicKey) else Algorithm.P256

    @property
    def fingerprint(self) -> Digest:
        """SHA-256 of the SPKI DER form: what tells this key from every other."""
        return Digest.of(
            self.key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        )

    def pem(self) -> bytes:
        return self.key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def accepts(self, signature: bytes, data: bytes) -> bool:
        """Whether `signature` was made over `data` by this key's owner.

        On P-256 it is DER over SHA-256 (RFC 3279, section 2.2.3), with Ed25519 64 bytes (RFC 8032).
        """
        try:
            if isinstance(self.key, ed25519.Ed25519PublicKey):
                self.key.verify(signature, data)
            else:
                self.key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, repr=False)
class PrivateKey:
    """A key that makes signatures."""

    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

    @property
    def public(self) -> PublicKey:
        return PublicKey(self.key.public_key())

    def sign(self, data: bytes, *, repeatable: bool = False) -> bytes:
        """A signature over `data`, in the form that `PublicKey.accepts` tells.

        With `repeatable` the same data have the same signature (on P-256 by RFC 6979; with Ed25519 they always have).
        """
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(data)
        return self.key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=repeatable))


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """Where a new pair was put, and its fingerprint."""

    private: Path
    public: Path
    fingerprint: Digest


def ask_password(path: Path) -> str:
    """The passphrase of the key at `path`: $ARGOSY_KEY_PASSWORD, else asked for on the terminal.

    Raises ArgosyError when there is neither.
    """
    given = os.environ.get(PASSWORD_VARIABLE)
    if given is not None:
        return given
    return ask(f"passphrase of {path}", advice=f"put the passphrase in ${PASSWORD_VARIABLE}")


def generate(private: Path, *, password: str | None = None, algorithm: Algorithm = Algorithm.P256) -> KeyPair:
    """Make a pair: `private` (mode 0600, encrypted when a password is given) and, beside it, the same name with .pub.

    Raises UsageError rather than overwrite a key that is there.
    """
    public = private.with_suffix(".pub")
    if public == private:
        raise UsageError(f"{private} is the public key's name", advice="name the private key, as in argosy.key")
    for path in (private, public):
        if os.path.lexists(path):
            raise UsageError(
                f"there is a key at {path} already",
                advice="it is never overwritten; choose another name, or move the old key away yourself",
            )
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    if algorithm is Algorithm.ED25519:
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        key = ec.generate_private_key(ec.SECP256R1())
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password.encode())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    _create(private, pem)
    made = PublicKey(key.public_key())
    write_whole(public, made.pem())
    return KeyPair(private=private, public=public, fingerprint=made.fingerprint)


def load_private(path: Path, *, password: Callable[[Path], str] = ask_password) -> PrivateKey:
    """The private key in a PKCS8 PEM file, or in cosign's own format; `password` is asked only for an encrypted one.

    `env:NAME` as the path means that variable's value, `fd:N` what can be read from that open file, for CI. Raises
    ArgosyError when others can read the file, it holds no key of a kind that is used here, or the passphrase is wrong.
    """
    pem = _read_private(path)
    encrypted = b"ENCRYPTED" in pem
    try:
        if cosign_key.is_one(pem):
            key = serialization.load_der_private_key(cosign_key.decrypt(pem, password(path), str(path)), None)
        else:
            key = serialization.load_pem_private_key(pem, password(path).encode() if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if encrypted:
            raise ArgosyError(
                f"cannot open the private key {path}: the passphrase is wrong, or the file is damaged",
                advice=f"the passphrase is asked for, or taken from ${PASSWORD_VARIABLE}",
            ) from None
        raise ArgosyError(f"{path} holds no private key in PKCS8 PEM form") from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return PrivateKey(key)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ArgosyError(f"the key in {path} is not {_KINDS}", advice="make one with `argosy keys generate`")
    return PrivateKey(key)


def load_public(path: Path) -> PublicKey:
    """The public key in an SPKI PEM file. Raises ArgosyError."""
    return parse_public(_read(path, private=False), str(path))


def parse_public(pem: bytes, source: str) -> PublicKey:
    """A public key from PEM. Raises ArgosyError naming `source` when it is none, or of a kind that is not used here."""
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        what = "a private key where a public one belongs" if b"PRIVATE KEY" in pem else "no public key in PEM form"
        raise ArgosyError(f"{source} holds {what}", advice="the public half of a key ends in .pub") from None
    if isinstance(key, ed25519.Ed25519PublicKey):
        return PublicKey(key)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ArgosyError(f"the key in {source} is not {_KINDS}")
    return PublicKey(key)


def _create(path: Path, data: bytes) -> None:
    """Write a file that only its owner reads and that was not there before, flushed to the disk."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ArgosyError(f"cannot write the private key {path}: {error.strerror}") from error


def _read_private(path: Path) -> bytes:
    """A private key's text: from a file, a variable (env:NAME) or an open file (fd:N)."""
    kind, _, name = str(path).partition(":")
    if kind == "env" and name:
        text = os.environ.get(name)
        if text is None:
            raise ArgosyError(f"${name}, which should hold the private key, is not set")
        return text.encode()
    if kind == "fd" and name.isdecimal():
        try:
            with os.fdopen(os.dup(int(name)), "rb") as file:
                return file.read(_LARGEST_KEY_FILE)
        except OSError as error:
            raise ArgosyError(f"cannot read the private key from {path}: {error.strerror}") from error
    return _read(path, private=True)


def _read(path: Path, *, private: bool) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if private and stat.S_IMODE(mode) & 0o077:
                raise ArgosyError(
                    f"the private key {path} can be reached by others than its owner (mode {stat.S_IMODE(mode):04o})",
                    advice=f"chmod 600 {path}",
                )
            data = file.read(_LARGEST_KEY_FILE + 1)
    except OSError as error:
        raise ArgosyError(
            f"cannot read the key {path}: {error.strerror}",
            advice="`argosy keys generate` makes a pair" if isinstance(error, FileNotFoundError) else "",
        ) from error
    if len(data) > _LARGEST_KEY_FILE:
        raise ArgosyError(f"{path} is too large to be a key")
    return data
