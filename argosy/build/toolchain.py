"""The compiler for wasm32: whoever provides it, a wasi-sdk prefix.

Everything past this module knows one shape: `PREFIX/bin/clang`, `clang++`, `wasm-ld`, `llvm-ar`, `llvm-ranlib`,
`PREFIX/share/wasi-sysroot` and `PREFIX/lib/clang/N`. Which provider gives it: the argument, else `$ARGOSY_TOOLCHAIN`,
else `wasi-sdk` where one is at hand, else `packages`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from argosy.build import toolchain_debian, toolchain_packages, toolchain_runtime, toolchain_wasi_sdk
from argosy.build.toolchain_prefix import check, read_manifest
from argosy.errors import UsageError, did_you_mean

TARGET = "wasm32-wasip1"
PROVIDERS = ("wasi-sdk", "packages", "debian")


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """A compiler that is ready for use.

    `digest` names what decides the bytes that it produces and is the same on every build host; `executables` names
    the files that run on this one.
    """

    provider: str
    prefix: Path
    clang_version: str
    digest: str
    executables: str
    languages: frozenset[str]

    @property
    def cpp_runtime(self) -> Path | None:
        """The folder of C++ libraries to link instead of the sysroot's; `toolchain_runtime.ensure` makes it."""
        return toolchain_runtime.place(self.prefix, self.digest)

    @property
    def sysroot(self) -> Path:
        return self.prefix / "share/wasi-sysroot"

    def tool(self, name: str) -> Path:
        """The program `name`, such as `clang` or `llvm-ar`."""
        return self.prefix / "bin" / name


def find(provider: str | None = None) -> Toolchain:
    """The toolchain of `provider`, assembled in the cache where it is not there yet.

    Raises ArgosyError where it cannot be had or is broken, UsageError for a provider that does not exist.
    """
    chosen = provider or os.environ.get("ARGOSY_TOOLCHAIN") or _default()
    match chosen:
        case "wasi-sdk":
            return _opened(chosen, toolchain_wasi_sdk.prefix())
        case "packages":
            return _opened(chosen, toolchain_packages.prefix())
        case "debian":
            return _opened(chosen, toolchain_debian.prefix())
        case _:
            raise UsageError(f"no toolchain provider {chosen!r}", advice=did_you_mean(chosen, PROVIDERS))


def _default() -> str:
    return "wasi-sdk" if toolchain_wasi_sdk.at_hand() else "packages"


def verify(toolchain: Toolchain) -> None:
    """Read every file of the toolchain and raise ArgosyError, naming the file, where one has changed."""
    check(toolchain.prefix, read_manifest(toolchain.prefix), whole=True)


def _opened(provider: str, prefix: Path) -> Toolchain:
    manifest = read_manifest(prefix)
    check(prefix, manifest)
    about = manifest.about
    return Toolchain(
        provider=provider,
        prefix=prefix,
        clang_version=about["clang"],
        digest=about["digest"],
        executables=about["executables"],
        languages=frozenset(about["languages"].split()),
    )
