"""Challenges are read as servers write them; a token server sees credentials only where it serves the registry."""

from __future__ import annotations

import pytest

from argosy.errors import ArgosyError
from argosy.oci.challenge import origin, parse, serves, token


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('Basic realm="argosy"', [("basic", {"realm": "argosy"})]),
        (
            'Bearer realm="https://auth.example.org/token",service="s",scope="repository:a:pull repository:b:push"',
            [
                (
                    "bearer",
                    {
                        "realm": "https://auth.example.org/token",
                        "service": "s",
                        "scope": "repository:a:pull repository:b:push",
                    },
                )
            ],
        ),
        (
            'Negotiate, Basic realm="a \\"b\\"", charset=UTF-8',
            [("negotiate", {}), ("basic", {"realm": 'a "b"', "charset": "UTF-8"})],
        ),
        ('BEARER Realm = "x"', [("bearer", {"realm": "x"})]),
        ("", []),
        ('"', []),
    ],
)
def test_challenges_are_read(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert [(one.scheme, dict(one.parameters)) for one in parse(header)] == expected


def test_a_token_is_taken_under_either_name() -> None:
    assert token(b'{"token":"a.b-c"}', "it") == "a.b-c"
    assert token(b'{"access_token":"a"}', "it") == "a"


@pytest.mark.parametrize("data", [b"{}", b'{"token":7}', b'{"token":"a\\r\\nHost: x"}', b'{"token":"a b"}', b"no"])
def test_what_is_no_token_is_refused(data: bytes) -> None:
    with pytest.raises(ArgosyError):
        token(data, "it")


@pytest.mark.parametrize(
    ("realm", "registry", "expected"),
    [
        ("https://registry.example.org/token", "https://registry.example.org/", True),
        ("https://auth.example.org/token", "https://registry.example.org/", True),
        ("https://example.org/jwt/auth", "https://registry.example.org/", True),
        ("http://127.0.0.1:5000/token", "http://127.0.0.1:5000/", True),
        ("http://127.0.0.1:5001/token", "http://127.0.0.1:5000/", False),
        ("https://127.0.0.2/token", "https://127.0.0.1/", False),
        ("https://evil.net/token", "https://registry.example.org/", False),
        ("https://evilexample.org/token", "https://registry.example.org/", False),
        ("https://evil.io/token", "https://quay.io/", False),
        ("http://auth.example.org/token", "https://registry.example.org/", False),
        ("http://auth.example.org/token", "http://registry.example.org/", False),
    ],
)
def test_a_token_server_serves_its_own_registry(realm: str, registry: str, expected: bool) -> None:
    assert serves(realm, registry) is expected


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x/", "https://user:secret@host/", "//host", "http://h:x/"]
)
def test_only_plain_web_addresses_are_followed(url: str) -> None:
    with pytest.raises(ArgosyError) as refusal:
        origin(url)
    assert "secret" not in str(refusal.value)
