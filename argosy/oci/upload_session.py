"""Uploads that broke off, so that the next process goes on with them: in the cache, a small file for each.

The file holds the URL that the registry gave, which is a capability: only its user reads it. What it says is a hint:
the registry is asked how far it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from typing import IO

from argosy.errors import ArgosyError
from argosy.folders import cache_root
from argosy.model import strict_json
from argosy.model.manifest import Descriptor
from argosy.oci.challenge import origin


class UploadSession:
    """One blob's upload to one repository; `url` is where an earlier one went on, None when there was none."""

    def __init__(self, file: IO[bytes] | None, base: str, url: str | None) -> None:
        self._file, self._base, self.url = file, base, url
        self.ended = False

    def save(self, url: str) -> None:
        """The upload goes on at `url`; one at a foreign host, which may hold a secret in it, is not kept."""
        if self._file is None or origin(url) != origin(self._base):
            return
        with contextlib.suppress(OSError):  # then it begins anew next time
            self._file.seek(0)
            self._file.truncate()
            self._file.write(strict_json.write({"url": url}))
            self._file.flush()

    def end(self) -> None:
        """Everything is stored."""
        self.ended = True


@contextlib.contextmanager
def held(base: str, repository: str, blob: Descriptor) -> Iterator[UploadSession]:
    """The session of this blob, for this process alone: a second process at the same time begins one of its own.

    `base` is the registry's URL.
    """
    name = hashlib.sha256(f"{base} {repository} {blob.digest}".encode()).hexdigest()
    path = cache_root() / "uploads" / f"{name}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:  # a cache that cannot be written costs the continuation, not the upload
        yield UploadSession(None, base, None)
        return
    with os.fdopen(descriptor, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield UploadSession(None, base, None)
            return
        session = UploadSession(file, base, _read(file, base))
        try:
            yield session
        finally:
            if session.ended or not os.fstat(file.fileno()).st_size:
                path.unlink(missing_ok=True)


def _read(file: IO[bytes], base: str) -> str | None:
    """What is kept; None for nothing, and for what was damaged."""
    try:
        url = strict_json.read(file.read(65536), "an upload").get("url")
        return url if isinstance(url, str) and origin(url) == origin(base) else None
    except ArgosyError:
        return None
