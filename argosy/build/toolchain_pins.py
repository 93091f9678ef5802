"""The files of `toolchains/`: what each provider is pinned to."""

from __future__ import annotations

import platform
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from argosy.errors import UsageError
from argosy.folders import shipped
from argosy.model.digest import Digest
from argosy.model.recipe_source import Archive, Https
from argosy.model.strict import Table


@dataclass(frozen=True, kw_only=True)
class PackagesPins:
    """The provider `packages`: a PyPI package with the compiler, an npm package with the sysroot."""

    clang: str
    languages: tuple[str, ...]
    compiler: str  # name on PyPI
    compiler_version: str
    folders: Mapping[str, Digest]  # of the compiler's package: headers, and the sources of the C++ runtime
    executables: Mapping[str, Digest]  # by machine
    sysroot: str  # name on npm
    sysroot_version: str
    tarball: Digest
    member: str  # the tar archive inside the tarball that holds the sysroot


@dataclass(frozen=True, kw_only=True)
class WasiSdkPins:
    """The provider `wasi-sdk`: the upstream release, by machine."""

    release: str
    languages: tuple[str, ...]
    archives: Mapping[str, Archive]


@dataclass(frozen=True, kw_only=True)
class DebianPins:
    """The provider `debian`: package names, `{}` standing for clang's major version."""

    languages: tuple[str, ...]
    oldest: int
    packages: tuple[str, ...]


def machine() -> str:
    """This build host's architecture as the pins name it."""
    return {"arm64": "aarch64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())


def pin_file(provider: str) -> Path:
    """The file of `toolchains/` for `provider`, from the checkout or from where the package was installed."""
    return shipped(f"toolchains/{provider}.toml")


def packages_pins(path: Path) -> PackagesPins:
    """Read the file strictly. Raises UsageError naming the key that is wrong."""
    table = _table(path, "packages", ("clang", "compiler", "sysroot"))
    compiler = table.table("compiler", ("package", "version", "folder", "executable"))
    sysroot = table.table("sysroot", ("package", "version", "sha256", "member"))
    return PackagesPins(
        clang=table.text("clang"),
        languages=table.texts("languages"),
        compiler=compiler.text("package"),
        compiler_version=compiler.text("version"),
        folders={name: Digest.parse(text) for name, text in compiler.text_table("folder").items()},
        executables={name: Digest.parse(text) for name, text in compiler.text_table("executable").items()},
        sysroot=sysroot.text("package"),
        sysroot_version=sysroot.text("version"),
        tarball=Digest.parse(sysroot.text("sha256")),
        member=sysroot.path_inside("member"),
    )


def wasi_sdk_pins(path: Path) -> WasiSdkPins:
    """Read the file strictly. Raises UsageError naming the key that is wrong."""
    table = _table(path, "wasi-sdk", ("release", "archive"))
    archives = table.table("archive", ("x86_64", "aarch64"))
    by_machine = {name: archives.table(name, ("url", "sha256")) for name in archives.values}
    return WasiSdkPins(
        release=table.text("release"),
        languages=table.texts("languages"),
        archives={
            name: Archive(
                file=PurePosixPath(archive.text("url")).name,
                digest=Digest.parse(archive.text("sha256")),
                locations=(Https(url=archive.text("url")),),
                into=".",
                strip=1,
                unpack=False,
            )
            for name, archive in by_machine.items()
        },
    )


def debian_pins(path: Path) -> DebianPins:
    """Read the file strictly. Raises UsageError naming the key that is wrong."""
    table = _table(path, "debian", ("oldest", "packages"))
    return DebianPins(
        languages=table.texts("languages"), oldest=table.whole("oldest"), packages=table.texts("packages")
    )


def _table(path: Path, provider: str, keys: tuple[str, ...]) -> Table:
    try:
        values = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: {error}") from error
    table = Table(str(path), "", values, ("provider", "languages", *keys))
    table.choice("provider", (provider,))
    return table
