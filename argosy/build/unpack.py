"""A recipe's source tree: archives unpacked and folders copied where the recipe says, nothing outside of it."""

from __future__ import annotations

import shutil
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from argosy.errors import ArgosyError
from argosy.model.recipe_source import Archive, Beside, Source
from argosy.tar import tarfile

_ADVICE = "the archive was not made by a friend; nothing of it was used"


def lay_out(source: Source, *, file: Path | None, recipe_folder: Path, tree: Path) -> None:
    """Put one source into the source tree `tree`; `file` is the fetched file of an Archive.

    Raises ArgosyError for an archive that is broken or that reaches outside the tree.
    """
    target = tree / source.into
    try:
        target.mkdir(parents=True, exist_ok=True)
        match source:
            case Beside(folder=folder):
                shutil.copytree(recipe_folder / folder, target, dirs_exist_ok=True)
            case Archive(unpack=False):
                assert file is not None
                shutil.copyfile(file, target / source.file)
            case Archive():
                assert file is not None
                unpack(file, target, strip=source.strip)
    except OSError as error:
        raise ArgosyError(
            f"cannot lay out the sources in {target}: {error.strerror or error}", advice="is the disk full?"
        ) from error


def unpack(file: Path, target: Path, *, strip: int = 1) -> None:
    """Unpack a tar or zip archive into `target` without the `strip` leading folders of each name.

    A name that is absolute or has `..`, a link that leads out of `target`, or a device is refused, with the whole
    archive (PEP 706, data filter).
    """
    try:
        if zipfile.is_zipfile(file):
            _unpack_zip(file, target, strip)
        else:
            with tarfile.open(file) as archive:
                archive.extractall(target, _stripped(archive, strip, file), filter="data")
    except tarfile.FilterError as error:
        raise ArgosyError(f"{file.name} is refused: {error}", advice=_ADVICE) from error
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, ValueError) as error:
        raise ArgosyError(f"{file.name} is not a whole tar or zip archive: {error}") from error


def _stripped(archive: tarfile.TarFile, strip: int, file: Path) -> Iterator[tarfile.TarInfo]:
    for member in archive:
        name = _inside(member.name, strip, file)
        if name is None:
            continue
        # A hard link names another member, and so loses the same folders.
        link = _inside(member.linkname, strip, file) if member.islnk() else member.linkname
        yield member.replace(name=name, linkname=link or "", deep=False)


def _inside(name: str, strip: int, file: Path) -> str | None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ArgosyError(f"{file.name} is refused: it holds {name!r}, which lies outside of it", advice=_ADVICE)
    parts = path.parts[strip:]
    return "/".join(parts) if parts else None


def _unpack_zip(file: Path, target: Path, strip: int) -> None:
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            name = _inside(member.filename, strip, file)
            if name is None or member.is_dir():
                continue
            mode = member.external_attr >> 16
            if stat.S_ISLNK(mode):
                raise ArgosyError(f"{file.name} is refused: {member.filename!r} is a link", advice=_ADVICE)
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, path.open("wb") as unpacked:
                shutil.copyfileobj(source, unpacked)
            path.chmod(0o755 if mode & 0o100 else 0o644)
