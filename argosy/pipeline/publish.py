"""From a built program to a signed artifact in a registry or layout folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from argosy.build.describe import describe
from argosy.errors import UsageError
from argosy.files import scratch_folder, sha256_of
from argosy.folders import cache_root, settings_root, signing_key
from argosy.model.artifact import Description
from argosy.model.digest import Digest
from argosy.model.manifest import INDEX, MANIFEST, Descriptor
from argosy.model.recipe import Recipe
from argosy.model.reference import Reference
from argosy.model.variant import VARIANTS, variant_of
from argosy.model.wasm_signature import Encoding
from argosy.oci.open import open_registry
from argosy.oci.pack import Packed, group, pack
from argosy.oci.push import push
from argosy.oci.registry import StoredManifest, digest_at
from argosy.oci.signatures import sign_artifact, signed_name
from argosy.pipeline import evidence
from argosy.pipeline.evidence import Evidence
from argosy.sign import embedded
from argosy.sign.keys import PrivateKey, generate, load_private


@dataclass(frozen=True, kw_only=True)
class Published:
    """Where the artifact is, by digest; the digest of its module; the name that it is signed for (None: not signed).

    `builder` is the one that its provenance names, None where it has no provenance.
    """

    reference: Reference
    digest: Digest
    wasm: Digest
    identity: str | None
    builder: str | None


def developer_key(path: Path | None = None) -> PrivateKey:
    """The key at `path`, else `$ARGOSY_KEY`, else the user's own; the user's own is made when it is not there yet.

    Raises ArgosyError where a key that was named is not there or cannot be opened.
    """
    chosen, own = path or signing_key(), settings_root() / "argosy.key"
    if chosen == own and not own.exists():
        generate(own)
    return load_private(chosen)


def artifact_reference(registry: str, name: str, version: str) -> Reference:
    """Where an application goes below `registry`: `oci:FOLDER:name-version` or `HOST/PATH/name:version`.

    Raises UsageError for a registry in another form.
    """
    if registry.startswith("oci:"):
        place = Reference.parse(registry)
        if place.tag or place.digest:
            raise UsageError(f"{registry}: name the folder alone; each application has its own tag in it")
        return Reference.parse(f"{registry}:{name}-{_tag(version)}")
    if "/" not in registry:
        raise UsageError(
            f"{registry!r} is no place for artifacts",
            advice="write HOST[:PORT]/PATH, below which each application has its repository, or oci:FOLDER",
        )
    return Reference.parse(f"{registry.rstrip('/')}/{name}:{_tag(version)}")


def _tag(version: str) -> str:
    return version.replace("+", "-").replace("~", "-")


def artifact_name(recipe: Recipe, program: str) -> str:
    """The name of the artifact that holds one of the recipe's programs: the recipe's own where it makes just one."""
    return recipe.name if len(recipe.programs) == 1 else f"{recipe.name}-{program.lower().replace('_', '-')}"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How something is published.

    A layout folder's artifact is signed for `repository`, by default `layout/<name>`; a registry's for its own. Where
    recipe and lock are known, provenance and bill of materials go with it, unless `provenance` is False; `builder` is
    who built (`evidence.builder_id`). `embed` puts a signature by the key into the module itself too, in this encoding.
    With `compatible` the artifact is an ordinary container image.
    """

    recipe: Recipe | None = None
    repository: str | None = None
    plain_http: bool = False
    provenance: bool = True
    builder: str | None = None
    embed: Encoding | None = None
    compatible: bool = False


def publish(
    wasm: Path,
    reference: Reference,
    key: PrivateKey | None,
    terms: Terms | None = None,
    *,
    lock: Path | None = None,
) -> Published:
    """Push the program at `wasm` to `reference` and sign it with `key`; what is there already is not sent again.

    With the key None it is not signed; `lock` is that of its build. Where the tag named something else before, it is
    signed anew, so that readers see the newer of two by the time of the signatures. The tag is set when all else is
    there: a publication that breaks off leaves it as it was.
    """
    return publish_variants([(wasm, lock)], reference, key, terms or Terms())


def publish_variants(
    programs: Sequence[tuple[Path, Path | None]], reference: Reference, key: PrivateKey | None, terms: Terms
) -> Published:
    """As `publish`, of one program or of several variants of one, each with its lock where there is one.

    Each variant is an artifact of its own, signed and attested, and the tag names the index that groups them, which is
    signed too. What was published is then the index, and its `wasm` the module of the best variant.
    """
    registry = open_registry(reference, plain_http=terms.plain_http)
    with scratch_folder(cache_root()) as scratch:
        members = [
            _prepare(wasm, lock, key, terms, scratch / str(number)) for number, (wasm, lock) in enumerate(programs)
        ]
        index = group([(one.packed, one.said) for one in members]) if len(members) > 1 else None
        before = None if reference.tag is None else digest_at(registry, reference.tag)
        digests = [push(one.packed, registry, tag=None) for one in members]
    manifest, media_type = (members[0].packed.manifest, MANIFEST) if index is None else (index, INDEX)
    named = digests[0] if index is None else registry.put_manifest(index, INDEX, None).digest
    identity = None
    if key is not None:
        what = Descriptor(media_type=media_type, digest=named, size=len(manifest))
        identity = signed_name(reference, StoredManifest(descriptor=what, data=manifest), terms.repository)
        for digest in dict.fromkeys((*digests, named)):
            renew = digest == named and before not in (None, named)
            sign_artifact(registry, identity=identity, digest=digest, key=key, renew=renew)
        for digest, one in zip(digests, members, strict=True):
            if one.evidence is not None:
                evidence.attest(
                    registry, one.evidence, identity=identity, digest=digest, key=key, compatible=terms.compatible
                )
    if reference.tag is not None:
        registry.put_manifest(manifest, media_type, reference.tag)
    best = max(members, key=lambda one: VARIANTS.index(variant_of(one.said.features)))
    return Published(
        reference=reference.at(named),
        digest=named,
        wasm=best.packed.module,
        identity=identity,
        builder=best.evidence.provenance.builder if best.evidence else None,
    )


@dataclass(frozen=True, kw_only=True)
class _Member:
    """A program ready to be pushed: what is said of it, its artifact, and what proves how it was built."""

    said: Description
    packed: Packed
    evidence: Evidence | None


def _prepare(wasm: Path, lock: Path | None, key: PrivateKey | None, terms: Terms, scratch: Path) -> _Member:
    """Before anything is sent: what cannot be described or proved is not published. `scratch` is made for its files."""
    recipe = terms.recipe
    said = describe(wasm, recipe=recipe, lock=lock)
    known = None
    if recipe is not None and lock is not None and key is not None and terms.provenance:
        built = Digest(algorithm="sha256", hex=sha256_of(wasm))
        known = evidence.gather(built, recipe, lock, builder=terms.builder)
    scratch.mkdir()
    module = wasm if terms.embed is None else _signed_inside(wasm, key, terms.embed, scratch)
    packed = pack(module, said, image_folder=scratch if terms.compatible else None)
    return _Member(said=said, packed=packed, evidence=known)


def _signed_inside(wasm: Path, key: PrivateKey | None, encoding: Encoding, scratch: Path) -> Path:
    """The module with a signature in it; the file itself stays as it was built."""
    if key is None:
        raise UsageError("a signature inside the module takes a key")
    signed = scratch / wasm.name
    signed.write_bytes(embedded.embed(wasm.read_bytes(), key, encoding=encoding, source=str(wasm)))
    return signed
