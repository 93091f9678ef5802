"""Which authority a registry's certificate must come from, and the certificate that this client shows, by host.

As Docker and podman have it: a folder `certs.d/HOST[:PORT]` with `*.crt` (authorities), and `*.cert` with `*.key` of
the same name (what the client shows), among the user's settings, then in /etc/containers and /etc/docker. Without one,
$REQUESTS_CA_BUNDLE, else the authorities that `requests` brings.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from argosy.errors import ArgosyError
from argosy.folders import settings_root

_SYSTEM = (Path("/etc/containers/certs.d"), Path("/etc/docker/certs.d"))


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """Files in PEM: the only `authority` to be accepted, and the client's own pair; None for what is not set."""

    authority: Path | None = None
    own: tuple[Path, Path] | None = None


def find(host: str) -> Certificates:
    """What is set for `host[:port]`: the first folder that exists. Raises ArgosyError for one that cannot be used."""
    for folder in (settings_root() / "certs.d", *_SYSTEM):
        place = folder / host
        try:
            names = sorted(path for path in place.iterdir()) if place.is_dir() else []
        except OSError as error:
            raise ArgosyError(f"cannot read {place}: {error.strerror}") from error
        if names:
            return _read(place, names)
    return Certificates()


def _read(place: Path, names: list[Path]) -> Certificates:
    authorities = [path for path in names if path.suffix == ".crt"]
    shown = [path for path in names if path.suffix == ".cert"]
    if len(authorities) > 1 or len(shown) > 1:
        raise ArgosyError(f"{place} holds several .crt or .cert files", advice="put the authorities into one file")
    own = None
    if shown:
        key = shown[0].with_suffix(".key")
        if not os.access(key, os.R_OK):
            raise ArgosyError(f"{shown[0]} has no readable key beside it", advice=f"put it at {key}")
        own = (shown[0], key)
    return Certificates(authority=authorities[0] if authorities else None, own=own)
