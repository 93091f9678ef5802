"""Publishing: an artifact into a registry or a layout folder."""

from __future__ import annotations

from argosy.model.digest import Digest
from argosy.model.manifest import MANIFEST, Descriptor, Manifest
from argosy.oci.pack import Packed
from argosy.oci.registry import Registry
from argosy.progress import progress


def push(packed: Packed, registry: Registry, *, tag: str | None) -> Digest:
    """Store layer, config and manifest, in this order, and let `tag` name them; what is there is not sent again.

    Gives the manifest's digest. A push that is interrupted leaves the tag as it was.
    """
    config: Descriptor = Manifest.parse(packed.manifest).config
    with progress(f"push {packed.wasm.name}", packed.layer.size) as advance:
        registry.put_blob(packed.layer, packed.file, advance)
    registry.put_blob(config, packed.config, lambda amount: None)
    return registry.put_manifest(packed.manifest, MANIFEST, tag).digest
