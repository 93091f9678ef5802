"""A real registry server on a free loopback port: Debian's docker-registry, with or without passwords."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests
from needs import program

CONFIGURATION = Path(__file__).resolve().parent.parent / "registry" / "config.yml"
USER, PASSWORD = "captain", "ithaca-0451"


@dataclass(frozen=True, kw_only=True)
class RegistryServer:
    """`host` is 127.0.0.1:port; `storage` is where the server keeps what it was given."""

    host: str
    storage: Path
    process: subprocess.Popen[bytes]

    def url(self, path: str = "") -> str:
        return f"http://{self.host}/v2/{path}"

    def blob_path(self, hexadecimal: str) -> Path:
        """Where docker-registry keeps a blob's or manifest's bytes."""
        return self.storage / "docker/registry/v2/blobs/sha256" / hexadecimal[:2] / hexadecimal / "data"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def registry_server(folder: Path, *, passwords: bool = False) -> Iterator[RegistryServer]:
    """Start the server with the repository's own configuration and stop it at the end."""
    server = program("docker-registry", "apt-get install docker-registry")
    folder.mkdir(parents=True, exist_ok=True)
    host = f"127.0.0.1:{free_port()}"
    users = folder / "htpasswd"
    htpasswd = program("htpasswd", "apt-get install apache2-utils")
    users.write_bytes(subprocess.run([htpasswd, "-Bbn", USER, PASSWORD], check=True, capture_output=True).stdout)
    text = CONFIGURATION.read_text()
    if not passwords:
        text = text[: text.index("auth:")] + text[text.index("health:") :]
    configuration = folder / "config.yml"
    configuration.write_text(text)
    environment = {
        **os.environ,
        "REGISTRY_HTTP_ADDR": host,
        "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(folder / "storage"),
        **({"REGISTRY_AUTH_HTPASSWD_PATH": str(users)} if passwords else {}),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([server, "serve", configuration], env=environment, stdout=log, stderr=log)
    try:
        _wait(host, process, folder / "log")
        yield RegistryServer(host=host, storage=folder / "storage", process=process)
    finally:
        process.terminate()
        process.wait(10)


def _wait(host: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(requests.ConnectionError):
            assert requests.get(f"http://{host}/v2/", timeout=5).status_code in (200, 401)
            return
        time.sleep(0.05)
    raise AssertionError(f"the registry did not start:\n{log.read_text()}")
