"""How an artifact was built: SLSA's provenance v1, of our own build type, which says all that a rebuild needs.

External parameters are what a user chose; internal ones are the locks of the build and of each recipe that it required;
the resolved dependencies are the sources, the toolchain, and the archive of the recipes themselves. No time and no
number of the run is in it: equal builds have equal provenances.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from argosy.errors import ArgosyError
from argosy.model import lock as locks
from argosy.model.digest import Digest
from argosy.model.lock import Lock
from argosy.model.strict_json import JsonObject

BUILD_TYPE = "https://argosy.dev/build-types/recipe/v1"
OWN_MACHINE = "https://argosy.dev/builders/own-machine"  # the builder where nobody says which it is
RECIPES = "application/vnd.argosy.recipes.v1.tar"
RECIPES_ANYWHERE = "application/octet-stream"  # what they are called in a registry that knows only so many types

_RECIPES_NAME, _LOCK_NAME = "recipes", "lock.json"
_PARAMETERS = ("recipe", "version", "program", "numerics", "flags")


@dataclass(frozen=True, kw_only=True)
class Material:
    """Something that the build was made from: its name, its digest, and where it can be had, if that is known."""

    name: str
    digest: Digest
    uri: str = ""

    def to_json(self) -> JsonObject:
        return {"name": self.name, **({"uri": self.uri} if self.uri else {}), "digest": {"sha256": self.digest.hex}}


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """How `program`, one of those of `lock`, was built, by which builder (a URI) and which version of Argosy.

    `required` are the locks of the recipes that it required, by name; `recipes` is the digest of the archive, of media
    type `RECIPES`, with the folders of all of these; `sources` are what they are made from.
    """

    builder: str
    argosy: str
    program: str
    lock: Lock
    required: Mapping[str, Lock]
    recipes: Digest
    sources: tuple[Material, ...]

    @property
    def wasm(self) -> Digest:
        """The digest of the program as it was built."""
        return self.lock.programs[self.program]

    def predicate(self) -> JsonObject:
        """The statement's predicate; `parse` reads it."""
        lock = self.lock
        return {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": dict(zip(_PARAMETERS, _chosen(self.program, lock), strict=True)),
                "internalParameters": {
                    "lock": _plain(lock),
                    "requires": {name: _plain(other) for name, other in sorted(self.required.items())},
                },
                "resolvedDependencies": [
                    {"name": _RECIPES_NAME, "digest": {"sha256": self.recipes.hex}, "mediaType": RECIPES},
                    *(source.to_json() for source in self.sources),
                    {
                        "name": "toolchain",
                        "digest": {"sha256": lock.toolchain_digest.hex},
                        "annotations": {"provider": lock.toolchain, "clang": lock.clang},
                    },
                    *([Material(name="mpi", digest=lock.mpi_digest).to_json()] if lock.mpi_digest else []),
                ],
            },
            "runDetails": {
                "builder": {
                    "id": self.builder,
                    "version": {"argosy": self.argosy},
                    "builderDependencies": [Material(name="argosy/build", digest=lock.builder_digest).to_json()],
                },
                "byproducts": [Material(name=_LOCK_NAME, digest=lock.digest()).to_json()],
            },
        }


def parse(predicate: JsonObject, what: str) -> Provenance:
    """Read the predicate of a verified statement; `what` names it in errors.

    Raises ArgosyError for a provenance of another build type, and where it does not say what it must, or says it twice
    and differently.
    """

    def wrong(problem: str) -> NoReturn:
        raise ArgosyError(f"{what}: {problem}", advice="it cannot be rebuilt from this; ask its publisher")

    definition, run = _object(predicate, "buildDefinition"), _object(predicate, "runDetails")
    if definition.get("buildType") != BUILD_TYPE:
        wrong(f"it was built by another system: {str(definition.get('buildType'))[:200]!r}")
    internal, builder = _object(definition, "internalParameters"), _object(run, "builder")
    lock = _lock(internal.get("lock"), f"{what}: lock")
    required = {
        name: _lock(value, f"{what}: lock of {name[:100]!r}") for name, value in _object(internal, "requires").items()
    }
    if {name: other.digest() for name, other in required.items()} != lock.requires:
        wrong("the locks of what it required are not those that its own lock names")
    external = _object(definition, "externalParameters")
    program = external.get("program")
    if not isinstance(program, str) or program not in lock.programs:
        wrong("its lock has no such program")
    if external != dict(zip(_PARAMETERS, _chosen(program, lock), strict=True)):
        wrong("its parameters and its lock differ")
    materials = definition.get("resolvedDependencies")
    found = [_material(one) for one in materials] if isinstance(materials, list) else []
    recipes = next((one for one in found if one is not None and one.name == _RECIPES_NAME), None)
    if recipes is None:
        wrong("it does not name the archive of its recipes")
    return Provenance(
        builder=str(builder.get("id")),
        argosy=str(_object(builder, "version").get("argosy")),
        program=program,
        lock=lock,
        required=required,
        recipes=recipes.digest,
        sources=tuple(one for one in found if one is not None and one.name not in (_RECIPES_NAME, "toolchain", "mpi")),
    )


def _chosen(program: str, lock: Lock) -> tuple[object, ...]:
    return lock.recipe, lock.version, program, lock.numerics, list(lock.flags)


def _plain(lock: Lock) -> object:
    return json.loads(lock.render())


def _lock(value: object, where: str) -> Lock:
    return locks.parse(json.dumps(value), where=where)


def _object(value: JsonObject, key: str) -> JsonObject:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


def _material(value: object) -> Material | None:
    """A resource descriptor, as far as it has a name and a SHA-256 digest."""
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    digest = _object(value, "digest").get("sha256")
    if not isinstance(digest, str):
        return None
    return Material(name=value["name"], digest=Digest.parse(f"sha256:{digest}"), uri=str(value.get("uri") or ""))
