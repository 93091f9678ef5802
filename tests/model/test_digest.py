"""A digest is taken only in its one strict form."""

from __future__ import annotations

import hashlib

import pytest

from argosy.errors import ArgosyError
from argosy.model.digest import Digest


def test_a_digest_is_written_as_it_was_read() -> None:
    text = f"sha256:{hashlib.sha256(b'cargo').hexdigest()}"
    assert str(Digest.parse(text)) == text
    assert Digest.of(b"cargo") == Digest.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256:",
        "sha256:../../x",
        "sha256:" + "A" * 64,
        "sha256:" + "a" * 63,
        "sha256:" + "a" * 65,
        "sha256:" + "a" * 64 + "\n",
        "sha512:" + "a" * 128,
        "md5:" + "a" * 64,
        "a" * 64,
        "sha256:" + "٣" * 64,
    ],
)
def test_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(ArgosyError, match="not a digest"):
        Digest.parse(text)


def test_a_digest_cannot_be_built_around_the_check() -> None:
    with pytest.raises(ArgosyError):
        Digest(algorithm="sha256", hex="../" * 21 + "x")
