"""Is the binary the source? A published artifact is built again from what its verified provenance names.

Nothing of the provenance is believed about the result: what is built is compared with the module that the artifact
holds. Everything that is needed comes by the reference: the provenance, and beside it the recipes; the sources from
where these say, the toolchain by its digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from argosy.build import recipes, toolchain
from argosy.build.produce import Options, produce
from argosy.build.sources import Note
from argosy.build.toolchain import Toolchain
from argosy.errors import ArgosyError
from argosy.model import provenance as provenances
from argosy.model.content import Content, content
from argosy.model.digest import Digest
from argosy.model.lock import Lock
from argosy.model.manifest import Descriptor, Manifest
from argosy.model.provenance import RECIPES, RECIPES_ANYWHERE, Provenance
from argosy.model.recipe import Recipe
from argosy.model.reference import Reference
from argosy.model.variant import Usable, all_variants
from argosy.oci.attestations import trusted_attestations
from argosy.oci.pull import Checked, fetch, trusted
from argosy.oci.registry import Registry, small_blob
from argosy.pipeline import recipe_archive
from argosy.sign import embedded
from argosy.sign.attestation import PROVENANCE
from argosy.sign.trust import Trust


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A published artifact and what its provenance says, and who signed that.

    `digest` is the manifest's; `published` that of the module, without the signature that it may have inside: what was
    built had none.
    """

    reference: Reference
    digest: Digest
    published: Digest
    provenance: Provenance
    signers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """What came of it: the module as published and as built here; `differences` are the lock's entries that differ.

    These tell why modules differ, or what did not matter: another version of Argosy may build the same.
    """

    plan: Plan
    rebuilt: Digest
    file: Path
    differences: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        return self.rebuilt == self.plan.published


def plan(
    registry: Registry,
    reference: Reference,
    trust: Trust,
    *,
    repository: str | None = None,
    usable: Usable = all_variants,
) -> Plan:
    """What to build, from the provenance that a key which may sign the artifact signed for it.

    Raises UntrustedError where the policy refuses the artifact, ArgosyError where it has no provenance to go by.
    """
    checked = trusted(registry, reference, trust, repository=repository, usable=usable)
    digest = checked.chosen.descriptor.digest
    held = content(checked.manifest, str(reference))
    found, signers = _provenance(registry, checked, trust)
    return Plan(
        reference=reference.at(digest),
        digest=digest,
        published=held.module if held.module == found.wasm else _bare(registry, held, reference),
        provenance=found,
        signers=signers,
    )


def rebuild(registry: Registry, planned: Plan, folder: Path, *, jobs: int = 1, note: Note = lambda _: None) -> Rebuilt:
    """Build it in `folder`, which is empty or not there: recipes below `recipes`, what is built below `build`.

    Raises ArgosyError where the recipes are gone or not those of the provenance, the toolchain is not to be had, a
    source is gone, or the build fails.
    """
    wanted = planned.provenance
    known = recipe_archive.unpack(_recipes(registry, planned), folder / "recipes")
    locks = {wanted.lock.recipe: wanted.lock, **wanted.required}
    _check(known, locks, planned)
    compiler = _toolchain(wanted.lock)
    built: dict[str, Lock] = {}
    for recipe in recipes.order(known, [wanted.lock.recipe]):
        note(f"build {recipe.name} {recipe.version}")
        required = [other.name for other in reversed(recipes.order(known, recipe.requires))]
        built[recipe.name] = produce(
            recipe,
            folder / "build" / recipe.name,
            toolchain=compiler,
            dependencies={name: folder / "build" / name for name in required},
            options=Options(numerics=locks[recipe.name].numerics, flags=locks[recipe.name].flags, jobs=jobs),
            note=lambda line: note(f"  {line}"),
        )
    lock = built[wanted.lock.recipe]
    if wanted.program not in lock.programs:
        raise ArgosyError(f"the recipe {lock.recipe} makes no program {wanted.program!r}")
    return Rebuilt(
        plan=planned,
        rebuilt=lock.programs[wanted.program],
        file=folder / "build" / lock.recipe / f"{wanted.program}.wasm",
        differences=_differences(wanted.lock, lock),
    )


def _bare(registry: Registry, held: Content, reference: Reference) -> Digest:
    """The digest of the artifact's module without a signature inside."""
    return embedded.bare_digest(fetch(registry, held, reference).read_bytes(), source=str(reference))


def _provenance(registry: Registry, checked: Checked, trust: Trust) -> tuple[Provenance, tuple[str, ...]]:
    report = trusted_attestations(registry, checked.verdict, trust, checked.chosen.descriptor.digest)
    found = report.of_type(PROVENANCE)
    if not found:
        why = "; ".join(report.refused)
        raise ArgosyError(
            f"{checked.reference} has no provenance that a key which may sign it signed{f': {why}' if why else ''}",
            advice="it was published without: `argosy push --recipe` and `scons publish` make one",
        )
    failures = []
    for each in found:
        try:
            return provenances.parse(each.predicate, f"the provenance of {checked.reference}"), each.signers
        except ArgosyError as error:
            failures.append(error)
    raise failures[0]


def _recipes(registry: Registry, planned: Plan) -> bytes:
    """The archive that the provenance names, from what refers to the artifact."""
    wanted = planned.provenance.recipes
    kinds = (RECIPES, RECIPES_ANYWHERE)
    for referrer in (one for kind in kinds for one in registry.referrers(planned.digest, kind)):
        layers: tuple[Descriptor, ...] = Manifest.parse(registry.manifest(referrer.digest).data).layers
        for layer in layers[:1]:
            if layer.digest == wanted:
                return small_blob(registry, layer, limit=recipe_archive.LARGEST)
    raise ArgosyError(
        f"{planned.reference}: the archive of recipes that its provenance names is not there: {wanted}",
        advice="it was copied without what refers to it, or that was deleted; ask its publisher",
    )


def _check(known: Mapping[str, Recipe], locks: Mapping[str, Lock], planned: Plan) -> None:
    """Raises ArgosyError unless each lock's recipe is there as it was, and each recipe that is needed has a lock."""
    for recipe in recipes.order(known, [planned.provenance.lock.recipe]):
        if recipe.name not in locks:
            raise ArgosyError(f"{planned.reference}: its provenance has no lock of {recipe.name}, which it requires")
    for name, lock in locks.items():
        if name not in known or recipes.digest(known[name]) != lock.recipe_digest:
            raise ArgosyError(
                f"{planned.reference}: the recipe {name} in its archive is not the one that was built: "
                f"{lock.recipe_digest}",
                advice="it may have been published by a version of Argosy that reads recipes otherwise: "
                f"{planned.provenance.argosy}",
            )


def _toolchain(lock: Lock) -> Toolchain:
    what = f"the toolchain {lock.toolchain} (clang {lock.clang}, {lock.toolchain_digest})"
    try:
        found = toolchain.find(lock.toolchain)
    except ArgosyError as error:
        raise ArgosyError(f"{what} is not to be had here: {error.what}", advice=error.advice) from error
    if found.digest != str(lock.toolchain_digest):
        raise ArgosyError(
            f"{what} is not to be had here: this one is clang {found.clang_version}, {found.digest}",
            advice="use the version of Argosy that pins it: the one that published the artifact",
        )
    return found


def _differences(wanted: Lock, made: Lock) -> tuple[str, ...]:
    return tuple(
        f"{name}: {theirs} was published, {ours} is here"
        for name, theirs in vars(wanted).items()
        if (ours := vars(made)[name]) != theirs and name not in ("programs", "requires")
    )
