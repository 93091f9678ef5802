"""Keeping a cache of native code within a size: what was not used for longest goes first, never what is in use.

A launcher holds a shared lock on the code that it runs (argosy/launcher/src/module.c), for as long as it runs; whoever
removes an entry must get the exclusive one. Between finding an entry and locking it lie a few milliseconds, so what was
used in the last minutes stays as well. Where a file system has no locks, code is removed only when it was not used for
a day.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from argosy.errors import ArgosyError
from argosy.files import NO_LOCKS, lock
from argosy.model.quantity import parse_size
from argosy.site import aot_cache, aot_folder
from argosy.site.cache_contents import RECENT, Stored, contents, leftovers, look, remove, total

LIMIT_VARIABLE = "ARGOSY_CACHE_LIMIT"
_DAY = 86400.0


@dataclass(frozen=True, kw_only=True)
class Cleaned:
    """What was (or would be) removed and why, what processes had left, entries that stay because they are in use or
    were a moment ago, and how many bytes are left."""

    removed: tuple[tuple[Stored, str], ...]
    leftovers: tuple[Path, ...]
    in_use: tuple[Stored, ...]
    left: int


def configured() -> int | None:
    """The limit in bytes that `$ARGOSY_CACHE_LIMIT` sets; None where it is not set."""
    text = os.environ.get(LIMIT_VARIABLE)
    return parse_size(text) if text else None


def keep_within_limit() -> None:
    """After a compilation: make room, where there is a limit and the user's cache is over it."""
    limit = configured()
    if limit is not None and total(contents(aot_folder.own())) > limit:
        clean(aot_folder.own(), limit=limit)


def clean(root: Path, *, limit: int | None = None, dry_run: bool = False) -> Cleaned:
    """Remove from the cache `root` what is left over or cannot be used, then the least recently used until the rest
    takes `limit` bytes (None: as it is).

    Raises ArgosyError when the folder cannot be read or written.
    """
    entries = contents(root)
    removed: list[tuple[Stored, str]] = []
    in_use: list[Stored] = []
    left = total(entries)
    wrong = [one for one in entries if one.problem]
    for one, reason in [
        *((one, one.problem) for one in wrong),
        *((one, "not used for longest") for one in reversed(entries) if not one.problem),
    ]:
        if not one.problem and (limit is None or left <= limit):
            break
        if _remove(one, dry_run=dry_run):
            removed.append((one, reason))
            left -= one.size
        else:
            in_use.append(one)
    gone = [path for path in leftovers(root) if _is_old(path)]
    if not dry_run:
        _remove_leftovers(root, gone)
    return Cleaned(removed=tuple(removed), leftovers=tuple(gone), in_use=tuple(in_use), left=left)


def _remove(one: Stored, *, dry_run: bool) -> bool:
    """Whether the entry was removed (or would be): not while it is in use, nor when it was a moment ago."""
    with lock(aot_cache.lock_path(one.place, one.name)):
        now = look(one.place, one.name)
        if now is None:
            return True
        if bool(now.problem) != bool(one.problem) or (not now.problem and now.is_recent):
            return False
        try:
            with now.code.open("rb") as code:
                if not _is_free(code.fileno(), now):
                    return False
                if not dry_run:
                    _unlink(now.files)
        except FileNotFoundError:
            if not dry_run:
                _unlink(now.files)
        except OSError as error:
            raise ArgosyError(f"cannot remove {one.code}: {error.strerror}") from error
    return True


def _unlink(files: Sequence[Path]) -> None:
    for path in files:
        remove(path)


def _is_free(descriptor: int, one: Stored) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in NO_LOCKS:
            return time.time() - one.used > _DAY
        raise
    return True


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.lstat().st_mtime > RECENT
    except OSError:
        return False


def _remove_leftovers(root: Path, gone: Sequence[Path]) -> None:
    for path in gone:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            remove(path)
    for place in root.glob("[0-9a-f]*"):  # of a module without entries only locks are left
        if not any(path.suffix != ".lock" for path in _listed(place)) and _is_old(place):
            for path in _listed(place):
                with lock(path):
                    remove(path)
            with contextlib.suppress(OSError):
                place.rmdir()


def _listed(place: Path) -> list[Path]:
    try:
        return list(place.iterdir())
    except OSError:
        return []
