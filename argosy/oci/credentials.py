"""Who to be at a registry: from the environment, else from Docker's configuration file and the helpers it names."""

from __future__ import annotations

import base64
import binascii
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from argosy.errors import ArgosyError, UsageError
from argosy.files import write_whole
from argosy.model import strict_json
from argosy.oci import credential_helper

USER_VARIABLE = "ARGOSY_USERNAME"
PASSWORD_VARIABLE = "ARGOSY_PASSWORD"
_TOKEN_USER = "<token>"  # what helpers give as the user name of an identity token


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A user name and a password (or access token) that belong to one host; never shown, not even by repr.

    `identity_token` stands for both where a token server gave one at login (RFC 6749's refresh token).
    """

    user: str
    password: str = field(repr=False)
    identity_token: str | None = field(default=None, repr=False)

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


def save(host: str, account: Credentials) -> str:
    """Keep the credentials for `host` as Docker's clients do; gives where: a helper's name, or the file's path."""
    path = docker_configuration()
    settings = _settings(path)
    helper = _helper(settings, host)
    if helper is not None:
        credential_helper.store(helper, host, account.user, account.password)
        return f"docker-credential-{helper}"
    accounts = settings.setdefault("auths", {})
    if not isinstance(accounts, dict):
        raise ArgosyError(f"{path}: auths is not a table", advice="mend or remove the file")
    accounts[host] = {"auth": account.basic().removeprefix("Basic ")}
    write_whole(path, json.dumps(settings, indent=2).encode() + b"\n", mode=0o600)
    return str(path)


def forget(host: str) -> bool:
    """Remove what is kept for `host`; False when nothing was."""
    path = docker_configuration()
    settings = _settings(path)
    helper = _helper(settings, host)
    known = helper is not None and credential_helper.erase(helper, host)
    accounts = settings.get("auths")
    places = [place for place in accounts if _host(place) == host] if isinstance(accounts, dict) else []
    if isinstance(accounts, dict) and places:
        for place in places:
            del accounts[place]
        write_whole(path, json.dumps(settings, indent=2).encode() + b"\n", mode=0o600)
    return known or bool(places)


def _settings(path: Path) -> strict_json.JsonObject:
    try:
        return strict_json.read(path.read_bytes(), str(path))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ArgosyError(f"cannot read {path}: {error.strerror}") from error


def _helper(settings: strict_json.JsonObject, host: str) -> str | None:
    """The helper that keeps the credentials of this host."""
    by_host = settings.get("credHelpers")
    named = by_host.get(host) if isinstance(by_host, dict) else None
    helper = named or settings.get("credsStore")
    return helper if isinstance(helper, str) and helper else None


def _from_docker(path: Path, host: str) -> Credentials | None:
    """A helper's answer, or the entry of `auths` that is exactly for this host."""
    settings = _settings(path)
    helper = _helper(settings, host)
    if helper is not None and (found := credential_helper.get(helper, host)):
        user, secret = found
        if user == _TOKEN_USER:
            return Credentials(user="", password="", identity_token=secret)
        return Credentials(user=user, password=secret)
    accounts = settings.get("auths")
    if not isinstance(accounts, dict):
        return None
    for place, entry in accounts.items():
        if _host(place) == host and isinstance(entry, dict) and (account := _entry(entry, path, host)):
            return account
    return None


def _host(place: str) -> str:
    """The host of an entry; Docker writes it with or without https:// and a path."""
    return place.removeprefix("https://").removeprefix("http://").split("/")[0].lower()


def _entry(entry: dict[str, object], path: Path, host: str) -> Credentials | None:
    user, password, encoded, token = (entry.get(key) for key in ("username", "password", "auth", "identitytoken"))
    if isinstance(token, str) and token:
        return Credentials(user="", password="", identity_token=token)
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
