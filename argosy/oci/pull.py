"""Getting an application: by tag or digest, verified before any of its bytes is fetched, kept by digest.

The manifest is fetched once. What its tag names may change a moment later; everything after that moment is about the
digest of the bytes that were fetched. Signatures over that digest are checked against the policy, and only then is the
layer fetched, hashed on its way into the cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from argosy.errors import ArgosyError
from argosy.files import resumable_file, sha256_of
from argosy.folders import cache_root
from argosy.model.artifact import Description, check_config, wasm_layer
from argosy.model.digest import Digest
from argosy.model.manifest import Descriptor, Manifest
from argosy.model.order import Order
from argosy.model.reference import Reference
from argosy.oci.attestations import read_attestations
from argosy.oci.registry import Registry, StoredManifest, small_blob
from argosy.oci.signatures import read_signatures
from argosy.progress import progress
from argosy.sign.tag_record import Seen, TagRecord
from argosy.sign.trust import Trust
from argosy.sign.verdict import Step, Verdict
from argosy.sign.verify import verify


class UntrustedError(ArgosyError):
    """The policy refused the artifact; `verdict` holds each step."""

    def __init__(self, what: str, *, verdict: Verdict, advice: str) -> None:
        super().__init__(what, advice=advice)
        self.verdict = verdict


@dataclass(frozen=True, kw_only=True)
class Checked:
    """An artifact's manifest and the policy's verdict on it; nothing else was fetched.

    `record` is what is known of the tag, None where the reference is by digest or tags may move back.
    """

    reference: Reference
    stored: StoredManifest
    manifest: Manifest
    verdict: Verdict
    record: TagRecord | None = None

    @property
    def seen(self) -> Seen:
        """What the tag names, and its place among others."""
        order = Order.of(self.manifest.annotations, self.verdict.signed_at)
        return Seen(digest=self.stored.descriptor.digest, order=order)


@dataclass(frozen=True, kw_only=True)
class VerifiedModule:
    """A module that the policy accepts: the file that holds its bytes and what was signed with them.

    `digest` is the wasm's, `manifest_digest` the artifact's; `identity` is the repository that it was signed for.
    """

    path: Path
    digest: Digest
    manifest_digest: Digest
    reference: Reference
    identity: str
    signers: tuple[str, ...]
    annotations: Mapping[str, str]
    description: Description

    def read(self) -> bytes:
        """The bytes that were verified. Raises ArgosyError when the file in the cache is not those any more."""
        data = self.path.read_bytes()
        if Digest.of(data) != self.digest:
            raise ArgosyError(f"{self.path} was changed after it had been verified", advice="pull it again")
        return data

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
    accept_rollback: bool = False,
) -> Checked:
    """Fetch manifest and signatures and ask the policy. `repository`: what a layout folder should hold.

    A refusal is in the verdict; ArgosyError is raised for what cannot be fetched or read. What the tag names is
    compared with this user's record, which stays as it is; `accept_rollback` lets it be older.
    """
    stored = registry.manifest(reference.digest or reference.tag)
    manifest = Manifest.parse(stored.data, media_type=stored.descriptor.media_type, what=f"the manifest of {reference}")
    expected = repository or (reference.name if reference.registry is not None else None)
    digest = stored.descriptor.digest
    verdict = verify(
        trust,
        repository=expected,
        digest=digest,
        signatures=read_signatures(registry, digest),
        parts=[one.digest for one in (*manifest.layers, manifest.config)],
        attestations=read_attestations(registry, digest) if trust.policy.asks_attestations else (),
    )
    checked = Checked(reference=reference, stored=stored, manifest=manifest, verdict=verdict)
    return _compared(checked, trust, accept_rollback)


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
    refusal = record.refusal(checked.seen)
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


def pull_verified(
    registry: Registry,
    reference: Reference,
    trust: Trust,
    *,
    repository: str | None = None,
    cache: Path | None = None,
) -> VerifiedModule:
    """The module that `reference` names now, in the cache, if the policy accepts it.

    Raises UntrustedError (an ArgosyError) with the policy's reasons, ArgosyError when it is no Wasm application or
    what is stored differs from what was signed.
    """
    checked = check(registry, reference, trust, repository=repository)
    if not checked.verdict.accepted or checked.verdict.identity is None:
        raise untrusted(checked.verdict, reference, trust)
    stored, manifest = checked.stored, checked.manifest
    if checked.record is not None and (refusal := checked.record.advance(checked.seen)) is not None:
        # Another process has seen something newer in the meantime.
        step = Step(check="rollback", text=refusal, held=False)
        raise untrusted(checked.verdict.and_step(step), reference, trust)
    layer = wasm_layer(manifest, str(reference))
    check_config(small_blob(registry, manifest.config), layer, str(reference))
    return VerifiedModule(
        path=fetch(registry, layer, reference, cache=cache),
        digest=layer.digest,
        manifest_digest=stored.descriptor.digest,
        reference=reference,
        identity=checked.verdict.identity,
        signers=checked.verdict.signers,
        annotations=manifest.annotations,
        description=Description.from_annotations(manifest.annotations),
    )


def untrusted(verdict: Verdict, reference: Reference, trust: Trust) -> UntrustedError:
    """The error that tells the policy's refusal."""
    return UntrustedError(
        f"{reference} is not trusted: {verdict.reason}",
        verdict=verdict,
        advice=f"`argosy verify {reference}` shows each step; {trust.policy.source} says who may sign what",
    )


def fetch(registry: Registry, layer: Descriptor, reference: Reference, *, cache: Path | None = None) -> Path:
    """The layer's file in the cache: the one that is there, hashed again, or a new one, hashed while it is written.

    A pull that broke off, or was killed, goes on where it was; of several at once one pulls and the others wait.
    """
    modules = (cache or cache_root()) / "modules"
    path = modules / layer.digest.algorithm / f"{layer.digest.hex}.wasm"
    try:
        if path.is_file() and sha256_of(path) == layer.digest.hex:
            return path
    except OSError as error:
        raise ArgosyError(
            f"cannot use the cache {modules}: {error.strerror}", advice="choose a folder of your own with $ARGOSY_CACHE"
        ) from error
    with progress(f"pull {reference}", layer.size) as advance, resumable_file(path) as file:
        registry.blob(layer, file, advance)
    return path
