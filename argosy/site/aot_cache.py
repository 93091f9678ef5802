"""The AOT cache: native code that was compiled here, found again only when it is surely that.

An entry is two files in `aot/<wasm digest>/`: `<key>.cwasm` and `<key>.json`, which holds the SHA-256 of the first. The
key is a digest over all that the code depends on: the wasm digest, wasmtime's exact version, the engine's settings, the
target triple and the set of CPU features. An entry counts only when both files and both folders belong to this user or
root and nobody else can write them, the digest agrees, and the code's own record names the same target. Anything else
is refused, with the reason, and compiled again; it is never loaded.

A user's cache is read through to the site's, which an administrator fills (`$ARGOSY_CACHE` of the administrator is
`$ARGOSY_SITE_CACHE` of the users) and users only read. A note's time of change is when its entry was last used.

Native code is never fetched: whoever can give it can run anything.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from argosy.errors import ArgosyError, UsageError
from argosy.files import lock, write_whole
from argosy.model.digest import Digest
from argosy.model.strict import Table
from argosy.model.target import Target
from argosy.site import aot_folder, elf, engine
from argosy.site.aot_folder import Refused
from argosy.site.engine import Bounds, Numerics

_FORMAT = 1
_LARGEST_NOTE = 1 << 20  # bytes


@dataclass(frozen=True, kw_only=True)
class Key:
    """What native code depends on."""

    wasm: Digest
    numerics: Numerics
    target: Target
    bounds: Bounds = "guard"

    def name(self) -> str:
        """The key as the name of a file: 32 hexadecimal digits."""
        parts = [
            str(self.wasm),
            engine.wasmtime_version(),
            engine.settings_text(self.numerics, self.bounds),
            self.target.triple,
            *sorted(self.target.features),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class Note:
    """What is written beside native code; `sha256` in lower-case hex is the code's. The fields are the file's.

    A note without `bounds` is older than code that checks them.
    """

    format: int
    wasm: str
    wasmtime: str
    numerics: str
    triple: str
    features: tuple[str, ...]
    imports: tuple[str, ...]
    sha256: str
    bounds: str = "guard"

    @classmethod
    def parse(cls, data: bytes, name: str) -> Note:
        """Read a note strictly. Raises Refused."""
        try:
            table = Table(name, "", json.loads(data), cls.__dataclass_fields__)
            return cls(
                format=table.whole("format"),
                wasm=table.text("wasm"),
                wasmtime=table.text("wasmtime"),
                numerics=table.text("numerics"),
                triple=table.text("triple"),
                features=table.texts("features"),
                imports=table.texts("imports"),
                sha256=table.text("sha256"),
                bounds=table.text("bounds", "guard"),
            )
        except (ValueError, RecursionError, UsageError) as error:
            raise Refused(f"{name} cannot be read: {error}") from error

    @property
    def target(self) -> Target:
        """For whom the code is, as the note says: the code's own record decides."""
        return Target(triple=self.triple, features=frozenset(self.features))

    def key(self) -> Key:
        """What its code was compiled for. Raises ArgosyError for what this version does not know."""
        return Key(
            wasm=Digest.parse(self.wasm),
            numerics=engine.parse_numerics(self.numerics),
            target=self.target,
            bounds=engine.parse_bounds(self.bounds),
        )


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Code in the cache: its path, the imports of the module as `module.name`, and whether this call compiled it.

    `refused` says why an entry that was there before was not used; empty when there was none.
    """

    path: Path
    imports: tuple[str, ...]
    compiled: bool
    refused: str = ""

    @property
    def uses_mpi(self) -> bool:
        """Whether the module calls MPI."""
        return any(name.startswith("argosy_mpi_") for name in self.imports)


@dataclass(frozen=True, kw_only=True)
class Code:
    """What compiling gives: the bytes of the `.cwasm`, and the imports of the module as `module.name`."""

    data: bytes
    imports: tuple[str, ...]


def find_or_compile(key: Key, compile: Callable[[], Code]) -> Entry:
    """The entry for `key`, compiled by `compile` when there is none that can be trusted: once, however many ask.

    Raises ArgosyError when the cache cannot be written or its folder belongs to someone else.
    """
    if found := _in_site(key):
        return found
    place = aot_folder.own() / key.wasm.hex
    refused = aot_folder.secure(place)
    if not refused:
        with contextlib.suppress(Refused):
            return read_entry(place, key)
    with lock(lock_path(place, key.name())):
        reason = ""
        try:
            return read_entry(place, key)  # another process may have compiled it while this one waited
        except Refused as refusal:
            reason = refused or str(refusal)
        code = compile()
        write_entry(place, key, code)
    return Entry(path=place / f"{key.name()}.cwasm", imports=code.imports, compiled=True, refused=reason)


def entry(key: Key) -> Entry | None:
    """The entry for `key` that is there, in the user's cache or the site's, and can be trusted; None without one."""
    place = aot_folder.own() / key.wasm.hex
    if aot_folder.is_there(place):
        with contextlib.suppress(Refused):
            return read_entry(place, key)
    return _in_site(key)


def targets(wasm: Digest, numerics: Numerics, bounds: Bounds) -> tuple[Target, ...]:
    """For which targets there is such code of this module by this wasmtime, so the notes say: `entry` checks one.

    Those with more features first.
    """
    found = set()
    for root in filter(None, (aot_folder.own(), aot_folder.site())):
        place = root / wasm.hex
        if not aot_folder.is_there(place):
            continue
        for path in place.glob("*.json"):
            with contextlib.suppress(Refused):
                target = read_note(path).target
                if Key(wasm=wasm, numerics=numerics, target=target, bounds=bounds).name() == path.stem:
                    found.add(target)
    return tuple(sorted(found, key=lambda target: (-len(target.features), str(target))))


def lock_path(place: Path, name: str) -> Path:
    """The file whose lock whoever writes or removes the entry `name` in `place` holds."""
    return place / f".{name}.lock"


def read_note(path: Path) -> Note:
    """The note in a file that only this user or root can have written. Raises Refused."""
    return Note.parse(aot_folder.read_trusted(path, _LARGEST_NOTE), path.name)


def read_entry(place: Path, key: Key) -> Entry:
    """The entry for `key` in the folder `place`, whole and to be trusted, and from now on the last used one.

    Raises Refused saying why there is none; with no words when nothing is there.
    """
    found = check_entry(place, key)
    with contextlib.suppress(OSError):  # the site's is only read
        os.utime(found.path.with_suffix(".json"))
    return found


def check_entry(place: Path, key: Key) -> Entry:
    """The same without using it."""
    name = key.name()
    path = place / f"{name}.cwasm"
    try:
        note = read_note(place / f"{name}.json")
    except Refused as refusal:
        if not str(refusal) and os.path.lexists(path):
            raise Refused(f"{path.name} has no note: nothing says that it was compiled here") from None
        raise
    if note.format != _FORMAT or note.wasm != str(key.wasm):
        raise Refused(f"{name}.json is the note of another module")
    data = aot_folder.read_trusted(path)
    if hashlib.sha256(data).hexdigest() != note.sha256:
        raise Refused(f"{path.name}: its digest is not the one noted when it was compiled")
    check_record(data, path.name, key)
    return Entry(path=path, imports=note.imports, compiled=False)


def write_entry(place: Path, key: Key, code: Code) -> None:
    """Put an entry into the folder `place`; the caller holds its lock. Raises ArgosyError."""
    name = key.name()
    note = Note(
        format=_FORMAT,
        wasm=str(key.wasm),
        wasmtime=engine.wasmtime_version(),
        numerics=key.numerics,
        triple=key.target.triple,
        features=tuple(sorted(key.target.features)),
        imports=code.imports,
        sha256=hashlib.sha256(code.data).hexdigest(),
        bounds=key.bounds,
    )
    # The note last: without it the code does not count, so a crash in between leaves no entry.
    (place / f"{name}.json").unlink(missing_ok=True)
    write_whole(place / f"{name}.cwasm", code.data)
    write_whole(place / f"{name}.json", json.dumps(asdict(note), indent=1).encode())


def _in_site(key: Key) -> Entry | None:
    root = aot_folder.site()
    if root is not None and aot_folder.is_there(root / key.wasm.hex):
        with contextlib.suppress(Refused):
            return read_entry(root / key.wasm.hex, key)
    return None


def check_record(data: bytes, name: str, key: Key) -> None:
    """Raises Refused where the code's own record is not that of code for `key`; `name` is for messages."""
    try:
        record = elf.read(data, name=name)
    except ArgosyError as error:
        raise Refused(error.what) from error
    if record.target != key.target:
        lacking = ", ".join(sorted(key.target.missing_for(record.target))) or "fewer features"
        raise Refused(f"{name} is code for another CPU ({lacking})")
    if record.engine_version != engine.wasmtime_version().partition(".")[0]:
        raise Refused(f"{name} was compiled by wasmtime {record.engine_version}")
