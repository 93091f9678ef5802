"""Storing what refers to an artifact (image specification 1.1, "Guidelines for Artifact Usage")."""

from __future__ import annotations

from collections.abc import Mapping

from argosy.model.digest import Digest
from argosy.model.manifest import EMPTY, MANIFEST, Descriptor, Manifest
from argosy.oci.registry import Registry

_NOTHING = b"{}"  # the content of the empty descriptor


def attach(
    registry: Registry,
    subject: Digest,
    *,
    artifact_type: str,
    content: bytes,
    annotations: Mapping[str, str],
) -> Descriptor:
    """Store `content`, of media type `artifact_type`, as the one layer of a manifest that refers to `subject`.

    The same content for the same subject has the same digest and is there once, whoever stores it.
    """
    config = Descriptor(media_type=EMPTY, digest=Digest.of(_NOTHING), size=len(_NOTHING))
    layer = Descriptor(media_type=artifact_type, digest=Digest.of(content), size=len(content))
    manifest = Manifest(
        config=config,
        layers=(layer,),
        annotations=annotations,
        artifact_type=artifact_type,
        subject=registry.resolve(subject),
    )
    registry.put_blob(config, _NOTHING, lambda amount: None)
    registry.put_blob(layer, content, lambda amount: None)
    return registry.put_manifest(manifest.to_bytes(), MANIFEST, None)
