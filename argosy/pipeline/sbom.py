"""The bill of materials of a built program: SPDX 2.3 in JSON, from the recipes and the locks of its build.

What is in the program: its own recipe, the recipes that it required, linked statically, and the sources of each; and
what made it: the toolchain, whose runtime libraries are in the program too, and Argosy's MPI library.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from argosy import __version__
from argosy.model.digest import Digest
from argosy.model.lock import Lock
from argosy.model.recipe import Recipe
from argosy.model.recipe_source import Archive, Https, Location, Npm, Pypi
from argosy.model.strict_json import JsonObject

_UNKNOWN = "NOASSERTION"
_OWN_LICENCE = "Apache-2.0"
_LLVM_LICENCE = "Apache-2.0 WITH LLVM-exception"


def sbom(
    program: str, wasm: Digest, recipe: Recipe, required: Sequence[Recipe], locks: Mapping[str, Lock], *, created: str
) -> JsonObject:
    """The SPDX document about `program` of `recipe`, whose file has digest `wasm`.

    `locks`: of the recipe and of each `required` one, by name. `created`: RFC 3339; equal builds must have equal ones.
    """
    lock = locks[recipe.name]
    root = _identifier("program", program)
    packages = [_package(root, f"{program}.wasm", recipe, lock, wasm, "APPLICATION")]
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", root)]
    for each in (recipe, *required):
        whole = root
        if each is not recipe:
            whole = _identifier("recipe", each.name)
            packages.append(_package(whole, each.name, each, locks[each.name], None, "LIBRARY"))
            relations.append((root, "STATIC_LINK", whole))
        for source in each.sources:
            if isinstance(source, Archive):
                own = _identifier("source", f"{each.name}-{source.file}")
                packages.append(_source(own, source, each))
                relations.append((whole, "GENERATED_FROM", own))
    packages.append(_toolchain("SPDXRef-toolchain", lock))
    relations.append(("SPDXRef-toolchain", "BUILD_TOOL_OF", root))
    if lock.mpi_digest is not None:
        packages.append(_mpi("SPDXRef-mpi", lock.mpi_digest))
        relations.append((root, "STATIC_LINK", "SPDXRef-mpi"))
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{program} {recipe.version}",
        "documentNamespace": f"https://argosy.dev/spdx/{recipe.name}/{program}/{lock.digest().hex}",
        "creationInfo": {"created": created, "creators": [f"Tool: argosy-{__version__}"]},
        "packages": packages,
        "relationships": [
            {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
            for one, kind, other in relations
        ],
    }


def source_uri(source: Archive) -> str:
    """Where a source can be had: the first location that is an address or a package's name; else nothing."""
    return next(filter(None, map(_uri, source.locations)), "")


def _uri(location: Location) -> str:
    match location:
        case Https(url=url):
            return url
        case Pypi(project=project, version=version):
            return f"pkg:pypi/{re.sub('[-_.]+', '-', project).lower()}@{version}"
        case Npm(package=package, version=version):
            return f"pkg:npm/{package.replace('@', '%40')}@{version}"
        case _:
            return ""


def _package(identifier: str, name: str, recipe: Recipe, lock: Lock, digest: Digest | None, purpose: str) -> JsonObject:
    return {
        **_common(identifier, name, recipe.licence, digest),
        "versionInfo": recipe.version,
        "primaryPackagePurpose": purpose,
        "summary": recipe.description,
        "sourceInfo": f"built from the recipe {recipe.name}, {lock.recipe_digest}{_patched(lock)}",
        **({"homepage": recipe.homepage} if recipe.homepage else {}),
    }


def _patched(lock: Lock) -> str:
    patches = ", ".join(f"{name} ({digest})" for name, digest in lock.patches.items())
    return f", with the patches {patches}" if patches else ""


def _source(identifier: str, source: Archive, recipe: Recipe) -> JsonObject:
    uri = source_uri(source)
    reference = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": uri}
    return {
        **_common(identifier, source.file, recipe.licence, source.digest),
        "versionInfo": recipe.version,
        "packageFileName": source.file,
        "primaryPackagePurpose": "SOURCE",
        **({"downloadLocation": uri} if uri.startswith("https:") else {}),
        **({"externalRefs": [reference]} if uri.startswith("pkg:") else {}),
    }


def _toolchain(identifier: str, lock: Lock) -> JsonObject:
    return {
        **_common(identifier, f"toolchain {lock.toolchain}", _LLVM_LICENCE, lock.toolchain_digest),
        "versionInfo": lock.clang,
        "comment": "clang and lld, with the runtime libraries that are linked statically: wasi-libc, compiler-rt, "
        "libc++. The checksum is of the names and digests of all of its files that decide what it produces.",
    }


def _mpi(identifier: str, digest: Digest) -> JsonObject:
    return {
        **_common(identifier, "argosy-mpi", _OWN_LICENCE, digest),
        "versionInfo": __version__,
        "primaryPackagePurpose": "LIBRARY",
        "comment": "the application's side of MPI; the checksum is of the sources that it is generated from",
    }


def _common(identifier: str, name: str, licence: str, digest: Digest | None) -> JsonObject:
    checksums = [{"algorithm": "SHA256", "checksumValue": digest.hex}] if digest else []
    return {
        "SPDXID": identifier,
        "name": name,
        "downloadLocation": _UNKNOWN,
        "filesAnalyzed": False,
        "licenseConcluded": _UNKNOWN,
        "licenseDeclared": licence,
        "copyrightText": _UNKNOWN,
        **({"checksums": checksums} if checksums else {}),
    }


def _identifier(kind: str, name: str) -> str:
    return f"SPDXRef-{kind}-{re.sub('[^A-Za-z0-9.]+', '-', name)}"
