"""From a built program to a signed artifact in a registry or layout folder."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from argosy.build.describe import describe
from argosy.errors import UsageError
from argosy.files import sha256_of
from argosy.folders import cache_root, settings_root
from argosy.model.digest import Digest
from argosy.model.recipe import Recipe
from argosy.model.reference import Reference
from argosy.model.wasm_signature import Encoding
from argosy.oci.open import open_registry
from argosy.oci.pack import pack
from argosy.oci.push import push
from argosy.oci.registry import NotFoundError, Registry
from argosy.oci.signatures import sign_artifact, signed_name
from argosy.pipeline import evidence
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
    given = path or (Path(named) if (named := os.environ.get("ARGOSY_KEY")) else None)
    if given is not None:
        return load_private(given)
    own = settings_root() / "argosy.key"
    if not own.exists():
        generate(own)
    return load_private(own)


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


def publish(
    wasm: Path,
    reference: Reference,
    key: PrivateKey | None,
    *,
    recipe: Recipe | None = None,
    lock: Path | None = None,
    repository: str | None = None,
    plain_http: bool = False,
    provenance: bool = True,
    builder: str | None = None,
    embed: Encoding | None = None,
) -> Published:
    """Push the program at `wasm` to `reference` and sign it with `key`; what is there already is not sent again.

    A layout folder's artifact is signed for `repository`, by default `layout/<name>`; a registry's for its own. With
    the key None it is not signed. Where recipe and lock are known, provenance and bill of materials go with it, unless
    `provenance` is False; `builder` is who built (`evidence.builder_id`). Where the tag named something else before, it
    is signed anew, so that readers see the newer of two by the time of the signatures. `embed` puts a signature by the
    key into the module itself too, in this encoding.
    """
    registry = open_registry(reference, plain_http=plain_http)
    description = describe(wasm, recipe=recipe, lock=lock)
    before = _named(registry, reference.tag)
    known = None
    if recipe is not None and lock is not None and key is not None and provenance:
        known = evidence.gather(Digest(algorithm="sha256", hex=sha256_of(wasm)), recipe, lock, builder=builder)
    with _signed_inside(wasm, key, embed) as module:
        packed = pack(module, description)
        digest = push(packed, registry, tag=reference.tag)
    identity = None
    if key is not None:
        identity = signed_name(reference, registry.manifest(digest), repository)
        sign_artifact(registry, identity=identity, digest=digest, key=key, renew=before not in (None, digest))
        if known is not None:
            evidence.attest(registry, known, identity=identity, digest=digest, key=key)
    return Published(
        reference=reference.at(digest),
        digest=digest,
        wasm=packed.layer.digest,
        identity=identity,
        builder=known.provenance.builder if known else None,
    )


@contextlib.contextmanager
def _signed_inside(wasm: Path, key: PrivateKey | None, encoding: Encoding | None) -> Iterator[Path]:
    """The module with a signature in it, where one is wanted; the file itself stays as it was built."""
    if encoding is None:
        yield wasm
        return
    if key is None:
        raise UsageError("a signature inside the module takes a key")
    cache_root().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_root()) as folder:
        signed = Path(folder) / wasm.name
        signed.write_bytes(embedded.embed(wasm.read_bytes(), key, encoding=encoding, source=str(wasm)))
        yield signed


def _named(registry: Registry, tag: str | None) -> Digest | None:
    """What the tag names now."""
    try:
        return None if tag is None else registry.resolve(tag).digest
    except NotFoundError:
        return None
