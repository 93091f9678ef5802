"""A recipe's source files: fetched from the first place that has them, checked by digest, kept in the cache."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from argosy.build.fetch_debian import fetch_debian
from argosy.build.fetch_https import fetch_https
from argosy.build.fetch_packages import fetch_npm, fetch_pypi
from argosy.errors import ArgosyError
from argosy.files import lock, sha256_of, whole_file
from argosy.folders import cache_root
from argosy.model.recipe_source import Archive, Debian, Https, Location, Mirror, Npm, Pypi
from argosy.process import CancelledError

Note = Callable[[str], object]


def cached(archive: Archive) -> Path:
    """Where the file is kept in the cache, whether or not it is there."""
    return cache_root() / "sources" / archive.digest.algorithm / archive.digest.hex / archive.file


def fetch(archive: Archive, *, note: Note = lambda _: None) -> Path:
    """The file, from the cache or from the first of its locations that gives the right bytes.

    Before the locations, the folder `$ARGOSY_MIRROR` is looked into for it. Bytes with another digest are never
    kept. `note` is told in one line what was tried in vain. Raises ArgosyError that lists every location's failure.
    """
    target = cached(archive)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgosyError(
            f"cannot make {target.parent}: {error.strerror or error}",
            advice="choose a folder of your own with $ARGOSY_CACHE",
        ) from error
    with lock(target.parent / ".lock"):
        if target.exists():
            if sha256_of(target) == archive.digest.hex:
                return target
            target.unlink()
        failures = []
        for location in (*_mirrored(archive), *archive.locations):
            try:
                _take(location, archive, target)
            except CancelledError:
                raise
            except ArgosyError as error:
                failures.append(f"{location}: {error.what}")
                continue
            if failures:
                note(f"{archive.file}: from {location}; tried before: {'; '.join(failures)}")
            return target
    raise ArgosyError(
        f"{archive.file} can be had from none of its locations:\n" + "\n".join(f"    {line}" for line in failures),
        advice=f"is the network up? or put the file into a folder and name that in $ARGOSY_MIRROR ({archive.digest})",
    )


def _mirrored(archive: Archive) -> list[Mirror]:
    folder = os.environ.get("ARGOSY_MIRROR")
    if not folder:
        return []
    names = dict.fromkeys([archive.file, *(_base_name(location) for location in archive.locations)])
    return [Mirror(file=name) for name in names if name and (Path(folder) / name).is_file()]


def _base_name(location: Location) -> str:
    match location:
        case Https(url=url):
            return PurePosixPath(url).name
        case Debian(file=file):
            return file
        case _:
            return ""


def _take(location: Location, archive: Archive, target: Path) -> None:
    """Put the file from this location at `target`, or raise ArgosyError when it cannot be had or has another digest."""
    if isinstance(location, Https):
        # Its part stays when the transfer breaks, for the next try to continue.
        part = target.with_name(f".{target.name}.part")
        fetch_https(location.url, part)
        try:
            _check(part, archive)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as scratch:
        found = _fetched(location, archive, Path(scratch))
        _check(found, archive)
        with whole_file(target) as file, found.open("rb") as source:
            shutil.copyfileobj(source, file)


def _fetched(location: Debian | Pypi | Npm | Mirror, archive: Archive, folder: Path) -> Path:
    match location:
        case Debian():
            return fetch_debian(location, folder)
        case Pypi():
            return fetch_pypi(location, archive.digest, folder)
        case Npm():
            return fetch_npm(location, folder)
        case Mirror(file=name):
            mirror = os.environ.get("ARGOSY_MIRROR")
            if not mirror:
                raise ArgosyError("$ARGOSY_MIRROR names no folder")
            if not (Path(mirror) / name).is_file():
                raise ArgosyError(f"it is not in {mirror}")
            return Path(mirror) / name


def _check(found: Path, archive: Archive) -> None:
    digest = sha256_of(found)
    if digest != archive.digest.hex:
        raise ArgosyError(f"it has digest sha256:{digest}, not the expected {archive.digest}; it was not kept")
