"""Sending a blob to a registry (distribution specification 1.1, "Pushing blobs").

A small blob goes in one PUT; a large one in chunks, so that no proxy has to hold it whole. The registry names the URL
to send to; it may be on another host, which then gets the bytes and no credentials (see `transport`).
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO
from urllib.parse import urljoin

import requests

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.manifest import Descriptor
from argosy.oci.challenge import origin
from argosy.oci.registry import Advance, open_source
from argosy.oci.transport import Body, Transport, UnreachableError

WHOLE = 16 << 20  # bytes: a larger blob is sent in chunks of this size
_LARGEST_CHUNK = 1 << 30
_ATTEMPTS = 3
_BYTES = {"Content-Type": "application/octet-stream"}


class _Slice(io.RawIOBase):
    """Bytes `start` to `start + size` of an open file, read once; the HTTP library takes its length by len()."""

    def __init__(self, file: IO[bytes], start: int, size: int, advance: Advance) -> None:
        self._file, self._size, self._left, self._advance = file, size, size, advance
        file.seek(start)

    def __len__(self) -> int:
        return self._size

    def tell(self) -> int:
        return self._size - self._left

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        piece = self._file.read(wanted)
        self._left -= len(piece)
        self._advance(len(piece))
        return piece


def upload(
    transport: Transport, repository: str, descriptor: Descriptor, source: Path | bytes, advance: Advance
) -> None:
    """Send the blob and see that the registry stored it under its digest. Begins again where a connection breaks."""
    action = f"push {descriptor.digest} to {transport.host}/{repository}"
    sent = 0

    def count(amount: int) -> None:
        nonlocal sent
        sent += amount
        advance(amount)

    for attempt in range(1, _ATTEMPTS + 1):
        with open_source(source) as file:
            try:
                _send(transport, repository, descriptor, file, count, action)
                return
            except UnreachableError:
                if attempt == _ATTEMPTS:
                    raise
        advance(-sent)
        sent = 0


def _send(
    transport: Transport, repository: str, descriptor: Descriptor, file: IO[bytes], advance: Advance, action: str
) -> None:
    with transport.send("POST", f"/v2/{repository}/blobs/uploads/", action=action, expected={202}) as response:
        url = _location(transport, response, transport.base)
        least = response.headers.get("OCI-Chunk-Min-Length", "")
    chunk = max(WHOLE, int(least) if least.isdecimal() and len(least) < 12 else 0)
    if chunk > _LARGEST_CHUNK:
        raise ArgosyError(f"cannot {action}: it asks for chunks of {chunk} bytes")
    start = 0
    if descriptor.size > chunk:
        while start < descriptor.size:
            size = min(chunk, descriptor.size - start)
            headers = {**_BYTES, "Content-Range": f"{start}-{start + size - 1}", "Content-Length": str(size)}
            body = _body(file, start, size, advance)
            with transport.send(
                "PATCH", url, action=action, expected={202, 204}, headers=headers, body=body, repeat=False
            ) as response:
                url = _location(transport, response, url)
            start += size
    rest = descriptor.size - start
    target = f"{url}{'&' if '?' in url else '?'}digest={descriptor.digest}"
    headers = {**_BYTES, "Content-Length": str(rest)}
    with transport.send(
        "PUT",
        target,
        action=action,
        expected={201},
        headers=headers,
        body=_body(file, start, rest, advance),
        repeat=False,
    ) as response:
        check_stored(response, descriptor.digest, action)


def check_stored(response: requests.Response, digest: Digest, action: str) -> None:
    """Raises ArgosyError when the registry says that it stored something else."""
    told = response.headers.get("Docker-Content-Digest")
    if told is not None and told != str(digest):
        raise ArgosyError(
            f"cannot {action}: the registry stored it as {told[:100]!r}", advice="do not use this registry"
        )


def _body(file: IO[bytes], start: int, size: int, advance: Advance) -> Body:
    return lambda: _Slice(file, start, size, advance) if size else b""


def _location(transport: Transport, response: requests.Response, base: str) -> str:
    """Where to go on; a registry that is asked over https must not send us to http."""
    target = response.headers.get("Location")
    if not target:
        raise ArgosyError(f"{transport.host} began an upload and did not say where it goes on")
    url = urljoin(base, target)
    if origin(base)[0] == "https" != origin(url)[0]:
        raise ArgosyError(f"{transport.host} sends an upload from https to {origin(url)[0]}, which is not followed")
    return url
