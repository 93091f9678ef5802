"""Folders and files of the AOT cache that nobody but this user or root can have written.

Native code is run as it is found, so who may have put it there is looked at each time, on the open file.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import time
from pathlib import Path

from argosy.errors import ArgosyError
from argosy.files import distrust, lock
from argosy.folders import cache_root, site_cache_root


class Refused(Exception):  # noqa: N818 (a decision, not an error)
    """Why an entry is not used."""


def own() -> Path:
    """The user's own cache of native code; not created here."""
    return cache_root() / "aot"


def site() -> Path | None:
    """The site's, which users only read; None where there is none."""
    root = site_cache_root()
    return None if root is None else root / "aot"


def secure(place: Path) -> str:
    """Make the cache's folder and `place` in it folders that only this user can write; says what was wrong."""
    try:
        if all(is_secure(path) for path in (own(), place)):
            return ""
        with lock(own().with_name(".aot.lock")):
            return "; ".join(filter(None, [_make_secure(path) for path in (own(), place)]))
    except OSError as error:
        raise ArgosyError(
            f"cannot use the AOT cache {own()}: {error.strerror or error}",
            advice="choose a folder of your own by $ARGOSY_CACHE",
        ) from error


def is_secure(path: Path) -> bool:
    """Whether it is a folder into which only this user or root can put anything."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(status.st_mode) and not distrust(status)


def is_there(place: Path) -> bool:
    """Whether there may be entries to trust in `place`; what is wrong with it, whoever would write there is told."""
    try:
        return all(is_secure(path) for path in (place.parent, place))
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
            if path == own() and status.st_uid != os.geteuid():
                raise ArgosyError(refused, advice="choose a folder of your own by $ARGOSY_CACHE")
    if refused:  # out of the way with all that is in it: anything may have been put there
        aside = path.rename(path.with_name(f".refused.{path.name}.{os.getpid()}.{time.time_ns()}"))
        shutil.rmtree(aside, ignore_errors=True)
    if not is_secure(path):
        path.mkdir(mode=0o755, exist_ok=True)
        path.chmod(0o755)  # whatever the umask
    return refused


def read_trusted(path: Path, most: int | None = None) -> bytes:
    """The bytes of a file that only this user or root can have written; the file checked is the file read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise Refused("") from None
    except OSError as error:
        raise Refused(f"{path.name}: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Refused(f"{path.name} is not a file")
        if reason := distrust(status):
            raise Refused(f"{path.name}: {reason}")
        if most is not None and status.st_size > most:
            raise Refused(f"{path.name} has {status.st_size} bytes")
        return file.read()
