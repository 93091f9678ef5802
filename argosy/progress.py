"""Progress on long work, shown only where a person is looking: on a terminal's stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from tqdm import tqdm


class Advance(Protocol):
    """Tell that `amount` more units are done."""

    def __call__(self, amount: int = 1, /) -> object: ...


@contextmanager
def progress(label: str, total: int | None, *, unit: str = "B") -> Iterator[Advance]:
    """A bar named `label` that fills up to `total` units (None: unknown); silent when stderr is not a terminal."""
    with tqdm(
        total=total,
        desc=label,
        unit=unit,
        unit_scale=unit == "B",
        unit_divisor=1024,
        leave=False,
        file=sys.stderr,
        disable=not sys.stderr.isatty(),
    ) as bar:
        yield bar.update
