"""What a build can prove of itself: its provenance and its bill of materials, from recipe and lock, never by hand."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from argosy import __version__
from argosy.build import recipes
from argosy.build.produce import LOCK
from argosy.errors import ArgosyError, UsageError
from argosy.model import lock as locks
from argosy.model.digest import Digest
from argosy.model.lock import Lock
from argosy.model.provenance import OWN_MACHINE, RECIPES, RECIPES_ANYWHERE, Material, Provenance
from argosy.model.recipe import Recipe
from argosy.model.recipe_source import Archive
from argosy.model.strict_json import JsonObject
from argosy.oci.attach import Attachment
from argosy.oci.attestations import add_attestations
from argosy.oci.pack import created
from argosy.oci.registry import Registry
from argosy.pipeline import recipe_archive
from argosy.pipeline.sbom import sbom, source_uri
from argosy.sign.attestation import PROVENANCE, SPDX, Statement, Subject
from argosy.sign.keys import PrivateKey

BUILDER_VARIABLE = "ARGOSY_BUILDER"
_ADVICE = "build again with `argosy build`, or publish without provenance: --no-provenance"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The provenance, the bill of materials, and the archive of the recipes that the provenance names."""

    provenance: Provenance
    sbom: JsonObject
    recipes: bytes


def gather(wasm: Digest, recipe: Recipe, lock_file: Path, *, builder: str | None = None) -> Evidence:
    """The evidence of the program with digest `wasm`, which `recipe` made and `lock_file` locks.

    The recipes that it required lie beside its own, and their finished folders beside the lock's, as a build leaves
    them. `builder` is as for `builder_id`; without any it says: somebody, on a machine of their own. Raises UsageError
    where recipe, lock and program are not of one build.
    """
    lock = _read(lock_file)
    _check(recipe, lock, lock_file)
    program = next((name for name, digest in lock.programs.items() if digest == wasm), None)
    if program is None:
        raise UsageError(f"{lock_file} names no program with digest {wasm}", advice=_ADVICE)
    known = {recipe.name: lock}
    required = [_required(name, digest, recipe, lock_file, known) for name, digest in lock.requires.items()]
    archive = recipe_archive.pack([recipe, *required])
    provenance = Provenance(
        builder=builder_id(builder),
        argosy=__version__,
        program=program,
        lock=lock,
        required={name: other for name, other in known.items() if name != recipe.name},
        recipes=Digest.of(archive),
        sources=tuple(
            Material(name=f"{each.name}/{source.file}", digest=source.digest, uri=source_uri(source))
            for each in (recipe, *required)
            for source in each.sources
            if isinstance(source, Archive)
        ),
    )
    document = sbom(program, wasm, recipe, required, known, created=created())
    return Evidence(provenance=provenance, sbom=document, recipes=archive)


def attest(
    registry: Registry, evidence: Evidence, *, identity: str, digest: Digest, key: PrivateKey, compatible: bool = False
) -> None:
    """Store the evidence beside the artifact `digest`, its statements signed by `key`, where it is not there already.

    The statements' subjects are the artifact, by the name `identity` that it is signed for, and the program in it. With
    `compatible` no media type is Argosy's own.
    """
    provenance = evidence.provenance
    subjects = (
        Subject(digest=digest, name=identity),
        Subject(digest=provenance.wasm, name=f"{provenance.program}.wasm"),
    )
    predicates: Mapping[str, JsonObject] = {PROVENANCE: provenance.predicate(), SPDX: evidence.sbom}
    add_attestations(
        registry,
        digest=digest,
        statements=[
            Statement(subjects=subjects, predicate_type=kind, predicate=predicate)
            for kind, predicate in predicates.items()
        ],
        key=key,
        beside=[Attachment(artifact_type=RECIPES_ANYWHERE if compatible else RECIPES, content=evidence.recipes)],
    )


def builder_id(given: str | None) -> str:
    """The builder's URI: the given one, else $ARGOSY_BUILDER. Raises UsageError for what is none."""
    builder = given or os.environ.get(BUILDER_VARIABLE) or OWN_MACHINE
    scheme, colon, rest = builder.partition(":")
    if not (colon and rest and scheme.isalnum() and builder.isprintable() and " " not in builder):
        raise UsageError(f"{builder!r} is no builder's URI", advice="as in https://ci.example.org/hpc-builds/v1")
    return builder


def _required(name: str, digest: Digest, recipe: Recipe, lock_file: Path, known: dict[str, Lock]) -> Recipe:
    """A recipe that the build required, as it was then; its lock is added to `known`."""
    folder = lock_file.parent.parent / name
    try:
        found, lock = recipes.load(recipe.folder.parent / name), _read(folder / LOCK)
    except ArgosyError as error:
        raise ArgosyError(
            f"{recipe.name} was built with {name}, of which recipe or lock are not beside its own: {error.what}",
            advice=_ADVICE,
        ) from error
    if lock.digest() != digest:
        raise UsageError(f"{folder / LOCK} is of another build than {lock_file}", advice=_ADVICE)
    _check(found, lock, folder / LOCK)
    known[name] = lock
    return found


def _read(lock_file: Path) -> Lock:
    try:
        return locks.parse(lock_file.read_text(encoding="utf-8"), where=str(lock_file))
    except (OSError, UnicodeDecodeError) as error:
        raise ArgosyError(f"cannot read the lock {lock_file}: {error}", advice=_ADVICE) from error


def _check(recipe: Recipe, lock: Lock, lock_file: Path) -> None:
    if lock.recipe != recipe.name or lock.recipe_digest != recipes.digest(recipe):
        raise UsageError(f"{lock_file} locks the recipe {lock.recipe} as it was, not as it is now", advice=_ADVICE)
