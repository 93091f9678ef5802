"""Sending a blob to a registry (distribution specification 1.1, "Pushing blobs").

A small blob goes in one PUT; a large one in chunks, so that no proxy has to hold it whole. The registry names the URL
to send to; it may be on another host, which then gets the bytes and no credentials (see `transport`). Where something
breaks, the registry is asked what it has and gets the rest, also from the next process after one that was killed.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urljoin

import requests

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.manifest import Descriptor
from argosy.oci import upload_session
from argosy.oci.challenge import origin
from argosy.oci.paced import PIECE, FilePart
from argosy.oci.patience import Patience
from argosy.oci.registry import Advance, NotFoundError, open_source
from argosy.oci.transport import Body, BusyError, Transport, UnreachableError
from argosy.oci.upload_session import UploadSession

WHOLE = 16 << 20  # bytes: a larger blob is sent in chunks
CHUNK = 64 << 20  # of this size, which is not to be more than a proxy can hold
_LARGEST_CHUNK = 1 << 30
_BYTES = {"Content-Type": "application/octet-stream"}
_RANGE = re.compile(r"(?:bytes=)?0-(\d{1,19})")


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where the registry takes the bytes from `start` on."""

    url: str
    start: int
    chunk: int


def upload(
    transport: Transport, repository: str, descriptor: Descriptor, source: Path | bytes, advance: Advance
) -> None:
    """Send the blob and see that the registry stored it under its digest.

    Goes on where a connection broke, as long as the transport's patience lasts without a byte more.
    """
    action = f"push {descriptor.digest} to {transport.host}/{repository}"
    with open_source(source) as file, upload_session.held(transport.base, repository, descriptor) as session:
        _Upload(transport, repository, descriptor, file, advance, action, session).run()


class _Upload:
    def __init__(
        self,
        transport: Transport,
        repository: str,
        descriptor: Descriptor,
        file: IO[bytes],
        advance: Advance,
        action: str,
        session: UploadSession,
    ) -> None:
        self._transport, self._repository, self._descriptor = transport, repository, descriptor
        self._file, self._advance, self._action, self._session = file, advance, action, session
        self._shown = 0

    def run(self) -> None:
        patience, furthest = Patience(self._transport.patience), 0
        url, broken = self._session.url, self._session.url is not None
        place: _Place | None = None
        while True:
            try:
                if broken:
                    # The answer may have been lost after the registry had stored everything.
                    if self._is_stored():
                        break
                    place, broken = None if url is None else self._ask_where(url), False
                place = place or self._begin()
                if place.start > furthest:
                    furthest = place.start
                    patience.progressed()
                self._show(place.start)
                url = place.url if self._is_large() else None
                place = self._send(place)
                if place is None:
                    break
            except (UnreachableError, BusyError) as error:
                if not patience.wait(error.after if isinstance(error, BusyError) else None):
                    raise
                broken = True
        self._show(self._descriptor.size)
        self._session.end()

    def _begin(self) -> _Place:
        url = f"/v2/{self._repository}/blobs/uploads/"
        with self._transport.send("POST", url, action=self._action, expected={202}) as response:
            url = _location(self._transport, response, self._transport.base)
            least = response.headers.get("OCI-Chunk-Min-Length", "")
        chunk = max(CHUNK, int(least) if least.isdecimal() and len(least) < 12 else 0)
        if chunk > _LARGEST_CHUNK:
            raise ArgosyError(f"cannot {self._action}: it asks for chunks of {chunk} bytes")
        return _Place(url=url, start=0, chunk=chunk)

    def _ask_where(self, url: str) -> _Place | None:
        """How far an upload that broke off came; None when the registry does not know it any more, or does not say."""
        try:
            with self._transport.send("GET", url, action=self._action, expected={204}) as response:
                told = _RANGE.fullmatch(response.headers.get("Range", "").strip())
                url = _location(self._transport, response, url) if "Location" in response.headers else url
        except UnreachableError:
            raise
        except ArgosyError:
            return None
        # Servers say 0-0 both for one byte and for none; a start at a byte that they have is answered by 416.
        have = 0 if told is None or told[1] == "0" else int(told[1]) + 1
        return _Place(url=url, start=have, chunk=CHUNK) if have <= self._descriptor.size else None

    def _send(self, place: _Place) -> _Place | None:
        """Send one chunk, or the last one and the digest. What is to be sent next; None when everything is stored."""
        try:
            return self._send_some(place)
        except NotFoundError as error:
            raise UnreachableError(f"{error.what}: the upload is lost there", advice="try again") from None

    def _send_some(self, place: _Place) -> _Place | None:
        rest = self._descriptor.size - place.start
        if rest > 0 and self._is_large():
            return self._send_chunk(place, min(place.chunk, rest))
        target = f"{place.url}{'&' if '?' in place.url else '?'}digest={self._descriptor.digest}"
        headers = {**_BYTES, "Content-Length": str(rest)}
        with self._transport.send(
            "PUT",
            target,
            action=self._action,
            expected={201},
            headers=headers,
            body=self._body(place.start, rest),
            repeat=False,
        ) as response:
            check_stored(response, self._descriptor.digest, self._action)
        return None

    def _send_chunk(self, place: _Place, size: int) -> _Place:
        end = place.start + size
        headers = {**_BYTES, "Content-Range": f"{place.start}-{end - 1}", "Content-Length": str(size)}
        self._session.save(place.url)
        with self._transport.send(
            "PATCH",
            place.url,
            action=self._action,
            expected={202, 204, 416},
            headers=headers,
            body=self._body(place.start, size),
            repeat=False,
        ) as response:
            if response.status_code == 416:
                raise NotFoundError(f"cannot {self._action}: the registry lost what it had of it", advice="try again")
            url = _location(self._transport, response, place.url)
        self._session.save(url)
        return _Place(url=url, start=end, chunk=place.chunk)

    def _is_large(self) -> bool:
        return self._descriptor.size > WHOLE

    def _is_stored(self) -> bool:
        url = f"/v2/{self._repository}/blobs/{self._descriptor.digest}"
        with self._transport.send("HEAD", url, action=self._action, expected={200, 404}) as response:
            return response.status_code == 200

    def _body(self, start: int, size: int) -> Body:
        def opened() -> bytes | Iterable[bytes | FilePart]:
            self._show(start)  # the same bytes may be sent again, after a new token
            return _Slice(self._file, start, size, lambda amount: self._show(self._shown + amount)) if size else b""

        return opened

    def _show(self, position: int) -> None:
        self._advance(position - self._shown)
        self._shown = position


class _Slice:
    """Bytes `start` to `start + size` of an open file, piece by piece; the HTTP library takes its length by len()."""

    def __init__(self, file: IO[bytes], start: int, size: int, advance: Advance) -> None:
        self._file, self._start, self._size, self._advance = file, start, size, advance

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes | FilePart]:
        in_memory = isinstance(self._file, io.BytesIO)
        for start in range(self._start, self._start + self._size, PIECE):
            size = min(PIECE, self._start + self._size - start)
            self._advance(size)
            if in_memory:
                self._file.seek(start)
                yield self._file.read(size)
            else:
                yield FilePart(file=self._file, start=start, size=size)


def check_stored(response: requests.Response, digest: Digest, action: str) -> None:
    """Raises ArgosyError when the registry says that it stored something else."""
    told = response.headers.get("Docker-Content-Digest")
    if told is not None and told != str(digest):
        raise ArgosyError(
            f"cannot {action}: the registry stored it as {told[:100]!r}", advice="do not use this registry"
        )


def _location(transport: Transport, response: requests.Response, base: str) -> str:
    """Where to go on; a registry that is asked over https must not send us to http."""
    target = response.headers.get("Location")
    if not target:
        raise ArgosyError(f"{transport.host} began an upload and did not say where it goes on")
    url = urljoin(base, target)
    if origin(base)[0] == "https" != origin(url)[0]:
        raise ArgosyError(f"{transport.host} sends an upload from https to {origin(url)[0]}, which is not followed")
    return url
