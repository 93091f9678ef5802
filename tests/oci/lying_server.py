"""An HTTP server that answers whatever a test wants, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(kw_only=True)
class Answer:
    """What to send back. `pieces` is sent as it is after `body`, for bodies longer than anybody should read; `raw` is
    sent instead of everything else, status line and headers too."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    pieces: Iterator[bytes] | None = None
    raw: Iterator[bytes] | None = None


@dataclass(kw_only=True)
class LyingServer:
    """`host` is 127.0.0.1:port. `answer` may be replaced while it runs."""

    host: str
    answer: Callable[[Asked], Answer]
    asked: list[Asked] = field(default_factory=list)

    def saw(self, text: str) -> bool:
        """Whether `text` was anywhere in what was asked."""
        return any(
            text in one.path or text in str(dict(one.headers)) or text.encode() in one.body for one in self.asked
        )


@contextlib.contextmanager
def lying_server(answer: Callable[[Asked], Answer]) -> Iterator[LyingServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(method=self.command, path=self.path, headers=dict(self.headers.items()), body=body)
            server.asked.append(asked)
            told = server.answer(asked)
            self.close_connection = True
            with contextlib.suppress(OSError):
                if told.raw is not None:
                    for piece in told.raw:
                        self.wfile.write(piece)
                    return
                self.send_response(told.status)
                for name, text in {"Content-Length": str(len(told.body)), **told.headers}.items():
                    self.send_header(name, text)
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(b"" if asked.method == "HEAD" else told.body)
                for piece in told.pieces or ():
                    self.wfile.write(piece)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_CONNECT = serve  # noqa: N815

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """An answer that raises breaks the connection, as it should."""

    http = Quiet(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = LyingServer(host=f"127.0.0.1:{http.server_address[1]}", answer=answer)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
