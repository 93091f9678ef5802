"""The last touch on a linked program: the note which recipe made it, and with which numerics."""

from __future__ import annotations

from pathlib import Path

from argosy.errors import ArgosyError
from argosy.files import write_whole
from argosy.model.note import RECIPE_SECTION, RecipeNote
from argosy.model.wasm import MAGIC

_CUSTOM = 0  # a custom section's number (WebAssembly Core Specification, "Modules")


def write_noted(linked: Path, target: Path, recipe: str, note: RecipeNote) -> None:
    """Put the linked module with its note at `target`. Raises ArgosyError where `linked` is no wasm module."""
    module = linked.read_bytes()
    if not module.startswith(MAGIC):
        raise ArgosyError(
            f"recipe {recipe} made {linked.name}, which is not a wasm module",
            advice="its build used another compiler than the one in $CC; see the build's log",
        )
    write_whole(target, module + custom_section(RECIPE_SECTION, note.encoded()), mode=0o755)


def custom_section(name: str, content: bytes) -> bytes:
    """The bytes of a custom section."""
    title = name.encode()
    body = _unsigned(len(title)) + title + content
    return bytes([_CUSTOM]) + _unsigned(len(body)) + body


def _unsigned(value: int) -> bytes:
    """LEB128 (WebAssembly Core Specification, "Integers")."""
    encoded = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        if not value:
            encoded.append(low)
            return bytes(encoded)
        encoded.append(low | 0x80)
