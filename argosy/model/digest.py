"""A content digest: the name of exact bytes (OCI image specification, "Digests")."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from argosy.errors import ArgosyError

_FORM = re.compile(r"sha256:([0-9a-f]{64})")


@dataclass(frozen=True, kw_only=True, order=True)
class Digest:
    """`algorithm` is always sha256; `hex` is 64 lower-case hexadecimal digits, so both are safe in a file's name."""

    algorithm: str
    hex: str

    def __post_init__(self) -> None:
        if not _FORM.fullmatch(f"{self.algorithm}:{self.hex}"):
            raise ArgosyError(
                f"not a digest that Argosy accepts: {f'{self.algorithm}:{self.hex}'[:100]!r}",
                advice="a digest is written sha256: and 64 lower-case hexadecimal digits",
            )

    @classmethod
    def parse(cls, text: str) -> Digest:
        """The digest written as `sha256:…`. Raises ArgosyError on any other form or algorithm."""
        algorithm, _, hexadecimal = text.partition(":")
        return cls(algorithm=algorithm, hex=hexadecimal)

    @classmethod
    def of(cls, data: bytes) -> Digest:
        """The SHA-256 of `data`."""
        return cls(algorithm="sha256", hex=hashlib.sha256(data).hexdigest())

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"
