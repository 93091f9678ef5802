"""A wasm file and what is said of it, made into an artifact. The same input gives the same digest."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from argosy.errors import ArgosyError, UsageError
from argosy.files import sha256_of
from argosy.model import content
from argosy.model import variant as variants
from argosy.model.artifact import Description
from argosy.model.content import (
    COMPATIBLE,
    IMAGE_CONFIG,
    IMAGE_LAYER,
    MODULE_ANNOTATION,
    VARIANT_ANNOTATION,
    WASM_CONFIG,
    WASM_LAYER,
)
from argosy.model.digest import Digest
from argosy.model.manifest import MANIFEST, Descriptor, Index, Manifest
from argosy.oci import image

_MAGIC = b"\0asm\x01\0\0\0"
_TITLE = "org.opencontainers.image.title"


@dataclass(frozen=True, kw_only=True)
class Packed:
    """An artifact ready to be pushed: its manifest's and config's bytes, and the file that is its layer.

    `wasm` is the module's file, `module` its digest; in the working group's form the layer is the module.
    """

    manifest: bytes
    config: bytes
    wasm: Path
    module: Digest
    layer: Descriptor
    file: Path

    @property
    def digest(self) -> Digest:
        """The manifest's digest: the artifact's name."""
        return Digest.of(self.manifest)


def pack(wasm: Path, description: Description, *, image_folder: Path | None = None) -> Packed:
    """Make the artifact of a core module. Raises ArgosyError when the file is absent or is no such module.

    With `image_folder`, where the layer's file is then put, it is an ordinary container image, for registries that
    take nothing else. Its time of creation is $SOURCE_DATE_EPOCH, else 1970: an artifact's digest must not depend on
    when it was made.
    """
    module = Digest(algorithm="sha256", hex=_checked_module(wasm))
    annotations = description.to_annotations()
    file, name = wasm, f"{description.name}.wasm"
    if image_folder is not None:
        name = content.file_name(description.name)
        file = image_folder / f"{module.hex}.tar"
        image.write_layer(wasm, name, file)
        annotations |= {VARIANT_ANNOTATION: COMPATIBLE, MODULE_ANNOTATION: str(module)}
    layer = Descriptor(
        media_type=WASM_LAYER if image_folder is None else IMAGE_LAYER,
        digest=module if image_folder is None else Digest(algorithm="sha256", hex=sha256_of(file)),
        size=file.stat().st_size,
        annotations={_TITLE: name} if image_folder is None else {},
    )
    if image_folder is None:
        kind, config = WASM_CONFIG, content.config(module, created())
    else:
        kind, config = IMAGE_CONFIG, content.image_config(layer.digest, name, created())
    manifest = Manifest(
        config=Descriptor(media_type=kind, digest=Digest.of(config), size=len(config)),
        layers=(layer,),
        annotations=annotations,
    )
    return Packed(manifest=manifest.to_bytes(), config=config, wasm=wasm, module=module, layer=layer, file=file)


def _checked_module(wasm: Path) -> str:
    """The SHA-256 of a core module's file."""
    try:
        with wasm.open("rb") as file:
            magic = file.read(len(_MAGIC))
        digest = sha256_of(wasm)
    except OSError as error:
        raise ArgosyError(f"cannot read {wasm}: {error.strerror}", advice="build it first: `argosy build`") from error
    if magic != _MAGIC:
        raise ArgosyError(f"{wasm} is not a WebAssembly module", advice="only core modules (version 1) are packed")
    return digest


def created() -> str:
    """RFC 3339, from $SOURCE_DATE_EPOCH (reproducible-builds.org) or the epoch itself."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "0")
    try:
        moment = datetime.datetime.fromtimestamp(int(given), datetime.UTC)
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"$SOURCE_DATE_EPOCH is {given!r}, not a count of seconds") from None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def group(packed: Sequence[tuple[Packed, Description]]) -> bytes:
    """The index of artifacts that are variants of one application. Raises UsageError when they are not that."""
    members: dict[str, Packed] = {}
    common = packed[0][1]
    for one, said in packed:
        variant = variants.variant_of(said.features)
        if variant in members:
            raise UsageError(
                f"{one.wasm} and {members[variant].wasm} are the same variant, {variant}, by the vectors that they use",
                advice="build them apart: scons VARIANT=baseline, VARIANT=simd, or neither",
            )
        members[variant] = one
    for name in ("name", "version", "numerics", "mpi_abi"):
        texts = {str(getattr(said, name)) for _, said in packed}
        if len(texts) > 1:
            raise UsageError(f"these are no variants of one application: their {name} differs: {', '.join(texts)}")
    index = Index(
        manifests=tuple(
            Descriptor(
                media_type=MANIFEST,
                digest=members[variant].digest,
                size=len(members[variant].manifest),
                artifact_type=Manifest.parse(members[variant].manifest).config.media_type,
                platform=variants.platform(variant),
            )
            for variant in variants.VARIANTS
            if variant in members
        ),
        # What the variants differ in is said of each.
        annotations=replace(common, features=(), lock=None).to_annotations(),
    )
    return index.to_bytes()
