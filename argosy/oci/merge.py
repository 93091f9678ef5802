"""Adding to what a tag names, although no registry can do that in one step and some ignore `If-Match`.

What was written is read back, at once and again after a pause: a writer that had read before us and wrote after us
has then taken ours away, and it is added again, to theirs. The pause is several times as long as our own reading and
writing took. In a place that one writer can have for itself (`Registry.alone`) there is no pause.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from argosy.errors import ArgosyError
from argosy.oci.registry import Registry, StoredManifest, manifest_at

_MOST_WRITES = 40
_LEAST_PAUSE = 0.2  # seconds

# What the tag should name instead of what it names now (None: nothing yet); None when that is right as it is.
Change = Callable[[StoredManifest | None], tuple[bytes, str] | None]


def merge(registry: Registry, tag: str, change: Change) -> bool:
    """Apply `change` until it holds; it gives a manifest's bytes and media type. False when it held from the beginning.

    Raises ArgosyError when others undo it each time.
    """
    with registry.alone() as alone:
        writes, confirmed, pause = 0, alone, _LEAST_PAUSE
        while True:
            begin = time.monotonic()
            new = change(manifest_at(registry, tag))
            if new is None:
                if not writes or confirmed:
                    return writes > 0
                time.sleep(pause * random.uniform(1.0, 2.0))
                confirmed = True
                continue
            if writes >= _MOST_WRITES:
                raise ArgosyError(
                    f"{registry.name}: {tag} is replaced by others each time that it is stored",
                    advice="try again when nobody else writes there",
                )
            registry.put_manifest(*new, tag)
            writes, confirmed = writes + 1, alone
            pause = max(_LEAST_PAUSE, 4 * (time.monotonic() - begin))
