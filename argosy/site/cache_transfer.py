"""Native code carried from one machine's cache to another's, for nodes alike that shall not, or cannot, compile.

Whoever gives native code can run anything. So an export is signed, and an import names the one key that it trusts; the
trust policy for artifacts has no say. An export is a tar file: `argosy-cache.json` with a note for every entry, which
holds the SHA-256 of its code, `argosy-cache.sig` with a signature over that file, then the code. Nothing of the code
is read before the signature was checked.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from argosy.errors import ArgosyError, UsageError
from argosy.files import lock, whole_file
from argosy.model.digest import Digest
from argosy.model.strict import Table
from argosy.sign.keys import PrivateKey, PublicKey
from argosy.site import aot_cache, aot_folder, engine
from argosy.site.aot_cache import Code, Entry, Key, Note
from argosy.site.aot_folder import Refused
from argosy.site.cache_contents import Stored
from argosy.tar import tarfile

_NOTES, _SIGNATURE = "argosy-cache.json", "argosy-cache.sig"
_PURPOSE = b"argosy cache export, version 1\n"  # in front of what is signed: no other signature serves here
_LARGEST_NOTES = 64 << 20  # bytes
_LARGEST_CODE = 1 << 30


def export(entries: Sequence[Stored], path: Path, key: PrivateKey) -> int:
    """Write these entries to one tar file, signed; gives how many. Raises ArgosyError for one that is not whole."""
    notes = [_note(one) for one in entries]
    text = json.dumps({"version": 1, "entries": [asdict(note) for note in notes]}, indent=1).encode()
    signature = base64.b64encode(key.sign(_PURPOSE + text))
    with whole_file(path) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, _NOTES, text)
        _add(archive, _SIGNATURE, signature)
        for one, note in zip(entries, notes, strict=True):
            _add(archive, note.sha256, _code(one, note))
    return len(notes)


def import_from(path: Path, trusted: PublicKey) -> tuple[Entry, ...]:
    """Put the entries of the export at `path`, signed by `trusted`, into the user's cache; those there are kept.

    Each is checked as it would be before it is loaded. Raises ArgosyError for what is no export, for another signature,
    and for code that is not what its note says; entries that came before such a one stay.
    """
    try:
        with tarfile.open(path, mode="r:") as archive:
            notes = _notes(archive, path, trusted)
            return tuple(_import(archive, note, path) for note in notes)
    except tarfile.TarError as error:
        raise ArgosyError(f"{path} is no export of a cache: {error}") from error
    except OSError as error:
        raise ArgosyError(f"cannot read {path}: {error.strerror or error}") from error


def _notes(archive: tarfile.TarFile, path: Path, trusted: PublicKey) -> tuple[Note, ...]:
    data = _next(archive, _NOTES, _LARGEST_NOTES, path)
    try:
        signature = base64.b64decode(_next(archive, _SIGNATURE, 10_000, path), validate=True)
    except binascii.Error:
        signature = b""
    if not trusted.accepts(signature, _PURPOSE + data):
        raise ArgosyError(
            f"{path} is not signed by the key {trusted.fingerprint}",
            advice="native code can do anything: import only what you, or who administers this site, exported",
        )
    try:
        table = Table(_NOTES, "", json.loads(data), ("version", "entries"))
        table.whole("version", least=1, most=1)
        rows = table.tables("entries", Note.__dataclass_fields__)
        return tuple(Note.parse(json.dumps(row.values).encode(), _NOTES) for row in rows)
    except (ValueError, RecursionError, UsageError, Refused) as error:
        raise ArgosyError(f"{path}: {error}") from error


def _import(archive: tarfile.TarFile, note: Note, path: Path) -> Entry:
    if note.wasmtime != engine.wasmtime_version():
        raise ArgosyError(
            f"{path} holds code by wasmtime {note.wasmtime}, and here is {engine.wasmtime_version()}",
            advice="export from a machine with the same wasmtime",
        )
    key = note.key()
    data = _next(archive, note.sha256, _LARGEST_CODE, path)
    if Digest.of(data).hex != note.sha256:
        raise ArgosyError(f"{path}: code of {note.wasm} is not what was exported", advice="copy the file again")
    place = aot_folder.own() / key.wasm.hex
    aot_folder.secure(place)
    with lock(aot_cache.lock_path(place, key.name())):
        try:
            return aot_cache.read_entry(place, key)
        except Refused:
            _require_right(data, f"{path}: code of {note.wasm}", key)
            aot_cache.write_entry(place, key, Code(data=data, imports=note.imports))
    return Entry(path=place / f"{key.name()}.cwasm", imports=note.imports, compiled=True)


def _require_right(data: bytes, name: str, key: Key) -> None:
    try:
        aot_cache.check_record(data, name, key)
    except Refused as refusal:
        raise ArgosyError(str(refusal), advice="whoever exported it should look at that cache") from refusal


def _next(archive: tarfile.TarFile, name: str, most: int, path: Path) -> bytes:
    """The bytes of the next member, which must be a file of that name with at most so many."""
    member = archive.next()
    source = archive.extractfile(member) if member is not None and member.isreg() else None
    if member is None or source is None or member.name != name or member.issparse() or member.size > most:
        found = "the end" if member is None else repr(member.name[:100])
        raise ArgosyError(f"{path} is no whole export of a cache: {name} should follow, and {found} does")
    data: bytes = source.read()
    if len(data) != member.size:
        raise ArgosyError(f"{path} is cut short in {name}", advice="copy the file again")
    return data


def _note(one: Stored) -> Note:
    if one.problem or one.note is None:
        raise ArgosyError(f"{one.code} cannot be exported: {one.problem}", advice="`argosy cache gc` removes it")
    return one.note


def _code(one: Stored, note: Note) -> bytes:
    try:
        data = aot_folder.read_trusted(one.code)
    except Refused as refusal:
        raise ArgosyError(f"{one.code} cannot be exported: {refusal}") from refusal
    if Digest.of(data).hex != note.sha256:
        raise ArgosyError(f"{one.code} cannot be exported: it is not what was compiled")
    return data


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o644
    archive.addfile(member, io.BytesIO(data))
