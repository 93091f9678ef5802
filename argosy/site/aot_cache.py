"""The AOT cache: native code that was compiled here, found again only when it is surely that.

An entry is two files in `aot/<wasm digest>/`: `<key>.cwasm` and `<key>.json`, which holds the SHA-256 of the first. The
key is a digest over all that the code depends on: the wasm digest, wasmtime's exact version, the engine's settings, the
target triple and the set of CPU features. An entry counts only when both files and both folders belong to this user or
root and nobody else can write them, the digest agrees, and the code's own record names the same target. Anything else
is refused, with the reason, and compiled again; it is never loaded.

Native code is never fetched: whoever can give it can run anything.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from argosy.errors import ArgosyError
from argosy.files import distrust, lock, write_whole
from argosy.folders import cache_root
from argosy.model.digest import Digest
from argosy.model.target import Target
from argosy.site import elf, engine
from argosy.site.engine import Numerics

_FORMAT = 1
_LARGEST_NOTE = 1 << 20  # bytes


@dataclass(frozen=True, kw_only=True)
class Key:
    """What native code depends on."""

    wasm: Digest
    numerics: Numerics
    target: Target

    def name(self) -> str:
        """The key as the name of a file: 32 hexadecimal digits."""
        parts = [
            str(self.wasm),
            engine.wasmtime_version(),
            engine.settings_text(self.numerics),
            self.target.triple,
            *sorted(self.target.features),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


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


class _Refused(Exception):  # noqa: N818 (a decision, not an error)
    """Why an entry is not used."""


def folder() -> Path:
    """The cache's own folder; not created here."""
    return cache_root() / "aot"


def find_or_compile(key: Key, compile: Callable[[], Code]) -> Entry:
    """The entry for `key`, compiled by `compile` when there is none that can be trusted: once, however many ask.

    Raises ArgosyError when the cache cannot be written or its folder belongs to someone else.
    """
    place = folder() / key.wasm.hex
    refused = _secure(place)
    name = key.name()
    if not refused:
        with contextlib.suppress(_Refused):
            return _read_entry(place, name, key)
    with lock(place / f".{name}.lock"):
        reason = ""
        try:
            return _read_entry(place, name, key)  # another process may have compiled it while this one waited
        except _Refused as refusal:
            reason = refused or str(refusal)
        code = compile()
        _write_entry(place, name, key, code)
    return Entry(path=place / f"{name}.cwasm", imports=code.imports, compiled=True, refused=reason)


def entry(key: Key) -> Entry | None:
    """The entry for `key` that is there and can be trusted; None where there is none."""
    place = folder() / key.wasm.hex
    if not _is_there(place):
        return None
    with contextlib.suppress(_Refused):
        return _read_entry(place, key.name(), key)
    return None


def targets(wasm: Digest, numerics: Numerics) -> tuple[Target, ...]:
    """For which targets the cache has code of this module by this wasmtime, so its notes say: `entry` checks one.

    Those with more features first.
    """
    place = folder() / wasm.hex
    if not _is_there(place):
        return ()
    found = []
    for note in place.glob("*.json"):
        with contextlib.suppress(_Refused, ValueError, KeyError, TypeError):
            fields = json.loads(_read_trusted(note, _LARGEST_NOTE))
            target = Target(triple=str(fields["triple"]), features=frozenset(map(str, fields["features"])))
            if Key(wasm=wasm, numerics=numerics, target=target).name() == note.stem:
                found.append(target)
    return tuple(sorted(found, key=lambda target: (-len(target.features), str(target))))


def _secure(place: Path) -> str:
    """Make the cache's folder and `place` in it folders that only this user can write; says what was wrong."""
    try:
        if all(_is_secure(path) for path in (folder(), place)):
            return ""
        with lock(folder().with_name(".aot.lock")):
            return "; ".join(filter(None, [_make_secure(path) for path in (folder(), place)]))
    except OSError as error:
        raise ArgosyError(
            f"cannot use the AOT cache {folder()}: {error.strerror or error}",
            advice="choose a folder of your own by $ARGOSY_CACHE",
        ) from error


def _is_secure(path: Path) -> bool:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(status.st_mode) and not distrust(status)


def _is_there(place: Path) -> bool:
    """Whether there may be entries to trust in `place`; what is wrong with it, whoever would write there is told."""
    try:
        return all(_is_secure(path) for path in (folder(), place))
    except OSError:
        return False


def _make_secure(path: Path) -> str:
    refused = ""
    with contextlib.suppress(FileNotFoundError):
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode):
            refused = f"{path} was no folder"
        elif reason := distrust(status):
            refused = f"{path}: {reason}"
            if path == folder() and status.st_uid != os.geteuid():
                raise ArgosyError(refused, advice="choose a folder of your own by $ARGOSY_CACHE")
    if refused:  # out of the way with all that is in it: anything may have been put there
        aside = path.rename(path.with_name(f".refused.{path.name}.{os.getpid()}.{time.time_ns()}"))
        shutil.rmtree(aside, ignore_errors=True)
    if not _is_secure(path):
        path.mkdir(mode=0o755, exist_ok=True)
        path.chmod(0o755)  # whatever the umask
    return refused


def _read_trusted(path: Path, most: int | None = None) -> bytes:
    """The bytes of a file that only this user or root can have written; the file checked is the file read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise _Refused("") from None
    except OSError as error:
        raise _Refused(f"{path.name}: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _Refused(f"{path.name} is not a file")
        if reason := distrust(status):
            raise _Refused(f"{path.name}: {reason}")
        if most is not None and status.st_size > most:
            raise _Refused(f"{path.name} has {status.st_size} bytes")
        return file.read()


def _read_entry(place: Path, name: str, key: Key) -> Entry:
    path = place / f"{name}.cwasm"
    try:
        note = _read_trusted(place / f"{name}.json", _LARGEST_NOTE)
    except _Refused as refusal:
        if not str(refusal) and os.path.lexists(path):
            raise _Refused(f"{path.name} has no note: nothing says that it was compiled here") from None
        raise
    try:
        fields = json.loads(note)
        wanted, imports = fields["sha256"], tuple(map(str, fields["imports"]))
        if fields["format"] != _FORMAT or fields["wasm"] != str(key.wasm):
            raise _Refused(f"{name}.json is the note of another module")
    except (ValueError, KeyError, TypeError) as error:
        raise _Refused(f"{name}.json cannot be read: {error}") from error
    data = _read_trusted(path)
    if hashlib.sha256(data).hexdigest() != wanted:
        raise _Refused(f"{path.name}: its digest is not the one noted when it was compiled")
    _check_record(data, path, key)
    return Entry(path=path, imports=imports, compiled=False)


def _check_record(data: bytes, path: Path, key: Key) -> None:
    try:
        record = elf.read(data, name=path.name)
    except ArgosyError as error:
        raise _Refused(error.what) from error
    if record.target != key.target:
        lacking = ", ".join(sorted(key.target.missing_for(record.target))) or "fewer features"
        raise _Refused(f"{path.name} is code for another CPU ({lacking})")
    if record.engine_version != engine.wasmtime_version().partition(".")[0]:
        raise _Refused(f"{path.name} was compiled by wasmtime {record.engine_version}")


def _write_entry(place: Path, name: str, key: Key, code: Code) -> None:
    note = {
        "format": _FORMAT,
        "wasm": str(key.wasm),
        "wasmtime": engine.wasmtime_version(),
        "numerics": key.numerics,
        "triple": key.target.triple,
        "features": sorted(key.target.features),
        "imports": list(code.imports),
        "sha256": hashlib.sha256(code.data).hexdigest(),
    }
    # The note last: without it the code does not count, so a crash in between leaves no entry.
    (place / f"{name}.json").unlink(missing_ok=True)
    write_whole(place / f"{name}.cwasm", code.data)
    write_whole(place / f"{name}.json", json.dumps(note, indent=1).encode())
