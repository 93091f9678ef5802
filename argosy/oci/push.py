"""Publishing: an artifact into a registry or a layout folder."""

from __future__ import annotations

from argosy.model.content import WASM_LAYER
from argosy.model.digest import Digest
from argosy.model.manifest import MANIFEST, Descriptor, Manifest
from argosy.oci.pack import Packed
from argosy.oci.registry import Registry
from argosy.oci.transport import RefusedError
from argosy.progress import progress


def push(packed: Packed, registry: Registry, *, tag: str | None) -> Digest:
    """Store layer, config and manifest, in this order, and let `tag` name them; what is there is not sent again.

    Gives the manifest's digest. A push that is interrupted leaves the tag as it was. Raises ArgosyError.
    """
    config: Descriptor = Manifest.parse(packed.manifest).config
    with progress(f"push {packed.wasm.name}", packed.layer.size) as advance:
        registry.put_blob(packed.layer, packed.file, advance)
    registry.put_blob(config, packed.config, lambda amount: None)
    try:
        return registry.put_manifest(packed.manifest, MANIFEST, tag).digest
    except RefusedError as error:
        if packed.layer.media_type != WASM_LAYER:
            raise
        # Some have a list of media types, as GitLab's has: it answers 400, "unknown media type".
        advice = "if it takes nothing but container images: argosy push --compatible"
        raise RefusedError(error.what, advice=advice, codes=error.codes) from error
