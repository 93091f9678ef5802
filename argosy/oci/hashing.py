"""SHA-256 beside the thread that has the bytes: while one piece is hashed, the next is on its way."""

from __future__ import annotations

import hashlib
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

_ALONE = 1 << 20  # bytes that are hashed at once: a thread would cost more
_WAITING = 6  # pieces, and so a bound on memory


class ParallelHash:
    """The digest of the pieces given to `update`, in their order; they must not be changed afterwards."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._size = 0
        self._worker: ThreadPoolExecutor | None = None
        self._waiting: deque[Future[None]] = deque()

    def update(self, piece: bytes) -> None:
        """Hash `piece`, at once or soon."""
        self._size += len(piece)
        if self._size <= _ALONE:
            self._digest.update(piece)
            return
        if self._worker is None:
            from concurrent.futures import ThreadPoolExecutor

            self._worker = ThreadPoolExecutor(1, thread_name_prefix="sha256")
        if len(self._waiting) == _WAITING:
            self._waiting.popleft().result()
        self._waiting.append(self._worker.submit(self._digest.update, piece))

    def hexdigest(self) -> str:
        """The digest of everything so far, in lower-case hex; waits for it."""
        while self._waiting:
            self._waiting.popleft().result()
        return self._digest.hexdigest()
