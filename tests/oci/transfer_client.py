"""A client in a process of its own, which can be killed; made from a process that has read all modules already."""

from __future__ import annotations

import multiprocessing
from multiprocessing.process import BaseProcess
from pathlib import Path

from argosy.files import resumable_file
from argosy.model.digest import Digest
from argosy.model.manifest import Descriptor
from argosy.model.reference import Reference
from argosy.oci import upload
from argosy.oci.open import open_registry

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload([__name__])


def transfer(way: str, reference: str, path: Path, blob: Descriptor, chunk: int, cache: Path) -> BaseProcess:
    """Start sending the file at `path` ("up") or getting the blob into it ("down"), in chunks of so many bytes."""
    words = (way, reference, str(path), str(blob.digest), blob.size, chunk, str(cache))
    process = _PROCESSES.Process(target=_work, args=words)
    process.start()
    return process


def _work(way: str, reference: str, path: str, digest: str, size: int, chunk: int, cache: str) -> None:
    import os

    os.environ["ARGOSY_CACHE"] = cache
    upload.WHOLE = upload.CHUNK = chunk
    registry = open_registry(Reference.parse(reference), patience=10)
    blob = Descriptor(media_type="application/wasm", digest=Digest.parse(digest), size=size)
    if way == "up":
        registry.put_blob(blob, Path(path), lambda amount: None)
    else:
        with resumable_file(Path(path)) as file:
            registry.blob(blob, file, lambda amount: None)
