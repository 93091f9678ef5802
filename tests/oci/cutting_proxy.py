"""A network that breaks: a proxy before a registry that stops after so many bytes, and counts them."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(kw_only=True)
class CuttingProxy:
    """`host` is 127.0.0.1:port. `up` and `down` count bytes from and to clients, `connections` their connections.

    When as many bytes as `cut_up` or `cut_down` have passed, `at_cut` is called (default: nothing), the connection is
    broken, and the proxy passes everything from then on.
    """

    host: str
    target: tuple[str, int]
    up: int = 0
    down: int = 0
    cut_up: int | None = None
    cut_down: int | None = None
    at_cut: Callable[[], None] = lambda: None
    cuts: int = 0
    connections: int = 0

    def passed(self, up: bool, amount: int) -> int:
        """How many of `amount` bytes may pass."""
        counted, limit = (self.up, self.cut_up) if up else (self.down, self.cut_down)
        allowed = amount if limit is None else min(amount, max(0, limit - counted))
        if up:
            self.up += allowed
        else:
            self.down += allowed
        return allowed


@contextlib.contextmanager
def cutting_proxy(host: str) -> Iterator[CuttingProxy]:
    name, _, port = host.partition(":")
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = CuttingProxy(host=f"127.0.0.1:{listener.getsockname()[1]}", target=(name, int(port)))
    lock = threading.Lock()

    def pump(source: socket.socket, sink: socket.socket, up: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                with lock:
                    allowed = proxy.passed(up, len(piece))
                sink.sendall(piece[:allowed])
                if allowed < len(piece):
                    with lock:
                        cut, proxy.cut_up, proxy.cut_down = proxy.cut_up or proxy.cut_down, None, None
                        proxy.cuts += cut is not None
                    if cut is not None:
                        proxy.at_cut()
                    break
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                proxy.connections += 1
                try:
                    server = socket.create_connection(proxy.target, timeout=5)
                except OSError:
                    client.close()
                    continue
                server.settimeout(None)
                for ends in ((client, server, True), (server, client, False)):
                    threading.Thread(target=pump, args=ends, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield proxy
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
