"""A module in the one layer of an ordinary container image: a tar file with nothing else in it, not compressed.

The same module gives the same bytes. What comes back is the module whose digest was signed, or nothing: no name in the
archive is used for anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.manifest import Descriptor
from argosy.oci.registry import copy_checked
from argosy.tar import tarfile

_CHUNK = 1 << 20


def write_layer(wasm: Path, name: str, layer: Path) -> None:
    """Write the tar file `layer` that holds the module at `wasm` as `name`. Raises ArgosyError."""
    member = tarfile.TarInfo(name)
    member.mode = 0o755  # some runtimes want an entry point to be executable
    try:
        member.size = wasm.stat().st_size
        with wasm.open("rb") as content, tarfile.open(layer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            archive.addfile(member, content)
    except OSError as error:
        raise ArgosyError(f"cannot write {layer}: {error.strerror or error}", advice="free some space") from error


def read_module(layer: IO[bytes], module: Digest, file: IO[bytes], place: str) -> None:
    """Write the module in the tar file `layer` to `file`. Raises ArgosyError unless it is the only thing in there and
    has the digest `module`."""
    try:
        with tarfile.open(fileobj=layer, mode="r:") as archive:
            members = [one for _, one in zip(range(3), archive, strict=False) if not one.isdir()]
            if len(members) != 1 or not members[0].isreg() or members[0].issparse():
                raise ArgosyError(f"{place}: the image's layer holds something else than one module")
            source = archive.extractfile(members[0])
            assert source is not None, "it is a regular file"
            whole = Descriptor(media_type="application/wasm", digest=module, size=members[0].size)
            pieces = iter(lambda: source.read(_CHUNK), b"")
            copy_checked(pieces, whole, file, lambda amount: None, f"the image's layer of {place}")
    except (tarfile.TarError, EOFError) as error:
        raise ArgosyError(f"{place}: the image's layer is not a tar file: {error}") from None
