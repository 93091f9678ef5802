"""Argosy's client against a real registry server."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from artifacts import artifact, harbour
from cutting_proxy import cutting_proxy
from registry_server import PASSWORD, USER, RegistryServer, free_port, registry_server

from argosy.errors import ArgosyError, UsageError
from argosy.model.digest import Digest
from argosy.model.manifest import EMPTY, INDEX, MANIFEST, Descriptor, Index, Manifest
from argosy.model.reference import Reference
from argosy.oci import upload
from argosy.oci.open import open_registry
from argosy.oci.pull import check, pull_verified
from argosy.oci.push import push
from argosy.oci.registry import NotFoundError, Registry
from argosy.oci.transport import UnreachableError, is_loopback


def place(server: RegistryServer, name: str) -> Registry:
    return open_registry(Reference.parse(f"{server.host}/{name}"), patience=2)


def test_publish_sign_list_pull_and_verify(open_server: RegistryServer, tmp_path: Path) -> None:
    port = harbour(tmp_path, f"{open_server.host}/hpc/argo:1.0", rules=("127.0.0.1:*/hpc/*",))
    push(port.packed, port.registry, tag="latest")
    assert [tag for tag in port.registry.tags() if not tag.startswith("sha256-")] == ["1.0", "latest"]
    for text in ("hpc/argo:1.0", "hpc/argo", f"hpc/argo@{port.digest}"):
        reference = Reference.parse(f"{open_server.host}/{text}")
        module = pull_verified(port.registry, reference, port.trust, cache=tmp_path / "cache")
        assert module.path.read_bytes() == port.packed.wasm.read_bytes()
        assert module.manifest_digest == port.digest == port.registry.resolve(reference.tag).digest
        assert module.identity == f"{open_server.host}/hpc/argo"


def test_a_large_blob_goes_up_in_chunks_and_comes_down_whole(
    open_server: RegistryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "WHOLE", 100_000)
    monkeypatch.setattr(upload, "CHUNK", 100_000)
    registry = place(open_server, "large")
    seen: list[int] = []
    for size in (99_999, 100_000, 100_001, 250_000, 300_000):
        data = os.urandom(size)
        blob = Descriptor(media_type="application/wasm", digest=Digest.of(data), size=size)
        assert not registry.has_blob(blob)
        registry.put_blob(blob, data, seen.append)
        assert sum(seen) == size
        assert open_server.blob_path(blob.digest.hex).read_bytes() == data
        file = io.BytesIO()
        registry.blob(blob, file, lambda amount: None)
        assert file.getvalue() == data
        seen.clear()


def test_a_blob_that_is_there_is_not_sent_again(open_server: RegistryServer, tmp_path: Path) -> None:
    registry = place(open_server, "again")
    data = os.urandom(1000)
    blob = Descriptor(media_type="application/wasm", digest=Digest.of(data), size=1000)
    registry.put_blob(blob, data, lambda amount: None)
    # The file is gone: only a client that does not open it can succeed.
    registry.put_blob(blob, tmp_path / "absent", lambda amount: None)


def test_one_connection_serves_for_many_artifacts(open_server: RegistryServer, tmp_path: Path) -> None:
    with cutting_proxy(open_server.host) as proxy:
        registry = open_registry(Reference.parse(f"{proxy.host}/many"), patience=2)
        for number in range(5):
            packed = artifact(tmp_path, cargo=os.urandom(9))
            push(packed, registry, tag=f"v{number}")
            registry.blob(packed.layer, io.BytesIO(), lambda amount: None)
            assert registry.manifest(f"v{number}").data == packed.manifest
        assert proxy.connections == 1


def test_what_is_not_there_is_not_found(open_server: RegistryServer, tmp_path: Path) -> None:
    registry = place(open_server, "sparse")
    push(artifact(tmp_path), registry, tag="1.0")
    with pytest.raises(NotFoundError, match=rf"cannot get {open_server.host}/sparse:2.0: .*404 \(MANIFEST_UNKNOWN\)"):
        registry.manifest("2.0")
    with pytest.raises(NotFoundError):
        registry.resolve(Digest.of(b"absent"))
    with pytest.raises(NotFoundError, match="BLOB_UNKNOWN"):
        registry.blob(Descriptor(media_type=EMPTY, digest=Digest.of(b""), size=0), io.BytesIO(), lambda amount: None)
    with pytest.raises(NotFoundError, match="NAME_UNKNOWN"):
        place(open_server, "absent").tags()
    assert registry.referrers(Digest.of(b"absent")) == []


def test_referrers_are_found_under_the_fallback_tag(open_server: RegistryServer, tmp_path: Path) -> None:
    registry = place(open_server, "referred")
    digest = push(artifact(tmp_path), registry, tag="1.0")
    empty = Descriptor(media_type=EMPTY, digest=Digest.of(b"{}"), size=2)
    registry.put_blob(empty, b"{}", lambda amount: None)
    bill = Manifest(
        config=empty, layers=(empty,), subject=registry.resolve(digest), artifact_type="application/spdx+json"
    )
    stored = registry.put_manifest(bill.to_bytes(), MANIFEST, None)
    unrelated = replace(stored, digest=digest, artifact_type="application/spdx+json")
    index = Index(manifests=(replace(stored, artifact_type=EMPTY), unrelated))
    registry.put_manifest(index.to_bytes(), INDEX, f"sha256-{digest.hex}")
    assert [one.digest for one in registry.referrers(digest)] == [stored.digest]
    assert [one.digest for one in registry.referrers(digest, "application/spdx+json")] == [stored.digest]
    assert registry.referrers(digest, "application/other") == []


def test_a_password_is_taken_from_the_environment(
    locked_server: RegistryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARGOSY_USERNAME", USER)
    monkeypatch.setenv("ARGOSY_PASSWORD", PASSWORD)
    port = harbour(tmp_path, f"{locked_server.host}/argo:1.0")
    assert check(port.registry, port.reference, port.trust).verdict.accepted


def test_a_password_is_taken_from_dockers_file_for_its_own_host_only(
    locked_server: RegistryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    def write(host: str) -> None:
        (tmp_path / "config.json").write_text(json.dumps({"auths": {host: {"auth": encoded}}}))

    write(locked_server.host)
    place(locked_server, "argo").put_blob(
        Descriptor(media_type=EMPTY, digest=Digest.of(b"{}"), size=2), b"{}", lambda amount: None
    )
    for other in ("127.0.0.1", "127.0.0.1:1", f"x.{locked_server.host}", f"localhost:{locked_server.host[10:]}"):
        write(other)
        with pytest.raises(ArgosyError, match="401"):
            place(locked_server, "argo").tags()


def test_without_a_password_the_error_says_where_one_is_taken_from(locked_server: RegistryServer) -> None:
    with pytest.raises(ArgosyError, match=f"cannot list the tags of {locked_server.host}/argo: .*401") as refusal:
        place(locked_server, "argo").tags()
    assert "ARGOSY_PASSWORD" in refusal.value.advice and "config.json" in refusal.value.advice


def test_a_wrong_password_is_told_and_not_shown(
    locked_server: RegistryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ARGOSY_USERNAME", USER)
    monkeypatch.setenv("ARGOSY_PASSWORD", "circe-0451")
    with caplog.at_level("DEBUG"), pytest.raises(ArgosyError, match="401") as refusal:
        push(artifact(tmp_path), place(locked_server, "argo"), tag="1.0")
    assert "does not accept the user name and password" in refusal.value.advice
    secrets = ("circe-0451", base64.b64encode(f"{USER}:circe-0451".encode()).decode())
    assert not any(secret in text for secret in secrets for text in (str(refusal.value), caplog.text))


def test_half_of_a_name_and_password_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGOSY_USERNAME", USER)
    with pytest.raises(UsageError, match="ARGOSY_PASSWORD is not set"):
        open_registry(Reference.parse("127.0.0.1:1/argo"))


def test_a_registry_that_is_down_is_named() -> None:
    host = f"127.0.0.1:{free_port()}"
    with pytest.raises(UnreachableError, match=f"cannot list the tags of {host}/argo: {host}: connection refused"):
        open_registry(Reference.parse(f"{host}/argo"), patience=1).tags()


def test_a_host_that_does_not_exist_is_named() -> None:
    with pytest.raises(UnreachableError, match=r"registry\.invalid: there is no such host"):
        open_registry(Reference.parse("registry.invalid/argo"), patience=0).tags()


def test_a_registry_without_https_says_how_to_ask_it(
    open_server: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As any host but this machine itself would be asked.
    monkeypatch.setattr("argosy.oci.transport.is_loopback", lambda host: False)
    reference = Reference.parse(f"{open_server.host}/argo")
    with pytest.raises(UnreachableError, match="does not speak https") as refusal:
        open_registry(reference, patience=0).tags()
    assert "--plain-http" in refusal.value.advice
    with pytest.raises(NotFoundError):
        open_registry(reference, plain_http=True).tags()


def test_a_registry_that_dies_in_a_push_is_told_and_the_push_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "WHOLE", 100_000)
    monkeypatch.setattr(upload, "CHUNK", 100_000)
    packed = artifact(tmp_path, cargo=os.urandom(1_000_000))
    with registry_server(tmp_path / "registry") as server:
        registry = place(server, "argo")

        def kill(amount: int) -> None:
            server.process.send_signal(signal.SIGKILL)

        with pytest.raises(UnreachableError, match=server.host):
            registry.put_blob(packed.layer, packed.wasm, kill)
        server.process.wait(10)
    with registry_server(tmp_path / "registry") as server:
        registry = place(server, "argo")
        with pytest.raises(NotFoundError):
            registry.tags()
        push(packed, registry, tag="1.0")
        assert registry.resolve("1.0").digest == packed.digest


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.8.8.8", True),
        ("[::1]:5000", True),
        ("[::1]", True),
        ("localhost.example.org", False),
        ("128.0.0.1:5000", False),
        ("[::2]:5000", False),
        ("127.0.0.1.example.org:80", False),
    ],
)
def test_only_this_machine_itself_is_asked_over_http(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
