"""Servers for the tests of fetching: one over TLS that can break off, and a Debian archive in a folder."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import http.server
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass
class Site:
    """What a server gives: files by path; `break_after` bytes it breaks off, once; `ranges` asked for."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    break_after: int | None = None
    ranges: list[str] = field(default_factory=list)
    honours_ranges: bool = True


@contextlib.contextmanager
def site(folder: Path, *, tls: bool = True) -> Iterator[Site]:
    """A server on loopback while the block runs; `folder/ca.pem` is the certificate to trust."""
    found = Site()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = found.files.get(self.path)
            if data is None:
                self.send_error(404)
                return
            start = 0
            if wanted := self.headers.get("Range"):
                found.ranges.append(wanted)
                start = int(wanted.removeprefix("bytes=").removesuffix("-")) if found.honours_ranges else 0
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            if found.break_after is not None:
                data, found.break_after = data[: found.break_after], None
            self.wfile.write(data[start:])

        def log_message(self, format: str, *values: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(_certificate(folder))
        server.socket = context.wrap_socket(server.socket, server_side=True)
    found.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Argosy's tests")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def debian_archive(folder: Path, package: str, file: str, data: bytes) -> Path:
    """An archive with one source package, and the /etc of a system that uses it for packages only; gives that /etc."""
    pool = folder / "archive/pool"
    index = folder / "archive/dists/bookworm/main/source/Sources"
    pool.mkdir(parents=True)
    index.parent.mkdir(parents=True)
    (pool / file).write_bytes(data)
    dsc = f"Format: 1.0\nSource: {package}\n".encode()
    (pool / f"{package}_1.0.dsc").write_bytes(dsc)
    listed = [
        (hashlib.sha256(content).hexdigest(), len(content), name)
        for content, name in ((data, file), (dsc, f"{package}_1.0.dsc"))
    ]
    index.write_text(
        f"Package: {package}\nBinary: {package}\nVersion: 1.0\nFormat: 1.0\nArchitecture: any\nDirectory: pool\n"
        "Checksums-Sha256:\n" + "".join(f" {digest} {size} {name}\n" for digest, size, name in listed) + "\n"
    )
    content = index.read_bytes()
    (folder / "archive/dists/bookworm/Release").write_text(
        "Suite: bookworm\nCodename: bookworm\nComponents: main\nArchitectures: amd64 arm64\n"
        f"SHA256:\n {hashlib.sha256(content).hexdigest()} {len(content)} main/source/Sources\n"
    )
    system = folder / "etc"
    (system / "apt/sources.list.d").mkdir(parents=True)
    (system / "os-release").write_text("VERSION_CODENAME=bookworm\n")
    (system / "apt/sources.list.d/debian.sources").write_text(
        f"# this system's packages\nTypes: deb\nURIs: file:{folder}/archive\nSuites: bookworm\nComponents: main\n"
        "Trusted: yes\n\nTypes: deb\nURIs: https://elsewhere.example/apt\nSuites: stranger\nComponents: main\n"
    )
    return system
