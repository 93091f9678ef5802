"""Where a recipe's sources come from: what may be tried, in which order, and the one digest that all must have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeAlias

from argosy.model.digest import Digest
from argosy.model.strict import Table

SHA256 = "[0-9a-f]{64}"
SHA256_FORM = "a SHA-256 digest (64 lower-case hexadecimal digits)"


@dataclass(frozen=True, kw_only=True)
class Https:
    """A file at an https address."""

    url: str

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, kw_only=True)
class Debian:
    """One file of a Debian source package, from the archive that this system's apt is set up with."""

    package: str
    file: str

    def __str__(self) -> str:
        return f"Debian source package {self.package}"


@dataclass(frozen=True, kw_only=True)
class Pypi:
    """The source distribution of a PyPI project's release."""

    project: str
    version: str

    def __str__(self) -> str:
        return f"PyPI source distribution {self.project} {self.version}"


@dataclass(frozen=True, kw_only=True)
class Npm:
    """The tarball of an npm package's release."""

    package: str
    version: str

    def __str__(self) -> str:
        return f"npm package {self.package} {self.version}"


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """A file in the folder that `$ARGOSY_MIRROR` names."""

    file: str

    def __str__(self) -> str:
        return f"{self.file} in the mirror folder"


Location: TypeAlias = Https | Debian | Pypi | Npm | Mirror


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A file with digest `digest`, the same at each of `locations`.

    It is unpacked into folder `into` of the source tree without its `strip` leading folders, or placed there as it
    is, named `file`, when `unpack` is false.
    """

    file: str
    digest: Digest
    locations: tuple[Location, ...]
    into: str
    strip: int
    unpack: bool


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A folder that lies beside the recipe; its files are copied into folder `into` of the source tree."""

    folder: str
    into: str


Source: TypeAlias = Archive | Beside


@dataclass(frozen=True, kw_only=True)
class Patch:
    """A unified diff beside the recipe, applied in folder `into` of the source tree without `strip` leading folders."""

    file: str
    digest: Digest
    strip: int
    into: str


_SOURCE_KEYS = ("file", "sha256", "locations", "folder", "into", "strip", "unpack")
_LOCATION_KINDS = {
    "https": ("https",),
    "debian": ("debian", "file"),
    "pypi": ("pypi", "version"),
    "npm": ("npm", "version"),
    "mirror": ("mirror",),
}
_LOCATION_KEYS = ("https", "debian", "pypi", "npm", "mirror", "file", "version")
_DEBIAN_NAME = r"[a-z0-9][a-z0-9+.-]+"
_PYPI_NAME = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
_NPM_NAME = r"(@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*"
_RELEASE = r"[0-9A-Za-z][0-9A-Za-z.+~_-]*"
_FILE_NAME = r"[A-Za-z0-9][A-Za-z0-9._+~-]*"


def parse_sources(recipe: Table) -> tuple[Source, ...]:
    """The recipe's `[[source]]` tables."""
    return tuple(_source(table) for table in recipe.tables("source", _SOURCE_KEYS))


def parse_patches(recipe: Table) -> tuple[Patch, ...]:
    """The recipe's `[[patch]]` tables."""
    return tuple(
        Patch(
            file=table.path_inside("file"),
            digest=_digest(table),
            strip=table.whole("strip", 1, most=20),
            into=table.path_inside("into", "."),
        )
        for table in recipe.tables("patch", ("file", "sha256", "strip", "into"))
    )


def _digest(table: Table) -> Digest:
    return Digest(algorithm="sha256", hex=table.text("sha256", pattern=SHA256, form=SHA256_FORM))


def _source(table: Table) -> Source:
    if table.has("folder"):
        for key in ("sha256", "locations", "file", "strip", "unpack"):
            if table.has(key):
                table.fail(key, "has no meaning beside 'folder': the recipe's own digest covers its folders")
        return Beside(folder=table.path_inside("folder"), into=table.path_inside("into", "."))
    locations = tuple(_location(entry) for entry in table.tables("locations", _LOCATION_KEYS))
    if not locations:
        table.fail("locations", "missing; at least one place to get the source from is needed here")
    name = next(filter(None, map(_file_name, locations)), None)
    return Archive(
        file=table.text("file", name, pattern=_FILE_NAME, form="a plain file name"),
        digest=_digest(table),
        locations=locations,
        into=table.path_inside("into", "."),
        strip=table.whole("strip", 1, most=20),
        unpack=table.truth("unpack", True),
    )


def _file_name(location: Location) -> str | None:
    match location:
        case Https(url=url):
            return PurePosixPath(url.partition("?")[0]).name
        case Debian(file=file) | Mirror(file=file):
            return PurePosixPath(file).name
        case _:
            return None


def _location(table: Table) -> Location:
    kinds = [kind for kind in _LOCATION_KINDS if table.has(kind)]
    if len(kinds) != 1:
        table.fail("", f"needs exactly one of {', '.join(_LOCATION_KINDS)}; it has {', '.join(kinds) or 'none'}")
    kind = kinds[0]
    for key in table.values:
        if key not in _LOCATION_KINDS[kind]:
            table.fail(key, f"has no meaning beside {kind!r}")
    match kind:
        case "https":
            return Https(
                url=table.text("https", pattern=r"https://[^\s/]+/\S*[^\s/]", form="an https:// address of a file")
            )
        case "debian":
            return Debian(
                package=table.text("debian", pattern=_DEBIAN_NAME, form="a Debian source package's name"),
                file=table.text("file", pattern=_FILE_NAME, form="a plain file name"),
            )
        case "pypi":
            return Pypi(
                project=table.text("pypi", pattern=_PYPI_NAME, form="a PyPI project's name"), version=_release(table)
            )
        case "npm":
            return Npm(
                package=table.text("npm", pattern=_NPM_NAME, form="an npm package's name"), version=_release(table)
            )
        case _:
            return Mirror(file=table.path_inside("mirror"))


def _release(table: Table) -> str:
    return table.text("version", pattern=_RELEASE, form="an exact version")
