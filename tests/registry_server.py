"""Real registry servers on free loopback ports: Debian's docker-registry, with or without passwords, and two others."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import requests
from needs import program
from registry_programs import crane, ociserver

CONFIGURATION = Path(__file__).resolve().parent.parent / "registry" / "config.yml"
USER, PASSWORD = "captain", "ithaca-0451"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A server program, and what it is known to do.

    `referrers`: it has the referrers API. `mounts`: a blob is shared between repositories. `deletes_tags`: a tag can go
    without its manifest. `keeps`: blobs that a killed process had taken are there in the next one over the same folder.
    `continues`: an upload whose connection broke goes on, between two chunks only (`chunk`), at any byte (`byte`), or
    not at all (empty).
    """

    name: str
    referrers: bool
    mounts: bool
    deletes_tags: bool
    keeps: bool
    continues: str


DOCKER_REGISTRY = Kind(
    name="docker-registry", referrers=False, mounts=True, deletes_tags=False, keeps=True, continues="chunk"
)
CRANE = Kind(name="crane", referrers=False, mounts=False, deletes_tags=True, keeps=True, continues="")
OCISERVER = Kind(name="ociserver", referrers=True, mounts=True, deletes_tags=True, keeps=False, continues="byte")
KINDS = (DOCKER_REGISTRY, CRANE, OCISERVER)


@dataclass(frozen=True, kw_only=True)
class RegistryServer:
    """`host` is 127.0.0.1:port; `storage` is where the server keeps what it was given."""

    host: str
    storage: Path
    process: subprocess.Popen[bytes]
    kind: Kind = DOCKER_REGISTRY

    def url(self, path: str = "") -> str:
        return f"http://{self.host}/v2/{path}"

    def has(self, repository: str, hexadecimal: str) -> bool:
        """Whether the blob of this SHA-256 is there and whole, asked for as plainly as can be."""
        answer = requests.get(self.url(f"{repository}/blobs/sha256:{hexadecimal}"), timeout=60)
        return answer.status_code == 200 and hashlib.sha256(answer.content).hexdigest() == hexadecimal

    def blob_path(self, hexadecimal: str) -> Path:
        """Where docker-registry keeps a blob's or manifest's bytes."""
        return self.storage / "docker/registry/v2/blobs/sha256" / hexadecimal[:2] / hexadecimal / "data"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def registry_server(
    folder: Path, *, kind: Kind = DOCKER_REGISTRY, passwords: bool = False, settings: Mapping[str, str] | None = None
) -> Iterator[RegistryServer]:
    """Start the server, docker-registry with the repository's own configuration, and stop it at the end.

    Its log is `folder`/log. `settings` are environment variables of docker-registry's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    host = f"127.0.0.1:{free_port()}"
    environment = {**os.environ, **(settings or {})}
    if kind == CRANE:
        (folder / "storage").mkdir(exist_ok=True)
        command = [crane(), "registry", "serve", "--address", host, "--disk", folder / "storage"]
    elif kind == OCISERVER:
        command = [ociserver(), host]
    else:
        command = _docker_registry(folder, passwords)
        environment |= {
            "REGISTRY_HTTP_ADDR": host,
            "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(folder / "storage"),
            **({"REGISTRY_AUTH_HTPASSWD_PATH": str(folder / "htpasswd")} if passwords else {}),
        }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _wait(host, process, folder / "log")
        yield RegistryServer(host=host, storage=folder / "storage", process=process, kind=kind)
    finally:
        process.terminate()
        process.wait(10)


def _docker_registry(folder: Path, passwords: bool) -> list[str | Path]:
    """The command; its configuration and file of passwords are written into `folder`."""
    server = program("docker-registry", "apt-get install docker-registry")
    htpasswd = program("htpasswd", "apt-get install apache2-utils")
    users = subprocess.run([htpasswd, "-Bbn", USER, PASSWORD], check=True, capture_output=True).stdout
    (folder / "htpasswd").write_bytes(users)
    text = CONFIGURATION.read_text()
    if not passwords:
        text = text[: text.index("\nauth:")] + text[text.index("\nhealth:") :]
    (folder / "config.yml").write_text(text)
    return [server, "serve", folder / "config.yml"]


def _wait(host: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(requests.ConnectionError):
            assert requests.get(f"http://{host}/v2/", timeout=5).status_code in (200, 401)
            return
        time.sleep(0.05)
    raise AssertionError(f"the registry did not start:\n{log.read_text()}")
