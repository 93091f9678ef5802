"""The recipes of a build in one archive, which lies beside the artifact: a rebuild needs nothing else of its publisher.

Equal recipes give equal bytes: sorted names, no times, no owners, and of modes only whether a file is executable.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from argosy.build import recipes
from argosy.errors import ArgosyError
from argosy.model.recipe import Recipe
from argosy.tar import tarfile

LARGEST = 64 << 20  # bytes of an archive that is made or read

_ADVICE = "recipes hold descriptions, patches and small inputs; let large files be [[source]]s"


def pack(found: Iterable[Recipe]) -> bytes:
    """The folders of these recipes, each under its recipe's name, without hidden and back-up files.

    Raises ArgosyError where a file cannot be read, or all are larger than such an archive may be.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for recipe in sorted(found, key=lambda one: one.name):
            for path in sorted(recipes.files(recipe.folder)):
                member = tarfile.TarInfo(f"{recipe.name}/{path.relative_to(recipe.folder).as_posix()}")
                try:
                    content = path.read_bytes()
                    member.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
                except OSError as error:
                    raise ArgosyError(f"cannot read {path} of recipe {recipe.name}: {error.strerror}") from error
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
                if packed.tell() > LARGEST:
                    raise ArgosyError(
                        f"recipe {recipe.name} holds more than {LARGEST >> 20} MiB of files", advice=_ADVICE
                    )
    return packed.getvalue()


def unpack(data: bytes, folder: Path) -> Mapping[str, Recipe]:
    """Put the recipes of an archive into `folder` and read them; gives them by name.

    Raises ArgosyError for an archive that holds anything but files of recipes.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                if not member.isreg() or member.issparse():
                    raise ArgosyError(f"the archive of recipes holds {member.name[:200]!r}, which is no plain file")
                archive.extract(member, folder, filter="data")
    except (tarfile.TarError, EOFError) as error:
        raise ArgosyError(f"the archive of recipes cannot be unpacked: {error}") from error
    except OSError as error:
        raise ArgosyError(f"cannot unpack the recipes into {folder}: {error.strerror or error}") from error
    return recipes.load_all(folder)
