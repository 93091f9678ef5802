"""JSON from strangers: bounded, without the ambiguities that let two readers see two things (RFC 8259, section 4)."""

from __future__ import annotations

import json
from typing import NoReturn

from argosy.errors import ArgosyError

# Any JSON value. Deliberately `object` on the inside: each use checks what it takes out.
JsonObject = dict[str, object]

LARGEST_DOCUMENT = 4 << 20  # bytes; what registries themselves accept for a manifest
_MOST_VALUES = 400_000  # each takes up to 100 bytes in memory, where it took two in the document


def read(data: bytes, what: str, *, limit: int = LARGEST_DOCUMENT) -> JsonObject:
    """The JSON object in `data`; `what` names it in errors.

    Raises ArgosyError when it is larger than `limit` bytes, holds very many values, is not UTF-8, not JSON, too deep,
    has a key twice in one object, holds NaN or Infinity, or is not an object.
    """
    if len(data) > limit:
        raise ArgosyError(f"{what} is {len(data)} bytes long; at most {limit} are accepted")
    if sum(data.count(mark) for mark in b",[{") > _MOST_VALUES:
        raise ArgosyError(f"{what} holds more than {_MOST_VALUES} values, which is too much to be genuine")
    try:
        value: object = json.loads(data.decode(), object_pairs_hook=_object, parse_constant=_constant)
    except RecursionError:
        raise ArgosyError(f"{what} is nested too deeply to be genuine") from None
    except ValueError as error:
        raise ArgosyError(f"{what} is not valid JSON: {str(error)[:200]}") from None
    if not isinstance(value, dict):
        raise ArgosyError(f"{what} is not a JSON object")
    return value


def write(value: object) -> bytes:
    """`value` as JSON bytes that depend on it alone: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _object(pairs: list[tuple[str, object]]) -> JsonObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:100]!r} appears twice in one object")
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
