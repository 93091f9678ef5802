"""What a registry answers to a stranger: WWW-Authenticate, and the token that it may ask for.

Sources: RFC 9110, section 11; distribution's "Token authentication specification".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from argosy.errors import ArgosyError
from argosy.model import strict_json

_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_PARAMETER = re.compile(rf'\s*,?\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))')
_SCHEME = re.compile(rf"\s*,?\s*({_TOKEN})(?=\s|,|$)(?!\s*=)")
_LONGEST_HEADER = 8192
LARGEST_ANSWER = 65536


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """A scheme, lower case, and its parameters."""

    scheme: str
    parameters: Mapping[str, str]


def parse(header: str) -> list[Challenge]:
    """The challenges in a WWW-Authenticate header; what cannot be read ends the list."""
    header = header[:_LONGEST_HEADER]
    found: list[Challenge] = []
    position = 0
    while match := _SCHEME.match(header, position):
        scheme, position = match[1].lower(), match.end()
        parameters: dict[str, str] = {}
        while match := _PARAMETER.match(header, position):
            quoted = match[2]
            parameters[match[1].lower()] = match[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            position = match.end()
        found.append(Challenge(scheme=scheme, parameters=parameters))
    return found


def token(data: bytes, what: str) -> str:
    """The bearer token in a token server's answer. Raises ArgosyError when there is none."""
    answer = strict_json.read(data, what, limit=LARGEST_ANSWER)
    value = answer.get("token") or answer.get("access_token")
    if not isinstance(value, str) or not re.fullmatch(r"[\x21-\x7e]+", value):
        raise ArgosyError(f"{what} holds no token")
    return value


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: what credentials belong to (RFC 6454). Raises ArgosyError for anything but http(s)."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ArgosyError(f"not a URL: {url[:200]!r}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ArgosyError(f"not a URL that Argosy follows: {parts.scheme[:20]}://{(parts.hostname or '')[:200]}")
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)


def serves(realm: str, registry: str) -> bool:
    """Whether the token server `realm` may be shown the credentials of the `registry` that named it (both URLs).

    It may when it is the very same origin, or belongs to the same domain as a registry with a name of its own
    under it, both over https: auth.example.org or example.org for registry.example.org.
    """
    if origin(realm) == origin(registry):
        return True
    (realm_scheme, realm_host, _), (scheme, host, _) = origin(realm), origin(registry)
    domain = host.partition(".")[2]
    named = "." in domain and not host.replace(".", "").isdigit() and ":" not in host
    return scheme == realm_scheme == "https" and named and (realm_host == domain or realm_host.endswith(f".{domain}"))
