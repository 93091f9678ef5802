"""The real `cosign`, versions 2 and 3, fetched without root into the cache.

$COSIGN2 and $COSIGN3, when they are set, name others than Debian's.
"""

from __future__ import annotations

import os
from pathlib import Path

from debian_packages import kept, unpack

_SUITES = {2: "trixie", 3: "sid"}


def find_cosign(version: int) -> Path:
    """The program of that major version. Raises ArgosyError when there is none and none can be fetched."""
    given = os.environ.get(f"COSIGN{version}")
    if given:
        return Path(given)
    suite = _SUITES[version]
    return kept(f"cosign{version}", lambda scratch: unpack(suite, ["cosign"], scratch) / "usr" / "bin" / "cosign")
