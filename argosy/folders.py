"""Where Argosy keeps what it makes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from argosy.errors import ArgosyError


def cache_root() -> Path:
    """`$ARGOSY_CACHE`, else `argosy` in the XDG cache folder; not created here (XDG Base Directory Specification)."""
    given = os.environ.get("ARGOSY_CACHE")
    if given:
        return Path(given).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "argosy"


def site_cache_root() -> Path | None:
    """The cache that an administrator keeps for all users: `$ARGOSY_SITE_CACHE`, else /var/cache/argosy where there is
    one; None without. Empty, the variable means none."""
    given = os.environ.get("ARGOSY_SITE_CACHE")
    if given is not None:
        return Path(given).absolute() if given else None
    usual = Path("/var/cache/argosy")
    return usual if usual.is_dir() else None


def settings_root() -> Path:
    """Where a user's keys and trust policy are: `argosy` in the XDG configuration folder; not created here."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config").absolute() / "argosy"


def signing_key() -> Path:
    """The private key to sign with where none is named: `$ARGOSY_KEY`, else `argosy.key` among the user's settings."""
    given = os.environ.get("ARGOSY_KEY")
    return Path(given) if given else settings_root() / "argosy.key"


def state_root() -> Path:
    """What must outlive the cache: `$ARGOSY_STATE`, else `argosy` in the XDG state folder; not created here."""
    given = os.environ.get("ARGOSY_STATE")
    if given:
        return Path(given).absolute()
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state").absolute() / "argosy"


def shipped(name: str) -> Path:
    """A file or folder of the checkout's top level, or of where an installation put it (pyproject.toml's data-files).

    Raises ArgosyError where neither has it.
    """
    folders = (Path(__file__).parent.parent, Path(sys.prefix) / "share" / "argosy")
    for folder in folders:
        if (folder / name).exists():
            return folder / name
    raise ArgosyError(
        f"no {name} in {' or '.join(str(folder) for folder in folders)}",
        advice="work from a checkout of Argosy, or install it anew",
    )
