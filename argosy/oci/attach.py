"""Storing what refers to an artifact (image specification 1.1, "Guidelines for Artifact Usage")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from argosy.model.digest import Digest
from argosy.model.manifest import EMPTY, Descriptor, Manifest
from argosy.oci.registry import Registry

_NOTHING = b"{}"  # the content of the empty descriptor


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """What shall refer to an artifact: `content`, of media type `artifact_type`."""

    artifact_type: str
    content: bytes
    annotations: Mapping[str, str] = field(default_factory=dict)


def attach(registry: Registry, subject: Digest, attachments: Sequence[Attachment]) -> None:
    """Store each as the one layer of a manifest that refers to `subject`.

    The same content for the same subject has the same digest and is there once, whoever stores it.
    """
    config = Descriptor(media_type=EMPTY, digest=Digest.of(_NOTHING), size=len(_NOTHING))
    about = registry.resolve(subject)
    manifests = []
    registry.put_blob(config, _NOTHING, lambda amount: None)
    for one in attachments:
        layer = Descriptor(media_type=one.artifact_type, digest=Digest.of(one.content), size=len(one.content))
        registry.put_blob(layer, one.content, lambda amount: None)
        manifest = Manifest(
            config=config,
            layers=(layer,),
            annotations=one.annotations,
            artifact_type=one.artifact_type,
            subject=about,
        )
        manifests.append(manifest.to_bytes())
    registry.put_referrers(manifests)
