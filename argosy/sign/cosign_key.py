"""Private keys as `cosign generate-key-pair` writes them: PKCS8 inside a NaCl secret box, its key derived by scrypt.

Source: sigstore's go-securesystemslib/encrypted; PEM of type `ENCRYPTED SIGSTORE PRIVATE KEY` (before 2.0, COSIGN).
"""

from __future__ import annotations

import base64
import binascii
import re

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from argosy.errors import ArgosyError
from argosy.model import strict_json

_PEM = re.compile(
    rb"-----BEGIN ENCRYPTED (SIGSTORE|COSIGN) PRIVATE KEY-----(.*)-----END ENCRYPTED \1 PRIVATE KEY-----", re.DOTALL
)
# What cosign writes, and its older default; a file that asks for more only keeps us busy.
_MOST_WORK, _MOST_MEMORY = 1 << 20, 1 << 30


def is_one(pem: bytes) -> bool:
    """Whether this is such a key."""
    return _PEM.search(pem) is not None


def decrypt(pem: bytes, password: str, source: str) -> bytes:
    """The PKCS8 DER inside.

    Raises ValueError where the password is wrong, ArgosyError for what is no such key, or where PyNaCl is not there.
    """
    try:
        from nacl.exceptions import CryptoError
        from nacl.secret import SecretBox
    except ImportError:
        raise ArgosyError(
            f"{source} is in cosign's own key format, which takes PyNaCl to open",
            advice="pip install 'argosy[cosign]', or make a PKCS8 PEM key with `argosy keys generate`",
        ) from None
    match = _PEM.search(pem)
    assert match is not None
    try:
        box = strict_json.read(base64.b64decode(b"".join(match[2].split()), validate=True), source)
        kdf, cipher = box["kdf"], box["cipher"]
        if not isinstance(kdf, dict) or not isinstance(cipher, dict):
            raise TypeError
        if kdf.get("name") != "scrypt" or cipher.get("name") != "nacl/secretbox":
            raise ArgosyError(f"{source}: a key encrypted by {kdf.get('name')!r} and {cipher.get('name')!r} is unknown")
        work, blocks, parallel = (int(kdf["params"][name]) for name in ("N", "r", "p"))
        salt, nonce, ciphertext = (
            base64.b64decode(text, validate=True) for text in (kdf["salt"], cipher["nonce"], str(box["ciphertext"]))
        )
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise ArgosyError(f"{source} is not a key as cosign writes them", advice="it may be damaged") from None
    if not 1 < work <= _MOST_WORK or not 0 < 128 * blocks * work <= _MOST_MEMORY or not 0 < parallel <= 16:
        raise ArgosyError(f"{source} asks for more work than any key does")
    derived = Scrypt(salt=salt, length=SecretBox.KEY_SIZE, n=work, r=blocks, p=parallel).derive(password.encode())
    try:
        return SecretBox(derived).decrypt(ciphertext, nonce)
    except CryptoError:
        raise ValueError("the password is wrong") from None
