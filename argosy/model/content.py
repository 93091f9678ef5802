"""What an artifact's manifest must be like to hold a Wasm module, in each of the two forms that there are.

The first is the CNCF Wasm working group's ("Wasm OCI Artifact layout"): a config that says `wasm` and `wasip1`, and
exactly one layer, which is the module. The second is an ordinary container image whose one layer is a tar file with the
module in it (the "compat" variant of solo.io's Wasm image specification, which crun and containerd run): registries
that take nothing but images take it. There a signed annotation names the module's digest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from argosy.errors import ArgosyError
from argosy.model import strict_json
from argosy.model.digest import Digest
from argosy.model.manifest import Descriptor, Manifest

WASM_CONFIG = "application/vnd.wasm.config.v0+json"
WASM_LAYER = "application/wasm"
IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"
IMAGE_LAYER = "application/vnd.oci.image.layer.v1.tar"
ARCHITECTURE, OS = "wasm", "wasip1"
VARIANT_ANNOTATION, COMPATIBLE = "module.wasm.image/variant", "compat"
MODULE_ANNOTATION = "dev.argosy.module"


@dataclass(frozen=True, kw_only=True)
class Content:
    """The one layer of an artifact, and the digest of the module that it is or, as an `image`, holds."""

    layer: Descriptor
    module: Digest
    image: bool = False


def content(manifest: Manifest, what: str) -> Content:
    """What a Wasm artifact holds. Raises ArgosyError for any other kind of artifact."""
    kind = manifest.config.media_type
    if kind == WASM_CONFIG:
        layer = _only_layer(manifest, WASM_LAYER, what)
        return Content(layer=layer, module=layer.digest)
    if kind == IMAGE_CONFIG and manifest.annotations.get(VARIANT_ANNOTATION) == COMPATIBLE:
        module = manifest.annotations.get(MODULE_ANNOTATION)
        if module is None:
            raise ArgosyError(
                f"{what} is an image with a module in it, and does not say which: it has no {MODULE_ANNOTATION}",
                advice="Argosy runs images that `argosy push --compatible` made",
            )
        return Content(layer=_only_layer(manifest, IMAGE_LAYER, what), module=Digest.parse(module), image=True)
    raise ArgosyError(
        f"{what} is not a Wasm application: its config is {kind!r}",
        advice=f"Argosy runs artifacts whose config is {WASM_CONFIG}, and images made by `argosy push --compatible`",
    )


def config(module: Digest, created: str) -> bytes:
    """The config blob of the first form for a module; `created` is an RFC 3339 time."""
    return strict_json.write(
        {
            "created": created,
            "author": None,
            "architecture": ARCHITECTURE,
            "os": OS,
            "layerDigests": [str(module)],
            "component": None,
        }
    )


def image_config(layer: Digest, file: str, created: str) -> bytes:
    """The config blob of the second form, for a `layer` (not compressed) that holds the module as `file`."""
    return strict_json.write(
        {
            "created": created,
            "architecture": ARCHITECTURE,
            "os": OS,
            "config": {"Entrypoint": [f"/{file}"]},
            "rootfs": {"type": "layers", "diff_ids": [str(layer)]},
            "history": [{"created": created, "created_by": "argosy push --compatible"}],
        }
    )


def file_name(name: str) -> str:
    """What the module of an application called `name` is called in an image."""
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '-', name).strip('-') or 'module'}.wasm"


def check_config(data: bytes, held: Content, what: str) -> None:
    """Raises ArgosyError unless the config blob says `wasm`, `wasip1` and names just the one layer."""
    value = strict_json.read(data, f"config of {what}")
    if value.get("architecture") != ARCHITECTURE or value.get("os") != OS:
        raise ArgosyError(
            f"{what} is for {str(value.get('os'))[:50]!r} on {str(value.get('architecture'))[:50]!r}",
            advice="Argosy runs core modules for wasip1 on wasm; components (wasip2) are not supported",
        )
    named = value.get("layerDigests")
    if held.image:
        rootfs = value.get("rootfs")
        named = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if named != [str(held.layer.digest)]:
        raise ArgosyError(f"config and manifest of {what} name different layers")


def _only_layer(manifest: Manifest, media_type: str, what: str) -> Descriptor:
    if len(manifest.layers) != 1 or manifest.layers[0].media_type != media_type:
        found = ", ".join(layer.media_type for layer in manifest.layers[:5]) or "none"
        raise ArgosyError(f"{what} must have exactly one layer {media_type}; it has: {found}")
    return manifest.layers[0]
