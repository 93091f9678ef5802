"""How long a server that does not answer is waited for: more and more, with jitter, and one end to it."""

from __future__ import annotations

import random
import time

_FIRST, _LONGEST = 0.5, 10.0  # seconds


class Patience:
    """One operation's waiting, `seconds` in all since it began or last got on."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.progressed()

    def progressed(self) -> None:
        """What was waited for came: the next wait begins anew."""
        self._deadline = time.monotonic() + self._seconds
        self._next = _FIRST

    def wait(self, asked: float | None = None) -> bool:
        """Sleep: as many seconds as the server `asked` for, else twice as long as before, at most 10, less up to half
        by chance so that many clients do not come back together. False at once when that would be past the end."""
        pause = self._next * random.uniform(0.5, 1.0) if asked is None else asked
        if time.monotonic() + pause > self._deadline:
            return False
        self._next = min(self._next * 2, _LONGEST)
        time.sleep(pause)
        return True
