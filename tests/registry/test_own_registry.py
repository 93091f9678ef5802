"""registry/argosy-registry runs a registry with TLS and passwords by one command, and collects its garbage."""

from __future__ import annotations

import configparser
import contextlib
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from artifacts import artifact
from needs import program
from registry_server import free_port

from argosy.model.reference import Reference
from argosy.oci.open import open_registry
from argosy.oci.push import push

SCRIPT = Path(__file__).resolve().parents[2] / "registry" / "argosy-registry"
USER, PASSWORD = "captain", "ithaca-0451"


@dataclass(frozen=True, kw_only=True)
class Own:
    """A registry of this test alone, and a user who has a home."""

    host: str
    home: Path
    environment: dict[str, str]

    def script(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SCRIPT, *words], env=self.environment, input=text, capture_output=True, text=True, timeout=60
        )

    def argosy(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "argosy.cli", *words]
        return subprocess.run(command, env=self.environment, input=text, capture_output=True, text=True, timeout=120)

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """`argosy-registry serve` as a plain process, which SIGTERM ends."""
        with (self.home / "log").open("ab") as log:
            process = subprocess.Popen([SCRIPT, "serve"], env=self.environment, stdout=log, stderr=log)
        try:
            for _ in range(200):
                assert process.poll() is None, (self.home / "log").read_text()
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", int(self.host.partition(":")[2])), 1).close()
                    break
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(20)

    def blobs(self) -> set[str]:
        return {path.parent.name for path in (self.home / "registry" / "storage").rglob("blobs/sha256/*/*/data")}


@pytest.fixture
def own(tmp_path: Path) -> Own:
    for name, package in (
        ("docker-registry", "docker-registry"),
        ("htpasswd", "apache2-utils"),
        ("openssl", "openssl"),
        ("flock", "util-linux"),
    ):
        program(name, f"apt-get install {package}")
    host = f"127.0.0.1:{free_port()}"
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "ARGOSY_CACHE": str(tmp_path / "cache"),
        "ARGOSY_REGISTRY_HOME": str(tmp_path / "registry"),
        "ARGOSY_REGISTRY_ADDRESS": host,
        "ARGOSY_REGISTRY_NAMES": "127.0.0.1 registry.example.org",
    }
    return Own(host=host, home=tmp_path, environment=environment)


def test_from_the_first_start_to_the_collection_of_garbage(own: Own, tmp_path: Path) -> None:
    layout = f"oci:{tmp_path}/dist"
    blobs = {}
    for tag in ("kept", "gone"):
        packed = artifact(tmp_path, cargo=os.urandom(20_000))
        push(packed, open_registry(Reference.parse(layout)), tag=tag)
        blobs[tag] = packed.layer.digest.hex
    there = f"{own.host}/hpc/argo"
    with own.serving():
        assert own.script("user", USER, text=PASSWORD).returncode == 0
        trusted = own.home / "config" / "argosy" / "certs.d" / own.host
        trusted.mkdir(parents=True)
        # Another authority is not enough, nor is none of the passwords.
        own_authority = (own.home / "registry" / "ca.crt").read_bytes()
        other = own.home / "other.crt"
        words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other", "-keyout", os.devnull]
        subprocess.run(["openssl", *words, "-out", other], check=True, capture_output=True)
        (trusted / "ca.crt").write_bytes(other.read_bytes())
        assert "certificate is not accepted" in own.argosy("list", there).stderr
        (trusted / "ca.crt").write_bytes(own_authority)
        refused = own.argosy("copy", f"{layout}:kept", f"{there}:kept")
        assert refused.returncode == 1 and "401" in refused.stderr
        assert own.argosy("login", "--user", USER, "--password-stdin", own.host, text="wrong").returncode == 1
        assert own.argosy("login", "--user", USER, "--password-stdin", own.host, text=PASSWORD).returncode == 0
        for tag in ("kept", "gone"):
            done = own.argosy("copy", f"{layout}:{tag}", f"{there}:{tag}")
            assert done.returncode == 0, done.stderr
        assert own.argosy("delete", f"{there}:gone").returncode == 0
        # While it runs, nothing is collected, and a second one does not start over the same files.
        assert "stop the registry" in own.script("collect").stderr
        assert "running already" in own.script("serve").stderr
        assert blobs["gone"] in own.blobs()
    collected = own.script("collect")
    assert collected.returncode == 0, collected.stderr
    assert blobs["gone"] not in own.blobs() and blobs["kept"] in own.blobs()
    with own.serving():
        done = own.argosy("copy", f"{there}:kept", f"oci:{tmp_path}/back")
        assert done.returncode == 0, done.stderr
        assert open_registry(Reference.parse(f"oci:{tmp_path}/back")).resolve("kept")


def test_what_is_secret_is_for_its_user_alone(own: Own) -> None:
    with own.serving():
        own.script("user", USER, text=PASSWORD)
    for name in ("ca.key", "server.key", "secret", "htpasswd"):
        assert (own.home / "registry" / name).stat().st_mode & 0o077 == 0
    assert PASSWORD not in (own.home / "registry" / "htpasswd").read_text()


def test_the_certificate_is_kept_until_its_names_change(own: Own) -> None:
    def started(names: str) -> tuple[bytes, bytes]:
        own.environment["ARGOSY_REGISTRY_NAMES"] = names
        with own.serving():
            return tuple((own.home / "registry" / f"{one}.crt").read_bytes() for one in ("ca", "server"))  # type: ignore[return-value]

    first = started("127.0.0.1")
    assert started("127.0.0.1") == first
    changed = started("127.0.0.1 registry.example.org")
    assert changed[0] == first[0] and changed[1] != first[1]
    text = subprocess.run(
        ["openssl", "x509", "-noout", "-text"], input=changed[1], check=True, capture_output=True
    ).stdout.decode()
    assert "DNS:registry.example.org" in text and "IP Address:127.0.0.1" in text and "CA:FALSE" in text


def test_the_units_run_what_was_tried_here(own: Own) -> None:
    done = own.script("install", "--no-start")
    assert done.returncode == 0, done.stderr
    folder = own.home / "config" / "systemd" / "user"
    commands = {}
    for unit in sorted(folder.iterdir()):
        text = unit.read_text()
        assert "@" not in text, text
        parser = configparser.ConfigParser(strict=False, interpolation=None)
        parser.optionxform = str  # type: ignore[assignment, method-assign]
        parser.read_string(text)
        commands[unit.name] = shlex.split(parser.get("Service", "ExecStart", fallback=""))
    assert commands == {
        "argosy-registry.service": [str(SCRIPT), "serve"],
        "argosy-registry-collect.service": [str(SCRIPT), "collect"],
        "argosy-registry-collect.timer": [],
    }
    analyze = shutil.which("systemd-analyze")
    if analyze is not None:
        environment = {**own.environment, "XDG_RUNTIME_DIR": str(own.home)}
        verified = subprocess.run(
            [analyze, "--user", "verify", *folder.iterdir()], env=environment, capture_output=True, text=True
        )
        assert verified.returncode == 0 and str(folder) not in verified.stderr, verified.stderr


def test_it_says_how_it_is_used(own: Own) -> None:
    shown = own.script("--help")
    assert shown.returncode == 0 and "argosy-registry serve" in shown.stdout and "set -" not in shown.stdout
    assert own.script("sail").returncode == 2
    assert own.script("user", "../x", text=PASSWORD).returncode == 2
    own.environment["ARGOSY_REGISTRY_CERTIFICATE"] = "/nowhere.crt"
    alone = own.script("serve")
    assert alone.returncode == 2 and "ARGOSY_REGISTRY_KEY names that" in alone.stderr
