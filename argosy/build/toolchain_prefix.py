"""A toolchain's folder in the cache: assembled once, whole or absent, and checked before each use.

The last file written into a prefix is its manifest, which holds the digest of every other file. A prefix without one is
half-unpacked; one whose files differ from it has been tampered with or damaged. Neither is ever used.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from argosy import process
from argosy.errors import ArgosyError
from argosy.files import lock, sha256_of, write_whole

MANIFEST = "argosy-toolchain.json"
_FORMAT = 1
_DECISIVE = ("share", "lib/clang")  # folders whose files end up in what is compiled, the same on every build host
_NEEDED = (
    *(f"bin/{name}" for name in ("clang", "wasm-ld", "llvm-ar", "llvm-ranlib")),
    "share/wasi-sysroot/include",
    "share/wasi-sysroot/lib",
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file as it was when the prefix was assembled: SHA-256 in hex, bytes, and nanoseconds of its last change."""

    sha256: str
    size: int
    changed: int


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a prefix holds: `about` (provider, versions, languages) and every file by its path inside."""

    about: Mapping[str, str]
    files: Mapping[str, Entry]


def files_below(folder: Path) -> list[str]:
    """Every file's path inside `folder`, sorted; links to files count as files, links to folders are followed."""
    found = []
    for root, folders, names in os.walk(folder, followlinks=True):
        folders.sort()
        base = PurePosixPath(Path(root).relative_to(folder).as_posix())
        found += [str(base / name) for name in names]
    return sorted(found)


def digest_of_names(entries: Iterable[tuple[str, str]]) -> str:
    """One digest, `sha256:…`, over pairs of path and hex digest, whatever their order and place on disk."""
    total = hashlib.sha256()
    for name, digest in sorted(entries):
        total.update(f"{digest}  {name}\n".encode())
    return f"sha256:{total.hexdigest()}"


def folder_digest(folder: Path) -> str:
    """The digest of all files below `folder`, by path inside and contents."""
    return digest_of_names((name, sha256_of(folder / name)) for name in files_below(folder))


def assembled(folder: Path, name: str, assemble: Callable[[Path], Mapping[str, str]]) -> Path:
    """The folder `name` in the cache folder `folder`, made by `assemble` when it is not there yet.

    `assemble` fills the empty folder that it is given and returns what the manifest should say about it. However many
    processes ask at once, one assembles and the others wait. Raises ArgosyError where the prefix is damaged.
    """
    prefix = folder / name
    if not prefix.exists():
        with lock(folder / f".{name}.lock"):
            if not prefix.exists():
                _assemble(folder, prefix, assemble)
    return prefix


def _assemble(folder: Path, prefix: Path, assemble: Callable[[Path], Mapping[str, str]]) -> None:
    for leftover in folder.glob(f".{prefix.name}.part-*"):  # of a process that was killed: we hold the lock
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        part = Path(tempfile.mkdtemp(prefix=f".{prefix.name}.part-", dir=folder))
    except OSError as error:
        raise _no_room(prefix, error) from error
    try:
        about = assemble(part)
        write_manifest(part, about)
        part.chmod(0o755)
        part.rename(prefix)
    except OSError as error:
        raise _no_room(prefix, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def describe(prefix: Path, *, languages: str) -> Mapping[str, str]:
    """Try out a prefix that was found, not assembled from pins, and say for its manifest what it is.

    Raises ArgosyError where its clang does not work or does not tell its version.
    """
    try_out(prefix)
    version = process.check([prefix / "bin/clang", "--version"], purpose="asking clang for its version")
    found = re.search(r"version (\d[\w.]*)", version)
    if found is None:
        raise ArgosyError(f"the clang of {prefix} does not tell its version: {version.strip()[:100]}")
    decisive = [f"{top}/{name}" for top in _DECISIVE for name in files_below(prefix / top)]
    compiler = hashlib.sha256(version.splitlines()[0].encode()).hexdigest()
    return {
        "clang": found.group(1),
        "languages": languages,
        "digest": digest_of_names([*((name, sha256_of(prefix / name)) for name in decisive), ("compiler", compiler)]),
        "executables": folder_digest(prefix / "bin"),
    }


def try_out(prefix: Path) -> None:
    """Compile and link one line of C with the new prefix, so that what cannot work is never used."""
    for name in _NEEDED:
        if not (prefix / name).exists():
            raise ArgosyError(
                f"the toolchain is half-unpacked: {os.path.realpath(prefix / name)} is missing",
                advice="unpack or install it again",
            )
    target = ("--target=wasm32-wasip1", f"--sysroot={prefix}/share/wasi-sysroot")
    with tempfile.TemporaryDirectory(prefix="argosy-trial-") as folder:
        made = Path(folder) / "trial.wasm"
        process.check(
            [prefix / "bin/clang", *target, "-x", "c", "-", "-o", made],
            purpose="trying out the new toolchain",
            advice="what it was made of is broken, or is not for wasm32; unpack or install it again",
            environment={**os.environ, "TMPDIR": folder},
            input=b'#include <stdio.h>\nint main(void) { return puts("here") < 0; }\n',
        )
        if not made.is_file():
            raise ArgosyError("the new toolchain's clang links nothing", advice="install it again, or use another")


def _no_room(prefix: Path, error: OSError) -> ArgosyError:
    return ArgosyError(
        f"cannot assemble the toolchain {prefix}: {error.strerror or error}",
        advice="it needs about 250 MB; free some space or choose another folder with $ARGOSY_CACHE",
    )


def write_manifest(prefix: Path, about: Mapping[str, str]) -> None:
    """Record every file below `prefix`; what is there from now on must stay so."""
    files = {}
    for name in files_below(prefix):
        state = (prefix / name).stat()
        files[name] = {"sha256": sha256_of(prefix / name), "size": state.st_size, "changed": state.st_mtime_ns}
    text = json.dumps({"format": _FORMAT, "about": dict(about), "files": files}, indent=0, sort_keys=True)
    write_whole(prefix / MANIFEST, text.encode())


def read_manifest(prefix: Path) -> Manifest:
    """What `prefix` should hold. Raises ArgosyError, naming the prefix, where it is half-unpacked or unreadable."""
    try:
        values = json.loads((prefix / MANIFEST).read_bytes())
        if values["format"] != _FORMAT:
            raise ValueError(f"format {values['format']} is not {_FORMAT}")
        return Manifest(
            about={str(key): str(value) for key, value in values["about"].items()},
            files={
                str(name): Entry(sha256=str(file["sha256"]), size=int(file["size"]), changed=int(file["changed"]))
                for name, file in values["files"].items()
            },
        )
    except FileNotFoundError as error:
        raise broken(prefix, f"it has no {MANIFEST}, so it was never unpacked wholly") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise broken(prefix, f"its {MANIFEST} cannot be read ({error})") from error


def check(prefix: Path, manifest: Manifest, *, whole: bool = False) -> None:
    """Raise ArgosyError, naming the file, where `prefix` is not what `manifest` says.

    Quick by default: a file of the recorded size and time of change counts as unchanged, any other is read. `whole`
    reads every file, and finds files that do not belong there.
    """
    for name, entry in manifest.files.items():
        try:
            state = (prefix / name).stat()
        except OSError as error:
            raise broken(prefix, f"{name} is missing ({error.strerror})") from error
        if not stat.S_ISREG(state.st_mode) or state.st_size != entry.size:
            raise broken(prefix, f"{name} has {state.st_size} bytes, not {entry.size}")
        if (whole or state.st_mtime_ns != entry.changed) and sha256_of(prefix / name) != entry.sha256:
            raise broken(prefix, f"{name} has been changed: its digest is not sha256:{entry.sha256}")
    if whole:
        strangers = set(files_below(prefix)) - set(manifest.files) - {MANIFEST}
        if strangers:
            raise broken(prefix, f"{min(strangers)} does not belong to it")


def broken(prefix: Path, how: str) -> ArgosyError:
    """The error for a toolchain that must not be used."""
    return ArgosyError(
        f"the toolchain {prefix} is broken: {how}", advice=f"remove it (rm -r {prefix}) and it is made again"
    )
