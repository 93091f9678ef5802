"""HTTP connections that a server cannot hold open for nothing.

A socket's timeout is about one receive: a server that sends a byte a minute, in its headers, between chunks or in a
body, would be listened to for ever. Here the time that is spent waiting is added up.
"""

from __future__ import annotations

import http.client
import io
import os
import select
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import requests.adapters
import urllib3

# Fewer bytes than this in this many seconds of waiting: a server that means to hold its client up, or as good as one.
SLOWEST, SLOW_SECONDS = 16384, 30.0
_MOST_HEADERS = 1 << 20  # bytes, with those of the interim answers before them
PIECE = 1 << 18  # bytes of a body that are sent at a time; urllib3's own are 16 KiB


class _Received(io.RawIOBase):
    """What comes from a socket. Raises TimeoutError when hardly anything does."""

    def __init__(self, raw: socket.SocketIO) -> None:
        self._raw = raw
        self._in_headers = True
        self._came = 0
        self._waited: float | None = None  # how long the first byte takes is the socket's timeout's to bound

    def body_begins(self) -> None:
        """The headers are read: from now on time is counted anew."""
        self._in_headers, self._came, self._waited = False, 0, 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        begin = time.monotonic()
        count = self._raw.readinto(buffer)
        self._came += count or 0
        self._waited = 0.0 if self._waited is None else self._waited + time.monotonic() - begin
        if self._in_headers:
            if self._came > _MOST_HEADERS:
                raise http.client.HTTPException("headers without end")
        elif self._came >= SLOWEST:
            self._came, self._waited = 0, 0.0
        if self._waited > SLOW_SECONDS:
            raise TimeoutError("the server hardly sends anything")
        return count

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp.close()
        self._received = _Received(sock.makefile("rb", buffering=0))
        self.fp = io.BufferedReader(self._received)

    def begin(self) -> None:
        super().begin()
        self._received.body_begins()


@dataclass(frozen=True, kw_only=True)
class FilePart:
    """A piece of a body, of `size` bytes from `start` on in an open file; such a file has a descriptor."""

    file: IO[bytes]
    start: int
    size: int

    def read(self) -> bytes:
        """The bytes. Raises OSError when the file has become shorter."""
        data = os.pread(self.file.fileno(), self.size, self.start)
        if len(data) != self.size:
            raise OSError("the file has become shorter")
        return data

    def send(self, sock: socket.socket) -> None:
        """Let the kernel send it, without a copy in this process. Raises TimeoutError, OSError."""
        deadline, sent = time.monotonic() + (sock.gettimeout() or 0.0), 0
        waiting = select.poll()
        waiting.register(sock, select.POLLOUT)
        while sent < self.size:
            try:
                count = os.sendfile(sock.fileno(), self.file.fileno(), self.start + sent, self.size - sent)
            except BlockingIOError:
                if not waiting.poll(max(0.0, 1e3 * (deadline - time.monotonic()))):
                    raise TimeoutError("the server hardly takes anything") from None
                continue
            if count == 0:
                raise OSError("the file has become shorter")
            sent += count


class _Plain(urllib3.connection.HTTPConnection):
    response_class = _Response

    def send(self, data: Any) -> None:
        if isinstance(data, FilePart):
            data.send(self.sock)
        else:
            super().send(data)


class _Encrypted(urllib3.connection.HTTPSConnection):
    response_class = _Response

    def send(self, data: Any) -> None:
        super().send(data.read() if isinstance(data, FilePart) else data)


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class _EncryptedPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Encrypted


_POOLS: Mapping[str, type[urllib3.HTTPConnectionPool]] = {"http": _PlainPool, "https": _EncryptedPool}


class PacedAdapter(requests.adapters.HTTPAdapter):
    """Lets `requests` use such connections, also by way of a proxy; bodies go out in pieces of a useful size."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options, blocksize=PIECE)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options, blocksize=PIECE)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager
