"""Files that are whole or absent: written beside their name, flushed, then renamed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from argosy.errors import ArgosyError

# What flock says on a file system that has no locks.
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
_CHUNK = 1 << 20


class UnwritableError(ArgosyError):
    """A file or folder of Argosy's own cannot be written, or not be locked."""


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in lower-case hex, read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def begin_writing_out(file: IO[bytes], start: int, end: int) -> None:
    """Let the disk begin with these bytes of the file, so that little is left when the whole is to reach it.

    What is no file on a disk is left as it is. (The advice starts the writing of what is dirty, and waits for nothing.)
    """
    with contextlib.suppress(OSError):  # io.UnsupportedOperation is one
        file.flush()
        os.posix_fadvise(file.fileno(), start, end - start, os.POSIX_FADV_DONTNEED)


def distrust(status: os.stat_result) -> str:
    """Why someone else may have made or changed the file or folder of this status; empty when only this user or root
    can have. What holds native code must pass this before it is run."""
    if status.st_uid not in (os.geteuid(), 0):
        return f"it belongs to user {status.st_uid}"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"others can write it (mode {stat.S_IMODE(status.st_mode):o})"
    return ""


@contextlib.contextmanager
def whole_file(path: Path, *, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """A file that appears at `path` with all of its bytes when the block ends well, and not at all otherwise.

    The bytes go to a temporary file in the same folder, reach the disk, and take the name in one step, so a
    reader or a crash never meets half of it. Raises UnwritableError when the folder cannot be written or is full.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        temporary.replace(path)
        temporary = None
        _sync_folder(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> UnwritableError:
    return UnwritableError(
        f"cannot write {path}: {error.strerror or error}",
        advice="free some space or choose another folder (the cache's is $ARGOSY_CACHE)",
    )


@contextlib.contextmanager
def resumable_file(path: Path, *, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """Like `whole_file`, but what a block that failed had written is there for the next one, also after a crash.

    The file is open for reading and writing at its beginning. What it holds may be anything (a crash, a full disk, a
    damaged sector): whoever goes on from it checks it. One process at a time writes; others wait for it.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _open_alone(partial, 0o600) as file:
            try:
                yield file
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
                partial.replace(path)
            except OSError:
                partial.unlink(missing_ok=True)  # a full disk is not to stay full of it
                raise
            except BaseException:
                file.flush()
                if not os.fstat(file.fileno()).st_size:
                    partial.unlink(missing_ok=True)
                raise
        _sync_folder(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error


def _open_alone(path: Path, mode: int) -> IO[bytes]:
    """`path`, opened and locked until it is closed; whoever had it before may have renamed or removed it, and then it
    is another file."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
        file = os.fdopen(descriptor, "r+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return file
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno in NO_LOCKS:
                return file
            file.close()
            raise
        file.close()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Put `data` at `path`, whole or not at all (see `whole_file`)."""
    with whole_file(path, mode=mode) as file:
        file.write(data)


@contextlib.contextmanager
def scratch_folder(above: Path) -> Iterator[Path]:
    """A new folder in `above`, which is made where absent; removed, with all that is in it, when the block ends.

    Raises UnwritableError where it cannot be made.
    """
    try:
        above.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=above, ignore_cleanup_errors=True)
    except OSError as error:
        raise _unwritable(above, error) from error
    with folder as name:
        yield Path(name)


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold an exclusive advisory lock on `path` (created when absent) while the block runs; other processes wait.

    On a file system without locks (NFS without its lock service) nobody waits: what is locked here is work that need
    not be done twice, and every file of its result takes its name whole.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _open_alone(path, 0o644)
    except OSError as error:
        raise UnwritableError(
            f"cannot lock {path}: {error.strerror or error}", advice="choose a folder of your own with $ARGOSY_CACHE"
        ) from error
    with file:
        yield
