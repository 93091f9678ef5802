"""An image layout in one tar file, for sites without a network: artifacts, what is said of them, and a trust policy.

An archive is unpacked beside where it is used and packed anew when it was written to; the same content gives the same
bytes. What it brings as a policy is for an administrator to read: it is never believed because it came along.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from argosy.errors import ArgosyError
from argosy.files import scratch_folder, sha256_of, whole_file
from argosy.folders import cache_root
from argosy.oci.layout import Layout
from argosy.tar import tarfile

POLICY = "policy"  # the folder of the archive that holds policy.toml and the public keys that it names

_MEMBER = re.compile(r"(?:\./)?(oci-layout|index\.json|blobs/[a-z0-9]+/[0-9a-f]{32,128}|policy/[A-Za-z0-9._-]+)")
_MOST_MEMBERS = 100_000


@contextlib.contextmanager
def opened(path: Path, *, write: bool) -> Iterator[Layout]:
    """The layout in the archive at `path`. With `write`, which needs none to be there yet, it is stored when the block
    ends well.

    Raises ArgosyError for what is no such archive, and for members that have no place in one.
    """
    with scratch_folder(cache_root() / "transfers") as folder:
        before = None
        if not write or path.exists():
            before = _digest(path)
            _unpack(path, folder)
        yield Layout(folder)
        if write:
            if before is not None and _digest(path) != before:
                raise ArgosyError(f"{path} was changed by somebody else meanwhile", advice="copy again")
            _pack(folder, path)


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except FileNotFoundError:
        raise ArgosyError(f"there is no archive {path}") from None
    except OSError as error:
        raise ArgosyError(f"cannot read the archive {path}: {error.strerror}") from error


def _unpack(path: Path, folder: Path) -> None:
    left = path.stat().st_size
    try:
        with tarfile.open(path, mode="r:") as archive:
            for number, member in enumerate(archive):
                match = _MEMBER.fullmatch(member.name)
                if member.isdir():
                    continue
                if match is None or not member.isreg() or member.issparse() or number > _MOST_MEMBERS:
                    raise ArgosyError(f"{path} is no image layout: {member.name[:200]!r} has no place in one")
                left -= member.size
                source = archive.extractfile(member)
                if left < 0 or source is None:
                    raise ArgosyError(f"{path}: {member.name[:200]!r} claims more bytes than the archive has")
                target = folder / match[1]
                target.parent.mkdir(parents=True, exist_ok=True)
                with source, target.open("wb") as file:
                    shutil.copyfileobj(source, file)
    except (tarfile.TarError, EOFError) as error:
        raise ArgosyError(f"{path} is not a tar archive: {error}", advice="it may be compressed, or damaged") from None
    except OSError as error:
        raise ArgosyError(f"cannot unpack {path}: {error.strerror or error}", advice="free some space") from error


def _pack(folder: Path, path: Path) -> None:
    """Sorted names, no times, no owners: the archive depends on its content alone."""
    names = sorted(one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file())
    with whole_file(path) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in names:
            if name.rpartition("/")[2].startswith("."):
                continue  # a lock
            member = tarfile.TarInfo(name)
            member.size = (folder / name).stat().st_size
            member.mode = 0o644
            with (folder / name).open("rb") as content:
                archive.addfile(member, content)
