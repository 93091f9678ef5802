"""What commands print: JSON for scripts, aligned lines for people, and foreign text made harmless."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def print_json(value: object) -> None:
    """Print `value` as indented JSON: dataclasses as objects, paths and digests as text, sets sorted."""
    import json

    print(json.dumps(_plain(value), indent=2, ensure_ascii=True))


def _plain(value: Any) -> Any:
    import dataclasses
    import datetime

    from argosy.model.digest import Digest
    from argosy.model.reference import Reference

    if isinstance(value, (Digest, Reference, Path)):
        return str(value)
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return sorted(_plain(item) for item in value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value


def printable(text: str) -> str:
    """`text` with what could steer a terminal written as escapes; names in a module are whatever its maker chose."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def size(count: int) -> str:
    """A number of bytes as people read it: three digits and a binary unit."""
    value = float(count)
    for unit in _UNITS:
        if value < 1024 or unit == _UNITS[-1]:
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.3g} {unit}"


def print_pairs(pairs: Iterable[tuple[str, str]], *, indent: str = "") -> None:
    """Lines of a label and its value, the values aligned."""
    rows = [(label, value) for label, value in pairs if value]
    width = max((len(label) for label, _ in rows), default=0)
    for label, value in rows:
        first, *others = value.splitlines()
        print(f"{indent}{label.ljust(width)}  {first}")
        for line in others:
            print(f"{indent}{' ' * width}  {line}")


def columns(words: Iterable[str], *, width: int = 100) -> str:
    """Words one after another in lines of at most `width` letters."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "\n".join(lines)
