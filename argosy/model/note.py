"""What a module made by Argosy says of itself, in two custom sections: its recipe, and the MPI ABI that it speaks.

A node needs both before it may compile the module: the numerics decide the engine's settings, and an ABI that the node
does not speak is refused before anything starts.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from argosy.errors import ArgosyError
from argosy.model.wasm import Module

RECIPE_SECTION = "argosy.recipe"
ABI_SECTION = "argosy.abi"
NUMERICS = ("fast", "exact")

_NOTE_BYTES = 65536  # far more than a note of either kind takes


@dataclass(frozen=True, kw_only=True)
class RecipeNote:
    """The recipe's name and version, and its numerics: `fast`, or `exact` for the same bits on every CPU."""

    name: str
    version: str
    numerics: str

    def encoded(self) -> bytes:
        """The section's content: JSON with sorted keys, so equal notes are equal bytes."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()


def recipe_note(module: Module) -> RecipeNote | None:
    """The module's recipe note, None when it has none. Raises ArgosyError when it has one that cannot be read."""
    values = _json_section(module, RECIPE_SECTION)
    if values is None:
        return None
    texts = {key: values.get(key) for key in ("name", "version", "numerics")}
    if any(not isinstance(text, str) for text in texts.values()) or texts["numerics"] not in NUMERICS:
        raise _damaged(module, RECIPE_SECTION)
    return RecipeNote(**{key: str(text) for key, text in texts.items()})


def mpi_abi(module: Module) -> str | None:
    """The version of the MPI ABI that the module speaks, None when it states none."""
    values = _json_section(module, ABI_SECTION)
    if values is None:
        return None
    version = values.get("mpi_abi")
    if not isinstance(version, str):
        raise _damaged(module, ABI_SECTION)
    return version


def _json_section(module: Module, name: str) -> dict[str, Any] | None:
    content = module.custom(name)
    if content is None:
        return None
    try:
        values = json.loads(content) if len(content) <= _NOTE_BYTES else None
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise _damaged(module, name)
    return values


def _damaged(module: Module, section: str) -> ArgosyError:
    return ArgosyError(
        f"{module.source}: its custom section {section!r} does not say what it should",
        advice="another tool has written or changed it; build the module again",
    )
