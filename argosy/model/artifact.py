"""What a publisher says of a Wasm application, in the annotations of its manifest.

The usual annotations are org.opencontainers.image.*; what only Argosy reads is dev.argosy.*.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.note import NUMERICS

_IMAGE = "org.opencontainers.image."
_OWN = "dev.argosy."


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a publisher says of an application; carried in the manifest's annotations, so signed with it.

    `licence` is an SPDX expression. `imports` are `module.name`, `sources` the digests of what it was built from,
    `folders`, `environment`, `memory` (bytes of each process) and `seconds` what a run of the application asks to be
    granted, `features` the Wasm features it uses,
    `mpi_abi` the version of the guest's MPI interface, `lock` the digest of the build's lock file. A field is None
    or empty where an artifact made by others says nothing.
    """

    name: str
    version: str | None = None
    summary: str | None = None
    licence: str | None = None
    homepage: str | None = None
    numerics: str | None = None
    mpi_abi: str | None = None
    imports: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    sources: tuple[Digest, ...] = ()
    folders: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    memory: int | None = None
    seconds: int | None = None
    lock: Digest | None = None

    def to_annotations(self) -> dict[str, str]:
        """Annotations by key; a field that says nothing leaves none."""
        texts: dict[str, str | None] = {
            f"{_IMAGE}title": self.name,
            f"{_IMAGE}version": self.version,
            f"{_IMAGE}description": self.summary,
            f"{_IMAGE}licenses": self.licence,
            f"{_IMAGE}url": self.homepage,
            f"{_OWN}numerics": self.numerics,
            f"{_OWN}mpi-abi": self.mpi_abi,
            f"{_OWN}lock": None if self.lock is None else str(self.lock),
            f"{_OWN}imports": _list(self.imports),
            f"{_OWN}features": _list(self.features),
            f"{_OWN}sources": _list(tuple(str(source) for source in self.sources)),
            f"{_OWN}folders": _list(self.folders),
            f"{_OWN}environment": _list(self.environment),
            f"{_OWN}memory": None if self.memory is None else str(self.memory),
            f"{_OWN}seconds": None if self.seconds is None else str(self.seconds),
        }
        return {key: text for key, text in texts.items() if text is not None}

    @classmethod
    def from_annotations(cls, annotations: Mapping[str, str]) -> Description:
        """What the annotations say. Raises ArgosyError when one of Argosy's own is malformed."""
        numerics = annotations.get(f"{_OWN}numerics")
        if numerics is not None and numerics not in NUMERICS:
            raise ArgosyError(f"annotation {_OWN}numerics is {numerics[:100]!r}, not one of {', '.join(NUMERICS)}")
        lock = annotations.get(f"{_OWN}lock")
        return cls(
            name=annotations.get(f"{_IMAGE}title", ""),
            version=annotations.get(f"{_IMAGE}version"),
            summary=annotations.get(f"{_IMAGE}description"),
            licence=annotations.get(f"{_IMAGE}licenses"),
            homepage=annotations.get(f"{_IMAGE}url"),
            numerics=numerics,
            mpi_abi=annotations.get(f"{_OWN}mpi-abi"),
            imports=_parse_list(annotations, "imports"),
            features=_parse_list(annotations, "features"),
            sources=tuple(Digest.parse(text) for text in _parse_list(annotations, "sources")),
            folders=_parse_list(annotations, "folders"),
            environment=_parse_list(annotations, "environment"),
            memory=_parse_number(annotations, "memory"),
            seconds=_parse_number(annotations, "seconds"),
            lock=None if lock is None else Digest.parse(lock),
        )


def _parse_number(annotations: Mapping[str, str], key: str) -> int | None:
    text = annotations.get(f"{_OWN}{key}")
    if text is not None and not re.fullmatch(r"[1-9][0-9]{0,17}", text):
        raise ArgosyError(f"annotation {_OWN}{key} is not a number: {text[:100]!r}")
    return None if text is None else int(text)


def _list(items: tuple[str, ...]) -> str | None:
    return json.dumps(list(items), separators=(",", ":"), ensure_ascii=False) if items else None


def _parse_list(annotations: Mapping[str, str], key: str) -> tuple[str, ...]:
    text = annotations.get(f"{_OWN}{key}")
    if text is None:
        return ()
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ArgosyError(f"annotation {_OWN}{key} is not a JSON list of texts: {text[:100]!r}")
    return tuple(value)
