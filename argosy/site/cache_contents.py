"""What is in a cache of native code, entry by entry, and what is wrong with it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from argosy.errors import ArgosyError
from argosy.site import aot_cache, aot_folder, engine
from argosy.site.aot_cache import Note
from argosy.site.aot_folder import Refused

RECENT = 600.0  # seconds in which what was written or used is left alone: its user may only be about to open it


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One entry: `name` is its key's; `size` in bytes of code and note; `used` in seconds since the epoch.

    `note` is None where it cannot be read; `problem` says why the entry is not used, and is empty when it is.
    """

    place: Path
    name: str
    note: Note | None
    size: int
    used: float
    problem: str

    @property
    def code(self) -> Path:
        return self.place / f"{self.name}.cwasm"

    @property
    def note_path(self) -> Path:
        return self.place / f"{self.name}.json"

    @property
    def files(self) -> tuple[Path, Path]:
        """The note first: without it the code does not count."""
        return self.note_path, self.code

    @property
    def is_recent(self) -> bool:
        """Used a moment ago, or, by a clock that went back, in the time to come."""
        return time.time() - self.used < RECENT


def contents(root: Path, *, thorough: bool = False) -> tuple[Stored, ...]:
    """The entries in the cache `root`, the last used first; `thorough` reads all of their code.

    Raises ArgosyError when the folder cannot be read.
    """
    try:
        names = sorted({(path.parent, path.stem) for path in root.glob("*/[!.]*.*") if path.suffix in _SUFFIXES})
    except OSError as error:
        raise ArgosyError(f"cannot read {root}: {error.strerror}") from error
    found = [look(place, name, thorough=thorough) for place, name in names]
    return tuple(sorted((one for one in found if one is not None), key=lambda one: -one.used))


_SUFFIXES = (".cwasm", ".json")


def leftovers(root: Path) -> Iterator[Path]:
    """What processes that were killed have left: files that were being written, folders that were put aside."""
    for pattern in (".refused.*", "*/.*.cwasm.*", "*/.*.json.*"):
        yield from root.glob(pattern)


def look(place: Path, name: str, *, thorough: bool = False) -> Stored | None:
    """One entry; None where there is nothing of it, as when another process has just removed it."""
    note, problem, used, size = None, "", 0.0, 0
    for path in (place / f"{name}.json", place / f"{name}.cwasm"):
        try:
            status = path.lstat()
        except OSError:
            problem = problem or f"{path.name} is missing"
            continue
        size += status.st_size
        used = max(used, status.st_mtime) if path.suffix == ".json" or not used else used
    if not size and not used:
        return None
    try:
        note = aot_cache.read_note(place / f"{name}.json")
        problem = problem or _problem(place, name, note, thorough=thorough)
    except Refused as refusal:
        problem = problem or str(refusal) or "its note is missing"
    return Stored(place=place, name=name, note=note, size=size, used=used, problem=problem)


def _problem(place: Path, name: str, note: Note, *, thorough: bool) -> str:
    for folder in (place.parent, place):
        if not aot_folder.is_secure(folder):
            return f"{folder} belongs to somebody else, or others can write there"
    if note.wasm != f"sha256:{place.name}":
        return "its note is that of another module"
    if note.wasmtime != engine.wasmtime_version():
        return ""  # kept for that wasmtime, whose own check it will meet
    try:
        key = note.key()
        if key.name() != name:
            return "its name is not that of what its note says"
        if thorough:
            aot_cache.check_entry(place, key)
    except ArgosyError as error:
        return error.what
    except Refused as refusal:
        return str(refusal) or "its code is missing"
    return ""


def total(entries: tuple[Stored, ...]) -> int:
    """Bytes that the entries take together."""
    return sum(one.size for one in entries)


def remove(path: Path) -> None:
    """Remove a file of the cache; one that is gone already is no matter."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
