"""Passwords come from where Docker's clients keep them, and get there by `argosy login`; certificates by host."""

from __future__ import annotations

import http.server
import json
import ssl
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from lying_server import Answer, Asked, lying_server
from needs import program
from registry_server import PASSWORD, USER, RegistryServer

from argosy.cli import main
from argosy.errors import ArgosyError
from argosy.model.reference import Reference
from argosy.oci import credentials
from argosy.oci.open import open_registry
from argosy.oci.registry import NotFoundError

HELPER = """#!/bin/sh
# Keeps what it is given in a file, as the protocol of docker-credential-helpers has it.
case "$1" in
  store) cat > "$STORE" ;;
  get) [ -s "$STORE" ] || { echo "credentials not found in native keychain"; exit 1; }; cat "$STORE" ;;
  erase) [ -s "$STORE" ] || { echo "credentials not found in native keychain"; exit 1; }; rm "$STORE" ;;
esac
"""


@pytest.fixture(autouse=True)
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Docker's settings, the user's settings and the helpers are this test's own."""
    for name in ("ARGOSY_USERNAME", "ARGOSY_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    (tmp_path / "docker").mkdir()
    (tmp_path / "bin").mkdir()
    helper = tmp_path / "bin" / "docker-credential-chest"
    helper.write_text(HELPER)
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("STORE", str(tmp_path / "chest.json"))
    return tmp_path / "docker" / "config.json"


def log_in(monkeypatch: pytest.MonkeyPatch, host: str, password: str = PASSWORD) -> int:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    return main(["login", "--user", USER, "--password-stdin", host])


def tags(host: str) -> None:
    """Raises NotFoundError where the registry lets us in (nothing is in it), ArgosyError 401 otherwise."""
    open_registry(Reference.parse(f"{host}/argo"), patience=1).tags()


def test_a_login_is_kept_for_its_user_alone_and_forgotten_by_logout(
    locked_server: RegistryServer, docker: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    docker.write_text(json.dumps({"auths": {"other.example.org": {"auth": "eDp5"}}, "detachKeys": "ctrl-e"}))
    assert log_in(monkeypatch, locked_server.host) == 0
    assert stat.S_IMODE(docker.stat().st_mode) == 0o600
    kept = json.loads(docker.read_text())
    assert kept["detachKeys"] == "ctrl-e" and set(kept["auths"]) == {"other.example.org", locked_server.host}
    with pytest.raises(NotFoundError):
        tags(locked_server.host)
    assert main(["logout", locked_server.host]) == 0
    assert set(json.loads(docker.read_text())["auths"]) == {"other.example.org"}
    with pytest.raises(ArgosyError, match="401"):
        tags(locked_server.host)
    assert PASSWORD not in capsys.readouterr().out


def test_a_wrong_password_is_not_kept(
    locked_server: RegistryServer, docker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert log_in(monkeypatch, locked_server.host, "circe-0451") == 1
    assert not docker.exists()


@pytest.mark.parametrize("setting", ["credsStore", "credHelpers"])
def test_a_credential_helper_keeps_the_password(
    locked_server: RegistryServer, docker: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    settings = {setting: "chest" if setting == "credsStore" else {locked_server.host: "chest"}}
    docker.write_text(json.dumps(settings))
    assert log_in(monkeypatch, locked_server.host) == 0
    assert json.loads(docker.read_text()) == settings
    with pytest.raises(NotFoundError):
        tags(locked_server.host)
    assert main(["logout", locked_server.host]) == 0
    with pytest.raises(ArgosyError, match="401"):
        tags(locked_server.host)


def test_a_helper_that_is_absent_or_answers_nonsense_is_told(docker: Path, tmp_path: Path) -> None:
    for helper, message in (("absent", "not on PATH"), ("../x", "not on PATH")):
        docker.write_text(json.dumps({"credsStore": helper}))
        with pytest.raises(ArgosyError, match=message):
            credentials.find("registry.example.org")
    docker.write_text(json.dumps({"credsStore": "chest"}))
    (tmp_path / "chest.json").write_text("secret nonsense")
    with pytest.raises(ArgosyError, match="not valid JSON") as refusal:
        credentials.find("registry.example.org")
    assert "secret nonsense" not in str(refusal.value)


def test_an_identity_token_is_changed_for_one_of_the_registry(docker: Path) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path == "/token":
            assert asked.method == "POST" and b"refresh_token=refresh-0451" in asked.body
            assert b"scope=repository%3Aargo%3Apull" in asked.body
            return Answer(body=b'{"access_token":"t"}')
        if asked.headers.get("Authorization") == "Bearer t":
            return Answer(body=b'{"tags":["1.0"]}')
        header = f'Bearer realm="http://{server.host}/token",service="s",scope="repository:argo:pull"'
        return Answer(status=401, headers={"WWW-Authenticate": header})

    with lying_server(answer) as server:
        docker.write_text(json.dumps({"auths": {server.host: {"identitytoken": "refresh-0451"}}}))
        assert open_registry(Reference.parse(f"{server.host}/argo"), patience=1).tags() == ["1.0"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["registry.site/hpc"], "is no host"),
        (["https://registry.site"], "is no host"),
        (["--password-stdin", "registry.site"], "needs --user"),
    ],
)
def test_a_wrong_login_says_how(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["login", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A registry that speaks https, wants a certificate of its clients, and the folder with those."""
    openssl = program("openssl", "apt-get install openssl")
    folder = tmp_path / "certificates"
    folder.mkdir()
    for name in ("server", "client"):
        words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
        words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{name}.key", "-out", f"{name}.crt"]
        subprocess.run([openssl, *words], cwd=folder, check=True, capture_output=True)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"tags":["1.0"]}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    class Quiet(http.server.ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Clients without a certificate are turned away."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    context.load_verify_locations(folder / "client.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    server = Quiet(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}", folder
    server.shutdown()
    server.server_close()


def test_a_site_has_its_own_authority_and_asks_for_certificates(
    tls_server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("argosy.oci.transport.is_loopback", lambda host: False)
    host, folder = tls_server
    reference = Reference.parse(f"{host}/argo")
    with pytest.raises(ArgosyError, match="certificate is not accepted") as refusal:
        open_registry(reference, patience=0).tags()
    assert "certs.d" in refusal.value.advice
    place = tmp_path / "settings" / "argosy" / "certs.d" / host
    place.mkdir(parents=True)
    (place / "ca.crt").write_bytes((folder / "server.crt").read_bytes())
    with pytest.raises(ArgosyError):
        open_registry(reference, patience=0).tags()
    (place / "client.cert").write_bytes((folder / "client.crt").read_bytes())
    with pytest.raises(ArgosyError, match="no readable key"):
        open_registry(reference, patience=0)
    (place / "client.key").write_bytes((folder / "client.key").read_bytes())
    assert open_registry(reference, patience=20).tags() == ["1.0"]
