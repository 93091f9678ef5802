"""Getting an application: by tag or digest, verified before any of its bytes is fetched, kept by digest.

The manifest is fetched once. What its tag names may change a moment later; everything after that moment is about the
digest of the bytes that were fetched. Signatures over that digest are checked against the policy, and only then is the
layer fetched, hashed on its way into the cache.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from argosy.errors import ArgosyError
from argosy.files import resumable_file, sha256_of, whole_file
from argosy.folders import cache_root
from argosy.model.artifact import Description
from argosy.model.ceiling import UNLIMITED, Ceiling
from argosy.model.content import MODULE_ANNOTATION, Content, check_config, content
from argosy.model.digest import Digest
from argosy.model.manifest import INDEX, Index, Manifest
from argosy.model.order import Order
from argosy.model.reference import Reference
from argosy.model.variant import Usable, all_variants, choose
from argosy.oci.attestations import read_attestations
from argosy.oci.image import read_module
from argosy.oci.registry import Registry, StoredManifest, small_blob
from argosy.oci.signatures import read_signatures
from argosy.progress import progress
from argosy.sign.tag_record import Seen, TagRecord
from argosy.sign.trust import Trust
from argosy.sign.verdict import Step, Verdict
from argosy.sign.verify import verify

_PIECE = 1 << 20


class UntrustedError(ArgosyError):
    """The policy refused the artifact; `verdict` holds each step."""

    def __init__(self, what: str, *, verdict: Verdict, advice: str) -> None:
        super().__init__(what, advice=advice)
        self.verdict = verdict


@dataclass(frozen=True, kw_only=True)
class Checked:
    """An artifact's manifest and the policy's verdict on it; nothing else was fetched.

    `stored` is what the reference names: the manifest of a module, or an index of variants. `chosen` is the manifest
    of the module itself, `variant` the one of the index that it is. `record` is what is known of the tag, None where
    the reference is by digest or tags may move back.
    """

    reference: Reference
    stored: StoredManifest
    index: Index | None
    chosen: StoredManifest
    manifest: Manifest
    variant: str | None
    verdict: Verdict
    record: TagRecord | None = None

    @property
    def seen(self) -> Seen:
        """What the tag names, and its place among others."""
        order = Order.of((self.index or self.manifest).annotations, self.verdict.signed_at)
        return Seen(digest=self.stored.descriptor.digest, order=order)


@dataclass(frozen=True, kw_only=True)
class VerifiedModule:
    """A module that the policy accepts: the file that holds its bytes and what was signed with them.

    `digest` is the wasm's, `manifest_digest` the artifact's; `identity` is the repository that it was signed for.
    `variant` is which one of an index it is, None where there is no index.
    """

    path: Path
    digest: Digest
    manifest_digest: Digest
    reference: Reference
    identity: str
    signers: tuple[str, ...]
    annotations: Mapping[str, str]
    description: Description
    variant: str | None = None
    ceiling: Ceiling = UNLIMITED
    """The most that a run of it may be granted, by the policy's rule."""

    def read(self) -> bytes:
        """The bytes that were verified. Raises ArgosyError when the file in the cache is not those any more."""
        file = io.BytesIO()
        self.copy_to(file)
        return file.getvalue()

    def copy_to(self, file: IO[bytes]) -> None:
        """Write the bytes that were verified, of which few are in memory at a time.

        Raises ArgosyError when the file in the cache is not those any more; what is in `file` is then worth nothing.
        """
        digest = hashlib.sha256()
        with self.path.open("rb") as source:
            while piece := source.read(_PIECE):
                digest.update(piece)
                file.write(piece)
        if digest.hexdigest() != self.digest.hex:
            raise ArgosyError(f"{self.path} was changed after it had been verified", advice="pull it again")

    @property
    def numerics(self) -> str:
        """`fast` or `exact`; an artifact that does not say is run as `fast`."""
        return self.description.numerics or "fast"


def check(
    registry: Registry,
    reference: Reference,
    trust: Trust,
    *,
    repository: str | None = None,
    usable: Usable = all_variants,
    accept_rollback: bool = False,
) -> Checked:
    """Fetch manifest and signatures and ask the policy. `repository`: what a layout folder should hold.

    Of an index of variants the best that is `usable` is chosen. The index is what must be signed: it names its members
    by digest. What must be attested of an artifact must be attested of the one that is chosen.

    A refusal is in the verdict; ArgosyError is raised for what cannot be fetched or read. What the tag names is
    compared with this user's record, which stays as it is; `accept_rollback` lets it be older.
    """
    stored = chosen = registry.manifest(reference.digest or reference.tag)
    index = variant = None
    if stored.descriptor.media_type == INDEX:
        index = Index.parse(stored.data, what=f"the index {reference}")
        variant, entry = choose(index, usable(), str(reference))
        chosen = registry.manifest(entry.digest)
    what = f"the manifest of {reference}"
    manifest = Manifest.parse(chosen.data, media_type=chosen.descriptor.media_type, what=what)
    digest, content_digest = stored.descriptor.digest, chosen.descriptor.digest
    verdict = verify(
        trust,
        repository=repository or (reference.name if reference.registry is not None else None),
        digest=digest,
        signatures=read_signatures(registry, digest),
        parts=[content_digest, *_parts(manifest)],
        attestations=read_attestations(registry, content_digest) if trust.policy.asks_attestations else (),
        attested=content_digest,
    )
    checked = Checked(
        reference=reference,
        stored=stored,
        index=index,
        chosen=chosen,
        manifest=manifest,
        variant=variant,
        verdict=verdict,
    )
    return _compared(checked, trust, accept_rollback)


def _parts(manifest: Manifest) -> list[Digest]:
    """What a policy can have revoked besides the manifest itself: its blobs, and the module in an image's layer."""
    module = manifest.annotations.get(MODULE_ANNOTATION)
    blobs = [one.digest for one in (*manifest.layers, manifest.config)]
    return blobs if module is None else [*blobs, Digest.parse(module)]


def _compared(checked: Checked, trust: Trust, accept_rollback: bool) -> Checked:
    """With the step that compares the tag with the record of it, where the rule forbids that it moves back."""
    verdict, reference = checked.verdict, checked.reference
    rule = trust.policy.rule_for(verdict.identity) if verdict.identity is not None else None
    if rule is None or rule.rollback or reference.digest is not None:
        return checked
    place = reference.name if reference.layout is None else str(reference.layout.resolve())
    tag = reference.tag or ("latest" if reference.layout is None else "")
    record = TagRecord(place=place, tag=tag)
    last = record.last()
    refusal = record.refusal(checked.seen, last)
    if refusal is not None:
        text = refusal + (", which is accepted" if accept_rollback else "")
    elif last is None:
        text = f"{reference} is seen for the first time here: nothing says that nothing newer exists"
    elif last.digest == checked.seen.digest:
        text = f"{reference} names what it named before"
    else:
        text = f"{reference} has moved on from {last.digest}"
    step = Step(check="rollback", text=text, held=refusal is None or accept_rollback)
    return replace(checked, verdict=verdict.and_step(step), record=record)


def trusted(
    registry: Registry,
    reference: Reference,
    trust: Trust,
    *,
    repository: str | None = None,
    usable: Usable = all_variants,
) -> Checked:
    """As `check`, of what the policy accepts. Raises UntrustedError (an ArgosyError) with its reasons for all else."""
    checked = check(registry, reference, trust, repository=repository, usable=usable)
    if not checked.verdict.accepted:
        raise untrusted(checked.verdict, reference, trust)
    return checked


def pull_verified(
    registry: Registry,
    reference: Reference,
    trust: Trust,
    *,
    repository: str | None = None,
    usable: Usable = all_variants,
    cache: Path | None = None,
) -> VerifiedModule:
    """The module that `reference` names now, in the cache, if the policy accepts it; of variants, the best `usable`.

    Raises UntrustedError (an ArgosyError) with the policy's reasons, ArgosyError when it is no Wasm application or
    what is stored differs from what was signed.
    """
    checked = trusted(registry, reference, trust, repository=repository, usable=usable)
    manifest, identity = checked.manifest, checked.verdict.identity
    assert identity is not None, "it is accepted for a name"
    if checked.record is not None and (refusal := checked.record.advance(checked.seen)) is not None:
        # Another process has seen something newer in the meantime.
        step = Step(check="rollback", text=refusal, held=False)
        raise untrusted(checked.verdict.and_step(step), reference, trust)
    rule = trust.policy.rule_for(identity)
    held = content(manifest, str(reference))
    check_config(small_blob(registry, manifest.config), held, str(reference))
    return VerifiedModule(
        path=fetch(registry, held, reference, cache=cache),
        digest=held.module,
        manifest_digest=checked.chosen.descriptor.digest,
        variant=checked.variant,
        reference=reference,
        identity=identity,
        signers=checked.verdict.signers,
        annotations=manifest.annotations,
        description=Description.from_annotations(manifest.annotations),
        ceiling=rule.grants if rule is not None else UNLIMITED,
    )


def untrusted(verdict: Verdict, named: Reference | Path, trust: Trust) -> UntrustedError:
    """The error that tells a refusal of what a user has named, and what to do about it."""
    advice = f"`argosy verify {named}` shows each step; {trust.policy.source} says who may sign what"
    if verdict.refused() == ("rollback",):
        advice = f"if you know why, and want the older one: `argosy verify --accept-rollback {named}`"
    return UntrustedError(f"{named} is not trusted: {verdict.reason}", verdict=verdict, advice=advice)


def fetch(registry: Registry, held: Content, reference: Reference, *, cache: Path | None = None) -> Path:
    """The module's file in the cache: the one that is there, hashed again, or a new one, hashed while it is written.

    A pull that broke off, or was killed, goes on where it was; of several at once one pulls and the others wait.
    """
    modules = (cache or cache_root()) / "modules"
    path = modules / held.module.algorithm / f"{held.module.hex}.wasm"
    try:
        if path.is_file() and sha256_of(path) == held.module.hex:
            return path
    except OSError as error:
        raise ArgosyError(
            f"cannot use the cache {modules}: {error.strerror}", advice="choose a folder of your own with $ARGOSY_CACHE"
        ) from error
    if not held.image:
        with progress(f"pull {reference}", held.layer.size) as advance, resumable_file(path) as file:
            registry.blob(held.layer, file, advance)
        return path
    layer = path.with_suffix(".tar")
    with progress(f"pull {reference}", held.layer.size) as advance, resumable_file(layer) as file:
        registry.blob(held.layer, file, advance)
        # The file that was hashed is the one that is read.
        file.seek(0)
        try:
            with whole_file(path) as module:
                read_module(file, held.module, module, str(reference))
        except ArgosyError:
            file.truncate(0)  # it came whole, and what is in it will not get better
            raise
    layer.unlink(missing_ok=True)
    return path
