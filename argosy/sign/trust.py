"""The trust policy with its keys, read from files that nobody else could have written."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from argosy.errors import ArgosyError, UsageError
from argosy.files import write_whole
from argosy.folders import settings_root
from argosy.model.policy import Policy
from argosy.sign.keys import PublicKey, parse_public

POLICY_VARIABLE = "ARGOSY_POLICY"
_LARGEST_POLICY = 1 << 20
_MOST_LINKS = 40  # as Linux


@dataclass(frozen=True, kw_only=True)
class Trust:
    """A policy and, by name, the public keys that it speaks of."""

    policy: Policy
    keys: Mapping[str, PublicKey]


def policy_places() -> list[Path]:
    """Where a policy is looked for, in order: $ARGOSY_POLICY alone when set; else the user's, then the site's."""
    given = os.environ.get(POLICY_VARIABLE)
    if given:
        return [Path(given)]
    return [settings_root() / "policy.toml", Path("/etc/argosy/policy.toml")]


def load_trust(path: Path | None = None) -> Trust:
    """Read the policy at `path`, or the first that is found in `policy_places()`, with its public keys.

    Raises ArgosyError when there is none, when a file or its folder could have been written by another user, when
    a key cannot be read, or when one key bears two names (it would count twice towards a threshold).
    """
    places = [path] if path is not None else policy_places()
    # One that cannot be reached is found, and then refused: it must not give way to a laxer one.
    found = next((place for place in places if not _absent(place)), None)
    if found is None:
        raise ArgosyError(
            f"there is no trust policy at {' or '.join(str(place) for place in places)}",
            advice="without one nothing is trusted; registry/trust/policy.toml in Argosy's sources is an example, "
            f"--policy or ${POLICY_VARIABLE} names another place",
        )
    policy = Policy.parse(_read(found), source=str(found))
    keys: dict[str, PublicKey] = {}
    for entry in policy.keys:
        file = found.parent / entry.file
        key = parse_public(_read(file).encode(), str(file))
        twin = next((name for name, other in keys.items() if other.fingerprint == key.fingerprint), None)
        if twin is not None:
            raise UsageError(f"{found}: keys {twin!r} and {entry.name!r} are the same key")
        keys[entry.name] = key
    return Trust(policy=policy, keys=keys)


def write_policy(path: Path, *, keys: Mapping[str, PublicKey], repositories: Sequence[str]) -> None:
    """Make a policy in a folder of its own in which each of `keys` alone may sign for `repositories` (patterns).

    The keys are put beside it. For a user's first steps; a site writes its own. In layout folders, which are the
    user's own, tags may move back: whoever builds an older version again would be refused by himself.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lines = ["version = 1", ""]
    for name, key in keys.items():
        write_whole(path.parent / f"{name}.pub", key.pem())
        lines += [f"[keys.{name}]", f'file = "{name}.pub"', ""]
    names = ", ".join(f'"{name}"' for name in keys)
    for pattern in repositories:
        lines += ["[[repositories]]", f'match = "{pattern}"', f"keys = [{names}]"]
        lines += ["rollback = true", ""] if pattern.startswith("layout/") else [""]
    text = "\n".join(lines)
    Policy.parse(text, source=str(path))
    write_whole(path, text.encode())


def _absent(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _read(path: Path) -> str:
    """The text of a file that only this user or root can have written."""
    try:
        with path.open("rb") as file:
            _check_owner(path, os.fstat(file.fileno()))
            folder = path.resolve().parent
            _check_owner(folder, folder.stat())
            for each in _folders_on_the_way(path):
                _check_replaceable(each, path)
            data = file.read(_LARGEST_POLICY + 1)
    except OSError as error:
        raise ArgosyError(f"cannot read {path}, which decides what is trusted: {error.strerror}") from error
    if len(data) > _LARGEST_POLICY:
        raise ArgosyError(f"{path} is too large to be part of a trust policy")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text") from None


def _folders_on_the_way(path: Path) -> set[Path]:
    """Every folder in which a part of the path is looked up, or of a link that it leads through."""
    folders, current = set(), Path("/")
    parts, links = list(reversed(path.absolute().parts[1:])), 0
    while parts:
        part = parts.pop()
        if part == "..":
            current = current.parent
            continue
        folders.add(current)
        found = current / part
        if not found.is_symlink():
            current = found
            continue
        links += 1
        if links > _MOST_LINKS:
            raise ArgosyError(f"{path} decides what is trusted, and leads through too many links")
        target = found.readlink()
        current = Path("/") if target.is_absolute() else current
        parts += reversed([one for one in target.parts if one != "/"])
    return folders


def _check_replaceable(folder: Path, path: Path) -> None:
    """Who can rename what is in `folder` can put another file in the place of `path`, as sshd's StrictModes knows.

    Its owner is not asked: in a container's user namespace even / belongs to nobody.
    """
    mode = folder.stat().st_mode
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
        raise ArgosyError(
            f"{path} decides what is trusted, and can be replaced: {folder} can be written by others "
            f"(mode {stat.S_IMODE(mode):04o})",
            advice=f"chmod go-w {folder}, or keep the policy elsewhere",
        )


def _check_owner(path: Path, state: os.stat_result) -> None:
    if state.st_uid not in (0, os.geteuid()):
        raise ArgosyError(
            f"{path} decides what is trusted and belongs to another user (uid {state.st_uid})",
            advice="use a policy that you or root own",
        )
    if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not (
        stat.S_ISDIR(state.st_mode) and state.st_mode & stat.S_ISVTX
    ):
        raise ArgosyError(
            f"{path} decides what is trusted and can be written by others (mode {stat.S_IMODE(state.st_mode):04o})",
            advice=f"chmod go-w {path}",
        )
