"""Who to be at a registry: from the environment, else from Docker's configuration file."""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass, field
from pathlib import Path

from argosy.errors import ArgosyError, UsageError
from argosy.model import strict_json

USER_VARIABLE = "ARGOSY_USERNAME"
PASSWORD_VARIABLE = "ARGOSY_PASSWORD"


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A user name and a password (or access token) that belong to one host; never shown, not even by repr."""

    user: str
    password: str = field(repr=False)

    def basic(self) -> str:
        """The value of an Authorization header (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def find(host: str, *, environment: bool = True) -> Credentials | None:
    """The credentials for `host[:port]`, None when there are none.

    $ARGOSY_USERNAME and $ARGOSY_PASSWORD are meant for the registry that a command names; `environment` is False for
    any other host, such as one that a registry refers to.
    """
    user, password = os.environ.get(USER_VARIABLE), os.environ.get(PASSWORD_VARIABLE)
    if environment and (user or password):
        if not user or not password:
            missing = PASSWORD_VARIABLE if user else USER_VARIABLE
            raise UsageError(f"${missing} is not set", advice=f"set both ${USER_VARIABLE} and ${PASSWORD_VARIABLE}")
        return Credentials(user=user, password=password)
    return _from_docker(docker_configuration(), host)


def docker_configuration() -> Path:
    """Docker's configuration file: in $DOCKER_CONFIG, else in ~/.docker."""
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"


def _from_docker(path: Path, host: str) -> Credentials | None:
    """The entry of `auths` that is exactly for this host; Docker writes it with or without https:// and a path."""
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ArgosyError(f"cannot read {path}: {error.strerror}") from error
    accounts = strict_json.read(data, str(path)).get("auths")
    if not isinstance(accounts, dict):
        return None
    for place, entry in accounts.items():
        named = place.removeprefix("https://").removeprefix("http://").split("/")[0].lower()
        if named == host and isinstance(entry, dict) and (found := _entry(entry, path, host)):
            return found
    return None


def _entry(entry: dict[str, object], path: Path, host: str) -> Credentials | None:
    user, password, encoded = (entry.get(key) for key in ("username", "password", "auth"))
    if isinstance(user, str) and isinstance(password, str) and user:
        return Credentials(user=user, password=password)
    if not isinstance(encoded, str) or not encoded:
        return None
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = ""
    if not colon or not isinstance(user, str) or not isinstance(password, str):
        raise ArgosyError(f"{path}: the entry for {host} cannot be read", advice=f"log in to {host} again")
    return Credentials(user=user, password=password.rstrip("\0"))
