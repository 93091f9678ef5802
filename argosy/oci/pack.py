"""A wasm file and what is said of it, made into an artifact. The same input gives the same digest."""

from __future__ import annotations

import datetime
import os
from dataclasses import dataclass
from pathlib import Path

from argosy.errors import ArgosyError, UsageError
from argosy.files import sha256_of
from argosy.model import artifact
from argosy.model.artifact import WASM_CONFIG, WASM_LAYER, Description
from argosy.model.digest import Digest
from argosy.model.manifest import Descriptor, Manifest

_MAGIC = b"\0asm\x01\0\0\0"
_TITLE = "org.opencontainers.image.title"


@dataclass(frozen=True, kw_only=True)
class Packed:
    """An artifact ready to be pushed: its manifest's and config's bytes, and the file that is its layer."""

    manifest: bytes
    config: bytes
    wasm: Path
    layer: Descriptor

    @property
    def digest(self) -> Digest:
        """The manifest's digest: the artifact's name."""
        return Digest.of(self.manifest)


def pack(wasm: Path, description: Description) -> Packed:
    """Make the artifact of a core module. Raises ArgosyError when the file is absent or is no such module.

    Its time of creation is $SOURCE_DATE_EPOCH, else 1970: an artifact's digest must not depend on when it was made.
    """
    try:
        with wasm.open("rb") as file:
            magic = file.read(len(_MAGIC))
        size = wasm.stat().st_size
    except OSError as error:
        raise ArgosyError(f"cannot read {wasm}: {error.strerror}", advice="build it first: `argosy build`") from error
    if magic != _MAGIC:
        raise ArgosyError(f"{wasm} is not a WebAssembly module", advice="only core modules (version 1) are packed")
    digest = Digest(algorithm="sha256", hex=sha256_of(wasm))
    layer = Descriptor(
        media_type=WASM_LAYER, digest=digest, size=size, annotations={_TITLE: f"{description.name}.wasm"}
    )
    config = artifact.config(digest, created())
    manifest = Manifest(
        config=Descriptor(media_type=WASM_CONFIG, digest=Digest.of(config), size=len(config)),
        layers=(layer,),
        annotations=description.to_annotations(),
    )
    return Packed(manifest=manifest.to_bytes(), config=config, wasm=wasm, layer=layer)


def created() -> str:
    """RFC 3339, from $SOURCE_DATE_EPOCH (reproducible-builds.org) or the epoch itself."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "0")
    try:
        moment = datetime.datetime.fromtimestamp(int(given), datetime.UTC)
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"$SOURCE_DATE_EPOCH is {given!r}, not a count of seconds") from None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
