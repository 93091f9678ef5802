"""Where Argosy keeps what it makes."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """`$ARGOSY_CACHE`, else `argosy` in the XDG cache folder; not created here (XDG Base Directory Specification)."""
    given = os.environ.get("ARGOSY_CACHE")
    if given:
        return Path(given).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "argosy"


def settings_root() -> Path:
    """Where a user's keys and trust policy are: `argosy` in the XDG configuration folder; not created here."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config").absolute() / "argosy"
