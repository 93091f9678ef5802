"""Programs that keep passwords for Docker's clients: `docker-credential-NAME get|store|erase`.

Source: the protocol of docker-credential-helpers; a configuration file's `credHelpers` (by host) and `credsStore`.
"""

from __future__ import annotations

import re
import shutil
import subprocess

from argosy.errors import ArgosyError
from argosy.model import strict_json

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NOT_FOUND = "credentials not found"
_SECONDS = 60.0  # it may ask the user for something


def get(name: str, host: str) -> tuple[str, str] | None:
    """The user name and secret that the helper keeps for `host`; None when it has none."""
    answer = _run(name, "get", host.encode())
    if answer is None:
        return None
    found = strict_json.read(answer, f"what docker-credential-{name} says of {host}", limit=1 << 20)
    user, secret = found.get("Username"), found.get("Secret")
    if not isinstance(user, str) or not isinstance(secret, str):
        raise ArgosyError(f"docker-credential-{name} gives no name and secret for {host}")
    return (user, secret) if secret else None


def store(name: str, host: str, user: str, secret: str) -> None:
    """Let the helper keep a name and secret for `host`."""
    _run(name, "store", strict_json.write({"ServerURL": host, "Username": user, "Secret": secret}))


def erase(name: str, host: str) -> bool:
    """Let the helper forget `host`; False when it knew nothing of it."""
    return _run(name, "erase", host.encode()) is not None


def _run(name: str, verb: str, data: bytes) -> bytes | None:
    """The helper's answer; None when it knows no such host. What it prints is never shown: it may be a secret."""
    program = shutil.which(f"docker-credential-{name}") if _NAME.fullmatch(name) else None
    if program is None:
        raise ArgosyError(
            f"Docker's configuration names the credential helper {name[:100]!r}, and docker-credential-{name[:100]} is "
            "not on PATH",
            advice="install it, or take it out of ~/.docker/config.json",
        )
    try:
        done = subprocess.run([program, verb], input=data, capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ArgosyError(f"docker-credential-{name} {verb} did not answer: {type(error).__name__}") from None
    if done.returncode == 0:
        return done.stdout
    if _NOT_FOUND in done.stdout.decode(errors="replace"):
        return None
    raise ArgosyError(f"docker-credential-{name} {verb} failed with status {done.returncode}")
