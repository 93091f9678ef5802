"""Distribution specification 1.1, "Push", as its conformance tests have it: our client against every registry."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from artifacts import artifact
from cutting_proxy import cutting_proxy
from registry_server import RegistryServer

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.manifest import EMPTY, INDEX, MANIFEST, Descriptor, Index, Manifest
from argosy.model.reference import Reference
from argosy.oci import upload
from argosy.oci.open import open_registry
from argosy.oci.push import push
from argosy.oci.registry import Registry
from argosy.oci.remote import Remote

NAME = "conformance/push"
CHUNK = 20_000


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "cache"))


def place(host: str, name: str = NAME) -> Remote:
    found = open_registry(Reference.parse(f"{host}/{name}"), patience=5)
    assert isinstance(found, Remote)
    return found


def blob_of(data: bytes) -> Descriptor:
    return Descriptor(media_type="application/wasm", digest=Digest.of(data), size=len(data))


def stored(server: RegistryServer, registry: Registry, data: bytes) -> bool:
    """Send it as a blob, and look for it."""
    blob, seen = blob_of(data), [0]
    registry.put_blob(blob, data, seen.append)
    return sum(seen) == len(data) and registry.has_blob(blob) and server.has(NAME, blob.digest.hex)


def test_a_blob_in_one_piece(each_server: RegistryServer) -> None:
    assert stored(each_server, place(each_server.host), os.urandom(CHUNK))


@pytest.mark.parametrize("size", [CHUNK + 1, 2 * CHUNK, 5 * CHUNK - 1])
def test_a_blob_in_chunks(each_server: RegistryServer, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(upload, "WHOLE", CHUNK)
    monkeypatch.setattr(upload, "CHUNK", CHUNK)
    assert stored(each_server, place(each_server.host), os.urandom(size))


def test_an_empty_blob(each_server: RegistryServer) -> None:
    assert stored(each_server, place(each_server.host), b"")


def test_an_upload_that_broke_is_asked_about_and_goes_on(
    each_server: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "WHOLE", CHUNK)
    monkeypatch.setattr(upload, "CHUNK", CHUNK)
    with cutting_proxy(each_server.host) as proxy:
        proxy.cut_up = 3 * CHUNK
        assert stored(each_server, place(proxy.host), os.urandom(5 * CHUNK)) and proxy.cuts == 1


def test_bytes_with_another_digest_are_not_stored(each_server: RegistryServer) -> None:
    wrong = Descriptor(media_type="application/wasm", digest=Digest.of(os.urandom(9)), size=9)
    registry = place(each_server.host)
    with pytest.raises(ArgosyError, match="cannot push"):
        registry.put_blob(wrong, b"ninebytes", lambda amount: None)
    assert not registry.has_blob(wrong)


def test_a_blob_is_mounted_from_another_repository_or_sent(each_server: RegistryServer) -> None:
    data = os.urandom(CHUNK)
    place(each_server.host, "conformance/from").put_blob(blob_of(data), data, lambda amount: None)
    registry = place(each_server.host)
    mounted = registry.mount(blob_of(data), "conformance/from")
    assert mounted or not each_server.kind.mounts
    assert stored(each_server, registry, data)
    assert not registry.mount(blob_of(b"absent"), "conformance/from")


def test_a_manifest_by_tag_and_by_digest(each_server: RegistryServer, tmp_path: Path) -> None:
    registry = place(each_server.host)
    for tag in ("1.0", None):
        packed = artifact(tmp_path, cargo=os.urandom(9))
        assert push(packed, registry, tag=tag) == packed.digest
        assert registry.manifest(packed.digest).data == packed.manifest
        assert tag is None or registry.resolve(tag).digest == packed.digest


def test_a_tag_is_moved(each_server: RegistryServer, tmp_path: Path) -> None:
    registry = place(each_server.host)
    both = [artifact(tmp_path / name, cargo=os.urandom(9)) for name in ("first", "second")]
    for packed in both:
        push(packed, registry, tag="moving")
        assert registry.resolve("moving").digest == packed.digest
    assert registry.resolve(both[0].digest).digest == both[0].digest


def test_an_index_and_a_manifest_with_a_subject(each_server: RegistryServer, tmp_path: Path) -> None:
    registry = place(each_server.host)
    subject = registry.resolve(push(artifact(tmp_path, cargo=os.urandom(9)), registry, tag=None))
    index = Index(manifests=(subject,)).to_bytes()
    assert registry.put_manifest(index, INDEX, "both").digest == registry.resolve("both").digest
    empty = Descriptor(media_type=EMPTY, digest=Digest.of(b"{}"), size=2)
    registry.put_blob(empty, b"{}", lambda amount: None)
    bill = Manifest(config=empty, layers=(empty,), subject=subject, artifact_type="application/spdx+json")
    digest = registry.put_manifest(bill.to_bytes(), MANIFEST, None).digest
    assert [one.digest for one in registry.referrers(subject.digest)] == [digest]
